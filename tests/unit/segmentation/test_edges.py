from __future__ import annotations

import pytest

from clipd.segmentation.cut import Cut
from clipd.segmentation.edges import Settings, changes, edges, shots_of, whole_frames
from clipd.segmentation.features import Features
from tests.unit.segmentation.drawn import features, gradual, hard

FPS = 25


def video(*cuts: Cut, seconds: float = 40) -> Features:
    return features(seconds, cuts=cuts)


def snapped(
    what: Features, start: float, end: float, inside: float | None = None, least: float = 5, most: float = 60
) -> tuple[int, int]:
    ways = edges(what, what.cuts, Settings())
    return whole_frames(start, end, ways, min_seconds=least, max_seconds=most, inside_seconds=inside)


def test_a_span_far_from_cuts_is_its_own_frames() -> None:
    assert snapped(video(), 10, 20) == (250, 499)
    assert snapped(video(), 10.01, 19.99) == (251, 499)


def test_an_end_at_a_cut_stays_there() -> None:
    assert snapped(video(hard(250), hard(500)), 10, 20) == (250, 499)


@pytest.mark.parametrize(
    ("cut", "expected"),
    [
        (251, (251, 499)),  # one frame of the shot before
        (262, (262, 499)),  # almost half a second of it
        (263, (250, 499)),  # more than half a second: it belongs to the clip
        (249, (250, 499)),
    ],
)
def test_a_start_just_before_a_cut_moves_to_it(cut: int, expected: tuple[int, int]) -> None:
    assert snapped(video(hard(cut)), 10, 20) == expected


@pytest.mark.parametrize(
    ("cut", "expected"),
    [(499, (250, 498)), (488, (250, 487)), (487, (250, 499)), (500, (250, 499)), (501, (250, 499))],
)
def test_an_end_just_past_a_cut_is_pulled_back(cut: int, expected: tuple[int, int]) -> None:
    assert snapped(video(hard(cut)), 10, 20) == expected


@pytest.mark.parametrize(
    ("change", "expected"),
    [((240, 260), (260, 499)), ((249, 300), (300, 499)), ((495, 510), (250, 494)), ((490, 502), (250, 489))],
)
def test_no_end_lies_in_a_gradual_change(change: tuple[int, int], expected: tuple[int, int]) -> None:
    assert snapped(video(gradual(*change)), 10, 20) == expected


def test_the_shortest_length_holds_by_moving_outward() -> None:
    # inward both would leave 4.6 s; the end need move outward by less
    assert snapped(video(hard(255), hard(370)), 10, 15) == (255, 382)


def test_where_the_shortest_length_cannot_hold_the_promise_does() -> None:
    assert snapped(video(hard(122), seconds=5.2), 0, 5.2) == (0, 121)


def test_the_anchor_stays_inside_where_possible() -> None:
    what = video(hard(262))
    assert snapped(what, 10, 20) == (262, 499)
    first, last = snapped(what, 10, 20, inside=10.3)
    assert (first, last) == (249, 499)


def test_a_flash_does_not_hide_the_neighbour_behind_it() -> None:
    # 10.2 s: a cut, 10.4 s: another; after the first there is too little of the shot
    assert snapped(video(hard(255), hard(260)), 10, 20) == (260, 499)


def test_cuts_throughout_leave_whole_shots() -> None:
    what = video(*(hard(frame) for frame in range(5, 1000, 5)))
    first, last = snapped(what, 10.05, 20.05)
    assert first % 5 == 0
    assert last % 5 == 4


def test_a_window_of_the_shortest_length_does_not_lose_it_to_whole_frames() -> None:
    # frames are shown at 10.08 s and 14.96 s: these alone would be 4.96 s
    assert snapped(features(40, fps=12.5), 10.01, 15.01) == (126, 188)


def test_a_video_with_long_standing_frames_still_gives_a_clip() -> None:
    still = features(40, fps=0.1)  # a frame each ten seconds
    assert snapped(still, 12, 18) == (1, 1)
    assert snapped(still, 32, 38) == (3, 3)


def test_changes_that_touch_are_one_and_those_at_the_rims_are_none() -> None:
    cuts = (gradual(10, 20), gradual(15, 30), hard(30), hard(40), hard(0), hard(100), hard(40))
    assert changes(cuts, 100) == [(10, 30), (30, 30), (40, 40)] or changes(cuts, 100) == [(10, 30), (40, 40)]
    assert shots_of(cuts, 100) == [(0, 9), (30, 39), (40, 99)]
    assert shots_of((gradual(90, 100),), 100) == [(0, 89)]
    assert shots_of((), 3) == [(0, 2)]
