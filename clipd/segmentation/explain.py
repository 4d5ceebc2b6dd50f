"""Explain: one sentence on why a moment is in a clip or in none, from the debug document alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clipd.segmentation.debug import (
    AnchorEntry,
    ClipEntry,
    CutEntry,
    DecisionEntry,
    Document,
    HighlightsDocument,
    WindowEntry,
)
from clipd.segmentation.suggestion import timecode

FILTERS = {
    "drop_overlap": "overlaps a better one",
    "drop_boring": "is boring",
    "drop_duplicate": "is a near-duplicate",
    "drop_quality": "is not among the best",
}


def explain(document: Document, seconds: float) -> str:
    """Why the moment `seconds` after the first frame is in a clip, or in none; a sentence for a person."""
    at = timecode(seconds)
    length = document.features_summary.duration_sec
    if not 0 <= seconds < length:
        return f"{at} is not in this video, which is {length:.1f} s long."
    clips = [clip for clip in document.final_clips if clip.start_sec <= seconds < clip.end_sec]
    if clips:
        best = max(clips, key=lambda clip: clip.quality)
        others = [clip.name for clip in clips if clip is not best]
        besides = f", and in {', '.join(others)}" if others else ""
        return f"{at} is in {_clip(best)}: {best.reason}{besides}."
    change = _change_at(document, seconds)
    if isinstance(document, HighlightsDocument):
        why = _left_out(document, seconds)
    elif change is not None:
        why = f"it lies in the {change.kind} that ends at {timecode(change.time_sec)}"
    else:
        why = "no frame of a shot is shown there"
    return f"{at} is in no clip: {why}."


def _left_out(document: HighlightsDocument, seconds: float) -> str:
    covering = [window for window in document.candidate_windows if window.start_sec <= seconds < window.end_sec]
    if covering:
        best = max(covering, key=lambda window: window.quality)
        return _fate(document, best)
    return _without_window(document, seconds)


def _fate(document: HighlightsDocument, window: WindowEntry) -> str:
    """What became of a window, followed to the clip that it lost to."""
    name = (
        f"the window {timecode(window.start_sec)}-{timecode(window.end_sec)} around {timecode(window.anchor_sec)} "
        f"(quality {window.quality:.2f})"
    )
    drop = next((one for one in _decisions(document) if one.clip_index == window.clip_index and _drops(one)), None)
    if drop is None:
        clip = next((clip for clip in document.final_clips if clip.clip_index == window.clip_index), None)
        if clip is None:
            return f"{name} was kept, but has no frame"
        return (
            f"{name} became {_clip(clip)}, which leaves this moment out because it would show the neighbouring shot "
            "at its end"
        )
    rival = "" if drop.related_clip_index is None else _rival(document, drop.related_clip_index)
    return f"{name} {FILTERS.get(drop.action, 'was dropped')}: {drop.reason}{rival}"


def _rival(document: HighlightsDocument, index: int) -> str:
    clip = next((clip for clip in document.final_clips if clip.clip_index == index), None)
    if clip is not None:
        return f", which is {_clip(clip)}"
    drop = next((one for one in _decisions(document) if one.clip_index == index and _drops(one)), None)
    return "" if drop is None else f", which then {FILTERS.get(drop.action, 'was dropped')} itself"


def _without_window(document: HighlightsDocument, seconds: float) -> str:
    """No window reaches the moment: is there an anchor near, or why not?"""
    limits, numbers = document.config["windows"], document.config["anchors"]
    near = [
        anchor
        for anchor in document.anchors
        if anchor.time_sec - limits["start_earliest_seconds"] <= seconds
        and seconds <= anchor.time_sec + limits["end_latest_seconds"]
    ]
    highest, when = _highest(document, seconds, numbers["spacing_seconds"])
    needed = numbers["excitement_above"]
    reached = f"excitement near it reaches {highest:.2f} at {timecode(when)}"
    if near:
        closest = min(near, key=lambda anchor: abs(anchor.time_sec - seconds))
        return f"{reached}, and the window of the nearest anchor, {_anchor(closest)}, does not reach it"
    if highest <= needed:
        return f"no anchor is near, because {reached} only, of more than {needed:g} that an anchor needs"
    if _is_full(document.anchors, document, numbers):
        return f"{reached}, but the {len(document.anchors)} anchors that the video may have are stronger"
    return f"{reached}, but that is no peak of its own: it falls from or rises to a moment outside"


def _highest(document: HighlightsDocument, seconds: float, reach: float) -> tuple[float, float]:
    """The highest excitement within `reach` of a moment, and when it is."""
    values, step = document.features_summary.excitement, document.features_summary.step_sec
    near = [(value, n * step) for n, value in enumerate(values) if abs(n * step - seconds) <= reach]
    return max(near, key=lambda pair: pair[0], default=(0.0, seconds))


def _is_full(anchors: Sequence[AnchorEntry], document: HighlightsDocument, numbers: dict[str, float]) -> bool:
    minutes = document.features_summary.duration_sec / 60.0
    return len(anchors) >= max(int(numbers["at_least"]), int(numbers["per_minute"] * minutes))


def _change_at(document: Document, seconds: float) -> CutEntry | None:
    """The gradual change that a moment lies in."""
    return next(
        (cut for cut in document.shot_cuts if cut.start_sec is not None and cut.start_sec <= seconds < cut.time_sec),
        None,
    )


def _decisions(document: HighlightsDocument) -> Iterator[DecisionEntry]:
    report = document.filter_report
    for decisions in (report.overlap, report.boring, report.duplicate, report.quality):
        yield from decisions


def _drops(decision: DecisionEntry) -> bool:
    return decision.action != "keep"


def _clip(clip: ClipEntry) -> str:
    return f"{clip.name} ({timecode(clip.start_sec)}-{timecode(clip.end_sec)}, quality {clip.quality:.2f})"


def _anchor(anchor: AnchorEntry) -> str:
    return f"{timecode(anchor.time_sec)} ({anchor.reason} {anchor.score:.2f})"
