"""Walking a tree: every regular file below a folder, in a stable order, without following links.

One `scandir` per folder and one `stat` per wanted file; nothing is opened. A folder that vanishes or cannot be read
while it is walked is reported, not raised: the rest of the tree still counts.
"""

from __future__ import annotations

import os
import re
import struct
from collections.abc import Callable, Iterable, Iterator
from fnmatch import translate
from functools import cache
from operator import attrgetter
from pathlib import Path
from typing import NamedTuple

from clipd.files.atomic import as_clipd_error

NOT_THERE_YET = (
    ".*",
    "~*",
    "*~",
    "*.part",
    "*.partial",
    "*.tmp",
    "*.temp",
    "*.crdownload",
    "*.filepart",
    "*.download",
    "*.!ut",
    "*.swp",
    "*.sync-conflict-*",
    "*.conflict-*",
    "@eaDir",
    "#recycle",
    "#snapshot",
    "lost+found",
    "System Volume Information",
    "$RECYCLE.BIN",
    "Thumbs.db",
)
"""Names of files and folders that are still being written, or belong to sync tools, editors and storage boxes."""


_WORD = (1 << 64) - 1
_pack = struct.Struct("=4Q").pack


class Look(NamedTuple):
    """What one `stat` saw of a file; equal looks mean that it did not change in between."""

    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int

    def has_content_of(self, other: Look) -> bool:
        """Same file, size and modification time? Unlike equality, a new link or mode does not count as a change."""
        return (self.size, self.mtime_ns, self.inode) == (other.size, other.mtime_ns, other.inode)

    @property
    def packed(self) -> bytes:
        """It in 32 bytes, for whoever remembers very many."""
        # Stamps may lie outside what 64 bits hold with a sign; their bits tell them apart all the same.
        return _pack(self.size & _WORD, self.mtime_ns & _WORD, self.ctime_ns & _WORD, self.inode & _WORD)

    @classmethod
    def of(cls, seen: os.stat_result) -> Look:
        """The look that a `stat` result amounts to."""
        return cls(seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_ino)


def look(path: Path) -> Look | None:
    """A look at `path` itself (a link is not followed); None where there is nothing.

    Raises what `atomic.as_clipd_error` makes of any other trouble.
    """
    try:
        return Look.of(path.lstat())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise as_clipd_error(error, f"looking at {path}") from error


class Patterns:
    """Shell patterns; `match` says whether a name matches any of them.

    A walk of a big tree asks this of every name, and nearly all patterns are a plain word with a star before or after
    it: those cost no regular expression.
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Sort `patterns` by how they are best compared."""
        words, beginnings, endings, others = [], [], [], []
        for pattern in patterns:
            if not _MAGIC.search(pattern):
                words.append(pattern)
            elif pattern.endswith("*") and not _MAGIC.search(pattern[:-1]):
                beginnings.append(pattern[:-1])
            elif pattern.startswith("*") and not _MAGIC.search(pattern[1:]):
                endings.append(pattern[1:])
            else:
                others.append(translate(pattern))
        self._words, self._beginnings, self._endings = frozenset(words), tuple(beginnings), tuple(endings)
        self._others = re.compile("|".join(others) or r"(?!)").match

    def match(self, name: str) -> bool:
        """Does `name` match any of them?"""
        return (
            name.startswith(self._beginnings)
            or name.endswith(self._endings)
            or name in self._words
            or self._others(name) is not None
        )


_MAGIC = re.compile(r"[*?\[]")


@cache
def any_of(patterns: tuple[str, ...]) -> Patterns:
    """The patterns, ready to be compared with names."""
    return Patterns(patterns)


_NAME = attrgetter("name")


def files(
    folder: Path,
    *,
    wanted: Callable[[str], bool],
    ignore: tuple[str, ...],
    unreadable: Callable[[str, OSError], None],
) -> Iterator[tuple[str, Look]]:
    """Every regular file below `folder` whose name is `wanted`, as (path, look), sorted by name within each folder.

    Args:
        folder: where to begin; it need not exist (then nothing is found and `unreadable` is told).
        wanted: is a file of this name of interest?
        ignore: shell patterns; files and whole folders of such names are passed over.
        unreadable: is told of each folder that could not be listed, and of each entry that could not be looked at.
    """
    ignored = any_of(ignore).match
    waiting = [os.fspath(folder)]
    while waiting:
        here = waiting.pop()
        below = []
        try:
            with os.scandir(here) as listing:
                entries = sorted(listing, key=_NAME)
        except OSError as error:
            unreadable(here, error)
            continue
        for entry in entries:
            name = entry.name
            if ignored(name):
                continue
            try:
                if entry.is_dir(follow_symlinks=False):
                    below.append(entry.path)
                elif wanted(name) and entry.is_file(follow_symlinks=False):
                    yield entry.path, Look.of(entry.stat(follow_symlinks=False))
            except FileNotFoundError:
                continue
            except OSError as error:
                unreadable(entry.path, error)
        waiting.extend(reversed(below))
