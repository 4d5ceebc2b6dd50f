"""Stamps: one spelling of a time everywhere."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from clipd.clock import SystemClock, stamp


@pytest.mark.parametrize(
    ("moment", "words"),
    [
        (datetime(2026, 1, 31, 12, tzinfo=UTC), "2026-01-31T12:00:00.000Z"),
        (datetime(2026, 1, 31, 12, 0, 0, 123999, UTC), "2026-01-31T12:00:00.123Z"),
        (datetime(2026, 1, 31, 1, tzinfo=timezone(timedelta(hours=2))), "2026-01-30T23:00:00.000Z"),
    ],
)
def test_a_stamp_is_utc_to_the_millisecond(moment: datetime, words: str) -> None:
    assert stamp(moment) == words
    assert abs(datetime.fromisoformat(words) - moment) < timedelta(milliseconds=1)


def test_the_machines_clock_knows_its_zone_and_never_goes_back() -> None:
    clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    clock.sleep(0)
    assert clock.monotonic() >= first
