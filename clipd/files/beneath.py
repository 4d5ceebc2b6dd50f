"""Opening and removing files below a folder without following a link on the way, also where one is put there just now.

Each folder on the way is opened from the one above it and refused if it is a link; the file is looked at, opened and
removed by its name in the folder so opened. No path is ever resolved by its whole name.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOENT
from pathlib import Path, PurePosixPath

from clipd.errors import Rejected
from clipd.files.atomic import translated

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC


def size_beneath(root: Path, below: str) -> int | None:
    """The size in bytes of the regular file `below` (`/`-separated) the folder `root`; None where there is none.

    Raises:
        Rejected: the name leaves the folder, a link is on the way, or it is no regular file.
        ClipdError: it cannot be looked at.
    """
    with _folder(root, below) as (folder, name):
        return None if folder is None else _size(folder, name, below)


def remove_beneath(root: Path, below: str, size: int) -> bool:
    """Remove the regular file `below` the folder `root` if it has this size; was it there so?

    Raises:
        Rejected, ClipdError: as `size_beneath`.
    """
    with _folder(root, below) as (folder, name), translated(f"removing {root / below}"):
        if folder is None or _size(folder, name, below) != size:
            return False
        os.unlink(name, dir_fd=folder)
        os.fsync(folder)
        return True


@contextmanager
def opened_beneath(root: Path, below: str) -> Iterator[int]:
    """A descriptor for reading the regular file `below` (`/`-separated) the folder `root`.

    Raises:
        Missing: there is none.
        Rejected, ClipdError: as `size_beneath`.
    """
    with _folder(root, below) as (folder, name):
        with translated(f"opening {root / below}"):
            if folder is None or _size(folder, name, below) is None:
                raise FileNotFoundError(ENOENT, os.strerror(ENOENT))
            descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


@contextmanager
def _folder(root: Path, below: str) -> Iterator[tuple[int | None, str]]:
    """The opened folder that holds the file, None where it is gone, and the file's name in it."""
    parts = PurePosixPath(below).parts
    if not parts or below.startswith("/") or ".." in parts or "\0" in below:
        raise Rejected(f"{below!r} names no file below {root}")
    with translated(f"looking at {root / below}"):
        opened: list[int] = []
        try:
            try:
                opened.append(os.open(root, _FOLDER))
                for part in parts[:-1]:
                    opened.append(os.open(part, _FOLDER | os.O_NOFOLLOW, dir_fd=opened[-1]))
            except FileNotFoundError:
                yield None, parts[-1]
            else:
                yield opened[-1], parts[-1]
        finally:
            for descriptor in opened:
                os.close(descriptor)


def _size(folder: int, name: str, below: str) -> int | None:
    try:
        seen = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(seen.st_mode):
        raise Rejected(f"{below} is not a regular file")
    return seen.st_size
