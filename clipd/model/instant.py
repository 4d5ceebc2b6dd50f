"""Instants and periods of wall-clock time, exact, and how people write them.

An instant is a `Fraction` of seconds since 1970-01-01T00:00:00Z (POSIX: without leap seconds), so that the time of
every frame of every rate is exact. What people write is read here: ISO 8601 with an offset, or without one in a
camera's time zone, or seconds since 1970. A local time that happens twice, or never, is refused with the times that
would be right: nothing is guessed. All refusals are `Rejected`.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from clipd.errors import Rejected

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LATEST_YEAR = 2200
"""A later year is a slip of the pen, and no zone's rules are known for it."""
LATEST_SECONDS = Fraction(int((datetime(LATEST_YEAR + 1, 1, 1, tzinfo=UTC) - EPOCH).total_seconds()))

DAY = Fraction(86_400)

_ISO = re.compile(
    r"(?P<date>\d{4}-\d{2}-\d{2}|\d{8})[T ]"
    r"(?P<hour>\d{2}):?(?P<minute>\d{2})(?::?(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"\s*(?P<offset>Z|[+-]\d{2}(?::?\d{2})?)?",
    re.ASCII | re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,](?P<fraction>\d{1,9}))?)?", re.ASCII
)
_NUMBER = re.compile(r"\d{1,12}(?:\.\d{1,9})?", re.ASCII)

HOW = "write it as 2026-01-31T14:30:15, with an offset such as +01:00 where the camera's own zone is not meant"


