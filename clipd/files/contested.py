"""Replacing a file that other programs save too, so that no save is lost.

`swap` replaces what was seen with something new and gives the displaced file back when it is not what was seen. Other
programs save by renaming a new file over the name, or by writing into the file in place. What can come in between:

1. *A save before the exchange.* The exchange displaces it. What comes out unexpectedly is always newer than what went
   in, so it goes back in; and if that displaces yet another save, that one goes in, until what comes out is what was
   put in last. Meanwhile openers of every file that we put in are held back by the kernel (`openers`), and before they
   are let in, a file that did not stay gets the newest content: nobody reads a state that lacks a save, and so nobody
   saves on top of one.
2. *A save by rename after the exchange* replaces our file as it would replace any: its maker saw our content or an
   older one. Nothing to do here; an older status that it brings back is noticed by the next scan.
3. *A write in place into the displaced file*, by a program that opened it before the exchange, also after it was
   compared. So the displaced file is kept until nobody writes to it, and `late_save` returns what was written.
4. *A write in place through an opener that was held back while the file was given back*: the same, for our file.
5. *Our death at any point.* The temporary name tells both contents by their digests, so `leftovers` finds a save that
   was out of place when we died.

Filesystems that cannot exchange (NFS, SMB) get a comparison right before the rename, with a second link that keeps the
displaced file; there a save by rename in the microseconds between the two is overwritten. Filesystems without links
keep nothing. Where openers cannot be held back, a save that was displaced by another one is handed out as contested.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from clipd.files import atomic, openers

GIVE_BACKS = 100
"""Saves in a row, each within the microseconds of an exchange; more than any editor makes."""
LOOKS = 4
"""How often a displaced file that somebody still writes to is looked at."""


@dataclass(frozen=True)
class Seen:
    """A file's content, and how it looked when it was read."""

    data: bytes
    inode: int
    mtime_ns: int

    def still_at(self, path: Path) -> bool:
        """Is the same file, untouched, at `path`? Raises FileNotFoundError when there is none."""
        now = path.lstat()
        return (now.st_ino, now.st_mtime_ns, now.st_size) == (self.inode, self.mtime_ns, len(self.data))


@dataclass(frozen=True)
class Left:
    """A displaced file that is kept, under a temporary name, until nobody writes to it any more."""

    path: Path
    data: bytes
    """What it is known to hold; anything else is a late save."""
    base: bytes
    """What the maker of a late save had before them."""
    contested: bool = False
    """Its content itself may be missing from the save that is in place now."""


@dataclass(frozen=True)
class Swap:
    """How a swap ended; when it is not `placed`, somebody saved in between and their file is in place."""

    placed: bool
    left: Left | None = None


def look(path: Path, limit_bytes: int) -> Seen:
    """Read the file at `path`; raises what `atomic.read_regular` raises."""
    data, seen = atomic.read_regular(path, limit_bytes)
    return Seen(data, seen.st_ino, seen.st_mtime_ns)


def swap(path: Path, seen: Seen, data: bytes) -> Swap:
    """Replace what was `seen` at `path` by `data`, durably, unless somebody saved in between.

    The caller is the only one who swaps at `path`, and deals with `Swap.left` (`late_save`, then remove it).

    Raises:
        Missing: there is no file at `path` any more.
        Deferred, Temporary: the filesystem refuses; the file is as it was.
    """
    temp = atomic.temporary(path, f"{_digest(seen.data)}-{_digest(data)}")
    atomic.rename(atomic.stage(path, data), temp)
    try:
        try:
            return _exchange(path, seen, temp)
        except atomic.Unsupported:
            return _replace(path, seen, temp)
    except FileNotFoundError as error:
        atomic.remove(temp)
        raise atomic.as_clipd_error(error, f"replacing {path}") from error
    except atomic.Missing:
        atomic.remove(temp)
        raise
    except OSError as error:
        # Whose content the temporary file holds now is for the next `leftovers` to find out.
        raise atomic.as_clipd_error(error, f"replacing {path}") from error


def late_save(left: Left, wait: Callable[[float], None], seconds: float) -> bytes | None:
    """What somebody wrote into a displaced file after it was compared, once nobody writes there any more; or None.

    Where the kernel cannot say who writes, the file must hold still for `seconds`. One that is written to for longer
    than `LOOKS` x `seconds` is taken as it is.
    """
    for _ in range(LOOKS):
        free = openers.nobody_writes(left.path)
        if free:
            break
        with atomic.translated(f"looking at {left.path}"):
            before = left.path.lstat()
            wait(seconds)
            after = left.path.lstat()
        if free is None and (before.st_mtime_ns, before.st_size) == (after.st_mtime_ns, after.st_size):
            break
    data = _content(left.path)
    return data if left.contested or data != left.data else None


