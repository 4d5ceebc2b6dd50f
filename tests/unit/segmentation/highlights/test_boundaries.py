from __future__ import annotations

import pytest

from clipd.segmentation.cut import Stretch
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.boundaries import Boundary, Settings, boundaries
from tests.unit.segmentation.drawn import features, gradual, hard


def found(drawn: Features, **numbers: float) -> list[Boundary]:
    return list(boundaries(drawn, drawn.cuts, Settings.model_validate(numbers)))


def quiet(points: dict[float, float], seconds: float = 40) -> list[float]:
    curve = [0.0] * int(seconds * 2)
    for moment, depth in points.items():
        curve[int(moment * 2)] = -depth
    return curve


def test_a_cut_counts_by_its_score_against_the_strongest() -> None:
    assert [(b.seconds, b.score) for b in found(features(40, cuts=[hard(250, score=0.8), hard(500, score=0.4)]))] == [
        (10, pytest.approx(0.45)),
        (20, pytest.approx(0.225)),
    ]


def test_dips_and_valleys_count_by_their_depth() -> None:
    drawn = features(40, loudness=quiet({10: 2, 20: 1}), motion=quiet({10: 1, 30: 2}))
    rows = found(drawn, at_least=0.05)
    assert [(b.seconds, b.audio_dip, b.motion_valley, round(b.score, 4)) for b in rows] == [
        (10, 1, 0.5, 0.325),
        (20, 0.5, 0, 0.125),
        (30, 0, 1, 0.15),
    ]
    assert len(found(drawn, at_least=0.2)) == 1


def test_both_edges_of_black_and_the_end_of_a_fade_are_fades() -> None:
    drawn = features(40, black=[Stretch(250, 300, 10, 12)], cuts=[gradual(500, 520, "fade-in")])
    assert [(b.seconds, b.fade, b.scene) for b in found(drawn)] == [(10, 1, 0), (12, 1, 0), (20.8, 1, 1)]


def test_strengths_fall_linearly_over_their_decay() -> None:
    # a cut 0.25 s and a fade 0.2 s beside the dip
    drawn = features(40, loudness=quiet({20: 1}), cuts=[hard(506)], black=[Stretch(495, 480, 19.8, 19.2)])
    here = next(b for b in found(drawn, spacing_penalty=0) if b.seconds == 20)
    assert here.scene == pytest.approx(1 - 0.24 / 0.5)
    assert here.fade == pytest.approx(1 - 0.2 / 0.5)
    assert here.audio_dip == 1
    there = next(b for b in found(drawn, spacing_penalty=0) if b.seconds == 20.24)
    assert there.audio_dip == pytest.approx(1 - 0.24 / 0.3)


def test_a_stronger_neighbour_costs_by_its_nearness() -> None:
    drawn = features(40, loudness=quiet({20: 1}), cuts=[hard(525)])
    rows = {b.seconds: b for b in found(drawn, at_least=0)}
    assert rows[21].penalty == 0
    assert rows[20].penalty == pytest.approx(0.3 * (1 - 1 / 1.5))
    assert rows[20].score == pytest.approx(0.25 - 0.1)
    equal = features(40, cuts=[hard(500), hard(510)])
    assert [b.penalty for b in found(equal)] == [0, 0]


def test_every_point_of_a_silence_is_a_place_to_begin_or_end() -> None:
    drawn = features(40, loudness=quiet({20: 1, 20.5: 1, 21: 1}))
    assert [b.seconds for b in found(drawn)] == [20, 20.5, 21]


def test_a_video_where_nothing_changes_has_none() -> None:
    assert found(features(40)) == []
