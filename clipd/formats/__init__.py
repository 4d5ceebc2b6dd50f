"""The output formats: what a file that clipd makes may be. A format is one module and one line here."""

from __future__ import annotations

from typing import Final

from clipd.formats import ffv1, h264
from clipd.formats.format import Format

FORMATS: Final[dict[str, Format]] = {entry.name: entry for entry in (h264.FORMAT, ffv1.FORMAT)}
