"""Freeze: where the picture stands still, as FFmpeg's `freezedetect` tells it.

A run begins at a frame and goes on for as long as each next one differs from that first one by no more than noise: the
mean absolute difference over all samples of all planes. The small picture settles what moves and what stands quite
still; where it is a matter of noise, which shrinking takes away, pictures are compared at full size, in some of their
rows first.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
from numpy.typing import NDArray

from clipd.media.glance import Glance, Whole
from clipd.model.setting import Section, setting
from clipd.segmentation.stretches import lasts

Planes = tuple[NDArray[Any], ...]

MOVES: Final = 2.0
"""A small picture that differs by this many times the noise has moved."""
STANDS: Final = 1 / 3
"""A small picture that differs by this part of the noise, chroma included, stands still."""
ROWS_FIRST: Final = 32
"""How many rows are compared first, spread over the picture, ..."""
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
        self._since: tuple[int, float] | None = None
        self._first: Glance | None = None
        self._whole: Whole | None = None
        self._runs: list[tuple[int, int]] = []

    def feed(self, glance: Glance, whole: Callable[[], Whole]) -> None:
        """Takes the next frame; `whole` gives it at full size."""
        picture = whole()
        if self._is_as_before(glance, picture):
            return
        self._end(glance.number, glance.seconds)
        self._since = glance.number, glance.seconds
        self._first, self._whole = glance, picture

    def finish(self, frames: int, end_seconds: float) -> tuple[tuple[int, int], ...]:
        """The runs, half-open, in a video of so many frames."""
        self._end(frames, end_seconds)
        return tuple(self._runs)

    def _is_as_before(self, glance: Glance, picture: Whole) -> bool:
        first = self._first
        if first is None or self._whole is None:
            return False
        noise = self._settings.noise * (1 << 8)
        follows = glance.number == first.number + 1
        luma = glance.changes[0] if follows else _difference((first.luma,), (glance.luma,))
        if luma > MOVES * noise:
            return False
        if _difference((first.luma, *first.chroma), (glance.luma, *glance.chroma)) < STANDS * noise:
            return True
        return _is_same(self._whole, picture, self._settings.noise)

    def _end(self, number: int, seconds: float) -> None:
        if self._since is not None and lasts(seconds - self._since[1], self._settings.least_seconds):
            self._runs.append((self._since[0], number))
        self._since = None


def _is_same(one: Whole, other: Whole, noise: float) -> bool:
    """Do two pictures differ by no more than this share of the full scale?"""
    before, now = one.planes, other.planes
    if [plane.shape for plane in before] != [plane.shape for plane in now] or one.bits != other.bits:
        return False
    levels = noise * (1 << one.bits)
    some = _difference(before, now, max(1, before[0].shape[0] // ROWS_FIRST))
    if not levels / CLEAR <= some <= levels * CLEAR:
        return some < levels
    return _difference(before, now) <= levels


def _difference(one: Planes, other: Planes, step: int = 1) -> float:
    """The mean absolute difference over every `step`-th row of all planes, in levels."""
    total, size = 0.0, 0
    for before, now in zip(one, other, strict=True):
        total += cv2.norm(now[::step], before[::step], cv2.NORM_L1)
        size += now[::step].size
    return total / size
