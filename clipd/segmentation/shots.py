"""Scene mode (`v1`): every shot becomes a span; long ones are split, short ones merged, in whole frames.

The order is fixed: spans longer than the longest are split into the fewest equal parts that are not; then, shortest
first, those under the shortest are merged with a neighbour, a middle one with whichever gives the shorter result (the
earlier one if both do). While there are more spans than the soft limit, merging goes on in the same order, as if the
shortest length rose step by step, but then never beyond the longest length. A short span is always merged, so that the
result may exceed the longest length by less than the shortest.

The frames of a gradual change belong to no shot, so no span begins or ends in one; inside a merged span they stay.
Shots that are too short for a clip to begin or end with (a flash) are trimmed off the ends of merged spans.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from heapq import heapify, heappop, heappush
from math import ceil

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.edges import Edges, shots_of
from clipd.segmentation.features import Features

ROUNDING_SECONDS = 1e-6


class Settings(Section):
    """How long the spans of scene mode are, and how many."""

    max_seconds: float = setting(60.0, "Longer spans are split into equal parts.", unit="s", gt=0)
    min_seconds: float = setting(5.0, "Shorter spans are merged with a neighbour.", unit="s", ge=0)
    soft_limit: int = setting(
        300, "Above this many clips merging goes on, as far as the longest length allows.", unit="clips", ge=1
    )

    @model_validator(mode="after")
    def _ordered(self) -> Settings:
        if self.min_seconds > self.max_seconds:
            raise ValueError(f"min_seconds ({self.min_seconds:g}) must not be above max_seconds ({self.max_seconds:g})")
        return self


@dataclass(frozen=True)
class Shots:
    """A span of scene mode: whole shots, or a part of one."""

    start_frame: int
    end_frame: int
    """Inclusive."""
    count: int
    """How many shots it holds; parts of one shot count as one each."""
    part: int = 1
    """Which part of its shot it is, from 1."""
    parts: int = 1
    """Into how many parts its shot was split."""


def spans(features: Features, cuts: Sequence[Cut], settings: Settings) -> tuple[Shots, ...]:
    """The spans of a video, in order of time; none where it has no frames."""
    if not features.frame_count:
        return ()
    times = np.append(features.frame_times, max(features.duration_seconds, float(features.frame_times[-1])))
    parts = [
        part
        for first, last in shots_of(cuts, features.frame_count)
        for part in _split(first, last, times, settings.max_seconds)
    ]
    return tuple(_merged(parts, times, settings))


def trimmed(found: Sequence[Shots], ways: Edges, min_seconds: float) -> tuple[Shots, ...]:
    """`found` without the shots at their ends that no clip may begin or end with, where enough is left.

    Args:
        found: spans in order of time.
        ways: at which frames a clip may begin and end.
        min_seconds: what must be left.
    """
    return tuple(_trimmed(span, ways, min_seconds) for span in found)


def _trimmed(span: Shots, ways: Edges, min_seconds: float) -> Shots:
    at = int(np.searchsorted(ways.starts, span.start_frame, side="left"))
    to = int(np.searchsorted(ways.ends, span.end_frame, side="right"))
    if at == len(ways.starts) or to == 0:
        return span
    first, last = int(ways.starts[at]), int(ways.ends[to - 1])
    if first > last or ways.seconds(first, last) < min_seconds - ROUNDING_SECONDS:
        return span
    return replace(span, start_frame=first, end_frame=last)


def _split(first: int, last: int, times: NDArray[np.float64], max_seconds: float) -> list[Shots]:
    """The shot from frame `first` to `last` (inclusive) in equal parts, each beginning with a frame of its own."""
    start, end = float(times[first]), float(times[last + 1])
    parts = max(1, ceil((end - start) / max_seconds - ROUNDING_SECONDS))
    seams = [start + (end - start) * number / parts for number in range(1, parts)]
    inner = np.searchsorted(times[: last + 1], np.array(seams) - ROUNDING_SECONDS, side="left")
    starts = sorted({first, *(int(frame) for frame in inner if first < frame <= last)})
    ends = [start - 1 for start in starts[1:]] + [last]
    pairs = enumerate(zip(starts, ends, strict=True), start=1)
    return [Shots(begin, close, 1, number, len(starts)) for number, (begin, close) in pairs]


def _merged(parts: Sequence[Shots], times: NDArray[np.float64], settings: Settings) -> list[Shots]:
    """`parts` after merging.

    The neighbours of each are linked both ways (-1 where there is none); a merged one lives on under the number of the
    earlier. The heap holds lengths by number, and what is outdated in it is passed over.
    """
    spans = list(parts)
    count = left = len(spans)
    before, after = [number - 1 for number in range(count)], [*range(1, count), -1][:count]
    gone = [False] * count

    def seconds(first: int, last: int) -> float:
        return float(times[spans[last].end_frame + 1] - times[spans[first].start_frame])

    heap = [(seconds(number, number), number) for number in range(count)]
    heapify(heap)
    while heap and left > 1:
        length, number = heappop(heap)
        if gone[number] or length != seconds(number, number):
            continue
        short = length < settings.min_seconds - ROUNDING_SECONDS
        if not short and left <= settings.soft_limit:
            break
        ways = [pair for pair in ((before[number], number), (number, after[number])) if -1 not in pair]
        first, last = min(ways, key=lambda pair: seconds(*pair))
        if not short and seconds(first, last) > settings.max_seconds + ROUNDING_SECONDS:
            continue
        one, other = spans[first], spans[last]
        spans[first], gone[last] = Shots(one.start_frame, other.end_frame, one.count + other.count), True
        after[first] = after[last]
        if after[last] != -1:
            before[after[last]] = first
        left -= 1
        heappush(heap, (seconds(first, first), first))
    return [span for span, absent in zip(spans, gone, strict=True) if not absent]
