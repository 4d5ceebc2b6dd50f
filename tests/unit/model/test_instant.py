"""Instants: what people write is read exactly, and what could mean two times, or none, is refused with both."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.errors import Rejected
from clipd.model.instant import (
    Period,
    find_zone,
    from_datetime,
    iso,
    local_at,
    parse_instant,
    parse_period,
    readings,
    to_datetime,
    utc,
)

BERLIN = find_zone("Europe/Berlin")
AT = Fraction(1756470615)
"""2025-08-29T14:30:15 in Berlin."""


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2025-08-29T14:30:15", AT),
        (" 2025-08-29 14:30:15 ", AT),
        ("20250829T143015", AT),
        ("2025-08-29T14:30:15Z", AT + 7200),
        ("2025-08-29T14:30:15z", AT + 7200),
        ("2025-08-29T14:30:15+02:00", AT),
        ("2025-08-29T14:30:15 +0200", AT),
        ("2025-08-29T14:30:15-0330", AT + 5 * 3600 + 1800),
        ("2025-08-29T14:30:15+02", AT),
        ("2025-08-29T14:30", AT - 15),
        ("2025-08-29T14:30:15.1", AT + Fraction(1, 10)),
        ("2025-08-29T14:30:15,123456789", AT + Fraction(123456789, 10**9)),
        (1756470615, AT),
        (1756470615.1, AT + Fraction(1, 10)),
        (Decimal("1756470615.1"), AT + Fraction(1, 10)),
        ("1756470615.1", AT + Fraction(1, 10)),
        (datetime(2025, 8, 29, 14, 30, 15), AT),
        (datetime(2025, 8, 29, 12, 30, 15, tzinfo=UTC), AT),
    ],
)
def test_what_people_write_is_read_exactly(written: object, instant: Fraction) -> None:
    assert parse_instant(written, BERLIN) == instant


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("", "is no time; write it as"),
        ("yesterday", "is no time; write it as"),
        ("2025-08-29", "is no time; write it as"),
        ("14:30:15", "lacks the day"),
        ("2025-13-29T14:30:15", "month must be in 1..12"),
        ("2025-02-30T14:30:15", "is no time"),
        ("2025-08-29T25:30:15", "hour must be in 0..23"),
        ("2025-08-29T14:30:60", "second must be in 0..59"),
        ("1825-08-29T14:30:15", "in the year 1825"),
        ("2025-08-29T14:30:15+25:00", "offsets go up to"),
        (1756470615123, "looks like milliseconds since 1970; write seconds: 1756470615.123"),
        (-5, "is no number of seconds"),
        (1e300, "is no number of seconds"),
        (float("nan"), "is no time"),
        (float("inf"), "is no time"),
        (True, "True is no time"),
        (None, "None is no time"),
        (["2025-08-29T14:30:15"], "is no time"),
    ],
)
def test_what_is_no_time_is_refused_with_what_would_be_right(written: object, words: str) -> None:
    with pytest.raises(Rejected, match=f"^when: .*{words}"):
        parse_instant(written, BERLIN, field="when")


def test_a_time_that_happens_twice_is_refused_with_both_readings() -> None:
    with pytest.raises(Rejected) as refused:
        parse_instant("2025-10-26T02:30:00", BERLIN)
    words = str(refused.value)
    assert "happens twice in Europe/Berlin" in words
    for reading, instant in (("02:30:00+02:00", 1761438600), ("02:30:00+01:00", 1761442200)):
        assert f"2025-10-26T{reading}" in words
        assert parse_instant(f"2025-10-26T{reading}", BERLIN) == instant


@pytest.mark.parametrize(
    ("zone", "written", "before", "after"),
    [
        ("Europe/Berlin", "2025-03-30T02:30:00", "2025-03-30T01:59:59+01:00", "2025-03-30T03:00:00+02:00"),
        ("Australia/Lord_Howe", "2025-10-05T02:15:00", "2025-10-05T01:59:59+10:30", "2025-10-05T02:30:00+11:00"),
        ("Pacific/Apia", "2011-12-30T12:00:00", "2011-12-29T23:59:59-10:00", "2011-12-31T00:00:00+14:00"),
    ],
)
def test_a_time_that_never_happens_is_refused_with_the_nearest(
    zone: str, written: str, before: str, after: str
) -> None:
    place = find_zone(zone)
    with pytest.raises(Rejected, match="does not happen") as refused:
        parse_instant(written, place)
    assert f"are {before} and {after}" in str(refused.value)
    assert parse_instant(after, place) - parse_instant(before, place) == 1


@pytest.mark.parametrize(
    ("written", "day"), [("14:30:15", 29), ("14:29", 29), ("14:30:15.5", 28), ("23:59:59", 28), ("0:00", 29)]
)
def test_a_time_of_day_alone_is_the_last_such_time(written: str, day: int) -> None:
    found = parse_instant(written, BERLIN, before=AT)
    assert local_at(found, BERLIN).day == day
    assert 0 <= AT - found < 86_400


@pytest.mark.parametrize("written", ["24:00:00", "14:60"])
def test_no_time_of_day_is_refused(written: str) -> None:
    with pytest.raises(Rejected, match="no time of day"):
        parse_instant(written, BERLIN, before=AT)


def test_a_period_is_read_from_its_two_ends() -> None:
    assert parse_period("2025-08-29T14:30:15", 1756470635, BERLIN) == Period(AT, AT + 20)


@pytest.mark.parametrize(("end", "words"), [("2025-08-29T14:30:15", "is not after start_time"), ("x", "end_time: 'x'")])
def test_a_period_that_cannot_be_is_refused(end: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        parse_period("2025-08-29T14:30:15", end, BERLIN)


def test_an_empty_period_is_none() -> None:
    with pytest.raises(ValueError, match="not after its start"):
        Period(AT, AT)


def test_periods_overlap_half_open() -> None:
    assert Period(AT, AT + 5).overlap(AT + 5, AT + 6) is None
    assert Period(AT, AT + 5).overlap(AT - 1, AT + 1) == Period(AT, AT + 1)


@given(st.integers(0, 7_000_000_000_000_000), st.sampled_from(["Europe/Berlin", "America/St_Johns", "Asia/Kathmandu"]))
def test_any_instant_is_one_of_the_readings_of_its_local_time(microseconds: int, zone: str) -> None:
    instant, place = Fraction(microseconds, 10**6), find_zone(zone)
    assert from_datetime(to_datetime(instant, place)) == instant
    assert instant in readings(local_at(instant, place), place)


def test_instants_are_shown_with_their_offset() -> None:
    assert iso(AT, BERLIN) == "2025-08-29T14:30:15+02:00"
    assert iso(AT + Fraction(1, 4), BERLIN) == "2025-08-29T14:30:15.250+02:00"
    assert utc(AT + Fraction(1, 3)) == "2025-08-29T12:30:15.333Z"


@pytest.mark.parametrize("name", ["Europe/Berln", "", "/etc/passwd", "Mars/Base"])
def test_an_unknown_zone_is_refused(name: str) -> None:
    with pytest.raises(Rejected, match=r"is no time zone.*(Europe/Berlin|did you mean)"):
        find_zone(name)


def test_the_machine_s_own_zone_has_its_daylight_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        monkeypatch.setenv("TZ", "Europe/Berlin")
        time.tzset()
        own = find_zone(None)
        assert parse_instant("2025-08-29T14:30:15", own) == AT
        assert iso(AT, own) == "2025-08-29T14:30:15+02:00"
        with pytest.raises(
            Rejected, match=r"happens twice in the machine's own time zone.*02:30:00\+02:00 for the fir"
        ):
            parse_instant("2025-10-26T02:30:00", own)
        with pytest.raises(Rejected, match=r"01:59:59\+01:00 and 2025-03-30T03:00:00\+02:00"):
            parse_instant("2025-03-30T02:30:00", own)
    finally:
        monkeypatch.undo()
        time.tzset()
