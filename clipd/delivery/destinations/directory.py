"""A destination that is a folder: another disk, a mounted share."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from clipd.delivery.destinations.destination import Destination
from clipd.errors import Deferred, Rejected
from clipd.files import atomic
from clipd.files.walk import look

CHUNK_BYTES = 1 << 20
ENDING = re.compile(r"\.([0-9a-f]{12})\.tmp$")
"""How the names end that `files.atomic.temporary` makes."""


class Directory:
    """Files below a folder. The folder itself is never made: an archive that is not mounted is none."""

    def __init__(self, destination: Destination, root: Path) -> None:
        """`root` is the tree's, for a folder that is named relative to it."""
        self._folder = Path(os.path.normpath(root / (destination.directory or "")))
        self._marker = destination.marker

    def size(self, name: str) -> int | None:
        """Where there is something, it must be a regular file."""
        self._require()
        path = self._folder / name
        size = atomic.size_of(path)
        if size is not None and (path.is_symlink() or not path.is_file()):
            raise Rejected(f"{path} is not a regular file; remove or rename it")
        return size

    def read(self, name: str) -> Iterator[bytes]:
        """From the disk, as far as the kernel lets itself be asked to forget what it remembers."""
        path = self._folder / name
        with atomic.translated(f"reading {path}"):
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                with suppress(OSError):
                    os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                while data := file.read(CHUNK_BYTES):
                    yield data

    def stage(self, name: str, source: Path, alive: Callable[[], None]) -> str:
        """Under a temporary name beside, synced."""
        self._require()
        target = self._folder / name
        temp = atomic.temporary(target)
        done = False
        try:
            with atomic.translated(f"copying to {target}"):
                target.parent.mkdir(parents=True, exist_ok=True)
                with source.open("rb") as original, temp.open("xb") as copy:
                    while data := original.read(CHUNK_BYTES):
                        alive()
                        copy.write(data)
            atomic.sync(temp)
            done = True
        finally:
            if not done:
                with suppress(OSError):
                    temp.unlink()
        return temp.relative_to(self._folder).as_posix()

    def settle(self, staged: str, name: str, *, replace: bool = True) -> bool:
        """By a rename."""
        return atomic.publish(self._folder / staged, self._folder / name, replace=replace)

    def discard(self, staged: str) -> None:
        """Remove it."""
        atomic.remove(self._folder / staged)

    def strays(self, name: str) -> Iterator[str]:
        """Temporary files of this name."""
        target = self._folder / name
        with atomic.translated(f"listing {target.parent}"):
            names = [path.name for path in target.parent.iterdir()] if target.parent.is_dir() else []
        yield from (f"{name.rpartition('/')[0]}/{stray}".lstrip("/") for stray in names if is_stray(stray, target.name))

    def _require(self) -> None:
        if not self._folder.is_dir():
            raise Deferred(f"{self._folder} is not there; is it mounted?")
        if self._marker is not None and look(self._folder / self._marker) is None:
            raise Deferred(f"{self._folder} has no {self._marker}; is it mounted?")


def is_stray(name: str, target: str) -> bool:
    """Is `name` one that `files.atomic.temporary` makes for `target`?"""
    ending = ENDING.search(name)
    return ending is not None and atomic.temporary(Path(target), ending[1]).name == name
