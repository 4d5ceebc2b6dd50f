from __future__ import annotations

from itertools import pairwise

import pytest

from clipd.segmentation.cut import Cut
from clipd.segmentation.edges import Settings as EdgeSettings
from clipd.segmentation.edges import edges
from clipd.segmentation.shots import Settings, Shots, spans, trimmed
from tests.unit.segmentation.drawn import features, gradual, hard, random_features


def found(seconds: float, *cuts: Cut, **numbers: float) -> list[tuple[int, int]]:
    result = spans(features(seconds, cuts=cuts), cuts, Settings.model_validate(numbers))
    return [(span.start_frame, span.end_frame) for span in result]


def test_shots_become_spans() -> None:
    assert found(40, hard(250), hard(600)) == [(0, 249), (250, 599), (600, 999)]
    assert found(40) == [(0, 999)]


def test_a_gradual_change_belongs_to_no_span() -> None:
    assert found(40, gradual(250, 270)) == [(0, 249), (270, 999)]


@pytest.mark.parametrize(("seconds", "parts"), [(60, 1), (60.04, 2), (120, 2), (121, 3), (600, 10)])
def test_a_long_shot_is_split_into_the_fewest_equal_parts(seconds: float, parts: int) -> None:
    result = found(seconds)
    assert len(result) == parts
    lengths = [last + 1 - first for first, last in result]
    assert max(lengths) - min(lengths) <= 1
    assert sum(lengths) == round(seconds * 25)
    assert [first for first, _ in result[1:]] == [last + 1 for _, last in result[:-1]]


def test_a_short_first_or_last_shot_joins_its_only_neighbour() -> None:
    assert found(40, hard(100), hard(900)) == [(0, 999)]
    assert found(40, hard(100)) == [(0, 999)]
    assert found(40, hard(900)) == [(0, 999)]


def test_a_short_shot_in_the_middle_joins_whichever_gives_the_shorter_result() -> None:
    assert found(40, hard(300), hard(400)) == [(0, 399), (400, 999)]
    assert found(40, hard(600), hard(700)) == [(0, 599), (600, 999)]


def test_a_shot_of_just_the_shortest_length_stays() -> None:
    assert found(40, hard(300), hard(425)) == [(0, 299), (300, 424), (425, 999)]


def test_a_short_video_is_one_span() -> None:
    assert found(2) == [(0, 49)]
    assert found(2, hard(10), hard(20)) == [(0, 49)]


def test_above_the_soft_limit_the_shortest_are_merged_first() -> None:
    cuts = [hard(frame) for frame in (250, 400, 700, 1000)]  # 10, 6, 12, 12, 20 s
    assert len(found(60, *cuts)) == 5
    assert found(60, *cuts, soft_limit=4) == [(0, 399), (400, 699), (700, 999), (1000, 1499)]
    assert found(60, *cuts, soft_limit=3) == [(0, 399), (400, 999), (1000, 1499)]


def test_the_soft_limit_gives_way_to_the_longest_length() -> None:
    assert len(found(600, soft_limit=3)) == 10
    assert len(found(600, soft_limit=3, max_seconds=300)) == 2


def test_parts_and_joined_shots_are_told() -> None:
    result = spans(features(100), (), Settings())
    assert [(span.part, span.parts, span.count) for span in result] == [(1, 2, 1), (2, 2, 1)]
    cuts = (hard(50), hard(100))
    assert spans(features(40, cuts=cuts), cuts, Settings()) == (Shots(0, 999, 3),)


@pytest.mark.parametrize("seed", range(30))
def test_spans_are_long_enough_in_order_and_begin_and_end_with_shots(seed: int) -> None:
    drawn = random_features(seed)
    result = spans(drawn, drawn.cuts, Settings())
    ends = [*drawn.frame_times, drawn.duration_seconds]
    openings = {0, *(cut.frame for cut in drawn.cuts)}
    for span in result:
        seconds = ends[span.end_frame + 1] - ends[span.start_frame]
        assert seconds <= 65
        assert seconds >= 5 - 1e-6 or len(result) == 1
        assert span.part > 1 or span.start_frame in openings
    for one, other in pairwise(result):
        assert one.end_frame < other.start_frame


def test_a_flash_is_trimmed_off_the_ends_of_a_span_where_enough_is_left() -> None:
    cuts = (hard(5), hard(300), hard(990))
    drawn = features(40, cuts=cuts)
    ways = edges(drawn, cuts, EdgeSettings())
    found = spans(drawn, cuts, Settings())
    assert [(span.start_frame, span.end_frame) for span in found] == [(0, 299), (300, 999)]
    assert [(span.start_frame, span.end_frame) for span in trimmed(found, ways, 5)] == [(5, 299), (300, 989)]
    assert trimmed(found, ways, 12)[0] == found[0]


def test_no_frames_give_no_spans() -> None:
    assert found(0.01) == []
