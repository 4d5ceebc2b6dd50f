"""Loudness: how loud it is around each point of the grid, in dB above a floor.

Energy is summed in small cells on the file's own clock, as sound often comes before the first frame is known; the grid
is laid over the cells at the end. Where nothing sounds (before, after, or in a gap) there is silence.
"""

from __future__ import annotations

from array import array
from typing import Final

import numpy as np
from numpy.typing import NDArray

from clipd.media.envelope import Heard
from clipd.model.setting import Section, setting

Curve = NDArray[np.float64]

CELLS_PER_SECOND: Final = 100
"""So fine that a grid which begins anywhere loses nothing that can be heard: a cell is 10 ms."""


class Settings(Section):
    """How loudness is measured."""

    floor_db: float = setting(
        -60.0, "What is quieter counts as silence; loudness is counted from here, in dB.", unit="dB", ge=-160, lt=0
    )
    smooth_points: int = setting(
        3, "A moving mean over this many points of the grid, so that a single clap is no excitement.", ge=1, le=1001
    )


class Loudness:
    """Sums the energy of what is heard, in cells of 10 ms. 8 bytes for each."""

    def __init__(self, settings: Settings, rate: int, longest_seconds: float) -> None:
        self._settings, self._rate = settings, rate
        self._longest = longest_seconds
        self._first: int | None = None
        self._energy = array("d")
        self.lost_seconds = 0.0
        """How much sound lay before the first or further on than any video may last, and was left out."""

    def feed(self, heard: Heard) -> None:
        """Takes the next sound; it may lie anywhere, but not before the first."""
        cell = self._rate / CELLS_PER_SECOND
        at = round(heard.seconds * self._rate)
        first = int(at // cell)
        if self._first is None:
            self._first = first
        last = int((at + len(heard.samples) - 1) // cell)
        if not self._first <= first <= last < self._first + self._longest * CELLS_PER_SECOND:
            self.lost_seconds += len(heard.samples) / self._rate
            return
        energy = np.square(heard.samples)
        borders = np.ceil(np.arange(first, last + 1) * cell).astype(np.int64) - at
        sums = np.add.reduceat(energy, np.maximum(borders, 0), dtype=np.float64)
        missing = last + 1 - self._first - len(self._energy)
        if missing > 0:
            self._energy.frombytes(bytes(8 * missing))
        held = np.frombuffer(self._energy, np.float64)
        held[first - self._first : last + 1 - self._first] += sums

    @property
    def end_seconds(self) -> float:
        """When the last sound ended, in seconds from the first one."""
        return len(self._energy) / CELLS_PER_SECOND

    @property
    def begin_seconds(self) -> float:
        """When the first sound began, on the file's own clock; 0 where there was none."""
        return (self._first or 0) / CELLS_PER_SECOND

    def curve(self, start_seconds: float, step_seconds: float, points: int) -> Curve:
        """(points,) dB above the floor, never negative, smoothed.

        Point i holds what sounds from i to i + 1 steps after `start_seconds` on the file's own clock.
        """
        total = np.concatenate([[0.0], np.cumsum(np.frombuffer(self._energy, np.float64))])
        borders = (start_seconds - self.begin_seconds + np.arange(points + 1) * step_seconds) * CELLS_PER_SECOND
        energy = np.diff(np.interp(borders, np.arange(len(total)), total))
        power = np.maximum(energy, 0.0) / (step_seconds * self._rate)
        loud = power > 10 ** (self._settings.floor_db / 10)
        decibels = np.zeros(points)
        decibels[loud] = 10 * np.log10(power[loud]) - self._settings.floor_db
        return smoothed(decibels, self._settings.smooth_points)


def smoothed(curve: Curve, points: int) -> Curve:
    """The moving mean of `curve` (G,) over `points`, centred; at the ends over those that there are."""
    if points <= 1 or not len(curve):
        return curve
    window = np.ones(points)
    centre = slice((points - 1) // 2, (points - 1) // 2 + len(curve))
    sums = np.convolve(curve, window)[centre]
    counts = np.convolve(np.ones(len(curve)), window)[centre]
    means: Curve = sums / counts
    return means
