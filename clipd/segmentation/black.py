"""Black: where a picture shows nothing, as FFmpeg's `blackdetect` tells it.

A pixel is black whose luma lies no further up than a share of the range from black; a picture, of which almost all
pixels are. The small picture settles what is far from either limit; only in between pixels are counted at full size, so
that the stretches are those of the filter, at little cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import cv2
from numpy.typing import NDArray

from clipd.media.glance import Glance, Whole
from clipd.model.setting import Section, setting
from clipd.segmentation.stretches import lasts

LEVELS_CLEAR: Final = 8
"""A sample of the small picture, mixed of a few, may lie this far from those at full size, ..."""
SHARE_CLEAR: Final = 0.01
"""... and their share, counted in the small picture, this far from that at full size."""
ROWS_FIRST: Final = 8
"""Every how many rows are counted first, ..."""
CLEAR: Final = 0.1
"""... which decides if their share of black is short of what is needed by this much."""


class Settings(Section):
    """What counts as black; the defaults are those that most people give FFmpeg's `blackdetect`."""

    pixel_threshold: float = setting(
        0.10, "A pixel is black up to this share of the way from black to white.", ge=0, le=1
    )
    picture_share: float = setting(0.98, "A picture is black with at least this share of black pixels.", ge=0, le=1)
    least_seconds: float = setting(0.1, "Shorter runs are left out.", unit="s", ge=0)


class Black:
    """Collects the runs of black frames."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._brightest = max(_level(settings.pixel_threshold, 8, full=full) for full in (False, True))
        self._since: tuple[int, float] | None = None
        self._runs: list[tuple[int, int]] = []

    def feed(self, glance: Glance, whole: Callable[[], Whole]) -> None:
        """Takes the next frame; `whole` gives it at full size, if that is needed."""
        if self._is_black(glance, whole):
            self._since = self._since or (glance.number, glance.seconds)
        else:
            self._end(glance.number, glance.seconds)

    def finish(self, frames: int, end_seconds: float) -> tuple[tuple[int, int], ...]:
        """The runs, half-open, in a video of so many frames."""
        self._end(frames, end_seconds)
        return tuple(self._runs)

    def _is_black(self, glance: Glance, whole: Callable[[], Whole]) -> bool:
        threshold, share = self._settings.pixel_threshold, self._settings.picture_share
        # By the range that reaches further up: what is too bright for that is black in neither.
        if _dark_share(glance.luma, self._brightest + LEVELS_CLEAR) < share - SHARE_CLEAR:
            return False
        picture = whole()
        full = picture.is_full_range
        if _dark_share(glance.luma, _level(threshold, 8, full=full) - LEVELS_CLEAR) > min(
            share + SHARE_CLEAR, 1 - 1e-9
        ):
            return True
        level, luma = _level(threshold, picture.bits, full=full), picture.planes[0]
        return _dark_share(luma[::ROWS_FIRST], level) >= share - CLEAR and _dark_share(luma, level) >= share

    def _end(self, number: int, seconds: float) -> None:
        if self._since is not None and lasts(seconds - self._since[1], self._settings.least_seconds):
            self._runs.append((self._since[0], number))
        self._since = None


def _dark_share(luma: NDArray[Any], level: int) -> float:
    """The share of pixels not above `level`."""
    bright = cv2.countNonZero(cv2.threshold(luma, level, 1, cv2.THRESH_BINARY)[1])
    return 1 - bright / luma.size


def _level(share: float, bits: int, *, full: bool) -> int:
    """The highest luma that is black; the range is 16..235 for 8 bits (ITU-R BT.601), or all of it if `full`."""
    if full:
        return int(share * ((1 << bits) - 1))
    return int((16 + share * (235 - 16)) * (1 << (bits - 8)))
