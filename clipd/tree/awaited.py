"""What work waits for: files that are to come or to change. Whoever keeps the queue looks at them without a worker.

A file is known by a mark, which is fit to travel; a path by its place relative to the root.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clipd.errors import ClipdError, Deferred
from clipd.files.walk import Look, look
from clipd.tree.layout import Layout

Marks = tuple[tuple[str, str], ...]
"""Path relative to the root -> mark, in pairs."""


class Awaiting(Deferred):
    """Another look is worth it once one of the files, or folders, does not look any more as it did."""

    def __init__(self, message: str, looks: Mapping[Path, Look | None]) -> None:
        """`looks`: how each of them looked when it was no use; None for one that was not there."""
        super().__init__(message)
        self.looks = looks


def mark(seen: Look | None) -> str:
    """Tells one look from another; "" where there is nothing."""
    return "" if seen is None else f"{seen.size}.{seen.mtime_ns}.{seen.inode}"


def marks(layout: Layout, awaiting: Awaiting) -> Marks:
    """What is waited for, fit to travel."""
    return tuple((layout.relative(path), mark(seen)) for path, seen in awaiting.looks.items())


def stirred(layout: Layout, awaits: Marks) -> bool:
    """Does one of these not look any more as it did, or can it not be looked at?"""
    try:
        return any(mark(look(layout.at(path))) != former for path, former in awaits)
    except ClipdError:
        return True
