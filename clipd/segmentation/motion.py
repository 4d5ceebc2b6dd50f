"""Motion: how much the picture changes from one quarter of a second to the next.

Pictures are taken a few times per second, so that the measure is the same for 10 and for 60 frames per second: the
first frame in each slot of time is compared with the one taken before. A slot in which no frame is shown has no motion.
"""

from __future__ import annotations

from array import array
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance, Rows
from clipd.model.setting import Section, setting
from clipd.segmentation.loudness import Curve, smoothed

SLACK: Final = 1e-6
"""Part of a slot that rounding may take from a time."""


class Settings(Section):
    """How motion is measured."""

    per_second: float = setting(4.0, "How many pictures a second are compared.", unit="1/s", gt=0, le=240)
    smooth_points: int = setting(
        3, "A moving mean over this many comparisons, so that a flash is no motion.", ge=1, le=1001
    )


class Motion:
    """Compares pictures a few times per second. 16 bytes for each."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._before: Rows | None = None
        self._slots, self._changes = array("q"), array("d")
        self._due = 0.0

    def feed(self, glance: Glance) -> None:
        """Takes the next frame."""
        if glance.seconds < self._due:
            return
        # A frame that is due at a whole slot may be a rounding error early.
        slot = int(glance.seconds * self._settings.per_second + SLACK)
        self._due = (slot + 1 - SLACK) / self._settings.per_second
        if self._before is not None:
            self._slots.append(slot)
            self._changes.append(cv2.norm(glance.luma, self._before, cv2.NORM_L1) / glance.luma.size)
        self._before = glance.luma

    def curve(self, times: NDArray[np.float64]) -> Curve:
        """(G,) the mean absolute difference of luma, 0..255, smoothed, at `times` (G,) in seconds."""
        if not self._slots or not len(times):
            return np.zeros(len(times))
        slots = np.zeros(max(self._slots[-1], int(times[-1] * self._settings.per_second)) + 1)
        slots[np.frombuffer(self._slots, np.int64)] = np.frombuffer(self._changes, np.float64)
        # Nothing comes before the first picture: slot 0 shows no change, but no stillness either.
        slots[0] = slots[1] if len(slots) > 1 else 0.0
        curve = smoothed(slots, self._settings.smooth_points)
        return np.interp(times, np.arange(len(curve)) / self._settings.per_second, curve)
