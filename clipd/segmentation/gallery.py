"""Gallery: a tiny grey picture for each point of the grid, so that likeness needs no second decode."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance

WIDTH: Final = 32
HEIGHT: Final = 18
"""Twice what a perceptual hash of 8 x 8 is made from: 576 bytes a picture, 4 MB an hour."""

Pictures = NDArray[np.uint8]


class Gallery:
    """Keeps the first picture that is shown in each step of the grid."""

    def __init__(self, step_seconds: float) -> None:
        self._step = step_seconds
        self._kept: dict[int, Pictures] = {}

    def feed(self, glance: Glance) -> None:
        """Takes the next frame."""
        slot = int(glance.seconds / self._step + 1e-6)
        if slot not in self._kept:
            small = cv2.resize(glance.luma, (WIDTH, HEIGHT), interpolation=cv2.INTER_AREA)
            self._kept[slot] = np.asarray(small, np.uint8)

    def finish(self, points: int) -> Pictures:
        """(points, 18, 32) grey pictures, 0..255; a step that shows no new picture shows the one before."""
        pictures = np.zeros((points, HEIGHT, WIDTH), np.uint8)
        last = self._kept.get(min(self._kept, default=0))
        for slot in range(points):
            last = self._kept.get(slot, last)
            if last is not None:
                pictures[slot] = last
        return pictures
