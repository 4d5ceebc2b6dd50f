"""The truth sheet as JSON: the one that programs read, and that clipd itself looks into to know whose file it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

_SHORT = re.compile(r"\[\n\s+(-?[\d.]+(?:,\s+-?[\d.]+)*)\s+\]")
"""A list of plain numbers, spread over lines; no text can look like it, for texts have no line breaks in JSON."""


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as indented UTF-8 JSON with a final newline; a rectangle stays on one line."""
    text = json.dumps(sheet, indent=2, ensure_ascii=False)
    text = _SHORT.sub(lambda numbers: "[" + re.sub(r"\s+", " ", numbers[1]) + "]", text)
    return (text + "\n").encode("utf-8", "backslashreplace")
