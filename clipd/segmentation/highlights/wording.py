"""Wording: why a clip is suggested, in a sentence that a videographer understands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clipd.segmentation.cut import Cut
from clipd.segmentation.highlights.anchors import Anchor
from clipd.segmentation.highlights.boundaries import Boundary
from clipd.segmentation.highlights.windows import Window
from clipd.segmentation.suggestion import timecode

VERY_Z, MUCH_Z, SOME_Z = 2.5, 1.0, 0.3
"""From which z-score on loudness and motion are called very high, high, and worth a word at all."""

CHANGES = {"cut": "a cut", "fade-in": "a fade", "fade-out": "a fade", "dissolve": "a dissolve"}


@dataclass(frozen=True)
class Changes:
    """What the changes of shot are called, by the frame that a shot opens with, and by the one after its last."""

    opening: Mapping[int, str]
    closing: Mapping[int, str]
    frame_count: int


def changes_by_frame(cuts: Sequence[Cut], frame_count: int) -> Changes:
    """The changes of a video of so many frames."""
    opening = {cut.frame: CHANGES.get(cut.kind, "a cut") for cut in cuts}
    closing = {
        cut.frame if cut.start_frame is None else cut.start_frame: CHANGES.get(cut.kind, "a cut") for cut in cuts
    }
    return Changes(opening, closing, frame_count)


def reason(window: Window, start_frame: int, end_frame: int, changes: Changes) -> str:
    """What happens at the window's anchor, and where the clip of these frames (inclusive) begins and ends."""
    opening, closing = changes.opening, changes.closing
    at = window.anchor.seconds
    begin = "the start of the video" if start_frame == 0 else opening.get(start_frame) or _place(window.start_boundary)
    end = (
        "the end of the video"
        if end_frame == changes.frame_count - 1
        else closing.get(end_frame + 1) or _place(window.end_boundary)
    )
    begin = begin or f"{at - window.start_seconds:.0f} s before"
    end = end or f"{window.end_seconds - at:.0f} s after"
    return f"{_what(window.anchor)} at {timecode(at)}, from {begin} to {end}"


def _what(anchor: Anchor) -> str:
    words = [
        word
        for word in (
            _much(anchor.loudness_z, "very loud sound", "loud sound", "sound"),
            _much(anchor.motion_z, "very fast motion", "fast motion", "motion"),
        )
        if word
    ]
    return " and ".join(words) or "a lively moment"


def _much(z: float, very: str, much: str, some: str) -> str | None:
    return very if z >= VERY_Z else much if z >= MUCH_Z else some if z >= SOME_Z else None


def _place(boundary: Boundary | None) -> str | None:
    """What the boundary is besides a cut: a cut is known by its frame."""
    if boundary is None:
        return None
    strengths = {
        "a quiet moment": boundary.audio_dip,
        "black": boundary.fade,
        "a still moment": boundary.motion_valley,
    }
    place, strength = max(strengths.items(), key=lambda pair: pair[1])
    return place if strength > 0 else "a cut"
