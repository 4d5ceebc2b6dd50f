"""Files that appear, change and vanish whole: the only place that renames and fsyncs.

A file is written under a temporary name in its own folder (leading dot, `.tmp`: scans and sync tools pass it by),
synced, renamed into place, and its folder synced. Whoever reads the final name sees the old content or the new, never a
mixture, also after a power cut. A failed fsync is never tried again on the same file (the kernel may have dropped the
pages and would report success): it raises, and the temporary file is discarded.

Every function raises what `as_clipd_error` makes of an `OSError`: Deferred, Temporary or Rejected, with the path.
"""

from __future__ import annotations

import ctypes
import errno
import os
import secrets
import stat
from collections.abc import Container, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from clipd.errors import ClipdError, Deferred, Rejected, Temporary

NAME_BYTES = 255
"""The longest file name that common filesystems take."""

_AT_FDCWD = -100
_RENAME_NOREPLACE = 1
_RENAME_EXCHANGE = 2

_ABSENT_FEATURE = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM, errno.EMLINK, errno.EXDEV}
_WAITS = {
    getattr(errno, name)
    for name in (
        # Full, or not writable for now.
        *("ENOSPC", "EDQUOT", "EROFS"),
        # The share is away.
        *("ENODEV", "ESTALE", "EHOSTDOWN", "EHOSTUNREACH", "ENETDOWN", "ENETUNREACH", "ENOTCONN", "ETIMEDOUT"),
        *("ECONNRESET", "ECONNREFUSED", "ECONNABORTED", "ENOLINK", "EREMOTEIO", "ENOMEDIUM", "ESHUTDOWN"),
        # This machine is short of something.
        *("EMFILE", "ENFILE", "ENOMEM", "EAGAIN", "EBUSY"),
    )
}
_NEVER = {errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EILSEQ, errno.EFBIG, errno.ENXIO}


class Unsupported(ClipdError):
    """The filesystem or the kernel lacks the operation; the caller has another way."""


class Missing(Temporary):
    """There is no such file (any more, or yet)."""


