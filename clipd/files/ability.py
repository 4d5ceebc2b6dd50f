"""What can be done in a folder: really tried, with temporary files that are removed again.

Permission bits do not tell: access lists, a server that maps users, a read-only mount or a missing feature of the
filesystem decide as well. The names are those of `files.atomic.temporary`, so scans and sync tools pass them by, and
what a kill leaves behind is swept like any other stray.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from clipd.errors import ClipdError
from clipd.files import atomic, openers

NAME = "clipd-probe"


@dataclass(frozen=True)
class Ability:
    """What this process can do in a folder."""

    trouble: str = ""
    """Why files cannot be made, synced and renamed here; "" when they can."""
    exchanges: bool = False
    """Can two files be swapped in one step?"""
    links: bool = False
    """Can a file get a second name?"""
    holds_back: bool = False
    """Can other programs' openers be held back for a moment (file leases)?"""
    clock_offset: float = 0.0
    """The clock that stamps files here, minus this machine's, in seconds."""


def try_folder(folder: Path, now: Callable[[], float] = time.time) -> Ability:
    """Make, sync, rename, link and exchange files in `folder`; `now` is this machine's clock, in epoch seconds."""
    before = now()
    try:
        with _probe(folder) as one:
            between = (before + now()) / 2
            with atomic.translated(f"looking at {one}"):
                offset = one.stat().st_mtime - between
            with _probe(folder) as other:
                exchanges = _works(lambda: atomic.exchange(one, other))
                atomic.rename(other, one)
                atomic.fsync_directory(folder)
                second = atomic.temporary(folder / NAME)
                try:
                    links = _works(lambda: atomic.link(one, second))
                finally:
                    with suppress(ClipdError):
                        atomic.remove(second)
            held = openers.nobody_writes(one) is not None
    except ClipdError as error:
        return Ability(_reason(error))
    return Ability("", exchanges, links, held, offset)


def try_move(folder: Path, other: Path) -> str:
    """Why a file cannot be renamed from `folder` into `other`; "" when it can."""
    try:
        with _probe(folder) as probe:
            target = atomic.temporary(other / NAME)
            atomic.rename(probe, target)
            atomic.remove(target)
    except ClipdError as error:
        return _reason(error)
    return ""


@contextmanager
def probe_folder(folder: Path) -> Iterator[Path]:
    """An empty temporary folder in `folder`; raises ClipdError where none can be made."""
    made = atomic.temporary(folder / NAME)
    with atomic.translated(f"making {made}"):
        made.mkdir()
    try:
        yield made
    finally:
        with suppress(OSError):
            for path in made.iterdir():
                path.unlink()
            made.rmdir()


@contextmanager
def _probe(folder: Path) -> Iterator[Path]:
    path = atomic.stage(folder / NAME, b"clipd tries what it can do here; this file may be deleted\n")
    try:
        yield path
    finally:
        with suppress(ClipdError):
            atomic.remove(path)


def _works(deed: Callable[[], object]) -> bool:
    try:
        deed()
    except atomic.Unsupported:
        return False
    return True


def _reason(error: ClipdError) -> str:
    """The system's own words; the path is said beside them."""
    cause = error.__cause__
    return os.strerror(cause.errno) if isinstance(cause, OSError) and cause.errno else str(error)
