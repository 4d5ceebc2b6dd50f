"""Leases: the right to work on something, held by a heartbeat on a file that every machine on the share sees.

Native locks do not exclude across NFS client caches, so a claim is a file (filelock's `SoftFileLease`): a peer may take
it over only after it saw no heartbeat for the lease time on its own monotonic clock, or at once when its owner was a
process of this machine that is gone. A lease is a hint about who should work, not a fence: what protects the outputs is
that whoever takes a claim removes the former holder's staging.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import LeaseSettingsMismatch, SoftFileLease, Timeout

from clipd.errors import ClaimLost, Deferred
from clipd.files.atomic import as_clipd_error
from clipd.model.setting import Section, setting

TAKE_OVER_PATIENCE_SECONDS = 0.3
"""Long enough to break the claim of a dead process of this machine and take it in the same call."""


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

    Raises:
        Taken: somebody else holds it (and went on doing so for `wait_seconds`).
        Deferred: the share does not let us claim, or machines disagree on the lease time.
    """
    lease = SoftFileLease(
        path,
        lease_duration=settings.lease_seconds,
        heartbeat_interval=min(settings.heartbeat_seconds, settings.lease_seconds / 3),
        timeout=wait_seconds,
        poll_interval=0.05,
        thread_local=False,
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lease.acquire()
    except Timeout:
        raise Taken(holder(path) or "somebody") from None
    except LeaseSettingsMismatch as error:
        raise Deferred(f"another machine uses a different claims.lease_seconds: {error}") from error
    except OSError as error:
        raise as_clipd_error(error, f"claiming {path}") from error
    try:
        yield Claim(lease.token or "", lease)
    finally:
        lease.release()


def holder(path: Path) -> str | None:
    """Who holds the claim at `path`, as `host, process 123`; None when nobody does."""
    owner = SoftFileLease(path).owner
    return None if owner is None else f"{owner.hostname}, process {owner.pid}"


def seems_held(path: Path) -> bool:
    """Is there a claim at `path` whose holder may be alive? A dead process of this machine is not."""
    owner = SoftFileLease(path).owner
    if owner is None:
        return False
    if owner.hostname != socket.gethostname():
        return True
    try:
        os.kill(owner.pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


@dataclass(frozen=True)
class Heartbeat:
    """What a claim file looked like: equal sightings mean that no heartbeat came between them."""

    inode: int
    mtime_ns: int


def heartbeat(path: Path) -> Heartbeat | None:
    """The present sighting of the claim at `path`; None when there is none."""
    try:
        seen = os.lstat(path)
    except FileNotFoundError:
        return None
    return Heartbeat(seen.st_ino, seen.st_mtime_ns)
