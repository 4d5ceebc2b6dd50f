"""Windows follow the clock on the wall: over midnight, over the week's end, and over both changes of the clock."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from clipd.intake.schedule import Settings, closed_words, is_open, next_opening

BERLIN = "Europe/Berlin"


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def berlin(*windows: str) -> Settings:
    return Settings(windows=windows, time_zone=BERLIN)


def opens(settings: Settings, now: str) -> str:
    found = next_opening(settings, at(now))
    assert found is not None
    return found.isoformat(timespec="minutes")


def test_no_windows_are_always_open() -> None:
    assert is_open(Settings(), at("2026-01-01T00:00Z"))
    assert closed_words(Settings(), at("2026-01-01T00:00Z")) == ""


@pytest.mark.parametrize(
    ("window", "moment", "open_"),
    [
        ("mon-fri 19:00-07:00", "2026-05-04T18:59:59+02:00", False),  # a Monday
        ("mon-fri 19:00-07:00", "2026-05-04T19:00+02:00", True),
        ("mon-fri 19:00-07:00", "2026-05-05T06:59:59+02:00", True),
        ("mon-fri 19:00-07:00", "2026-05-05T07:00+02:00", False),
        ("mon-fri 19:00-07:00", "2026-05-09T06:00+02:00", True),  # Saturday morning belongs to Friday
        ("mon-fri 19:00-07:00", "2026-05-09T20:00+02:00", False),
        ("mon-fri 19:00-07:00", "2026-05-04T06:00+02:00", False),  # Monday morning belongs to Sunday
        ("sat-sun 00:00-24:00", "2026-05-09T00:00+02:00", True),
        ("sat-sun 00:00-24:00", "2026-05-10T23:59:59+02:00", True),
        ("sat-sun 00:00-24:00", "2026-05-11T00:00+02:00", False),
        ("fri-mon 08:00-12:00", "2026-05-10T09:00+02:00", True),  # Sunday, in a range over the week's end
        ("fri-mon 08:00-12:00", "2026-05-11T09:00+02:00", True),
        ("fri-mon 08:00-12:00", "2026-05-12T09:00+02:00", False),
        ("mon, thu 8:00-9:00", "2026-05-07T08:30+02:00", True),
        ("mon, thu 8:00-9:00", "2026-05-08T08:30+02:00", False),
        ("22:00-02:00", "2026-05-08T01:00+02:00", True),
        ("SUN 22:00 - 02:00", "2026-05-11T01:00+02:00", True),  # over the week's end
        ("mon 00:00-24:00", "2026-05-04T22:30Z", False),  # in UTC still Monday, in Berlin Tuesday
    ],
)
def test_a_moment_is_inside_when_the_wall_clock_says_so(window: str, moment: str, open_: bool) -> None:
    assert is_open(berlin(window), at(moment)) is open_


def test_an_hour_that_is_skipped_is_never_open_and_the_window_goes_on_behind_it() -> None:
    # On 2026-03-29 the clock goes from 02:00 CET to 03:00 CEST.
    skipped = berlin("sun 02:00-03:00")
    assert not any(is_open(skipped, at("2026-03-29T00:00Z") + timedelta(minutes=m)) for m in range(180))
    assert opens(skipped, "2026-03-28T12:00Z") == "2026-04-05T02:00+02:00"
    half = berlin("sun 02:30-04:00")
    assert opens(half, "2026-03-28T12:00Z") == "2026-03-29T03:00+02:00"
    assert is_open(half, at("2026-03-29T03:59+02:00"))
    night = berlin("sat 22:00-06:00")
    assert is_open(night, at("2026-03-29T05:59+02:00"))
    assert not is_open(night, at("2026-03-29T06:00+02:00"))


def test_an_hour_that_is_repeated_is_open_both_times() -> None:
    # On 2026-10-25 the clock goes from 03:00 CEST back to 02:00 CET.
    repeated = berlin("sun 02:00-03:00")
    assert is_open(repeated, at("2026-10-25T02:30+02:00"))
    assert is_open(repeated, at("2026-10-25T02:30+01:00"))
    assert not is_open(repeated, at("2026-10-25T03:00+01:00"))
    assert opens(repeated, "2026-10-24T12:00Z") == "2026-10-25T02:00+02:00"
    night = berlin("sat 22:00-06:00")
    assert is_open(night, at("2026-10-25T05:59+01:00"))
    assert not is_open(night, at("2026-10-25T06:00+01:00"))
    # A window that ended once opens again with the repeated hour.
    early = berlin("sun 01:00-02:30")
    assert not is_open(early, at("2026-10-25T02:45+02:00"))
    assert opens(early, "2026-10-25T02:45+02:00") == "2026-10-25T02:00+01:00"


def test_the_next_opening_is_told_in_the_schedules_own_zone() -> None:
    settings = berlin("mon-fri 19:00-07:00")
    assert opens(settings, "2026-05-09T10:00Z") == "2026-05-11T19:00+02:00"
    assert closed_words(settings, at("2026-05-09T10:00Z")) == (
        "outside the hours of work; the next window opens Mon 2026-05-11 19:00 CEST"
    )


def test_without_a_zone_the_machines_own_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    try:
        settings = Settings(windows=("12:00-13:00",))
        assert is_open(settings, at("2026-05-09T16:30Z"))
        assert opens(settings, "2026-05-09T17:30Z") == "2026-05-10T12:00-04:00"
        # On 2026-11-01 the clock there goes back at 02:00.
        assert opens(Settings(windows=("sun 02:00-03:00",)), "2026-11-01T00:00Z") == "2026-11-01T02:00-05:00"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize(
    "window",
    ["", "mon-fri", "19:00", "mon-fri 19:00-19:00", "mon-fri 24:00-01:00", "mon-fri 10:00-24:01", "mon 10:60-12:00",
     "moo 10:00-12:00", "mon-fri 19-07", "mon-tue-wed 10:00-12:00", "mon-fri 10:00-12:00 x", "٠٩:٠٠-10:00"],
)  # fmt: skip
def test_what_is_no_window_is_refused_with_words(window: str) -> None:
    with pytest.raises(ValidationError, match="write"):
        Settings(windows=(window,))


@pytest.mark.parametrize("zone", ["Europe/Atlantis", "../../etc/passwd", "", "/etc/localtime"])
def test_an_unknown_zone_is_refused(zone: str) -> None:
    with pytest.raises(ValidationError, match="time zone"):
        Settings(windows=("10:00-12:00",), time_zone=zone)


DAY_WORDS = st.sampled_from(["", "mon ", "sat-sun ", "fri-mon ", "wed,sun "])
CLOCKS = st.integers(0, 24 * 60 - 1).map(lambda minute: f"{minute // 60:02}:{minute % 60:02}")


@given(
    days=DAY_WORDS,
    start=CLOCKS,
    end=CLOCKS,
    zone=st.sampled_from([BERLIN, "UTC", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu"]),
    hours=st.integers(0, 24 * 366),
)
@example(days="", start="02:00", end="03:01", zone="America/New_York", hours=1569)
def test_the_next_opening_is_the_first_open_minute(days: str, start: str, end: str, zone: str, hours: int) -> None:
    if start == end:
        return
    settings = Settings(windows=(f"{days}{start}-{end}",), time_zone=zone)
    now = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=hours)
    if is_open(settings, now):
        return
    found = next_opening(settings, now)
    assert found is not None
    assert is_open(settings, found)
    # Counted in UTC: by the wall clock the minute before may be one that the change of time leaves out.
    assert not is_open(settings, found.astimezone(UTC) - timedelta(minutes=1))
    probe = now
    while probe + timedelta(minutes=37) < found:
        probe += timedelta(minutes=37)
        assert not is_open(settings, probe)
