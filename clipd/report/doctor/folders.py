"""Are the folders there, whose are they, and what may this user do in them? Tried, not read from the mode."""

from __future__ import annotations

import errno
import grp
import os
import pwd
import shlex
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from clipd.files.ability import Ability, try_folder, try_move
from clipd.report.doctor.finding import Finding, Level, Patient

MOST_FOLDERS = 50_000
LONGEST_SECONDS = 2.0
"""Counting folders ends at one of these two."""
SHOWN = 5
MENDS = {
    os.strerror(errno.EROFS): "it is mounted read-only: mount it writable (mount -o remount,rw; and see dmesg for why)",
    os.strerror(errno.ENOSPC): "make room on that filesystem",
    os.strerror(errno.EDQUOT): "make room within this user's quota, or raise it",
}
"""What helps where it is not a matter of permission."""
MOVES = 12
"""Into how many folders of outputs a rename is tried."""


def standing(patient: Patient) -> Iterator[Finding]:
    """Which of the configured folders exist, who owns them, where links lead."""
    yield _who()
    layout = patient.layout
    for folder, needed, use in (
        (layout.source, True, os.R_OK | os.X_OK),
        (layout.sidecars, True, os.R_OK | os.W_OK | os.X_OK),
        (layout.outputs, True, os.R_OK | os.W_OK | os.X_OK),
        (layout.state, True, os.R_OK | os.W_OK | os.X_OK),
        (layout.inbox, False, os.R_OK | os.X_OK),
        (layout.recordings, False, os.R_OK | os.X_OK),
    ):
        yield from _one(patient, folder, needed, use)


def writing(patient: Patient) -> Iterator[Finding]:
    """Make, sync, rename, link and exchange files where clipd writes; look for folders below that refuse."""
    layout = patient.layout
    for folder in dict.fromkeys((layout.sidecars, layout.outputs, layout.state)):
        if not folder.is_dir():
            continue
        where, able = patient.name(folder), try_folder(folder)
        if able.trouble:
            words = f"files cannot be written here: {able.trouble}; this user is {_user(os.geteuid())}"
            yield Finding(Level.WRONG, where, words, MENDS.get(able.trouble) or _right(folder))
            continue
        yield Finding(Level.OK, where, "a file was made, synced, renamed and removed just now")
        yield from _lacks(where, able)
        below = _children(folder) if folder == layout.state else _folders(folder)[0]
        if refused := [path for path in below if not _may(path, os.R_OK | os.W_OK | os.X_OK)]:
            names = ", ".join(patient.name(path) for path in refused[:SHOWN])
            more = f" and {len(refused) - SHOWN} more" if len(refused) > SHOWN else ""
            words = f"cannot be read and written by this user: {names}{more}"
            yield Finding(Level.WRONG, where, words, _right(folder))
    if layout.outputs.is_dir():
        yield from _one_filesystem(patient)


def count(folder: Path) -> tuple[int, bool]:
    """How many folders there are from `folder` down, and whether all were counted."""
    found, whole = _folders(folder)
    return len(found), whole


def _who() -> Finding:
    words = f"{_user(os.geteuid())}, groups {', '.join(sorted(_group(gid) for gid in {*os.getgroups(), os.getegid()}))}"
    if os.geteuid() == 0:
        mend = "run it as the user that the daemon runs as: sudo -u clipd clipd doctor"
        return Finding(Level.NOTE, "user", f"{words}; root may nearly everything, so this tells little", mend)
    return Finding(Level.OK, "user", words)


