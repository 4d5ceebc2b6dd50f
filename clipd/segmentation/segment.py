"""From features to suggestions: the one door to both modes. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clipd.segmentation import record
from clipd.segmentation.cut import Cut
from clipd.segmentation.debug import Document
from clipd.segmentation.edges import edges
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.excitement import Curve, excitement
from clipd.segmentation.highlights.pipeline import Highlights, PicturesOf, Report, highlights
from clipd.segmentation.settings import Settings, applied
from clipd.segmentation.shots import Shots, spans, trimmed
from clipd.segmentation.suggestion import Suggestion, timecode


@dataclass(frozen=True)
class Segmentation:
    """What a video gives."""

    suggestions: tuple[Suggestion, ...]
    """In order of time."""
    document: Document
    """How it came to them."""
    curve: Curve
    """The excitement that was decided on, for pictures of it."""
    highlights: Highlights | None
    """All that the highlight mode found; None in scene mode."""


def segment(features: Features, settings: Settings, pictures_of: PicturesOf | None = None) -> Segmentation:
    """The clips that `features` suggest, by the mode and numbers of `settings`; none where the video has no frames.

    Args:
        features: what was measured.
        settings: as the person set them; their profile is applied here.
        pictures_of: gives pictures for the removal of near-duplicates in highlight mode, in place of the tiny ones that
            the features hold; see `PicturesOf`.
    """
    settings = applied(settings)
    cuts = tuple(
        sorted(
            (cut for cut in features.cuts if not settings.detectors or cut.detector in settings.detectors),
            key=lambda cut: cut.frame,
        )
    )
    if settings.mode == "v1":
        return _scenes(features, cuts, settings)
    found = (
        highlights(features, cuts, settings, pictures_of)
        if features.frame_count
        else _nothing(excitement(features, settings.excitement, settings.weights))
    )
    document = record.of_highlights(features, cuts, settings, found)
    return Segmentation(tuple(suggestion for _, suggestion in found.clips), document, found.curve, found)


def _nothing(curve: Curve) -> Highlights:
    return Highlights(curve, (), (), (), Report((), (), (), ()), ())


def _scenes(features: Features, cuts: Sequence[Cut], settings: Settings) -> Segmentation:
    curve = excitement(features, settings.excitement, settings.weights)
    found = spans(features, cuts, settings.shots)
    if found:
        found = trimmed(found, edges(features, cuts, settings.edges), settings.shots.min_seconds)
    suggestions = tuple(_suggestions(features, found, curve))
    document = record.of_scenes(features, cuts, settings, curve, found, suggestions)
    return Segmentation(suggestions, document, curve, None)


def _suggestions(features: Features, found: Sequence[Shots], curve: Curve) -> list[Suggestion]:
    """The spans of scene mode as suggestions; their quality is their mean excitement, kept to 0..1."""
    times = np.append(features.frame_times, features.duration_seconds)
    names: dict[str, int] = {}
    suggestions = []
    for span in found:
        start, end = float(times[span.start_frame]), float(times[span.end_frame + 1])
        name = f"scene_{timecode(start).replace(':', '-')}"
        names[name] = names.get(name, 0) + 1
        suggestions.append(
            Suggestion(
                name=name if names[name] == 1 else f"{name}_{names[name]}",
                start_frame=span.start_frame,
                end_frame=span.end_frame,
                start_seconds=start,
                end_seconds=end,
                quality=min(1.0, curve.mean(start, end)),
                reason=_reason(span, start, end, features.frame_count),
                anchor_seconds=None,
                origin="v1",
            )
        )
    return suggestions


def _reason(span: Shots, start: float, end: float, frame_count: int) -> str:
    length = f"{end - start:.1f} s from {timecode(start)}"
    if span.parts > 1:
        return f"part {span.part} of {span.parts} of a long shot, {length}"
    if span.end_frame + 1 - span.start_frame == frame_count:
        return f"the whole video, {length}"
    if span.count > 1:
        return f"{span.count} short shots together, {length}"
    return f"one shot from cut to cut, {length}"
