"""A clock that tests own: it stands still until somebody lets time pass."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from clipd.clock import Clock

NOON = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)


class FakeClock:
    """A `Clock`; `sleep` and `pass_` move it, and `slept` keeps what was asked for."""

    def __init__(self, now: datetime = NOON) -> None:
        self._now = now
        self._monotonic = 1000.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        """The wall-clock time."""
        return self._now

    def monotonic(self) -> float:
        """Seconds that only grow."""
        return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Let time pass, as asked by the code under test."""
        self.slept.append(seconds)
        self.pass_(seconds)

    def pass_(self, seconds: float) -> None:
        """Let time pass, as the test wishes."""
        self._now += timedelta(seconds=seconds)
        self._monotonic += seconds

    def set(self, now: datetime) -> None:
        """Somebody sets the wall clock; the monotonic one goes on as it was."""
        self._now = now


_: Clock = FakeClock()