def _one(patient: Patient, folder: Path, needed: bool, use: int) -> Iterator[Finding]:
    where = patient.name(folder)
    try:
        seen = folder.stat()
    except FileNotFoundError:
        yield from _absent(where, folder, needed)
        return
    except OSError as error:
        yield Finding(Level.WRONG, where, f"it cannot be looked at: {error.strerror}", _right(folder.parent))
        return
    owned = f"{_user(seen.st_uid)}:{_group(seen.st_gid)}, mode {stat.S_IMODE(seen.st_mode):04o}"
    if not stat.S_ISDIR(seen.st_mode):
        yield Finding(Level.WRONG, where, "it is not a folder", "move it away and make a folder in its place")
        return
    if links := [path for path in (folder, *folder.parents) if path.is_symlink() and path != patient.layout.root]:
        words = f"{patient.name(links[0])} is a link to {links[0].readlink()}: every machine needs it there as well"
        yield Finding(Level.NOTE, where, words, f"mount or move the folder itself to {where} to do without")
    if _may(folder, use):
        yield Finding(Level.OK, where, owned)
    else:
        verb = "read and written" if use & os.W_OK else "read"
        words = f"it cannot be {verb} by {_user(os.geteuid())}: it is {owned}"
        yield Finding(Level.WRONG, where, words, _right(folder, "rwX" if use & os.W_OK else "rX"))


def _absent(where: str, folder: Path, needed: bool) -> Iterator[Finding]:
    if folder.is_symlink():
        words = f"it is a link to {folder.readlink()}, where nothing is"
        yield Finding(Level.WRONG, where, words, "mount what it leads to, or put a folder there")
        return
    parent = next(path for path in folder.parents if path.exists())
    if needed and not _may(parent, os.W_OK | os.X_OK):
        words = f"it is not there, and this user cannot make it in {parent}"
        yield Finding(Level.WRONG, where, words, f"sudo install -d -o {_user(os.geteuid())} {shlex.quote(str(folder))}")
    elif needed:
        yield Finding(Level.NOTE, where, "it is not there yet; the daemon makes it when it starts")
    else:
        yield Finding(Level.NOTE, where, "it is not there; nothing is taken from it")


def _lacks(where: str, able: Ability) -> Iterator[Finding]:
    if not able.exchanges:
        words = "two files cannot be exchanged in one step: a save within microseconds of clipd's own is overwritten"
        keeps = "; what it replaces is kept until it has settled" if able.links else ""
        mend = "share sidecars from a filesystem that can (ext4, XFS, Btrfs), or let people save by rename"
        yield Finding(Level.NOTE, where, words + keeps, mend)
    if not able.links:
        words = "a file cannot have a second name: a save into a file that clipd replaces just then is not kept"
        yield Finding(Level.WARNING, where, words, "put this folder on a filesystem with hard links")
    if not able.holds_back:
        words = "the kernel does not tell who has a file open; clipd waits until it has held still instead"
        yield Finding(Level.NOTE, where, words, "nothing need be done; network filesystems are like that")


def _one_filesystem(patient: Patient) -> Iterator[Finding]:
    outputs = patient.layout.outputs
    staging = patient.layout.stagings
    begin = staging if staging.is_dir() else outputs
    for folder in _children(outputs)[:MOVES]:
        if folder != begin and _may(folder, os.W_OK | os.X_OK) and (trouble := try_move(begin, folder)):
            words = f"a finished file cannot be renamed from {patient.name(begin)} to here: {trouble}"
            mend = f"let {patient.name(outputs)} and all below it be one mount"
            yield Finding(Level.WRONG, patient.name(folder), words, mend)


def _children(folder: Path) -> list[Path]:
    with os.scandir(folder) as listing:
        return sorted(Path(entry.path) for entry in listing if entry.is_dir(follow_symlinks=False))


def _folders(top: Path) -> tuple[list[Path], bool]:
    """All folders from `top` down, up to the bounds above; is that all?"""
    found: list[Path] = []
    waiting, deadline = [str(top)], time.monotonic() + LONGEST_SECONDS
    while waiting:
        if len(found) >= MOST_FOLDERS or time.monotonic() > deadline:
            return found, False
        here = waiting.pop()
        found.append(Path(here))
        with suppress(OSError), os.scandir(here) as listing:
            waiting += sorted((entry.path for entry in listing if entry.is_dir(follow_symlinks=False)), reverse=True)
    return found, True


def _may(path: Path, use: int) -> bool:
    return os.access(path, use, effective_ids=os.access in os.supports_effective_ids)


def _right(folder: Path, right: str = "rwX") -> str:
    """The command that gives this user a right and takes none from others."""
    grant = f"u:{_user(os.geteuid())}:{right}"
    return f"sudo setfacl -R -m {grant},d:{grant} {shlex.quote(str(folder))} (or chown it)"


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
