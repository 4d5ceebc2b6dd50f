"""The schedule: the hours in which new work may start, as the clock on the wall shows them.

A window is open while the wall clock of the time zone reads a time inside it. So an hour that daylight saving skips is
never open, and an hour that it repeats is open twice. Pure functions: the time is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import field_validator

from clipd.model.setting import Section, setting

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
HORIZON_DAYS = 16
"""Every window opens once a week; twice that, for a week in which daylight saving swallows it."""

_WINDOW = re.compile(r"(?:(?P<days>[a-z, -]+?)\s+)?(?P<start>\d{1,2}:\d\d)\s*-\s*(?P<end>\d{1,2}:\d\d)", re.ASCII)


class Settings(Section):
    """When new work may start."""

    windows: tuple[str, ...] = setting(
        (), "Hours of work, such as mon-fri 19:00-07:00 or sat,sun 00:00-24:00 (the end of the day); empty is always."
    )
    time_zone: str | None = setting(
        None, "The zone of these hours, such as Europe/Berlin; null is the machine's own.", examples=["Europe/Berlin"]
    )
    at_end: Literal["finish", "stop"] = setting(
        "finish", "What becomes of running clips when a window ends: they finish, or stop and are begun again later."
    )

    @field_validator("windows")
    @classmethod
    def _readable(cls, windows: tuple[str, ...]) -> tuple[str, ...]:
        for window in windows:
            parse_window(window)
        return windows

    @field_validator("time_zone")
    @classmethod
    def _known(cls, name: str | None) -> str | None:
        if name is not None:
            try:
                ZoneInfo(name)
            except (ZoneInfoNotFoundError, ValueError, OSError):
                raise ValueError("no such time zone is known here; write one such as Europe/Berlin or UTC") from None
        return name


@dataclass(frozen=True)
class Window:
    """Hours that begin on certain days."""

    days: frozenset[int]
    """0 is Monday; the day on which it begins."""
    start: int
    """Minutes after midnight, from 0 up to the last minute of the day."""
    end: int
    """Minutes after the midnight before `start`, after it, at most a day later; not inside any more."""

    def holds(self, wall: datetime) -> bool:
        """Does the wall clock, naive, read a time inside?"""
        minute = wall.hour * 60 + wall.minute
        today, yesterday = wall.weekday(), (wall.weekday() - 1) % 7
        return (today in self.days and self.start <= minute < self.end) or (
            yesterday in self.days and minute + DAY_MINUTES < self.end
        )


def parse_window(text: str) -> Window:
    """The window that `text` describes: days (none is every day), then start and end; an end before the start is on
    the next day.

    Raises:
        ValueError: with words for the person.
    """
    found = _WINDOW.fullmatch(text.strip().casefold())
    if found is None:
        raise ValueError(f"{text!r} is no window; write days and hours, such as mon-fri 19:00-07:00")
    start, end = _minutes(text, found["start"]), _minutes(text, found["end"])
    if start == DAY_MINUTES:
        raise ValueError(f"{text!r}: a window begins at 23:59 at the latest; write 00:00 and the next day")
    if start == end:
        raise ValueError(f"{text!r} is empty; write 00:00-24:00 for whole days")
    return Window(_days(text, found["days"]), start, end if end > start else end + DAY_MINUTES)


def is_open(settings: Settings, now: datetime) -> bool:
    """May new work start at `now` (aware)?"""
    if not settings.windows:
        return True
    wall = _wall(now, settings)
    return any(window.holds(wall) for window in _windows(settings))


def next_opening(settings: Settings, now: datetime) -> datetime | None:
    """The first moment after `now` (aware) at which a window opens, in the schedule's zone; None when there is none.

    Only to be asked while it is closed.
    """
    for moment in _candidates(settings, _wall(now, settings).date()):
        if moment > now and is_open(settings, moment):
            return moment.astimezone(_zone(settings))
    return None


def closed_words(settings: Settings, now: datetime) -> str:
    """Why nothing starts at `now`, for people; "" while the schedule is open."""
    if is_open(settings, now):
        return ""
    opens = next_opening(settings, now)
    when = "never" if opens is None else f"{opens:%a %Y-%m-%d %H:%M %Z}".rstrip()
    return f"outside the hours of work; the next window opens {when}"


def _candidates(settings: Settings, first: date) -> Iterator[datetime]:
    """The moments, rising, at which the schedule may open from the day `first` on."""
    for number in range(HORIZON_DAYS):
        day = first + timedelta(days=number)
        begins, ends = (_moment(datetime.combine(d, time()), settings) for d in (day, day + timedelta(days=1)))
        if ends - begins != timedelta(days=1):
            # The clock is changed on this day, so it may open without a window's start: at any of its minutes.
            yield from (begins + timedelta(minutes=minute) for minute in range((ends - begins) // timedelta(minutes=1)))
            continue
        starts = {window.start for window in _windows(settings) if day.weekday() in window.days}
        # Midnight too: a window of the day before may have begun in an hour that was skipped.
        yield from (begins + timedelta(minutes=minute) for minute in sorted({0, *starts}))


def _windows(settings: Settings) -> list[Window]:
    return [parse_window(window) for window in settings.windows]


def _zone(settings: Settings) -> ZoneInfo | None:
    return None if settings.time_zone is None else ZoneInfo(settings.time_zone)


def _wall(moment: datetime, settings: Settings) -> datetime:
    return moment.astimezone(_zone(settings)).replace(tzinfo=None)


def _moment(wall: datetime, settings: Settings) -> datetime:
    """The (first) moment, in UTC, at which the wall clock reads `wall`."""
    return wall.replace(tzinfo=_zone(settings)).astimezone(UTC)


def _minutes(text: str, hour_and_minute: str) -> int:
    hours, _, minutes = hour_and_minute.partition(":")
    total = int(hours) * 60 + int(minutes)
    if int(minutes) > 59 or total > DAY_MINUTES:
        raise ValueError(f"{text!r}: {hour_and_minute} is no time of day; write 00:00 to 24:00")
    return total


def _days(text: str, words: str | None) -> frozenset[int]:
    if words is None:
        return frozenset(range(7))
    days: set[int] = set()
    for part in words.split(","):
        first, dash, last = (word.strip() for word in part.partition("-"))
        names = (first, last) if dash else (first, first)
        if unknown := [name for name in names if name not in DAYS]:
            raise ValueError(f"{text!r}: {unknown[0]!r} is no day; write {', '.join(DAYS)}, such as mon-fri or sat,sun")
        begin, end = (DAYS.index(name) for name in names)
        days.update((begin + step) % 7 for step in range((end - begin) % 7 + 1))
    return frozenset(days)
