"""Functions for rows of datasets: a visible table. A new one is one file and one line here."""

from __future__ import annotations

from typing import Final

from clipd.jobs.rows import export, extract_frames, extract_keyframes, metadata, segment, thumbnails
from clipd.jobs.rows.function import RowFunction

FUNCTIONS: Final[dict[str, RowFunction]] = {
    module.FUNCTION.name: module.FUNCTION
    for module in (extract_keyframes, extract_frames, export, metadata, segment, thumbnails)
}
"""The word in `process` -> what is done with each row."""

__all__ = ["FUNCTIONS", "RowFunction"]
