"""Has a large file arrived? A video counts when it has held still for a while and nobody has it open for writing."""

from __future__ import annotations

import time
from pathlib import Path

from clipd.errors import Deferred
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

    def __init__(self, message: str, wait_seconds: float) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


def require_settled(path: Path, share_offset: float, settings: Settings) -> None:
    """Raise `Arriving` while the file at `path` is being written.

    Args:
        path: the file.
        share_offset: the share's clock minus this machine's, in seconds.
        settings: how long it must have held still.
    """
    left = settings.settle_seconds - still_seconds(path, share_offset)
    if left > 0:
        raise Arriving(f"{path.name} is still arriving: it changed {settings.settle_seconds - left:.1f} s ago", left)
    if nobody_writes(path) is False:
        raise Arriving(f"{path.name} is still arriving: a program is writing it", max(1.0, settings.settle_seconds))


def still_seconds(path: Path, share_offset: float) -> float:
    """For how long the file at `path` has held still, by the share's clock; 0 when it is not there."""
    seen = look(path)
    if seen is None:
        return 0.0
    now = time.time() + share_offset
    ages = [now - stamp / 1e9 for stamp in (seen.mtime_ns, seen.ctime_ns)]
    return max(0.0, min((age for age in ages if age > -FUTURE_SECONDS), default=0.0))
