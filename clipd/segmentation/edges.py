"""Edges: spans of seconds become spans of whole frames that show nothing of the neighbouring shot at either end.

A change of shot is a run of frames `[first, frame)` that shows both shots or neither, empty for a hard cut. A clip may
begin at a frame only if the shot it opens in goes on for at least `neighbour_seconds`, and end at a frame only if the
shot it closes in has been shown for at least that long; so it never begins or ends inside a gradual change either.
Where a span's end breaks this it moves inward to the next frame that does not (just before a cut: to the cut), or
outward where the clip would else lose its shortest length or its anchor. Where no way keeps the shortest length (a very
short video), the longest of them counts. Where there is none at all (fast cuts at the very begin or end of the video),
the clip does without the anchor; and last, where cuts are faster than `neighbour_seconds` throughout, it may begin and
end with any shot that it holds as a whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.features import Features

TOLERANCE_SECONDS = 1e-6
"""Times are sums of inexact seconds; a frame's length is never below this."""


class Settings(Section):
    """How an end of a clip is kept clear of the neighbouring shot."""

    neighbour_seconds: float = setting(
        0.5,
        "A clip begins and ends in a shot that it shows for at least this long; otherwise that end moves to the cut.",
        unit="s",
        ge=0,
    )


@dataclass(frozen=True)
class Edges:
    """At which of the N frames of a video a clip may begin and end; frame numbers in order."""

    frame_times: NDArray[np.float64]
    """(N + 1,) when each frame is shown, and the end of the video."""
    starts: NDArray[np.intp]
    ends: NDArray[np.intp]
    """Inclusive: the last frames of clips."""
    close_starts: NDArray[np.intp]
    """`starts`, and the first frames of shots that are too short besides."""
    close_ends: NDArray[np.intp]

    def seconds(self, start_frame: int, end_frame: int) -> float:
        """How long the frames from `start_frame` to `end_frame`, both included, are shown."""
        return float(self.frame_times[end_frame + 1] - self.frame_times[start_frame])


def edges(features: Features, cuts: Sequence[Cut], settings: Settings) -> Edges:
    """The edges of a video that has frames."""
    count = features.frame_count
    times = np.append(features.frame_times, max(features.duration_seconds, float(features.frame_times[-1])))
    may_start, may_end = np.ones(count, dtype=np.bool_), np.ones(count, dtype=np.bool_)
    for first, frame in changes(cuts, count):
        before = times[first] - settings.neighbour_seconds + TOLERANCE_SECONDS
        may_start[min(first, int(np.searchsorted(times[:count], before, side="right"))) : frame] = False
        after = times[frame] + settings.neighbour_seconds - TOLERANCE_SECONDS
        may_end[first : max(frame, int(np.searchsorted(times[1:], after, side="left")))] = False
    starts, ends = np.flatnonzero(may_start), np.flatnonzero(may_end)
    for first, last in shots_of(cuts, count):
        may_start[first], may_end[last] = True, True
    return Edges(times, starts, ends, np.flatnonzero(may_start), np.flatnonzero(may_end))


def changes(cuts: Sequence[Cut], frame_count: int) -> list[tuple[int, int]]:
    """`(first, frame)` of every change in the video, in order, those that touch joined; empty (`first == frame`) at a
    hard cut.
    """
    joined: list[tuple[int, int]] = []
    spans = [(cut.frame if cut.start_frame is None else min(cut.start_frame, cut.frame), cut.frame) for cut in cuts]
    for first, frame in sorted(spans):
        first, frame = max(first, 0), min(frame, frame_count)
        if frame <= 0 or first >= frame_count:
            continue  # at the very begin or end of the video there is no other shot
        if joined and first <= joined[-1][1] and (first < joined[-1][1] or first == joined[-1][0]):
            joined[-1] = (joined[-1][0], max(frame, joined[-1][1]))
        else:
            joined.append((first, frame))
    return joined


def shots_of(cuts: Sequence[Cut], frame_count: int) -> list[tuple[int, int]]:
    """The shots of a video: the first and the last frame (inclusive) of each run of frames between two changes."""
    found = []
    start = 0
    for first, frame in [*changes(cuts, frame_count), (frame_count, frame_count)]:
        if first > start:
            found.append((start, first - 1))
        start = frame
    return found


def whole_frames(
    start_seconds: float,
    end_seconds: float,
    ways: Edges,
    *,
    min_seconds: float,
    max_seconds: float,
    inside_seconds: float | None = None,
) -> tuple[int, int]:
    """The first and the last frame (inclusive) of the clip that `[start, end)` becomes.

    Args:
        start_seconds: where the span begins.
        end_seconds: where it ends.
        ways: at which frames a clip may begin and end.
        min_seconds: the shortest clip, where possible.
        max_seconds: the longest clip, where possible; a span that is longer already may stay so.
        inside_seconds: a moment of the span that the clip must show, where possible.
    """
    times = ways.frame_times
    count = len(times) - 1
    end = max(int(np.searchsorted(times[:count], end_seconds - TOLERANCE_SECONDS, side="left")) - 1, 0)
    # Where no frame begins inside the span, it shows the one that stands.
    start = min(int(np.searchsorted(times[:count], start_seconds - TOLERANCE_SECONDS, side="left")), end)
    # A window of just the shortest length must not lose it to whole frames.
    enough = int(np.searchsorted(times[1:], times[start] + min_seconds - TOLERANCE_SECONDS, side="left"))
    end = max(end, min(enough, count - 1))
    shortest = min(min_seconds, ways.seconds(start, end)) - TOLERANCE_SECONDS
    longest = max(max_seconds, ways.seconds(start, end)) + TOLERANCE_SECONDS
    strict, close = (ways.starts, ways.ends), (ways.close_starts, ways.close_ends)
    for (starts, ends), inside in ((strict, True), (strict, False), (close, True), (close, False)):
        pairs = [
            (first, last)
            for first, last in product(_nearest(starts, start), _nearest(ends, end))
            if first <= last
            and ways.seconds(first, last) <= longest
            and (not inside or inside_seconds is None or times[first] <= inside_seconds < times[last + 1])
        ]
        if long_enough := [pair for pair in pairs if ways.seconds(*pair) >= shortest]:
            return min(long_enough, key=lambda pair: _moved((start, end), pair, ways))
        if pairs and inside:
            return max(pairs, key=lambda pair: ways.seconds(*pair))
    return start, end


def _nearest(allowed: NDArray[np.intp], frame: int) -> list[int]:
    """The nearest of the `allowed` frames, up to `frame` and from it on."""
    at = int(np.searchsorted(allowed, frame, side="left"))
    if at < len(allowed) and allowed[at] == frame:
        return [frame]
    return [int(found) for found in allowed[max(at - 1, 0) : at + 1]]


def _moved(span: tuple[int, int], pair: tuple[int, int], ways: Edges) -> tuple[int, float]:
    """How many ends move outward, and by how many seconds both ends move: the less the better."""
    times = ways.frame_times
    seconds = sum(abs(float(times[frame] - times[was])) for was, frame in zip(span, pair, strict=True))
    return (pair[0] < span[0]) + (pair[1] > span[1]), seconds
