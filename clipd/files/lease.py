"""Leases: the right to work on something, held by a heartbeat on a file that every machine on the share sees.

Native locks do not exclude across NFS client caches, so a claim is a file (filelock's `SoftFileLease`): a peer may take
it over only after it saw no heartbeat for the lease time on its own monotonic clock, or at once when its owner was a
process of this machine that is gone. A lease is a hint about who should work, not a fence: what protects the outputs is
that whoever takes a claim removes the former holder's staging.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from clipd.errors import ClaimLost, ClipdError, Deferred
from clipd.files import atomic
from clipd.files.atomic import as_clipd_error
from clipd.model.setting import Section, setting

TAKE_OVER_PATIENCE_SECONDS = 0.3
"""Long enough to break the claim of a dead process of this machine and take it in the same call."""
LONGEST_LEASE_SECONDS = 3600.0
"""However long a lease another machine claims: after so much silence it is gone."""
POLL_SECONDS = 0.05
"""How often a claim that somebody holds is looked at while we wait for it."""


class Settings(Section):
    """How claims are held; every machine on one tree must agree on these."""

    lease_seconds: float = setting(
        30.0, "A claim without a heartbeat for this long may be taken over by another machine.", unit="s", ge=1
    )
    heartbeat_seconds: float = setting(8.0, "How often a held claim is renewed.", unit="s", gt=0)


class Taken(Exception):
    """Somebody else holds the claim just now."""


@dataclass(frozen=True)
class Claim:
    """A claim that is held; `check` says whether it still is."""

    token: str
    _lease: SoftFileLease

    @property
    def held(self) -> bool:
        """Is the claim still ours, as far as the heartbeat knows?"""
        return self._lease.compromise is None

    def check(self) -> None:
        """Raise `ClaimLost` when the heartbeat found the claim gone."""
        if (loss := self._lease.compromise) is not None:
            raise ClaimLost(f"the claim {Path(loss.lock_file).name} was lost: {loss.reason}")


@contextmanager
def claimed(path: Path, settings: Settings, *, wait_seconds: float = TAKE_OVER_PATIENCE_SECONDS) -> Iterator[Claim]:
    """Hold the claim at `path` while the block runs.

    Who waits for a whole lease also outwaits a dead machine whose lease was longer, for as long as that takes.

    Raises:
        Taken: somebody else holds it (and went on doing so for `wait_seconds`).
        Deferred: the share does not let us claim; or somebody holds it by another lease time, and we wait for less.
    """
    lease = SoftFileLease(
        path,
        lease_duration=settings.lease_seconds,
        heartbeat_interval=min(settings.heartbeat_seconds, settings.lease_seconds / 3),
        timeout=wait_seconds,
        poll_interval=POLL_SECONDS,
        thread_local=False,
    )
    try:
        atomic.make_folder(path.parent, path.parent.parent)
        _acquire(lease, path, settings, wait_seconds)
    except Timeout:
        raise Taken(holder(path) or "somebody") from None
    except LeaseSettingsMismatch as error:
        raise Deferred(f"another machine uses a different claims.lease_seconds: {error}") from error
    except OSError as error:
        raise as_clipd_error(error, f"claiming {path}") from error
    try:
        yield Claim(lease.token or "", lease)
    finally:
        # Where the share is away: the heartbeat has stopped by now, so the claim expires, and the work stands.
        with suppress(OSError):
            lease.release()


def _acquire(lease: SoftFileLease, path: Path, settings: Settings, wait_seconds: float) -> None:
    """Acquire, also where the filesystem cannot exchange two files (NFS, SMB): there filelock never takes over."""
    before, began = heartbeat(path), time.monotonic()
    try:
        lease.acquire()
    except Timeout:
        silent = time.monotonic() - began >= settings.lease_seconds and heartbeat(path) == before
        if before is None or (seems_held(path) and not silent):
            raise
        _break(path, before)
        lease.acquire(timeout=TAKE_OVER_PATIENCE_SECONDS)
    except LeaseSettingsMismatch:
        # filelock refuses to judge a claim by a lease that its holder did not agree to; the longer of both, it did.
        if wait_seconds < settings.lease_seconds:
            raise
        _outwait(path, silence_seconds(path, settings))
        lease.acquire(timeout=TAKE_OVER_PATIENCE_SECONDS)


def _outwait(path: Path, silence: float) -> None:
    """Return when nobody holds the claim, after `silence` seconds by force. Raises `Timeout` at a heartbeat."""
    judged, began = heartbeat(path), time.monotonic()
    while judged is not None:
        if time.monotonic() - began >= silence:
            return _break(path, judged)
        time.sleep(POLL_SECONDS)
        seen = heartbeat(path)
        if seen is not None and seen != judged:
            raise Timeout(os.fspath(path))
        judged = seen
    return None


def _break(path: Path, judged: Heartbeat) -> None:
    """Remove the claim that looks as `judged`; one that took its place meanwhile is put back.

    Should a third one take the name in between, the one put aside finds out by its own heartbeat.
    """
    if heartbeat(path) != judged:
        return
    aside = atomic.temporary(path)
    try:
        atomic.rename(path, aside)
    except atomic.Missing:
        return
    if heartbeat(aside) != judged:
        with suppress(ClipdError):
            atomic.link(aside, path)
    atomic.remove(aside)


def silence_seconds(path: Path, settings: Settings) -> float:
    """After how long without a heartbeat the claim at `path` may be taken over: the longer one of both leases."""
    owner = SoftFileLease(path).owner
    theirs = 0.0 if owner is None else owner.lease_duration or 0.0
    return max(settings.lease_seconds, min(theirs, LONGEST_LEASE_SECONDS))


def holder(path: Path) -> str | None:
    """Who holds the claim at `path`, as `host, process 123`; None when nobody does."""
    owner = SoftFileLease(path).owner
    return None if owner is None else f"{owner.hostname.partition(_NAMESPACE)[0]}, process {owner.pid}"


def seems_held(path: Path) -> bool:
    """Is there a claim at `path` whose holder may be alive? A dead process of this machine is not."""
    owner = SoftFileLease(path).owner
    if owner is None:
        return False
    if not _is_here(owner.hostname):
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


_NAMESPACE = "?pidns-"
_FIRST_NAMESPACE = 0xEFFFFFFC
"""The inode of the PID namespace that a machine starts with (Linux, include/linux/nsfs.h)."""


def _is_here(host: str) -> bool:
    """Can the processes of `host`, as filelock writes it, be seen from here? In a container it adds the namespace."""
    try:
        namespace = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        namespace = _FIRST_NAMESPACE
    return host == socket.gethostname() + ("" if namespace == _FIRST_NAMESPACE else f"{_NAMESPACE}{namespace:x}")


@dataclass(frozen=True)
class Heartbeat:
    """What a claim file looked like: equal sightings mean that no heartbeat came between them."""

    inode: int
    mtime_ns: int


def heartbeat(path: Path) -> Heartbeat | None:
    """The present sighting of the claim at `path`; None when there is none.

    The file is opened, because only that makes an NFS client ask the server instead of its own memory.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            seen = os.fstat(descriptor)
        finally:
            os.close(descriptor)
    except FileNotFoundError:
        return None
    except PermissionError:
        seen = path.lstat()
    except OSError as error:
        raise as_clipd_error(error, f"looking at {path}") from error
    return Heartbeat(seen.st_ino, seen.st_mtime_ns)
