"""Quality: one number for a window, by which the better of two stays and a person sorts.

It is a weighted sum of mean excitement, boundary quality (the mean of both ends' scores; an end without a boundary
counts 0) and narrative, less the share of dead time, times a factor for the anchor: `anchor_floor` for an anchor of
score 0, up to 1 for a score of 1 or more. Narrative is 1 where the anchor keeps `edge_share` of the length from both
edges, and falls linearly to 0 at an edge. The sum is not clamped: comparisons need the difference; people are shown
0..1.
"""

from __future__ import annotations

from dataclasses import dataclass

from clipd.model.setting import Section, setting
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.windows import Window


class Settings(Section):
    """What makes a window good."""

    excitement: float = setting(0.4, "The weight of the mean excitement.", ge=0)
    boundaries: float = setting(0.2, "The weight of good places to begin and end.", ge=0)
    narrative: float = setting(0.2, "The weight of an anchor that stands well inside.", ge=0)
    dead_time: float = setting(0.2, "What a window in which nothing happens would lose.", ge=0)
    dead_below: float = setting(0.1, "Excitement below this is dead time.", ge=0)
    edge_share: float = setting(
        0.2, "How far from both edges the anchor should stand, as a share of the length.", gt=0, le=0.5
    )
    anchor_floor: float = setting(0.5, "What stays of the quality when the anchor's score is 0.", ge=0, le=1)


@dataclass(frozen=True)
class Quality:
    """A window's quality and what it is made of."""

    total: float
    mean_excitement: float
    boundaries: float
    narrative: float
    dead_share: float

    @property
    def shown(self) -> float:
        """`total` kept to 0..1, as sidecars carry it."""
        return min(1.0, max(0.0, self.total))


def quality(window: Window, curve: Curve, settings: Settings) -> Quality:
    """The quality of `window`."""
    start, end, anchor = window.start_seconds, window.end_seconds, window.anchor
    mean = curve.mean(start, end)
    dead = curve.share_below(settings.dead_below, start, end)
    places = sum(place.score for place in (window.start_boundary, window.end_boundary) if place is not None) / 2
    edge = min(anchor.seconds - start, end - anchor.seconds) / window.seconds if window.seconds > 0 else 0.0
    narrative = min(1.0, max(0.0, edge / settings.edge_share))
    total = (
        settings.excitement * mean
        + settings.boundaries * places
        + settings.narrative * narrative
        - settings.dead_time * dead
    ) * (settings.anchor_floor + (1.0 - settings.anchor_floor) * min(1.0, anchor.score))
    return Quality(total, mean, places, narrative, dead)
