"""The rounds: full looks at the tree, one after another, in slices between which the daemon does other things.

Where file events tell of everything, a round is only a safety net: it rests between its slices, so that a tree of any
size costs the same little share of a core at every moment. As soon as it finds something that no event told of, it
takes no more rest.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from clipd.clock import Clock
from clipd.intake.scans import Scans
from clipd.intake.watch import LONGEST_ROUND, Settings

SLICE_SECONDS: Final = 0.05
"""How long a round may go on before waiting messages are looked at."""
CALM_SLICE_SECONDS: Final = 0.02
"""The same where there is no hurry."""


class Rounds:
    """Walks `scans` over and over."""

    def __init__(
        self, scans: Scans, settings: Settings, clock: Clock, spent: Callable[[], float] = time.thread_time
    ) -> None:
        """Nothing is looked at before `go_on`; `spent` tells the processor time of this thread in seconds."""
        self.settings = settings
        self.begun = 0
        """How many rounds were begun."""
        self.seconds = 0.0
        """How long the last of them looked, its rests apart."""
        self._scans, self._clock, self._spent = scans, clock, spent
        self._walk: Iterator[str] | None = None
        self._next = 0.0
        self._calm = False
        """Does this round, or the next if none is under way, rest between its slices?"""
        self._again = False
        """Was a round asked for while one without rests was under way?"""
        self._began = self._looked = 0.0
        self._files, self._files_before = 0, 1
        """How many files this round and the one before looked at."""

    @property
    def due(self) -> float:
        """When to go on (monotonic seconds)."""
        return self._next

    @property
    def under_way(self) -> bool:
        """Is a round begun and not ended?"""
        return self._walk is not None

    @property
    def in_haste(self) -> bool:
        """Is a round under way that takes no rest?"""
        return self._walk is not None and not self._calm

    def soon(self) -> None:
        """Something may have been missed: begin a round now, and take no rest within it."""
        self._again = self.in_haste
        if self._calm:
            self._walk, self._calm = None, False
        self._next = 0.0

    def go_on(self, *, trusted: bool) -> bool:
        """Look at another slice, when one is due; did a round come to its end?

        Args:
            trusted: do file events tell of everything, as far as is known?
        """
        if self._calm and not trusted:
            self.soon()
        now = self._clock.monotonic()
        if now < self._next:
            return False
        if self._walk is None:
            self._walk, self.begun = self._scans.walk(), self.begun + 1
            self._began, self._looked, self._files = now, 0.0, 0
        is_through, rest = self._slice(self._walk, now)
        self._next = self._clock.monotonic() + rest
        if is_through:
            self._end(trusted=trusted)
        return is_through

    def _slice(self, walk: Iterator[str], now: float) -> tuple[bool, float]:
        """Walk on for a while: was that the rest of the round, and for how many seconds to rest now?"""
        deadline, spent = now + (CALM_SLICE_SECONDS if self._calm else SLICE_SECONDS), self._spent()
        found, files, is_through = self._scans.changes, self._files, True
        for _ in walk:
            self._files += 1
            if self._clock.monotonic() >= deadline:
                is_through = False
                break
        self._looked += self._clock.monotonic() - now
        self._calm = self._calm and self._scans.changes == found
        if not self._calm:
            return is_through, 0.0
        affordable = (self._spent() - spent) * 100 / self.settings.rescan_percent
        longest = LONGEST_ROUND * self.settings.rescan_seconds
        return is_through, min(affordable, longest * (self._files - files) / self._files_before)

    def _end(self, *, trusted: bool) -> None:
        """Close a round, and see when the next one is due."""
        self._walk, self.seconds, self._files_before = None, round(self._looked, 3), max(1, self._files)
        if self._again:
            self._again, self._next = False, 0.0
        elif trusted:
            self._calm, self._next = True, max(self._next, self._began + self.settings.rescan_seconds)
        else:
            self._next += self.settings.interval_seconds
