"""Spans: exact, in order, and refused in words."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.model.timespan import FrameSpan, TimeSpan, parse_seconds


def test_a_frame_span_includes_its_end() -> None:
    assert FrameSpan(250, 749).count == 500
    assert FrameSpan(0, 0).count == 1


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [(-1, 5, "the first frame of a video is 0"), (5, 4, "ends at frame 4, before its start at frame 5")],
)
def test_a_frame_span_that_cannot_be_is_refused(first: int, last: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        FrameSpan(first, last)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [(-1, 5, "a video starts at 0"), (5, 5, "not after its start at 5.000 s"), (5, 4, "ends at 4.000 s")],
)
def test_a_time_span_that_cannot_be_is_refused(start: int, end: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TimeSpan(Fraction(start), Fraction(end))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        (12, Fraction(12)),
        (0.1, Fraction(1, 10)),
        (1e-3, Fraction(1, 1000)),
        (Decimal("0.3"), Fraction(3, 10)),
        ("12.5", Fraction(25, 2)),
        (" 7 ", Fraction(7)),
        ("00:00:12.500", Fraction(25, 2)),
        ("1:02:03.004", Fraction(3723004, 1000)),
        ("59:59.999999999", Fraction(3599999999999, 10**9)),
        ("100:00:00", Fraction(360000)),
    ],
)
def test_a_time_is_the_decimal_that_a_person_wrote(text: str | float | Decimal, seconds: Fraction) -> None:
    assert parse_seconds(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "soon", "-1", "1:60", "60:00", "1:60:00", "00:00:60", "1,5", "1e3", "٣", "12:", ":12", "1:2:3:4", "0x10"],
)
def test_what_is_no_time_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match=r"write seconds \(12.5\) or HH:MM:SS.mmm"):
        parse_seconds(text)


@pytest.mark.parametrize("number", [-1, -0.5, float("inf"), float("nan"), Decimal("NaN")])
def test_a_number_that_is_no_time_is_refused(number: float | Decimal) -> None:
    with pytest.raises(ValueError, match=r"negative|Invalid literal|NaN"):
        parse_seconds(number)


@given(st.integers(0, 9999 * 3600 * 1000))
def test_a_clock_time_and_its_seconds_are_the_same(milliseconds: int) -> None:
    seconds, rest = divmod(milliseconds, 1000)
    clock = f"{seconds // 3600}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:03}"
    assert parse_seconds(clock) == parse_seconds(f"{seconds}.{rest:03}") == Fraction(milliseconds, 1000)
