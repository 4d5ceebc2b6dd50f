"""The truth sheet as JSON: the one that programs read, and that clipd itself looks into to know whose file it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as indented UTF-8 JSON with a final newline."""
    return (json.dumps(sheet, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
