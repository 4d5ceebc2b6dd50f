"""What kind of place does the tree lie in: filesystem, file events, clock, room; and the local cache."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

from pydantic import ByteSize

from clipd.errors import ClipdError
from clipd.files import atomic
from clipd.files.ability import probe_folder, try_folder
from clipd.files.arrival import FUTURE_SECONDS
from clipd.files.mounts import filesystem_type, is_remote
from clipd.files.space import free_bytes, total_bytes
from clipd.intake.watch import Hint, Watch
from clipd.report.doctor import folders
from clipd.report.doctor.finding import Finding, Level, Patient

EVENT_SECONDS = 2.0
"""Events of this machine arrive within milliseconds."""
FEW_INODES = 1000
STATE_BYTES = 64 << 20
"""A state folder is a few kilobytes for each clip."""
PASSING = {
    "tmpfs": "it is gone at the next reboot",
    "ramfs": "it is gone at the next reboot",
    "overlay": "it is a container's own layer and goes with the container",
}
OF_CARDS = ("vfat", "msdos", "exfat")


def filesystems(patient: Patient) -> Iterator[Finding]:
    """The type of each filesystem that the tree lies on, and what it means."""
    layout = patient.layout
    kinds: dict[str, list[Path]] = {}
    for folder in dict.fromkeys((layout.source, layout.sidecars, layout.outputs, layout.state)):
        if folder.exists():
            kinds.setdefault(filesystem_type(folder, patient.machine.proc / "mounts"), []).append(folder)
    for kind, there in kinds.items():
        where = ", ".join(patient.name(folder) for folder in there)
        if kind in PASSING:
            mend = "put the tree on a disk or share that stays (in a container: a volume)"
            yield Finding(Level.WARNING, where, f"on {kind}: {PASSING[kind]}", mend)
        elif kind in OF_CARDS:
            words = f"on {kind}: no links, no owners, times in steps of two seconds, files up to 4 GiB (FAT)"
            yield Finding(Level.WARNING, where, words, "use ext4, XFS or Btrfs for sidecars, outputs and state")
        elif not kind:
            yield Finding(Level.NOTE, where, f"{patient.machine.proc / 'mounts'} does not say on what filesystem")
        elif is_remote(there[0], patient.machine.proc / "mounts"):
            lease = patient.claims.lease_seconds
            words = (
                f"on {kind}, a share: claims of machines that died are taken over after {lease:g} s without "
                "heartbeat; what another machine writes is seen when it is looked for"
            )
            yield Finding(Level.OK, where, words)
        else:
            yield Finding(Level.OK, where, f"on {kind}, a disk of this machine")


def events(patient: Patient) -> Iterator[Finding]:
    """Are changes heard of or looked for? A change is really made; the kernel's limits are held against the tree."""
    sidecars, watch = patient.layout.sidecars, patient.watch
    if not sidecars.is_dir():
        return
    where, mounts = patient.name(sidecars), patient.machine.proc / "mounts"
    kind, remote = filesystem_type(sidecars, mounts), is_remote(sidecars, mounts)
    polled = f"looked at every {watch.interval_seconds:g} s (watch.interval_seconds)"
    if watch.mode == "polling" or (watch.mode == "auto" and remote):
        why = "as watch.mode says" if watch.mode == "polling" else f"events of other machines do not arrive on {kind}"
        mend = "" if remote else "watch.mode: auto uses the events of this disk"
        yield Finding(Level.OK if remote else Level.NOTE, where, f"{polled}: {why}", mend)
        return
    if remote:
        words = f"watch.mode is events, but on {kind} nothing is heard of what other machines write"
        yield Finding(Level.WARNING, where, words, "watch.mode: auto, or polling")
    number, whole = folders.count(sidecars)
    more = "" if whole else "more than "
    limit = _number(patient.machine.proc / "sys/fs/inotify/max_user_watches")
    if limit is not None and number > limit * 0.8:
        words = f"{more}{number} folders, and the kernel watches at most {limit} for each user; beyond, {polled}"
        level = Level.WRONG if watch.mode == "events" and number > limit else Level.WARNING
        yield Finding(level, where, words, f"sudo sysctl fs.inotify.max_user_watches={max(524_288, 2 * number)}")
    elif (heard := _is_heard(patient)) is None:
        return  # nothing can be written there, which `folders.writing` tells
    elif heard:
        limits = "" if limit is None else f"; {more}{number} of {limit} folders that can be watched"
        yield Finding(Level.OK, where, f"a change made just now was heard of{limits}")
    else:
        mend = "raise fs.inotify.max_user_instances (sudo sysctl fs.inotify.max_user_instances=1024), or poll"
        yield Finding(Level.WARNING, where, f"a change made just now was not heard of; it is {polled}", mend)


