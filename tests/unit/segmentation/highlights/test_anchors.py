from __future__ import annotations

import pytest

from clipd.segmentation.features import Features
from clipd.segmentation.highlights.anchors import Anchor, Settings, action, anchors, most
from clipd.segmentation.highlights.excitement import Settings as Weights
from clipd.segmentation.highlights.excitement import excitement
from tests.unit.segmentation.drawn import features, hard


def found(drawn: Features, **numbers: float) -> tuple[Anchor, ...]:
    return anchors(drawn, excitement(drawn, "weighted", Weights()), drawn.cuts, Settings.model_validate(numbers))


def at(points: dict[float, float], seconds: float = 60) -> list[float]:
    curve = [0.0] * int(seconds * 2)
    for moment, value in points.items():
        curve[int(moment * 2)] = value
    return curve


def test_a_peak_of_excitement_must_exceed_the_threshold() -> None:
    drawn = features(60, loudness=at({20: 0.5, 40: 0.51}), motion=at({}))
    assert [(anchor.seconds, anchor.kind) for anchor in found(drawn)] == [(40, "excitement")]


def test_loudness_alone_counts_from_its_own_threshold_with_its_weight() -> None:
    drawn = features(60, loudness=at({20: 1.5, 40: 3}), motion=at({}))
    assert [(a.seconds, a.kind, a.score) for a in found(drawn)] == [
        (20, "excitement", pytest.approx(0.9)),
        (40, "loudness", pytest.approx(2.1)),
    ]


def test_action_is_motion_raised_by_the_density_of_cuts() -> None:
    cuts = [hard(frame) for frame in (625, 650, 750, 875)]  # 25, 26, 30, 35 s
    drawn = features(60, loudness=at({}), motion=at({30: 0.9, 50: 0.9}), cuts=cuts)
    curve = action(drawn, cuts, Settings())
    assert curve[60] == pytest.approx(0.9 * (1 + 0.5 * 4 / 10))
    assert curve[100] == pytest.approx(0.9)
    by_excitement, by_action = found(drawn, excitement_above=5)[:1], found(drawn, excitement_above=5)
    assert by_action == by_excitement
    assert [(a.seconds, a.kind) for a in by_action] == [(30, "action")]
    assert by_action[0].score == pytest.approx(0.6 * 1.08)


def test_of_two_closer_than_the_spacing_the_stronger_stays() -> None:
    drawn = features(60, motion=at({20: 1, 23.5: 2, 27.5: 1, 40: 1, 43: 1}))
    assert [anchor.seconds for anchor in found(drawn)] == [23.5, 27.5, 40]


@pytest.mark.parametrize(("seconds", "number"), [(10, 10), (75, 10), (82, 10), (83, 11), (600, 80)])
def test_there_are_eight_a_minute_but_ten_at_least(seconds: float, number: int) -> None:
    assert most(seconds, Settings()) == number
    drawn = features(seconds, motion=at({moment: 1 + moment / 9 for moment in range(1, int(seconds) - 1)}, seconds))
    assert len(found(drawn, spacing_seconds=0)) <= number


def test_the_strongest_are_kept_in_order_of_time() -> None:
    drawn = features(60, motion=at({10: 1, 20: 3, 30: 2}))
    assert [anchor.seconds for anchor in found(drawn, at_least=1, per_minute=2)] == [20, 30]


def test_a_calm_video_has_none() -> None:
    assert found(features(60)) == ()
