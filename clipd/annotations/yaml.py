"""The truth sheet as YAML, for people and for tools that prefer it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as UTF-8 YAML in block style, keys in the sheet's own order."""
    return yaml.safe_dump(dict(sheet), sort_keys=False, allow_unicode=True, width=120).encode(
        "utf-8", "backslashreplace"
    )