def clock(patient: Patient) -> Iterator[Finding]:
    """The clock that stamps files on the share, against this machine's."""
    folder = patient.layout.state
    if not folder.is_dir():
        return
    able = try_folder(folder, patient.machine.now)
    if able.trouble:
        return  # told by `writing`
    offset, where = able.clock_offset, patient.name(folder)
    if abs(offset) < FUTURE_SECONDS:
        yield Finding(Level.OK, where, f"the share's clock and this machine's are {abs(offset):.1f} s apart")
        return
    side = "ahead of" if offset > 0 else "behind"
    words = f"the share's clock is {abs(offset):.1f} s {side} this machine's"
    words += "; clipd reckons with it, but times in reports and schedules are off by as much"
    mend = "keep both by NTP: sudo timedatectl set-ntp true (here and on the server)"
    yield Finding(Level.WARNING, where, words, mend)


def space(patient: Patient) -> Iterator[Finding]:
    """Room for outputs against the reserve, room for the state where it lies elsewhere, and names that are left."""
    outputs, state, reserve = patient.layout.outputs, patient.layout.state, patient.space.reserve
    free = free_bytes(outputs)
    words = f"{_size(free)} of {_size(total_bytes(outputs))} free, {_size(reserve)} stay in reserve (space.reserve)"
    mend = "make room, let retention remove old outputs (clipd retention), or lower space.reserve"
    if free < reserve:
        yield Finding(Level.WRONG, patient.name(outputs), f"{words}: new work waits", mend)
    elif free < 2 * reserve:
        yield Finding(Level.WARNING, patient.name(outputs), f"{words}: new work will wait soon", mend)
    else:
        yield Finding(Level.OK, patient.name(outputs), words)
    if state.exists() and outputs.exists() and state.stat().st_dev != outputs.stat().st_dev:
        free = free_bytes(state)
        if free < STATE_BYTES:
            words = f"only {_size(free)} free: claims, records and receipts will soon not be written"
            yield Finding(Level.WRONG, patient.name(state), words, "make room on that filesystem")
        else:
            yield Finding(Level.OK, patient.name(state), f"{_size(free)} free, on a filesystem of its own")
    for folder in (outputs, state):
        if folder.exists() and (seen := os.statvfs(folder)).f_files and seen.f_favail < FEW_INODES:
            words = f"only {seen.f_favail} more files can be made (inodes)"
            mend = "remove many small files, or use a filesystem with more inodes"
            yield Finding(Level.WRONG, patient.name(folder), words, mend)


def cache(patient: Patient) -> Iterator[Finding]:
    """The local folder for what only speeds things up."""
    folder = patient.cache
    where = patient.name(folder)
    there = next(path for path in (folder, *folder.parents) if path.exists())
    words = f"it cannot be written ({there}): hashes and indexes are made again each time"
    mend = "set cache: to a local folder that this user may write (systemd: CacheDirectory=clipd)"
    if not os.access(there, os.W_OK | os.X_OK) or (there == folder and try_folder(folder).trouble):
        yield Finding(Level.WARNING, where, words, mend)
    elif is_remote(there, patient.machine.proc / "mounts"):
        yield Finding(Level.WARNING, where, "it lies on a share, where it is slow and of no use", mend)
    else:
        made = "" if there == folder else ", made when it is needed"
        yield Finding(Level.OK, where, f"local, {_size(free_bytes(there))} free{made}")


def _is_heard(patient: Patient) -> bool | None:
    """Watch a temporary folder, make a file in it; did the kernel tell? None where none can be made."""
    heard = threading.Event()

    def tell(_: Hint) -> None:
        heard.set()

    try:
        with probe_folder(patient.layout.sidecars) as folder:
            watch = Watch((folder,), patient.watch, tell)
            try:
                atomic.stage(folder / "heard", b"")
                return watch.trusted and heard.wait(EVENT_SECONDS)
            finally:
                watch.stop()
    except ClipdError:
        return None


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None


def _size(count: int) -> str:
    return ByteSize(count).human_readable()