def as_clipd_error(error: OSError, what: str) -> ClipdError:
    """`error` as the class that answers "try again?"; the words are `what` (with the path), then the system's."""
    words = f"{what}: {error.strerror or error}"
    if error.errno in _WAITS:
        return Deferred(words)
    if error.errno in _NEVER:
        return Rejected(words)
    if error.errno == errno.ENOENT:
        return Missing(words)
    return Temporary(words)


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise what `as_clipd_error` makes of an `OSError` in the block."""
    try:
        yield
    except OSError as error:
        raise as_clipd_error(error, what) from error


def make_folder(folder: Path, within: Path) -> None:
    """Make `folder` and what lies between it and `within`, unless they are there.

    Raises:
        Deferred: there is no `within`: the share is away, and nothing is made in its place.
    """
    with translated(f"making {folder}"):
        try:
            folder.mkdir(exist_ok=True)
        except FileNotFoundError as error:
            if within not in folder.parents or not within.exists():
                raise Deferred(f"making {folder}: {within} is not there; is the share mounted?") from error
            make_folder(folder.parent, within)
            folder.mkdir(exist_ok=True)


def write(path: Path, data: bytes, *, durable: bool = True, mode: int | None = None) -> None:
    """Make `data` the content of `path`, whether it existed or not.

    A replaced file's mode, owner and attributes are kept as far as we may; `mode` overrides. Without `durable` nothing
    is synced: the content is whole for readers, but a power cut may lose it.
    """
    temp = stage(path, data, durable=durable, mode=mode)
    with _discarded_on_error(temp, f"writing {path}"):
        temp.replace(path)
    if durable:
        fsync_directory(path.parent)


def create(path: Path, data: bytes) -> bool:
    """Write `data` to `path` if nothing is there; False, with nothing touched, when something is.

    Of several machines that try at once, one gets True; `_move_new` says by which means.
    """
    temp = stage(path, data)
    with _discarded_on_error(temp, f"creating {path}"):
        made = _move_new(temp, path)
    if not made:
        remove(temp)
        return False
    fsync_directory(path.parent)
    return True


def fill(path: Path, data: bytes) -> None:
    """Make `data` the content of a file that must be there, in place and unsynced: for one that nobody reads yet.

    Raises:
        Missing: there is none; it is not made.
    """
    with translated(f"writing {path}"):
        descriptor = os.open(path, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            _write_all(descriptor, data)
        finally:
            os.close(descriptor)


def stage(path: Path, data: bytes, *, durable: bool = True, mode: int | None = None) -> Path:
    """Write `data` under a temporary name beside `path`, dressed like the file at `path`; the temporary path."""
    temp = temporary(path)
    with _discarded_on_error(temp, f"writing {path}"):
        descriptor = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
        try:
            _write_all(descriptor, data)
            _dress(descriptor, path)
            if mode is not None:
                os.fchmod(descriptor, mode)
            if durable:
                os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return temp


def publish(source: Path, target: Path, *, replace: bool = True) -> bool:
    """Sync `source` and rename it to `target` on the same filesystem; both folders are synced.

    Returns False, with nothing moved, when `replace` is False and something is at `target`.
    """
    with translated(f"publishing {target}"):
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if replace:
            source.replace(target)
        elif not _move_new(source, target):
            return False
    fsync_directory(target.parent)
    if source.parent != target.parent:
        fsync_directory(source.parent)
    return True


def publish_all(
    moves: Sequence[tuple[Path, Path]], replaceable: Container[Path] = frozenset()
) -> list[tuple[Path, Path]]:
    """Sync the sources, rename each to its target on the same filesystem, in order, and sync each target folder once.

    The folders that they leave are not synced: for ones that are removed whole.

    Args:
        moves: sources with their targets.
        replaceable: the targets that may be replaced; the others must be free.

    Returns the moves that were not made: those from the first on whose target is taken.

    Raises:
        Missing: a source is gone.
    """
    for source, target in moves:
        with translated(f"publishing {target}"):
            descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
    made = 0
    for source, target in moves:
        with translated(f"publishing {target}"):
            if target in replaceable:
                source.replace(target)
            elif not _move_new(source, target):
                break
        made += 1
    for folder in dict.fromkeys(target.parent for _, target in moves[:made]):
        fsync_directory(folder)
    return list(moves[made:])


def move(source: Path, target: Path) -> bool:
    """Rename whatever is at `source` (a file, a folder, a link) to `target` on the same filesystem, unopened.

    Returns False, with nothing moved, when something is at `target`. Both folders are synced.
    """
    with translated(f"moving {source} to {target}"):
        if not _move_new(source, target):
            return False
    fsync_directory(target.parent)
    fsync_directory(source.parent)
    return True


def publish_folder(source: Path, target: Path) -> None:
    """Make the folder `source`, whose files are synced, the folder at `target` in one step; both parents are synced.

    A folder that stood at `target` stands at `source` afterwards, for the caller to remove. Where the filesystem cannot
    exchange two folders, there is none at `target` for a moment; a crash in that moment leaves it so.
    """
    fsync_directory(source)
    with translated(f"publishing {target}"):
        if os.path.lexists(target):
            try:
                exchange(source, target)
            except Unsupported:
                aside = temporary(target)
                target.rename(aside)
                source.rename(target)
                aside.rename(source)
        else:
            source.rename(target)
    fsync_directory(target.parent)
    if source.parent != target.parent:
        fsync_directory(source.parent)


def append(descriptor: int, data: bytes, *, durable: bool = True) -> None:
    """Write `data` at the end of a file that was opened for appending, and sync it."""
    with translated("appending"):
        _write_all(descriptor, data)
        if durable:
            os.fsync(descriptor)


def sync(path: Path) -> None:
    """Make the content of the regular file at `path` durable."""
    with translated(f"syncing {path}"):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def exchange(one: Path, other: Path) -> bool:
    """Swap two files in one step; False when one of them is gone. The folders are not synced.

    Raises:
        Unsupported: the filesystem or the kernel cannot.
    """
    with translated(f"exchanging {one} with {other}"):
        try:
            _renameat2(one, other, _RENAME_EXCHANGE)
        except FileNotFoundError:
            return False
        except OSError as error:
            if error.errno in _ABSENT_FEATURE:
                raise Unsupported(f"{other.parent} cannot exchange two files: {error.strerror}") from error
            raise
    return True


def rename(source: Path, target: Path) -> None:
    """Rename without syncing anything: for the steps between two synced states."""
    with translated(f"renaming {source} to {target}"):
        source.replace(target)


def link(source: Path, target: Path) -> None:
    """Give the file at `source` a second name.

    Raises:
        Unsupported: the filesystem knows no links.
    """
    with translated(f"linking {source} to {target}"):
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno in _ABSENT_FEATURE:
                raise Unsupported(f"{target.parent} knows no hard links: {error.strerror}") from error
            raise


def remove(path: Path) -> None:
    """Remove the file at `path`; it is well if there is none."""
    with translated(f"removing {path}"), suppress(FileNotFoundError):
        path.unlink()


def size_of(path: Path) -> int | None:
    """The size in bytes of what is at `path` (a link is not followed); None where there is nothing."""
    with translated(f"looking at {path}"):
        try:
            return path.lstat().st_size
        except (FileNotFoundError, NotADirectoryError):
            return None


def inode_of(path: Path) -> int | None:
    """The inode number of what is at `path` (a link is not followed); None where there is nothing."""
    with translated(f"looking at {path}"):
        try:
            return path.lstat().st_ino
        except (FileNotFoundError, NotADirectoryError):
            return None


def fsync_directory(folder: Path) -> None:
    """Make the names in `folder` durable; filesystems that cannot sync a folder are taken at their word."""
    with translated(f"syncing {folder}"):
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
                raise
        finally:
            os.close(descriptor)


def read_regular(path: Path, limit_bytes: int) -> tuple[bytes, os.stat_result]:
    """The content of a regular file and how it looked; neither a link nor a FIFO nor a device is ever opened for long.

    Raises:
        Missing: there is no such file.
        Rejected: it is not a regular file, or larger than `limit_bytes`.
        Temporary: it changed while it was read, or could not be read.
    """
    with translated(f"reading {path}"):
        _require_regular(path, path.lstat())
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            seen = _require_regular(path, os.fstat(descriptor))
            if seen.st_size > limit_bytes:
                raise Rejected(f"{path} holds {seen.st_size:,} bytes; at most {limit_bytes:,} are read")
            data = _read_up_to(descriptor, seen.st_size + 1)
            after = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    if len(data) != seen.st_size or (seen.st_size, seen.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise Temporary(f"{path} changed while it was read")
    return data, seen


def temporary(path: Path, ending: str | None = None) -> Path:
    """A name beside `path` that scans and sync tools ignore: `.<name>.<ending>.tmp`, shortened where it must be."""
    tail = f".{ending or secrets.token_hex(6)}.tmp"
    return path.with_name(f".{_shortened(path.name, NAME_BYTES - 1 - len(tail))}{tail}")


def _shortened(name: str, room_bytes: int) -> str:
    if len(os.fsencode(name)) <= room_bytes:
        return name
    digest = sha256(os.fsencode(name)).hexdigest()[:12]
    kept = name
    while len(os.fsencode(kept)) > room_bytes - len(digest) - 1:
        kept = kept[:-1]
    return f"{kept}~{digest}"


def _require_regular(path: Path, seen: os.stat_result) -> os.stat_result:
    if not stat.S_ISREG(seen.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(seen.st_mode) else "not a regular file"
        raise Rejected(f"{path} is {kind}; put the file itself there")
    return seen


def _write_all(descriptor: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _read_up_to(descriptor: int, limit: int) -> bytes:
    pieces, left = [], limit
    while left and (piece := os.read(descriptor, left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _dress(descriptor: int, like: Path) -> None:
    """Give the open file the owner, mode and attributes (access lists among them) of `like`, as far as we may."""
    try:
        seen = like.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISREG(seen.st_mode):
        return
    # Each is a courtesy that many filesystems and most users are refused; the owner goes last, as it ends our say.
    with suppress(OSError):
        os.fchown(descriptor, -1, seen.st_gid)
    with suppress(OSError):
        os.fchmod(descriptor, stat.S_IMODE(seen.st_mode))
    with suppress(OSError):
        for name in os.listxattr(like, follow_symlinks=False):
            with suppress(OSError):
                os.setxattr(descriptor, name, os.getxattr(like, name, follow_symlinks=False))
    with suppress(OSError):
        os.fchown(descriptor, seen.st_uid, -1)


def _move_new(source: Path, target: Path) -> bool:
    """Rename `source` to `target` unless something is there.

    By RENAME_NOREPLACE; else by a hard link (NFS); where neither exists (some FUSE mounts) by reserving the name with
    O_EXCL and renaming over it, which excludes others just as well, but leaves an empty file if we die in between.
    """
    try:
        _renameat2(source, target, _RENAME_NOREPLACE)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _ABSENT_FEATURE:
            raise
    else:
        return True
    if stat.S_ISDIR(source.lstat().st_mode):
        if os.path.lexists(target):
            return False
        source.rename(target)  # over an empty folder at most, should one be made in between
        return True
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        # NFS repeats a request whose answer was lost: the name may be ours already.
        if not os.path.samestat(source.lstat(), target.lstat()):
            return False
    except OSError as error:
        if error.errno not in _ABSENT_FEATURE:
            raise
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
        except FileExistsError:
            return False
        source.replace(target)
        return True
    source.unlink()
    return True


@cache
def _libc_renameat2() -> Any:
    return getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)


def _renameat2(source: Path, target: Path, flags: int) -> None:
    function = _libc_renameat2()
    if function is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    if function(_AT_FDCWD, os.fsencode(source), _AT_FDCWD, os.fsencode(target), ctypes.c_uint(flags)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), os.fspath(target))


@contextmanager
def _discarded_on_error(temp: Path, what: str) -> Iterator[None]:
    """Remove `temp` when the block fails, whatever for, and translate its `OSError`."""
    done = False
    try:
        with translated(what):
            yield
        done = True
    finally:
        if not done:
            with suppress(OSError):
                temp.unlink()
