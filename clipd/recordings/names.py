"""When a recording starts and whose it is, by its name: templates as recorders write them.

A template is what the recorder was told: `{camera}_{YYYYMMDD}_{HHMMSS}`, or in the notation of strftime and MediaMTX,
`%path/%Y-%m-%d_%H-%M-%S-%f` or `%path/%s`. It says everything before the extension; one with slashes is compared with
as many folders. All of them become one regular expression, so that a hundred thousand names are read in a second.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from fractions import Fraction
from functools import lru_cache

from clipd.errors import ConfigError
from clipd.model.instant import LATEST_YEAR, readings

SECOND_NS = 1_000_000_000

_BRACED = {
    "camera": ("camera", r"[^/]+?"),
    "YYYYMMDD": ("day", r"\d{8}"),
    "HHMMSS": ("clock", r"\d{6}"),
    "YYYY": ("year", r"\d{4}"),
    "MM": ("month", r"\d{2}"),
    "DD": ("dom", r"\d{2}"),
    "HH": ("hour", r"\d{2}"),
    "mm": ("minute", r"\d{2}"),
    "SS": ("second", r"\d{2}"),
    "ms": ("milli", r"\d{3}"),
    "us": ("micro", r"\d{6}"),
    "epoch": ("epoch", r"\d{9,10}"),
    "zone": ("zone", r"Z|[+-]\d{2}:?\d{2}"),
    "any": ("", r"[^/]*?"),
}
_PERCENT = {
    "%path": ("camera", r".+?"),
    "%Y": ("year", r"\d{4}"),
    "%m": ("month", r"\d{2}"),
    "%d": ("dom", r"\d{2}"),
    "%H": ("hour", r"\d{2}"),
    "%M": ("minute", r"\d{2}"),
    "%S": ("second", r"\d{2}"),
    "%f": ("micro", r"\d{6}"),
    "%s": ("epoch", r"\d{9,10}"),
    "%z": ("zone", r"Z|[+-]\d{2}:?\d{2}"),
    "%%": ("", "%"),
}
_TOKEN = re.compile(r"\{(?P<braced>[^{}]*)\}|(?P<percent>%path|%.)|(?P<text>[^{%]+|[{%])", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Named:
    """What a recording's path says.

    `camera` is the folder it lies in (all of them, where MediaMTX's `%path` is meant), or what the name says where it
    lies in none; `is_stray` when the two speak of different cameras. `start_ns` is its start, in nanoseconds since 1970
    by the camera's clock; the true start lies less than `resolution_ns` after it.
    """

    camera: str
    start_ns: int
    resolution_ns: int
    is_stray: bool


class Names:
    """The templates of one tree, compiled.

    Raises:
        ConfigError: a template is none.
    """

    def __init__(self, templates: tuple[str, ...], suffixes: tuple[str, ...]) -> None:
        self.suffixes = tuple(suffix.lower() for suffix in suffixes)
        self._fields: list[dict[str, str]] = []
        self._groups: list[str] = []
        alternatives = [self._compile(number, template) for number, template in enumerate(templates)]
        self._match = re.compile("|".join(alternatives) or r"(?!)", re.ASCII).fullmatch

    def is_recording(self, name: str) -> bool:
        """Has `name` the extension of a recording?"""
        return name.lower().endswith(self.suffixes)

    def read(self, path: str, zones: Mapping[str, tzinfo], zone: tzinfo, modified_ns: int = 0) -> Named | None:
        """What `path` says, relative to the recordings folder and `/`-separated; None where no template fits.

        Args:
            path: with its extension.
            zones: the zones of cameras that have one of their own.
            zone: that of all others.
            modified_ns: when the file was last written. Of a local time that happens twice it tells the second, if the
                file was written within an hour of it; MediaMTX's `%s` and `%z` are never in doubt.
        """
        stem = path[: path.rfind(".")]
        match = self._match(stem)
        if match is None:
            return None
        number = next(number for number, group in enumerate(self._groups) if match[group] is not None)
        said = {field: match[group] for field, group in self._fields[number].items()}
        folder = path.split("/", 1)[0] if "/" in path else ""
        called = said.get("camera", "")
        camera = called if "/" in called else folder or called
        if not camera:
            return None
        try:
            start_ns = _start_ns(said, zones.get(camera, zone), modified_ns)
        except (ValueError, OverflowError):
            return None
        is_stray = bool(called and folder) and _differ(called.split("/", 1)[0], folder)
        return Named(camera, start_ns, _resolution_ns(said), is_stray)

    def _compile(self, number: int, template: str) -> str:
        fields: dict[str, str] = {}
        # A path of MediaMTX may have folders of its own, so it is all that stands below the recordings folder.
        pattern = "" if "%path" in template else "(?:.*/)?"
        for token in _TOKEN.finditer(template[max(0, template.find("%path")) :]):
            if token["text"]:
                pattern += re.escape(token["text"])
                continue
            field, expression = _field(token, template)
            if not field:
                pattern += expression
            elif field in fields:
                pattern += f"(?P={fields[field]})"
            else:
                fields[field] = f"t{number}_{field}"
                pattern += f"(?P<{fields[field]}>{expression})"
        if not ("epoch" in fields or (_has_day(fields) and _has_clock(fields))):
            raise ConfigError(
                f"the name template {template!r} does not tell day and time to the second; write one such as "
                "{camera}_{YYYYMMDD}_{HHMMSS} or %path/%Y-%m-%d_%H-%M-%S-%f"
            )
        self._fields.append(fields)
        self._groups.append(fields.get("epoch") or fields.get("day") or fields["year"])
        return pattern


def _field(token: re.Match[str], template: str) -> tuple[str, str]:
    known, word = (_PERCENT, token["percent"]) if token["percent"] else (_BRACED, token["braced"])
    if word not in known:
        raise ConfigError(f"the name template {template!r} has {token[0]!r}; there are {', '.join(known)}")
    return known[word]


def _has_day(fields: Mapping[str, str]) -> bool:
    return "day" in fields or {"year", "month", "dom"} <= fields.keys()


def _has_clock(fields: Mapping[str, str]) -> bool:
    return "clock" in fields or {"hour", "minute", "second"} <= fields.keys()


def _resolution_ns(said: Mapping[str, str]) -> int:
    if "micro" in said:
        return 1000
    return SECOND_NS // 1000 if "milli" in said else SECOND_NS


def _start_ns(said: Mapping[str, str], zone: tzinfo, modified_ns: int) -> int:
    part_ns = int(said["micro"]) * 1000 if "micro" in said else int(said.get("milli", 0)) * 1_000_000
    if "epoch" in said:
        return int(said["epoch"]) * SECOND_NS + part_ns
    day = said.get("day") or said["year"] + said["month"] + said["dom"]
    clock = said.get("clock") or said["hour"] + said["minute"] + said["second"]
    hour_local = datetime(int(day[:4]), int(day[4:6]), int(day[6:]), int(clock[:2]))
    if hour_local.year < 1970 or hour_local.year > LATEST_YEAR or clock[2:4] > "59" or clock[4:] > "59":
        raise ValueError(day)
    if "zone" in said:
        zone = _offset(said["zone"])
    into_ns = (int(clock[2:4]) * 60 + int(clock[4:])) * SECOND_NS + part_ns
    if (hour_ns := _plain_hour_ns(hour_local, zone)) is not None:
        return hour_ns + into_ns
    local = hour_local.replace(minute=int(clock[2:4]), second=int(clock[4:]))
    earlier, later = (int(reading) * SECOND_NS + part_ns for reading in readings(local, zone))
    return later if later <= modified_ns <= later + 3600 * SECOND_NS else earlier


@lru_cache(maxsize=4096)
def _plain_hour_ns(hour: datetime, zone: tzinfo) -> int | None:
    """When the clocks of `zone` show the full `hour`; None where they are changed in or beside it."""
    around = [readings(hour + timedelta(hours=step), zone) for step in (0, 1)]
    (first, first_again), (second, second_again) = around
    if first != first_again or second != second_again or second - first != 3600 or first.denominator != 1:
        return None
    return int(first) * SECOND_NS


def _offset(words: str) -> timezone:
    if words == "Z":
        return UTC
    ahead = timedelta(hours=int(words[1:3]), minutes=int(words[-2:]))
    return timezone(-ahead if words[0] == "-" else ahead)


@lru_cache(maxsize=4096)
def _differ(one: str, other: str) -> bool:
    """Are these the names of two cameras? Case, blanks, dashes and underscores tell none apart."""
    plain = [re.sub(r"[\s_-]+", "", name.casefold()) for name in (one, other)]
    return plain[0] != plain[1]


def seconds(ns: int) -> Fraction:
    """Nanoseconds as exact seconds."""
    return Fraction(ns, SECOND_NS)
