"""clipd on a machine whose wall clock is off, and may be set at any moment: `python -m tests.crash.off_clock run`.

The file that CLOCK_SHIFT names holds the seconds by which the clock is off, in this process and in its workers. Stamps
that the kernel puts on files are right, as they are where a share has a clock of its own.
"""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from clipd.clock import SystemClock

_PLACE = Path(os.environ["CLOCK_SHIFT"])
_real = time.time


def shift() -> float:
    """The seconds by which the clock is off at this moment."""
    try:
        return float(_PLACE.read_text() or 0)
    except (FileNotFoundError, ValueError):
        return 0.0


def _time() -> float:
    return _real() + shift()


def _now(_clock: SystemClock) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=shift())


# Spawned workers import this module again, before they do anything.
time.time = _time
SystemClock.now = _now  # type: ignore[method-assign]

if __name__ == "__main__":
    from clipd.cli import main

    main()
