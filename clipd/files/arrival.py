"""Has a large file arrived? A video counts when it has held still for a while and nobody has it open for writing."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from clipd.errors import Deferred
from clipd.files.mounts import is_remote
from clipd.files.openers import nobody_writes
from clipd.files.walk import look
from clipd.model.setting import Section, setting

FUTURE_SECONDS = 2.0
"""A stamp further ahead than this was set by a program with another clock, and says nothing."""


class Settings(Section):
    """When a source video counts as arrived."""

    settle_seconds: float = setting(
        4.0, "How long a source video must have held still before it is read.", unit="s", ge=0
    )


class Arriving(Deferred):
    """The file is still being written; worth another look in `wait_seconds`."""

    def __init__(self, message: str, wait_seconds: float, *, settles: bool = True) -> None:
        super().__init__(message, wait_seconds)
        self.settles = settles
        """Is it a matter of seconds, that a single pass waits out? Not while a program has the file open."""


def require_settled(
    path: Path, share_offset: float, settings: Settings, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Raise `Arriving` while the file at `path` is being written.

    Args:
        path: the file.
        share_offset: the share's clock minus this machine's, in seconds.
        settings: how long it must have held still.
        sleep: lets time pass, where no stamp of the file can be believed and two looks must tell.
    """
    age = _age(path, share_offset)
    if age is None:
        before = look(path)
        sleep(settings.settle_seconds)
        if before is None or look(path) != before:
            raise Arriving(f"{path.name} is still arriving: it changed just now", settings.settle_seconds)
    elif age < settings.settle_seconds:
        words = f"{path.name} is still arriving: it changed {max(0.0, age):.1f} s ago"
        raise Arriving(words, settings.settle_seconds - max(0.0, age))
    if has_writer(path):
        words = f"{path.name} is still arriving: a program has it open for writing"
        raise Arriving(words, max(1.0, settings.settle_seconds), settles=False)


def still_seconds(path: Path, share_offset: float) -> float:
    """For how long the file at `path` has held still, by the share's clock; 0 when it is not there."""
    return max(0.0, _age(path, share_offset) or 0.0)


def has_writer(path: Path, is_remote: Callable[[Path], bool] = is_remote) -> bool:
    """Does a process of this machine have the file open for writing, as far as the kernel tells?

    On a share it does not tell: there it refuses a lease for reasons of its own with the same error (Linux:
    nfs4_add_lease without a delegation, cifs_setlease without an oplock).
    """
    return not is_remote(path.parent) and nobody_writes(path) is False


def _age(path: Path, share_offset: float) -> float | None:
    """Seconds since the last change, by the stamps that can be believed; None when there are none."""
    seen = look(path)
    if seen is None:
        return None
    now = time.time() + share_offset
    ages = [now - stamp / 1e9 for stamp in (seen.mtime_ns, seen.ctime_ns)]
    return min((age for age in ages if age > -FUTURE_SECONDS), default=None)
