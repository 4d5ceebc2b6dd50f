"""A glance: one frame, seen small, which is enough to tell cuts, motion, black and freeze by."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Glance:
    """One frame, seen small. The arrays are views that hold until the next glance: copy what is to be kept."""

    number: int
    """The n-th frame in presentation order, from 0."""
    seconds: float
    """When it is shown, since the first frame; strictly increasing."""
    luma: Rows
    """(H, W) uint8, W as the settings say, in the range that the video is coded with (16..235 or 0..255)."""
    chroma: tuple[Rows, Rows]
    """(H/2, W/2) uint8 U and V, likewise."""
