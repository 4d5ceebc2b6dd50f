"""Anchors: the moments that windows are built around.

Three curves are searched for peaks: excitement, loudness alone, and action (motion where cuts are dense). Each peak's
score is its curve's value times the weight of its kind, so that one non-maximum suppression can weigh all of them:
the strongest stays, and what lies closer to it than the spacing goes, of whatever kind. Then the strongest are kept,
so many for each minute of the video. A curve's threshold applies to its value before the weight, and a peak must
exceed it.

Cut density is cuts per second, counted over the reach to both sides (a cut exactly at the reach counts).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.extrema import peaks

Kind = Literal["excitement", "loudness", "action"]
KINDS: tuple[Kind, ...] = ("excitement", "loudness", "action")
"""Between peaks of the same score at the same time, the first named stays."""


class Settings(Section):
    """Where anchors are found, and how many."""

    excitement_above: float = setting(0.3, "A peak of excitement is an anchor above this.", ge=0)
    loudness_above: float = setting(1.5, "A peak of loudness alone is an anchor above this.", unit="z-score")
    loudness_weight: float = setting(0.7, "What a peak of loudness alone counts against one of excitement.", ge=0)
    action_above: float = setting(
        1.0, "A peak of action (motion raised by the density of cuts) is an anchor above this.", unit="z-score"
    )
    action_weight: float = setting(0.6, "What a peak of action counts against one of excitement.", ge=0)
    cut_gain: float = setting(
        0.5, "How much one cut per second raises motion: editors cut fast where much happens.", ge=0
    )
    cut_reach_seconds: float = setting(5.0, "How far to both sides cuts are counted for their density.", unit="s", gt=0)
    spacing_seconds: float = setting(
        4.0, "Two anchors lie at least this far apart; of closer ones the strongest stays.", unit="s", ge=0
    )
    per_minute: float = setting(
        8.0, "At most this many anchors for each minute of the video.", unit="anchors/min", gt=0
    )
    at_least: int = setting(10, "A short video may have this many anchors all the same.", unit="anchors", ge=1)


@dataclass(frozen=True)
class Anchor:
    """A moment of excitement."""

    seconds: float
    score: float
    """The value of the curve that it is a peak of, times the weight of its kind."""
    kind: Kind
    loudness_z: float
    motion_z: float


def anchors(features: Features, curve: Curve, cuts: Sequence[Cut], settings: Settings) -> tuple[Anchor, ...]:
    """The anchors of a video, in order of time.

    Args:
        features: loudness and motion, as z-scores on the grid.
        curve: excitement on the same grid.
        cuts: the changes of shot, in order of time.
        settings: thresholds, weights, spacing and number.
    """
    curves: dict[Kind, tuple[NDArray[np.float64], float, float]] = {
        "excitement": (curve.values, settings.excitement_above, 1.0),
        "loudness": (features.loudness_z, settings.loudness_above, settings.loudness_weight),
        "action": (action(features, cuts, settings), settings.action_above, settings.action_weight),
    }
    found = [
        Anchor(
            seconds=float(features.times[point]),
            score=weight * float(values[point]),
            kind=kind,
            loudness_z=float(features.loudness_z[point]),
            motion_z=float(features.motion_z[point]),
        )
        for kind, (values, above, weight) in curves.items()
        for point in np.flatnonzero(peaks(values) & (values > above))
    ]
    spaced = _spaced(found, settings.spacing_seconds)
    kept = spaced[: most(features.duration_seconds, settings)]
    return tuple(sorted(kept, key=lambda anchor: anchor.seconds))


def action(features: Features, cuts: Sequence[Cut], settings: Settings) -> NDArray[np.float64]:
    """(G,) motion's z-score times one plus `cut_gain` for each cut per second around that point."""
    seconds = np.array([cut.seconds for cut in cuts], dtype=np.float64)
    reach = settings.cut_reach_seconds
    first = np.searchsorted(seconds, features.times - reach, side="left")
    last = np.searchsorted(seconds, features.times + reach, side="right")
    return features.motion_z * (1.0 + settings.cut_gain * (last - first) / (2 * reach))


def most(duration_seconds: float, settings: Settings) -> int:
    """How many anchors a video of this length may have: whole ones, rounded down."""
    return max(settings.at_least, int(settings.per_minute * duration_seconds / 60.0))


def _spaced(found: Sequence[Anchor], spacing_seconds: float) -> list[Anchor]:
    """`found` without those that a stronger one lies closer to than the spacing; the strongest first."""
    kept: list[Anchor] = []
    taken: list[float] = []
    for anchor in sorted(found, key=lambda anchor: (-anchor.score, anchor.seconds, KINDS.index(anchor.kind))):
        at = bisect_left(taken, anchor.seconds)
        near = taken[max(at - 1, 0) : at + 1]
        if anchor.seconds in near or any(abs(anchor.seconds - other) < spacing_seconds for other in near):
            continue
        taken.insert(at, anchor.seconds)
        kept.append(anchor)
    return kept