def leftovers(path: Path) -> Iterator[tuple[Path, bytes | None]]:
    """Temporary files that a swap at `path` left when its process died, and somebody's save where one holds it."""
    ends = atomic.temporary(path, "*").name.split("*")
    tail = re.compile(r"([0-9a-f]{16})-([0-9a-f]{16})(?:-kept)?")
    with atomic.translated(f"listing {path.parent}"):
        beside = list(path.parent.iterdir())
    for temp in beside:
        name = temp.name
        if not (name.startswith(ends[0]) and name.endswith(ends[1])):
            continue
        if match := tail.fullmatch(name[len(ends[0]) : -len(ends[1])]):
            data = _content(temp)
            yield temp, None if data is None or _digest(data) in match.groups() else data


def put_in_place_by(temp: Path, data: bytes) -> bool:
    """Is `data` what the dead process that left `temp` had put in place of somebody's save?"""
    return f"-{_digest(data)}" in temp.name


def _exchange(path: Path, seen: Seen, temp: Path) -> Swap:
    with ExitStack() as stack:
        ours = _hold(temp, stack)
        if not seen.still_at(path):
            atomic.remove(temp)
            return Swap(placed=False)
        if not atomic.exchange(temp, path):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        if _content(temp) != seen.data:
            return Swap(placed=False, left=_give_back(path, seen, temp, ours, stack))
    atomic.fsync_directory(path.parent)
    return Swap(placed=True, left=Left(temp, seen.data, base=seen.data))


@dataclass(frozen=True)
class _Held:
    """A file that we put, or are about to put, in place."""

    inode: int
    descriptor: int | None
    """Open for writing, and openers are held back; None where either cannot be had."""


def _hold(file: Path, stack: ExitStack) -> _Held:
    inode = file.lstat().st_ino
    try:
        descriptor = os.open(file, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:  # a read-only file, say, or somebody's link
        return _Held(inode, None)
    stack.callback(os.close, descriptor)
    return _Held(inode, descriptor if stack.enter_context(openers.held_back(descriptor)) else None)


def _give_back(path: Path, seen: Seen, temp: Path, ours: _Held, stack: ExitStack) -> Left:
    """Put the newest save back at `path`; what is left then: our file, or a save that another one replaced."""
    put = [ours]
    for _ in range(GIVE_BACKS):
        if atomic.inode_of(path) != put[-1].inode:  # a newer save is there already, or it was deleted
            break
        put.append(_hold(temp, stack))
        if not atomic.exchange(temp, path) or temp.lstat().st_ino == put[-2].inode:
            break
    left_inode = temp.lstat().st_ino
    if left_inode != ours.inode and any(file.descriptor is None for file in put):
        return Left(temp, _content_among(put, temp) or b"", base=seen.data, contested=True)
    newest = _content_among(put, path)
    for file in put:
        # Those who were held back have opened this file already: they shall read what the name stands for now.
        if file.descriptor is not None and newest is not None and file.inode != atomic.inode_of(path):
            with suppress(OSError):
                os.ftruncate(file.descriptor, 0)
                os.pwrite(file.descriptor, newest, 0)
    known = _content_among(put, temp) or b""
    return Left(temp, known, base=known)


def _replace(path: Path, seen: Seen, temp: Path) -> Swap:
    """The way without exchange; see the module's docstring."""
    second = temp.with_name(f"{temp.name.removesuffix('.tmp')}-kept.tmp")
    keep: Path | None = second
    try:
        atomic.link(path, second)
    except atomic.Unsupported:
        keep = None
    if _content(keep or path) != seen.data or not seen.still_at(path):
        atomic.remove(temp)
        if keep is not None:
            atomic.remove(keep)
        return Swap(placed=False)
    atomic.rename(temp, path)
    atomic.fsync_directory(path.parent)
    return Swap(placed=True, left=None if keep is None else Left(keep, seen.data, base=seen.data))


def _content(path: Path) -> bytes | None:
    """What a regular file holds at this moment; None for anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _content_of(descriptor) if stat.S_ISREG(os.fstat(descriptor).st_mode) else None
    finally:
        os.close(descriptor)


def _content_among(put: list[_Held], path: Path) -> bytes | None:
    """As `_content`, also for files that we hold ourselves and so cannot open a second time."""
    inode = atomic.inode_of(path)
    held = [file.descriptor for file in put if file.inode == inode and file.descriptor is not None]
    return _content_of(held[0]) if held else _content(path)


def _content_of(descriptor: int) -> bytes:
    return os.pread(descriptor, os.fstat(descriptor).st_size, 0)


def _digest(data: bytes) -> str:
    return sha256(data).hexdigest()[:16]
