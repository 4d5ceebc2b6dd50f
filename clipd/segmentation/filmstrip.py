"""Filmstrip: small colour pictures spread over a video of unknown length, kept while it passes.

Every so many frames one is kept; whenever there are twice as many as wanted, every second one goes and the distance
doubles. So the memory is bounded, and the pictures lie evenly.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance

WANTED: Final = 100
"""At least so many of a long video; at most twice as many, some 22 kB each."""

Pictures = NDArray[np.uint8]


class Filmstrip:
    """Keeps pictures evenly spread."""

    def __init__(self) -> None:
        self._every = 1
        self._kept: list[tuple[float, Pictures]] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame."""
        if glance.number % self._every:
            return
        height, width = glance.luma.shape
        if width % 2 or height % 2:
            return  # a video of a few pixels, which no strip shows
        picture = np.empty((height * 3 // 2, width), np.uint8)
        picture[:height] = glance.luma
        chroma = picture[height:].reshape(2, height // 2, width // 2)
        chroma[0], chroma[1] = glance.chroma
        self._kept.append((glance.seconds, picture))
        if len(self._kept) >= 2 * WANTED:
            del self._kept[1::2]
            self._every *= 2

    def finish(self) -> tuple[NDArray[np.float64], Pictures]:
        """(K,) when each is shown, in seconds, and (K, H * 3 / 2, W) luma and both chroma planes (I420), as coded."""
        first = self._kept[0][1].shape if self._kept else (0, 0)
        alike = [(seconds, picture) for seconds, picture in self._kept if picture.shape == first]
        times = np.array([seconds for seconds, _ in alike], np.float64)
        return times, np.stack([picture for _, picture in alike]) if alike else np.zeros((0, 0, 0), np.uint8)
