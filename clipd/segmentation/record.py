"""Record: what the steps found, written down as the debug document."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipd.segmentation.cut import Cut, Stretch
from clipd.segmentation.debug import (
    AnchorEntry,
    BoundaryEntry,
    ClipEntry,
    CutEntry,
    DecisionEntry,
    FeaturesSummary,
    FilterReport,
    HighlightsDocument,
    ScenesDocument,
    SceneSpanEntry,
    SpanEntry,
    WindowEntry,
)
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.excitement import Curve, has_sound
from clipd.segmentation.highlights.filters import Decision
from clipd.segmentation.highlights.pipeline import Highlights
from clipd.segmentation.scenes import DEFAULT
from clipd.segmentation.settings import Settings
from clipd.segmentation.shots import Shots
from clipd.segmentation.suggestion import Suggestion


def of_highlights(features: Features, cuts: Sequence[Cut], settings: Settings, found: Highlights) -> HighlightsDocument:
    """The document of the highlight mode; `settings` are those that were applied."""
    top = sorted(found.boundaries, key=lambda place: -place.score)[: settings.debug.top_boundaries]
    report = found.report
    clips = [_clip(candidate.index, suggestion) for candidate, suggestion in found.clips]
    return HighlightsDocument(
        config=settings.model_dump(mode="json"),
        features_summary=_summary(features, found.curve),
        scene_cuts=_cuts(features, cuts),
        shot_cuts=_cuts(features, shot_cuts(features)),
        anchors=tuple(
            AnchorEntry(anchor.seconds, anchor.score, anchor.loudness_z, anchor.motion_z, anchor.kind)
            for anchor in found.anchors
        ),
        top_boundaries=tuple(
            BoundaryEntry(
                place.seconds,
                place.score,
                place.scene,
                place.audio_dip,
                place.fade,
                place.motion_valley,
                place.penalty,
            )
            for place in top
        ),
        candidate_windows=tuple(
            WindowEntry(
                clip_index=one.index,
                start_sec=one.window.start_seconds,
                end_sec=one.window.end_seconds,
                anchor_sec=one.window.anchor.seconds,
                quality=one.quality.total,
                mean_excitement=one.quality.mean_excitement,
                boundary_quality=one.quality.boundaries,
                narrative=one.quality.narrative,
                dead_time=one.quality.dead_share,
            )
            for one in found.candidates
        ),
        filter_report=FilterReport(
            _decisions(report.overlap),
            _decisions(report.boring),
            _decisions(report.duplicate),
            _decisions(report.quality),
        ),
        final_clips=tuple(clips),
        statistics={
            "cuts": len(cuts),
            "anchors": len(found.anchors),
            "boundaries": len(found.boundaries),
            "candidate_windows": len(found.candidates),
            "dropped_overlap": _dropped(report.overlap),
            "dropped_boring": _dropped(report.boring),
            "dropped_duplicate": _dropped(report.duplicate),
            "dropped_quality": _dropped(report.quality),
            **_totals(clips, features),
        },
    )


def of_scenes(
    features: Features,
    cuts: Sequence[Cut],
    settings: Settings,
    curve: Curve,
    spans: Sequence[Shots],
    suggestions: Sequence[Suggestion],
) -> ScenesDocument:
    """The document of the scene mode; `suggestions` are those of `spans`, one each."""
    clips = [_clip(index, suggestion) for index, suggestion in enumerate(suggestions)]
    return ScenesDocument(
        config=settings.model_dump(mode="json"),
        features_summary=_summary(features, curve),
        scene_cuts=_cuts(features, cuts),
        shot_cuts=_cuts(features, shot_cuts(features)),
        spans=tuple(
            SceneSpanEntry(index, span.start_frame, span.end_frame, span.count, span.part, span.parts)
            for index, span in enumerate(spans)
        ),
        final_clips=tuple(clips),
        statistics={"cuts": len(cuts), "spans": len(spans), **_totals(clips, features)},
    )


def _summary(features: Features, curve: Curve) -> FeaturesSummary:
    return FeaturesSummary(
        duration_sec=features.duration_seconds,
        frame_count=features.frame_count,
        has_audio=features.loudness is not None,
        has_sound=has_sound(features),
        mean_loudness_db=None if features.loudness is None else _mean(features.loudness),
        mean_motion=_mean(features.motion),
        black=_spans(features.black),
        freezes=_spans(features.freezes),
        warnings=features.warnings,
        step_sec=features.step_seconds,
        excitement=tuple(float(value) for value in curve.values),
    )


def _mean(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
    return float(values.mean()) if len(values) else 0.0


def _spans(stretches: Sequence[Stretch]) -> tuple[SpanEntry, ...]:
    return tuple(SpanEntry(stretch.start_seconds, stretch.end_seconds) for stretch in stretches)


def shot_cuts(features: Features) -> tuple[Cut, ...]:
    """The changes of shot as people see them: the default detector's, or all where it did not run."""
    found = tuple(cut for cut in features.cuts if cut.detector == DEFAULT)
    return found or features.cuts


def _cuts(features: Features, cuts: Sequence[Cut]) -> tuple[CutEntry, ...]:
    return tuple(
        CutEntry(
            time_sec=cut.seconds,
            frame=cut.frame,
            start_frame=cut.start_frame,
            start_sec=None if cut.start_frame is None else float(features.frame_times[cut.start_frame]),
            score=cut.score,
            kind=cut.kind,
            detector=cut.detector,
        )
        for cut in cuts
    )


def _decisions(decisions: Sequence[Decision]) -> tuple[DecisionEntry, ...]:
    return tuple(DecisionEntry(one.clip_index, one.action, one.reason, one.related_clip_index) for one in decisions)


def _dropped(decisions: Sequence[Decision]) -> int:
    return sum(decision.action != "keep" for decision in decisions)


def _clip(index: int, suggestion: Suggestion) -> ClipEntry:
    return ClipEntry(
        clip_index=index,
        name=suggestion.name,
        start_frame=suggestion.start_frame,
        end_frame=suggestion.end_frame,
        start_sec=suggestion.start_seconds,
        end_sec=suggestion.end_seconds,
        anchor_sec=suggestion.anchor_seconds,
        quality=suggestion.quality,
        reason=suggestion.reason,
    )


def _totals(clips: Sequence[ClipEntry], features: Features) -> dict[str, int | float]:
    seconds = sum(clip.end_sec - clip.start_sec for clip in clips)
    return {
        "final_clips": len(clips),
        "clip_seconds": seconds,
        "share_of_video": seconds / features.duration_seconds if features.duration_seconds > 0 else 0.0,
    }
