"""Spans of a video, exact: frames with an inclusive end, or seconds as fractions with an exclusive end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction


@dataclass(frozen=True)
class FrameSpan:
    """Frames `first` to `last`, both included, counted from 0 in presentation order of the real file."""

    first: int
    last: int

    def __post_init__(self) -> None:
        if self.first < 0:
            raise ValueError(f"the span starts at frame {self.first}; the first frame of a video is 0")
        if self.last < self.first:
            raise ValueError(f"the span ends at frame {self.last}, before its start at frame {self.first}")

    @property
    def count(self) -> int:
        """How many frames the span holds."""
        return self.last - self.first + 1


@dataclass(frozen=True)
class TimeSpan:
    """Seconds from the file's first presented frame, `[start, end)`: frames shown at `start <= t < end` belong."""

    start: Fraction
    end: Fraction

    def __post_init__(self) -> None:
        if self.start < 0:
            raise ValueError(f"the span starts at {float(self.start):.3f} s; a video starts at 0")
        if self.end <= self.start:
            raise ValueError(
                f"the span ends at {float(self.end):.3f} s, not after its start at {float(self.start):.3f} s"
            )


Span = FrameSpan | TimeSpan

_CLOCK = re.compile(r"(?:(?P<hours>\d{1,4}):)?(?P<minutes>\d{1,2}):(?P<seconds>\d{1,2}(?:\.\d{1,9})?)", re.ASCII)
_SECONDS = re.compile(r"\d{1,9}(?:\.\d{1,9})?", re.ASCII)


def parse_seconds(text: str | int | float | Decimal) -> Fraction:
    """Seconds as an exact fraction, from a number or from `SS.mmm`, `MM:SS.mmm` or `HH:MM:SS.mmm`.

    A float is taken as the decimal number that a person wrote (0.1 is one tenth).

    Raises:
        ValueError: with words for a person.
    """
    if isinstance(text, str):
        words = text.strip()
        if _SECONDS.fullmatch(words):
            return Fraction(words)
        match = _CLOCK.fullmatch(words)
        if match is None or int(match["minutes"]) > 59 or Fraction(match["seconds"]) >= 60:
            raise ValueError(f"{text!r} is not a time; write seconds (12.5) or HH:MM:SS.mmm (00:00:12.500)")
        return int(match["hours"] or 0) * 3600 + int(match["minutes"]) * 60 + Fraction(match["seconds"])
    seconds = Fraction(repr(text)) if isinstance(text, float) else Fraction(text)
    if seconds < 0:
        raise ValueError(f"{text!r} is negative; times count from the start of the video")
    return seconds
