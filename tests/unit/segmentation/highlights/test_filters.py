from __future__ import annotations

import numpy as np
import pytest

from clipd.segmentation.highlights import filters
from clipd.segmentation.highlights.anchors import Anchor
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.filters import Candidate, Settings
from clipd.segmentation.highlights.quality import Quality
from clipd.segmentation.highlights.windows import Window
from clipd.segmentation.likeness import Look
from clipd.segmentation.likeness import Settings as Likeness


def candidate(
    index: int, start: float, end: float, good: float = 0.5, mean: float = 0.5, anchor: float = 1
) -> Candidate:
    window = Window(start, end, Anchor((start + end) / 2, anchor, "excitement", 0, 0), None, None)
    return Candidate(index, window, Quality(good, mean, 0, 0, 0))


def actions(decisions: tuple[filters.Decision, ...]) -> list[str]:
    return [decision.action.removeprefix("drop_") for decision in decisions]


def test_of_two_that_overlap_too_much_the_better_stays() -> None:
    pair = (candidate(0, 0, 20, 0.4), candidate(1, 9.6, 29.6, 0.6))  # 10.4 of 29.6 s: 0.351
    decisions = filters.overlap(pair, Settings())
    assert actions(decisions) == ["overlap", "keep"]
    assert decisions[0].related_clip_index == 1
    assert "0.35" in decisions[0].reason
    assert filters.kept(pair, decisions) == (pair[1],)


def test_overlap_at_the_limit_is_allowed_and_told() -> None:
    decisions = filters.overlap((candidate(0, 0, 20), candidate(1, 10, 30)), Settings(overlap_iou=1 / 3))
    assert actions(decisions) == ["keep", "keep"]
    assert decisions[1].related_clip_index == 0


def test_what_lost_itself_drops_nothing() -> None:
    chain = (candidate(0, 0, 20, 0.9), candidate(1, 8, 28, 0.8), candidate(2, 16, 36, 0.7))
    assert actions(filters.overlap(chain, Settings())) == ["keep", "overlap", "keep"]


@pytest.mark.parametrize(
    ("mean", "share", "anchor", "action"),
    [
        (0.14, 0.8, 0.4, "boring"),
        (0.15, 0.8, 0.4, "keep"),
        (0.14, 0.7, 0.4, "keep"),
        (0.14, 0.8, 0.5, "keep"),
    ],
)
def test_boring_needs_all_three(mean: float, share: float, anchor: float, action: str) -> None:
    values = np.where(np.arange(40) < round(40 * share), 0.0, 1.0)
    curve = Curve(np.arange(40) * 0.5, 0.5, values)
    decisions = filters.boring((candidate(0, 0, 20, mean=mean, anchor=anchor),), curve, Settings())
    assert actions(decisions) == [action]


def test_near_duplicates_lose_to_the_better_one_and_the_distance_is_told() -> None:
    three = (candidate(0, 0, 20, 0.4), candidate(1, 30, 50, 0.6), candidate(2, 60, 80, 0.5))
    looks = {
        0: [Look(0b0, 0), Look(0xFF << 40, 0)],
        1: [Look(0b111, 1), Look(0xFF << 40, 1)],
        2: [Look((1 << 128) - 1, 2), Look(((1 << 64) - 1) << 32, 2)],
    }
    decisions = filters.duplicate(three, looks, Likeness())
    assert actions(decisions) == ["duplicate", "keep", "keep"]
    assert decisions[0].related_clip_index == 1
    assert "distance 1.5 bits" in decisions[0].reason
    assert decisions[2].related_clip_index == 1
    assert actions(filters.duplicate(three, looks, Likeness(distance=1.5)))[0] == "duplicate"
    assert actions(filters.duplicate(three, looks, Likeness(distance=1.4))) == ["keep"] * 3
    assert actions(filters.duplicate(three, {}, Likeness())) == ["keep"] * 3
    assert actions(filters.duplicate((), {}, Likeness())) == []


def test_the_best_are_kept_to_the_target() -> None:
    four = tuple(candidate(index, index * 30, index * 30 + 20, good) for index, good in enumerate((0.1, 0.4, 0.4, 0.9)))
    decisions = filters.target(four, Settings(target_clips=2))
    assert actions(decisions) == ["quality", "keep", "quality", "keep"]
    assert "number 3 by quality" in decisions[2].reason
