"""Freeze: where the picture stands still, as FFmpeg's `freezedetect` tells it.

A run begins at a frame and goes on for as long as each next one differs from that first one by no more than noise: the
mean absolute difference over all samples of all planes. Shrinking a picture takes its noise away, so the small picture
can only rule out what moves; what it cannot rule out is compared at full size, in some of its rows first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
from numpy.typing import NDArray

from clipd.media.glance import Glance, Rows, Whole
from clipd.model.setting import Section, setting
from clipd.segmentation.stretches import lasts

Planes = tuple[NDArray[Any], ...]

RULED_OUT: Final = 4.0
"""A small picture that differs by this many times the noise leaves no doubt."""
ROWS_FIRST: Final = 8
"""Every how many rows are compared first, ..."""
CLEAR: Final = 1.5
"""... which decides if they differ by this many times more, or less, than the noise."""


class Settings(Section):
    """What counts as standing still; the defaults are those that most people give FFmpeg's `freezedetect`."""

    noise: float = setting(
        0.003, "Pictures that differ by no more than this share of the full scale are the same.", ge=0, le=1
    )
    least_seconds: float = setting(0.5, "Shorter runs are left out.", unit="s", ge=0)


class Freeze:
    """Collects the runs of frames that show the same."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._first: tuple[int, float] | None = None
        self._small: Rows | None = None
        self._whole: Whole | None = None
        self._runs: list[tuple[int, int]] = []

    def feed(self, glance: Glance, whole: Callable[[], Whole]) -> None:
        """Takes the next frame; `whole` gives it at full size."""
        picture = whole()
        if self._is_as_before(glance, picture):
            return
        self._end(glance.number, glance.seconds)
        self._first, self._small, self._whole = (glance.number, glance.seconds), glance.luma.copy(), picture

    def finish(self, frames: int, end_seconds: float) -> tuple[tuple[int, int], ...]:
        """The runs, half-open, in a video of so many frames."""
        self._end(frames, end_seconds)
        return tuple(self._runs)

    def _is_as_before(self, glance: Glance, picture: Whole) -> bool:
        if self._small is None or self._whole is None or self._small.shape != glance.luma.shape:
            return False
        small = cv2.norm(glance.luma, self._small, cv2.NORM_L1) / glance.luma.size
        if small > RULED_OUT * self._settings.noise * (1 << 8):
            return False
        before, now = self._whole.planes, picture.planes
        if [plane.shape for plane in before] != [plane.shape for plane in now] or self._whole.bits != picture.bits:
            return False
        noise = self._settings.noise * (1 << picture.bits)
        some = _difference(before, now, ROWS_FIRST)
        if not noise / CLEAR <= some <= noise * CLEAR:
            return some < noise
        return _difference(before, now, 1) <= noise

    def _end(self, number: int, seconds: float) -> None:
        if self._first is not None and lasts(seconds - self._first[1], self._settings.least_seconds):
            self._runs.append((self._first[0], number))
        self._first = None


def _difference(one: Planes, other: Planes, step: int) -> float:
    """The mean absolute difference over every `step`-th row of all planes, in levels."""
    total, size = 0.0, 0
    for before, now in zip(one, other, strict=True):
        total += cv2.norm(now[::step], before[::step], cv2.NORM_L1)
        size += now[::step].size
    return total / size
