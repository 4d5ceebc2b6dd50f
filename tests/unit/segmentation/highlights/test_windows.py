from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from pydantic import ValidationError

from clipd.segmentation.highlights.anchors import Anchor
from clipd.segmentation.highlights.boundaries import Boundary
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.windows import Settings, Window, windows


def place(seconds: float, score: float = 0.5) -> Boundary:
    return Boundary(seconds, score, 0, 0, 0, 0, 0)


def found(
    at: float, places: Sequence[Boundary] = (), lively: Sequence[float] = (), length: float = 120, **numbers: float
) -> Window:
    times = np.arange(int(length * 2)) * 0.5
    curve = Curve(times, 0.5, np.isin(times, lively).astype(np.float64))
    anchor = Anchor(at, 1.0, "excitement", 0, 0)
    (window,) = windows([anchor], places, curve, length, Settings.model_validate(numbers))
    return window


def span(window: Window) -> tuple[float, float]:
    return window.start_seconds, window.end_seconds


def test_without_boundaries_it_is_eight_before_to_twelve_after() -> None:
    assert span(found(50)) == (42, 62)
    assert found(50).start_boundary is found(50).end_boundary is None


@pytest.mark.parametrize(("seconds", "taken"), [(35.9, False), (36, True), (48, True), (48.1, False)])
def test_a_start_lies_fourteen_to_two_before(seconds: float, taken: bool) -> None:
    assert span(found(50, [place(seconds)])) == ((seconds, 62) if taken else (42, 62))


@pytest.mark.parametrize(("seconds", "taken"), [(51.9, False), (52, True), (78, True), (78.1, False)])
def test_an_end_lies_two_to_twenty_eight_after(seconds: float, taken: bool) -> None:
    assert span(found(50, [place(seconds)])) == ((42, seconds) if taken else (42, 62))


def test_the_highest_score_wins_and_of_equals_the_nearest() -> None:
    places = [place(38, 0.4), place(40, 0.6), place(44, 0.6), place(60, 0.3), place(65, 0.7), place(70, 0.7)]
    assert span(found(50, places)) == (44, 65)


def test_an_end_right_after_excitement_is_preferred() -> None:
    places = [place(60, 0.3), place(70, 0.25)]
    assert found(50, places).end_seconds == 60
    assert found(50, places, lively=[67, 67.5, 68]).end_seconds == 70  # 0.1 x 1.5 s
    assert found(50, places, lively=[66, 66.5, 70, 70.5]).end_seconds == 60  # not in the three seconds before it
    assert found(50, [place(60, 0.5), place(70, 0.25)], lively=[67, 67.5, 68, 68.5, 69, 69.5]).end_seconds == 60


def test_the_bonus_has_a_limit() -> None:
    lively = [67, 67.5, 68, 68.5, 69, 69.5]
    assert found(50, [place(60, 0.44), place(70, 0.25)], lively, bonus_per_excitement=1).end_seconds == 70
    assert found(50, [place(60, 0.46), place(70, 0.25)], lively, bonus_per_excitement=1).end_seconds == 60


def test_it_is_five_seconds_long_at_least() -> None:
    assert span(found(50, [place(48), place(52.5)])) == (48, 62)
    assert span(found(50, [place(48)], end_default_seconds=2)) == (48, 53)
    assert span(found(119)) == (111, 120)
    assert span(found(119, start_default_seconds=2)) == (115, 120)
    assert span(found(1)) == (0, 13)


def test_it_is_as_long_as_the_longest_at_most() -> None:
    assert span(found(50, [place(40), place(75)], max_seconds=20)) == (40, 60)
    assert span(found(50, start_default_seconds=14, end_default_seconds=28, max_seconds=30)) == (36, 66)


def test_a_video_shorter_than_the_shortest_window_is_one_window() -> None:
    assert span(found(1, [place(0.5)], length=3)) == (0, 3)


def test_numbers_in_the_wrong_order_are_told() -> None:
    with pytest.raises(ValidationError, match="must not be above"):
        Settings(min_seconds=70)