@dataclass(frozen=True, order=True)
class Period:
    """Wall-clock time, `[start, end)`: instants in seconds since 1970."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"the period ends at {utc(self.end)}, not after its start at {utc(self.start)}")

    @property
    def seconds(self) -> Fraction:
        """How long it is."""
        return self.end - self.start

    def overlap(self, start: Fraction, end: Fraction) -> Period | None:
        """What it has in common with `[start, end)`."""
        first, last = max(self.start, start), min(self.end, end)
        return Period(first, last) if first < last else None


def find_zone(name: str | None) -> tzinfo:
    """The time zone of this IANA name; None is the machine's own.

    Raises:
        Rejected: there is none, with the names that come near.
    """
    if name is None:
        return _MachineZone()
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = difflib.get_close_matches(name, sorted(available_timezones()), n=3)
        meant = f"; did you mean {' or '.join(near)}?" if near else "; write one such as Europe/Berlin or UTC"
        raise Rejected(f"{name!r} is no time zone that is known here{meant}") from None


def parse_instant(
    written: object, zone: tzinfo, *, field: str = "timestamp", before: Fraction | None = None
) -> Fraction:
    """The instant that a person or a program wrote.

    Args:
        written: ISO 8601 text, a time of day alone, or seconds since 1970 as a number or its digits.
        zone: what a time without an offset is in.
        field: what the value is called where it stands, for the words of a refusal.
        before: for a time of day alone: the last such time at or before this instant is meant. None refuses it.

    Raises:
        Rejected: it is no time, or a local time that happens twice or never.
    """
    if isinstance(written, datetime):
        written = written.isoformat()
    if isinstance(written, bool) or not isinstance(written, str | int | float | Decimal):
        raise Rejected(f"{field}: {written!r} is no time; {HOW}")
    if not isinstance(written, str):
        return _epoch(written, field)
    text = written.strip()
    if _NUMBER.fullmatch(text):
        return _epoch(Decimal(text), field)
    if match := _ISO.fullmatch(text):
        return _iso(match, text, zone, field)
    if (match := _CLOCK.fullmatch(text)) and before is not None:
        return _last_such(match, text, zone, field, before)
    if match:
        raise Rejected(f"{field}: {text!r} lacks the day; {HOW}")
    raise Rejected(f"{field}: {text!r} is no time; {HOW}")


def is_time_of_day(written: object) -> bool:
    """Is `written` a time of day alone, which means another instant each day?"""
    return isinstance(written, str) and _CLOCK.fullmatch(written.strip()) is not None


def parse_period(
    start: object, end: object, zone: tzinfo, *, fields: tuple[str, str] = ("start_time", "end_time")
) -> Period:
    """The period from one written instant to another.

    Raises:
        Rejected: as `parse_instant`, or the end is not after the start.
    """
    first = parse_instant(start, zone, field=fields[0])
    last = parse_instant(end, zone, field=fields[1])
    if last <= first:
        raise Rejected(f"{fields[1]} {end!r} is not after {fields[0]} {start!r}; write the later time as {fields[1]}")
    return Period(first, last)


def from_local(local: datetime, zone: tzinfo, written: str, field: str) -> Fraction:
    """The instant at which clocks in `zone` show `local` (naive).

    Raises:
        Rejected: they show it twice, or never.
    """
    earlier, later = readings(local, zone)
    if earlier == later:
        return earlier
    if local_at(earlier, zone) == local:
        raise Rejected(
            f"{field}: {written} happens twice in {zone} as the clocks are set back; write {iso(earlier, zone)} for "
            f"the first or {iso(later, zone)} for the second"
        )
    change = _change(earlier, later, zone)
    raise Rejected(
        f"{field}: {written} does not happen in {zone} as the clocks are set forward; the times next to it are "
        f"{iso(change - 1, zone)} and {iso(change, zone)}"
    )


def readings(local: datetime, zone: tzinfo) -> tuple[Fraction, Fraction]:
    """The two instants, the earlier first, that a naive local time may mean; nearly always the same one.

    Where the clocks skip the time, these are its readings by the offset after and before the change.
    """
    first, second = (from_datetime(local.replace(tzinfo=zone, fold=fold)) for fold in (0, 1))
    return min(first, second), max(first, second)


def from_datetime(moment: datetime) -> Fraction:
    """The instant of an aware `datetime`."""
    passed = moment - EPOCH if moment.tzinfo is UTC else moment.astimezone(UTC) - EPOCH
    return Fraction(passed // timedelta(microseconds=1), 1_000_000)


def to_datetime(instant: Fraction, zone: tzinfo = UTC) -> datetime:
    """`instant` as an aware `datetime`, cut to the microsecond."""
    return (EPOCH + timedelta(microseconds=instant * 1_000_000 // 1)).astimezone(zone)


def local_at(instant: Fraction, zone: tzinfo) -> datetime:
    """What clocks in `zone` show at `instant`, naive and cut to the microsecond."""
    return to_datetime(instant, zone).replace(tzinfo=None, fold=0)


def iso(instant: Fraction, zone: tzinfo = UTC) -> str:
    """`instant` for people: ISO 8601 in `zone` with its offset, whole seconds or milliseconds."""
    moment = to_datetime(instant, zone)
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def utc(instant: Fraction) -> str:
    """`instant` as clipd writes times everywhere: `2026-01-31T12:00:00.000Z`."""
    return to_datetime(instant).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _MachineZone(tzinfo):
    """The machine's own zone, with its daylight saving: what `datetime.astimezone()` takes."""

    def utcoffset(self, moment: datetime | None) -> timedelta | None:
        """The offset that the machine has at `moment`, read as local time with its fold."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().utcoffset()

    def dst(self, moment: datetime | None) -> timedelta | None:  # noqa: ARG002 - tzinfo's signature
        """Unknown; nothing here asks."""
        return None

    def tzname(self, moment: datetime | None) -> str | None:
        """The name that the machine has for it at `moment`."""
        return None if moment is None else moment.replace(tzinfo=None).astimezone().tzname()

    def fromutc(self, moment: datetime) -> datetime:
        """`moment` (in UTC, labelled with this zone) as local time."""
        local = moment.replace(tzinfo=UTC).astimezone()
        return local.replace(tzinfo=self)

    def __str__(self) -> str:
        return "the machine's own time zone"


def _epoch(number: float | Decimal, field: str) -> Fraction:
    try:
        seconds = Fraction(repr(number)) if isinstance(number, float) else Fraction(number)
    except (ValueError, OverflowError):
        raise Rejected(f"{field}: {number!r} is no time; {HOW}") from None
    if 0 <= seconds < LATEST_SECONDS:
        return seconds
    if seconds >= LATEST_SECONDS and Fraction(seconds, 1000) < LATEST_SECONDS:
        raise Rejected(
            f"{field}: {number} looks like milliseconds since 1970; write seconds: {float(Fraction(seconds, 1000)):.3f}"
        )
    raise Rejected(f"{field}: {number} is no number of seconds since 1970; {HOW}")


def _iso(match: re.Match[str], text: str, zone: tzinfo, field: str) -> Fraction:
    digits = match["date"].replace("-", "")
    year, month, day = int(digits[:4]), int(digits[4:6]), int(digits[6:])
    if not 1970 <= year <= LATEST_YEAR:
        raise Rejected(f"{field}: {text!r} is in the year {year}; there are recordings from 1970 to {LATEST_YEAR} only")
    try:
        whole = datetime(year, month, day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0))
    except ValueError as error:
        raise Rejected(f"{field}: {text!r} is no time ({error}); {HOW}") from None
    part = _fraction(match)
    if match["offset"] is None:
        return from_local(whole, zone, text, field) + part
    return from_datetime(whole.replace(tzinfo=_offset(match["offset"], text, field))) + part


def _last_such(match: re.Match[str], text: str, zone: tzinfo, field: str, before: Fraction) -> Fraction:
    today = local_at(before, zone).date()
    for day in (today, today - timedelta(days=1)):
        found = _on(day, match, text, zone, field)
        if found <= before:
            return found
    raise Rejected(f"{field}: {text!r} lacks the day; {HOW}")


def _on(day: date, match: re.Match[str], text: str, zone: tzinfo, field: str) -> Fraction:
    try:
        whole = datetime(
            day.year, day.month, day.day, int(match["hour"]), int(match["minute"]), int(match["second"] or 0)
        )
    except ValueError as error:
        raise Rejected(f"{field}: {text!r} is no time of day ({error}); {HOW}") from None
    return from_local(whole, zone, f"{day} {text}", field) + _fraction(match)


def _fraction(match: re.Match[str]) -> Fraction:
    return Fraction(f"0.{match['fraction']}") if match["fraction"] else Fraction(0)


def _offset(words: str, text: str, field: str) -> timezone:
    if words in "Zz":
        return UTC
    hours, minutes = int(words[1:3]), int(words[3:].lstrip(":") or 0)
    if hours > 23 or minutes > 59:
        raise Rejected(f"{field}: {text!r} has the offset {words}; offsets go up to +23:59")
    ahead = timedelta(hours=hours, minutes=minutes)
    return timezone(-ahead if words[0] == "-" else ahead)


def _change(earlier: Fraction, later: Fraction, zone: tzinfo) -> Fraction:
    """The second between the two at which the offset of `zone` changes."""
    low, high = int(earlier) - int(DAY), int(later) + int(DAY)
    after = to_datetime(Fraction(high), zone).utcoffset()
    while high - low > 1:
        middle = (low + high) // 2
        if to_datetime(Fraction(middle), zone).utcoffset() == after:
            high = middle
        else:
            low = middle
    return Fraction(high)
