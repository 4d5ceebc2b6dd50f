"""Presentation times on the clock of a container.

MP4 takes the source's own time base; Matroska counts milliseconds. Two pictures of one source may lie closer together
than that: on the coarser clock each still gets a time of its own, as near to the true one as can be.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

COARSE: Final = {"mkv": Fraction(1, 1000)}
"""Containers that bring a clock of their own."""

Ticks = NDArray[np.int64]


def clock_of(extension: str, source: Fraction) -> Fraction:
    """The time base, in seconds, of a file with this extension made of a source with time base `source`."""
    return COARSE.get(extension, source)


def rebased(times: Ticks, source: Fraction, target: Fraction) -> Ticks:
    """Strictly increasing `times`, ticks of `source`, as the nearest strictly increasing ticks of `target`."""
    ratio = source / target
    if ratio == 1:
        return times
    nearest = (2 * times * ratio.numerator + ratio.denominator) // (2 * ratio.denominator)
    steps = np.arange(len(times), dtype=np.int64)
    spaced: Ticks = np.maximum.accumulate(nearest - steps) + steps
    return spaced


def is_exact(times: Ticks, source: Fraction, target: Fraction) -> bool:
    """Does every one of `times` fall on a tick of `target`?"""
    ratio = source / target
    return not np.any(times * ratio.numerator % ratio.denominator)
