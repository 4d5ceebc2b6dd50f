"""Windows: around each anchor a span that begins and ends at the best boundaries in reach.

It begins at the boundary with the highest score between `start_earliest` and `start_latest` before the anchor, or,
where there is none, `start_default` before it. It ends at the boundary between `end_earliest` and `end_latest` after
the anchor for which score plus bonus is highest, or else `end_default` after it; the bonus is for an end right after
excitement. Equal ones: the nearest to the anchor.

The begin is chosen first, among those that leave room in the video for the shortest window; then the end among those
that keep the window's length within its limits; what has no boundary is clamped to the same limits. A video shorter
than the shortest window is one window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from clipd.model.setting import Section, setting
from clipd.segmentation.highlights.anchors import Anchor
from clipd.segmentation.highlights.boundaries import Boundary
from clipd.segmentation.highlights.excitement import Curve


class Settings(Section):
    """How far around an anchor a window reaches."""

    start_earliest_seconds: float = setting(
        14.0, "A window begins at most this long before its anchor.", unit="s", ge=0
    )
    start_latest_seconds: float = setting(
        2.0, "A window begins at least this long before its anchor: what led to it is part of it.", unit="s", ge=0
    )
    start_default_seconds: float = setting(
        8.0, "How long before its anchor a window begins where no boundary is in reach.", unit="s", ge=0
    )
    end_earliest_seconds: float = setting(2.0, "A window ends at least this long after its anchor.", unit="s", ge=0)
    end_latest_seconds: float = setting(28.0, "A window ends at most this long after its anchor.", unit="s", ge=0)
    end_default_seconds: float = setting(
        12.0, "How long after its anchor a window ends where no boundary is in reach.", unit="s", ge=0
    )
    bonus_per_excitement: float = setting(
        0.1, "What one second of excitement 1 right before it adds to the score of an end.", ge=0
    )
    bonus_most: float = setting(0.2, "The most that excitement before it adds to the score of an end.", ge=0)
    bonus_seconds: float = setting(3.0, "How long before an end excitement counts for it.", unit="s", gt=0)
    min_seconds: float = setting(5.0, "The shortest window: less tells no story.", unit="s", gt=0)
    max_seconds: float = setting(60.0, "The longest window: more is no highlight.", unit="s", gt=0)

    @model_validator(mode="after")
    def _ordered(self) -> Settings:
        for low, high in (
            ("start_latest_seconds", "start_earliest_seconds"),
            ("end_earliest_seconds", "end_latest_seconds"),
            ("min_seconds", "max_seconds"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} ({getattr(self, low):g}) must not be above {high} ({getattr(self, high):g})")
        return self


@dataclass(frozen=True)
class Window:
    """A span around an anchor, `[start, end)` in seconds."""

    start_seconds: float
    end_seconds: float
    anchor: Anchor
    start_boundary: Boundary | None
    """None where the begin is the default."""
    end_boundary: Boundary | None

    @property
    def seconds(self) -> float:
        """The window's length."""
        return self.end_seconds - self.start_seconds


def windows(
    anchors: Sequence[Anchor],
    boundaries: Sequence[Boundary],
    curve: Curve,
    duration_seconds: float,
    settings: Settings,
) -> tuple[Window, ...]:
    """One window for each of `anchors`, in their order; `boundaries` are in order of time."""
    times = np.array([boundary.seconds for boundary in boundaries], dtype=np.float64)
    start_scores = np.array([boundary.score for boundary in boundaries], dtype=np.float64)
    bonus = settings.bonus_per_excitement * curve.integrals(times, settings.bonus_seconds)
    end_scores = start_scores + np.minimum(settings.bonus_most, bonus)
    shortest = min(settings.min_seconds, duration_seconds)
    found = []
    for anchor in anchors:
        at = anchor.seconds
        low = max(at - settings.start_earliest_seconds, at - settings.max_seconds, 0.0)
        high = min(at - settings.start_latest_seconds, duration_seconds - shortest)
        first, last = _between(times, low, high)
        start_index = last - 1 - int(np.argmax(start_scores[first:last][::-1])) if first < last else None
        start = (
            float(times[start_index])
            if start_index is not None
            else max(
                0.0, min(at - min(settings.start_default_seconds, settings.max_seconds), duration_seconds - shortest)
            )
        )
        least, most = start + shortest, min(start + settings.max_seconds, duration_seconds)
        first, last = _between(
            times, max(at + settings.end_earliest_seconds, least), min(at + settings.end_latest_seconds, most)
        )
        end_index = first + int(np.argmax(end_scores[first:last])) if first < last else None
        end = (
            float(times[end_index])
            if end_index is not None
            else min(max(at + settings.end_default_seconds, least), most)
        )
        found.append(
            Window(
                start,
                end,
                anchor,
                None if start_index is None else boundaries[start_index],
                None if end_index is None else boundaries[end_index],
            )
        )
    return tuple(found)


def _between(times: NDArray[np.float64], low: float, high: float) -> tuple[int, int]:
    """The slice of `times` with `low <= time <= high`; empty where `high` is below `low`."""
    first = int(np.searchsorted(times, low, side="left"))
    return first, max(first, int(np.searchsorted(times, high, side="right")))
