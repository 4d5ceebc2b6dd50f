"""Runs of frames that have something in common: the first and the last of them noted, given their times at the end."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clipd.segmentation.cut import Stretch


def lasts(seconds: float, least_seconds: float) -> bool:
    """Is a run of `seconds` at least `least_seconds` long, to the microsecond that FFmpeg's filters count in?"""
    return round(seconds * 1e6) >= round(least_seconds * 1e6)


def stretches(runs: Sequence[tuple[int, int]], times: NDArray[np.float64], end_seconds: float) -> tuple[Stretch, ...]:
    """The half-open `runs` of frames as stretches; `times` (N,) is when each frame is shown, in seconds."""
    ends = np.append(times, end_seconds)
    return tuple(Stretch(start, end, float(ends[start]), float(ends[end])) for start, end in runs)
