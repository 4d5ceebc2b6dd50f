"""Highlight mode (`v2`): features -> anchors -> boundaries -> windows -> filters, five visible steps.

Pure: nothing is read or decoded here. Pictures are needed for near-duplicates only, of the few windows that are left by
then: the tiny ones that the features hold, or what the caller provides; without any, no window is a duplicate.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from clipd.segmentation.cut import Cut
from clipd.segmentation.edges import Edges, edges, shots_of, whole_frames
from clipd.segmentation.features import Features
from clipd.segmentation.highlights import filters
from clipd.segmentation.highlights.anchors import Anchor, anchors
from clipd.segmentation.highlights.boundaries import Boundary, boundaries
from clipd.segmentation.highlights.excitement import Curve, excitement
from clipd.segmentation.highlights.filters import Candidate, Decision
from clipd.segmentation.highlights.quality import quality
from clipd.segmentation.highlights.windows import windows
from clipd.segmentation.highlights.wording import changes_by_frame, reason
from clipd.segmentation.likeness import Grey, Look, hash_of
from clipd.segmentation.likeness import Settings as LikenessSettings
from clipd.segmentation.settings import Settings
from clipd.segmentation.suggestion import Suggestion, timecode

ROUNDING_STEPS = 1e-6
"""Times are sums of inexact seconds."""

PicturesOf: TypeAlias = Callable[[Sequence[int]], Iterable[Grey | None]]
"""For frame numbers in ascending order, each once, their grey pictures (H, W) in that order; None for one that cannot
be decoded. Small ones do. They are taken one at a time, so a generator keeps memory flat."""


@dataclass(frozen=True)
class Report:
    """What each filter decided, by window."""

    overlap: tuple[Decision, ...]
    boring: tuple[Decision, ...]
    duplicate: tuple[Decision, ...]
    quality: tuple[Decision, ...]


@dataclass(frozen=True)
class Highlights:
    """All that the steps found, in their order."""

    curve: Curve
    anchors: tuple[Anchor, ...]
    boundaries: tuple[Boundary, ...]
    candidates: tuple[Candidate, ...]
    """By number: `candidates[i].index == i`."""
    report: Report
    clips: tuple[tuple[Candidate, Suggestion], ...]
    """What is left, in order of time."""


def highlights(
    features: Features, cuts: Sequence[Cut], settings: Settings, pictures_of: PicturesOf | None = None
) -> Highlights:
    """The highlights of a video that has frames.

    Args:
        features: what was measured.
        cuts: the changes of shot that the numbers count, by frame; no clip shows a glimpse past any of the features'.
        settings: the numbers of every step, a profile's applied.
        pictures_of: gives pictures for the removal of near-duplicates, in place of those that the features hold.
    """
    curve = excitement(features, settings.excitement, settings.weights)
    moments = anchors(features, curve, cuts, settings.anchors)
    places = boundaries(features, cuts, settings.boundaries)
    candidates = tuple(
        Candidate(index, window, quality(window, curve, settings.quality))
        for index, window in enumerate(windows(moments, places, curve, features.duration_seconds, settings.windows))
    )
    overlap = filters.overlap(candidates, settings.filters)
    apart = filters.kept(candidates, overlap)
    boring = filters.boring(apart, curve, settings.filters)
    lively = filters.kept(apart, boring)
    ways = edges(features, features.cuts, settings.edges)
    frames = {one.index: _frames(one, ways, settings) for one in lively}
    look = pictures_of or _kept_pictures(features)
    looks = {} if look is None else _looks(frames, features, look, settings.likeness)
    duplicate = filters.duplicate(lively, looks, settings.likeness)
    different = filters.kept(lively, duplicate)
    best = filters.target(different, settings.filters)
    left = sorted(filters.kept(different, best), key=lambda one: frames[one.index])
    return Highlights(
        curve,
        moments,
        places,
        candidates,
        Report(overlap, boring, duplicate, best),
        tuple(zip(left, _suggestions(left, frames, ways, features.cuts), strict=True)),
    )


Frames: TypeAlias = Mapping[int, tuple[int, int]]
"""The first and the last frame (inclusive) of windows, by their number."""


def _frames(one: Candidate, ways: Edges, settings: Settings) -> tuple[int, int]:
    return whole_frames(
        one.window.start_seconds,
        one.window.end_seconds,
        ways,
        min_seconds=settings.windows.min_seconds,
        max_seconds=settings.windows.max_seconds,
        inside_seconds=one.window.anchor.seconds,
    )


def _looks(
    frames: Frames, features: Features, pictures_of: PicturesOf, settings: LikenessSettings
) -> dict[int, list[Look]]:
    """What the windows look like at evenly spread frames; flat pictures are left out."""
    if settings.distance < 0:
        return {}
    wanted = {index: _spread(first, last, features, settings.frames) for index, (first, last) in frames.items()}
    asked = sorted({frame for chosen in wanted.values() for frame in chosen})
    shot_starts = [first for first, _ in shots_of(features.cuts, features.frame_count)]
    looks = {}
    for frame, picture in zip(asked, pictures_of(asked), strict=True):
        hashed = None if picture is None else hash_of(picture, settings)
        if hashed is not None:
            looks[frame] = Look(hashed, bisect_right(shot_starts, frame))
    return {index: [looks[frame] for frame in chosen if frame in looks] for index, chosen in wanted.items()}


def _spread(first: int, last: int, features: Features, count: int) -> list[int]:
    """`count` frames evenly spread from `first` to `last`, or fewer; where possible the first of their step of the
    grid, whose picture is the one that the features keep.
    """
    middles = [first + (last + 1 - first) * (2 * number + 1) // (2 * count) for number in range(count)]
    steps = _step_of(features, middles)
    kept = np.searchsorted(features.frame_times, (steps - ROUNDING_STEPS) * features.step_seconds, side="left")
    return sorted({int(frame) if frame >= first else middle for frame, middle in zip(kept, middles, strict=True)})


def _step_of(features: Features, frames: Sequence[int]) -> NDArray[np.int64]:
    """The step of the grid that each of `frames` is shown in."""
    steps = features.frame_times[list(frames)] / features.step_seconds + ROUNDING_STEPS
    return np.asarray(steps, dtype=np.int64)


def _kept_pictures(features: Features) -> PicturesOf | None:
    """The tiny pictures that the features hold, if they do."""
    pictures = features.pictures
    if not len(pictures):
        return None
    return lambda frames: (pictures[min(step, len(pictures) - 1)] for step in _step_of(features, frames))


def _suggestions(left: Sequence[Candidate], frames: Frames, ways: Edges, cuts: Sequence[Cut]) -> list[Suggestion]:
    changes = changes_by_frame(cuts, len(ways.frame_times) - 1)
    names: dict[str, int] = {}
    found = []
    for one in left:
        first, last = frames[one.index]
        at = one.window.anchor.seconds
        name = f"highlight_{timecode(at).replace(':', '-')}"
        names[name] = names.get(name, 0) + 1
        found.append(
            Suggestion(
                name=name if names[name] == 1 else f"{name}_{names[name]}",
                start_frame=first,
                end_frame=last,
                start_seconds=float(ways.frame_times[first]),
                end_seconds=float(ways.frame_times[last + 1]),
                quality=one.quality.shown,
                reason=reason(one.window, first, last, changes),
                anchor_seconds=at,
                origin="v2",
            )
        )
    return found
