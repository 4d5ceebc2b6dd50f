"""Crops: interpolation against its formula, and rectangles that stay inside the picture."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.model.crop import CropPath, CropPlan, Rect

SIDES = st.integers(1, 5000)
PLACES = st.integers(-6000, 6000)
RECTS = st.builds(Rect, PLACES, PLACES, SIDES, SIDES)


def contains(width: int, height: int, rect: Rect) -> bool:
    return rect.x >= 0 and rect.y >= 0 and rect.x + rect.width <= width and rect.y + rect.height <= height


@pytest.mark.parametrize(("width", "height"), [(0, 5), (5, 0), (-1, 5)])
def test_an_empty_rectangle_is_refused(width: int, height: int) -> None:
    with pytest.raises(ValueError, match="is empty"):
        Rect(0, 0, width, height)


@given(RECTS, SIDES, SIDES)
def test_inside_moves_first_and_shrinks_only_what_is_larger(rect: Rect, width: int, height: int) -> None:
    kept = rect.inside(width, height)
    assert contains(width, height, kept)
    assert (kept.width, kept.height) == (min(rect.width, width), min(rect.height, height))
    assert kept == rect or not contains(width, height, rect)


@given(RECTS, st.fractions(1, 100), SIDES, SIDES)
def test_wide_lies_inside_and_has_the_size_asked_for_where_there_is_room(
    rect: Rect, factor: Fraction, width: int, height: int
) -> None:
    wide = rect.widened(factor, width, height)
    assert contains(width, height, wide)
    assert wide.width == min(round(rect.width * factor), width)
    assert wide.height == min(round(rect.height * factor), height)


def test_wide_keeps_the_centre() -> None:
    assert Rect(100, 100, 200, 100).widened(Fraction(3, 2), 1920, 1080) == Rect(50, 75, 300, 150)


def test_wide_is_pushed_back_at_the_border() -> None:
    assert Rect(0, 0, 200, 100).widened(Fraction(3, 2), 1920, 1080) == Rect(0, 0, 300, 150)


@pytest.mark.parametrize(
    ("frames", "words"), [((), "at least one keyframe"), ((5, 1), "in order"), ((5, 5), "named once")]
)
def test_keyframes_that_cannot_be_are_refused(frames: tuple[int, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        CropPath(tuple((frame, Rect(0, 0, 1, 1)) for frame in frames))


def test_before_the_first_and_after_the_last_keyframe_it_stands_still() -> None:
    first, last = Rect(0, 0, 10, 10), Rect(100, 50, 20, 30)
    path = CropPath(((10, first), (20, last)))
    assert [path.at(frame) for frame in (0, 9, 10)] == [first] * 3
    assert [path.at(frame) for frame in (20, 21, 10**9)] == [last] * 3


def test_linear_is_exact_and_rounds_halves_to_even() -> None:
    path = CropPath(((0, Rect(0, 0, 10, 10)), (2, Rect(1, 3, 10, 10)), (5, Rect(7, 3, 40, 10))))
    assert path.at(1) == Rect(0, 2, 10, 10)
    assert path.at(3) == Rect(3, 3, 20, 10)
    assert path.at(4) == Rect(5, 3, 30, 10)


def test_smooth_follows_three_t_squared_minus_two_t_cubed() -> None:
    path = CropPath(((0, Rect(0, 0, 10, 10)), (10, Rect(1000, 0, 10, 10))), "smooth")
    for frame in range(11):
        t = frame / 10
        assert path.at(frame).x == pytest.approx(1000 * (3 * t * t - 2 * t**3), abs=0.5)


@given(st.dictionaries(st.integers(0, 1000), RECTS, min_size=1, max_size=8), st.sampled_from(["linear", "smooth"]))
def test_it_passes_through_every_keyframe_and_stays_between_its_neighbours(keyframes, interpolation) -> None:
    path = CropPath(tuple(sorted(keyframes.items())), interpolation)
    for frame, rect in path.keyframes:
        assert path.at(frame) == rect
    for (frame_a, a), (frame_b, b) in zip(path.keyframes, path.keyframes[1:], strict=False):
        between = path.at((frame_a + frame_b) // 2).as_list()
        for value, one, other in zip(between, a.as_list(), b.as_list(), strict=True):
            assert min(one, other) <= value <= max(one, other)


def test_moving_and_zooming_are_told_apart() -> None:
    a, b, c = Rect(0, 0, 10, 10), Rect(5, 0, 10, 10), Rect(0, 0, 20, 20)
    assert not CropPath(((0, a), (9, a))).moves
    pan, zoom = CropPath(((0, a), (9, b))), CropPath(((0, a), (9, c)))
    assert pan.moves
    assert not pan.zooms
    assert zoom.zooms


class TestPlan:
    PATH = CropPath(((0, Rect(-50, 900, 200, 400)),))

    def test_without_a_crop_every_variation_is_the_whole_picture(self) -> None:
        for variation in ("original", "wide", "full"):
            assert CropPlan(None, 1920, 1080, variation).at(7) == Rect(0, 0, 1920, 1080)

    def test_full_is_the_whole_picture(self) -> None:
        assert CropPlan(self.PATH, 1920, 1080).of("full").at(7) == Rect(0, 0, 1920, 1080)

    def test_original_is_kept_inside(self) -> None:
        assert CropPlan(self.PATH, 1920, 1080).at(7) == Rect(0, 680, 200, 400)

    def test_wide_uses_its_factor(self) -> None:
        plan = CropPlan(self.PATH, 1920, 1080, wide_factor=Fraction(2)).of("wide")
        assert plan.at(7) == Rect(0, 280, 400, 800)
