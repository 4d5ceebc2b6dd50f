"""Excitement: one curve from loudness and motion, which every step of the highlight mode reads.

`weighted` is the sum of the two z-scores' positive parts by their weights; `product` is their product, high only where
it is loud and fast at once. A video without sound (no audio track, or one that never rises above the floor) weighs
motion alone: its excitement is the positive part of motion's z-score, with weight 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting
from clipd.segmentation.features import Features

Formula = Literal["weighted", "product"]


class Settings(Section):
    """What loudness and motion count for in the weighted sum."""

    loudness: float = setting(
        0.6, "The weight of loudness: a crowd or a voice tells a highlight more surely than movement.", ge=0
    )
    motion: float = setting(0.4, "The weight of motion; with no sound in the video, motion counts alone.", ge=0)


@dataclass(frozen=True)
class Curve:
    """Excitement on the grid of the features, with the sums that windows ask for."""

    times: NDArray[np.float64]
    """(G,) the grid, in seconds."""
    step_seconds: float
    values: NDArray[np.float64]
    """(G,) excitement, never negative."""

    def inside(self, start_seconds: float, end_seconds: float) -> NDArray[np.float64]:
        """The values at the points of the grid with `start <= time < end`."""
        first, last = np.searchsorted(self.times, (start_seconds, end_seconds), side="left")
        return self.values[first:last]

    def mean(self, start_seconds: float, end_seconds: float) -> float:
        """The mean over `[start, end)`; 0 where no point of the grid lies in it."""
        values = self.inside(start_seconds, end_seconds)
        return float(values.mean()) if len(values) else 0.0

    def share_below(self, threshold: float, start_seconds: float, end_seconds: float) -> float:
        """The share, 0..1, of `[start, end)` with values below `threshold`; 1 where no point of the grid lies in it."""
        values = self.inside(start_seconds, end_seconds)
        return float((values < threshold).mean()) if len(values) else 1.0

    def integrals(self, ends: NDArray[np.float64], length_seconds: float) -> NDArray[np.float64]:
        """For each of `ends` (B,) the integral over the `length_seconds` before it: a sum times step."""
        sums = np.concatenate([[0.0], np.cumsum(self.values)])
        first = np.searchsorted(self.times, ends - length_seconds, side="left")
        last = np.searchsorted(self.times, ends, side="left")
        return np.asarray((sums[last] - sums[first]) * self.step_seconds)


def has_sound(features: Features) -> bool:
    """Is there anything to hear: an audio track that rises above the floor?"""
    return features.loudness is not None and bool(np.any(features.loudness > 0))


def excitement(features: Features, formula: Formula, settings: Settings) -> Curve:
    """The curve of `features` by `formula`."""
    loudness, motion = np.maximum(features.loudness_z, 0.0), np.maximum(features.motion_z, 0.0)
    if not has_sound(features):
        values = motion
    elif formula == "product":
        values = loudness * motion
    else:
        values = settings.loudness * loudness + settings.motion * motion
    return Curve(features.times, features.step_seconds, values)
