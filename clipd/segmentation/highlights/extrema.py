"""Peaks of a curve: the points from which it falls to both sides."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def peaks(values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """(G,) which points of `values` (G,) are peaks.

    A run of equal values is a peak, with every point of it, when the values before and after it are lower. The first
    and the last point have one neighbour only, which decides alone; a curve that never changes has no peak.
    """
    if len(values) == 0:
        return np.zeros(0, dtype=np.bool_)
    starts = np.flatnonzero(np.concatenate([[True], values[1:] != values[:-1]]))
    if len(starts) == 1:
        return np.zeros(len(values), dtype=np.bool_)
    levels = values[starts]
    above_before = np.concatenate([[True], levels[1:] > levels[:-1]])
    above_after = np.concatenate([levels[:-1] > levels[1:], [True]])
    return np.repeat(above_before & above_after, np.diff(np.append(starts, len(values))))
