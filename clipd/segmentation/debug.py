"""The debug document: every number and decision that led to the clips, for people who tune and for `explain`.

Its keys are a contract (`segmentation_v2_debug.json`, `segmentation_v1_debug.json`): they may grow, but none is
renamed. Times are seconds from the first frame shown, frames count from 0 in presentation order.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clipd.errors import Rejected
from clipd.model.setting import Section, setting


class Settings(Section):
    """How much the debug file holds."""

    top_boundaries: int = setting(500, "How many boundaries are listed, the best.", unit="boundaries", ge=0)


@dataclass(frozen=True)
class SpanEntry:
    """A run of black or of standing picture."""

    start_sec: float
    end_sec: float


@dataclass(frozen=True)
class FeaturesSummary:
    """What was measured, in short, and the curve that all was decided on."""

    duration_sec: float
    frame_count: int
    has_audio: bool
    has_sound: bool
    """Does the audio ever rise above the floor? Where not, motion alone was weighed."""
    mean_loudness_db: float | None
    mean_motion: float
    black: tuple[SpanEntry, ...]
    freezes: tuple[SpanEntry, ...]
    warnings: tuple[str, ...]
    step_sec: float
    excitement: tuple[float, ...]
    """On the grid: the n-th value is at `n * step_sec`."""


@dataclass(frozen=True)
class CutEntry:
    """A change of shot."""

    time_sec: float
    frame: int
    start_frame: int | None
    start_sec: float | None
    """When a gradual change begins."""
    score: float
    kind: str
    detector: str


@dataclass(frozen=True)
class AnchorEntry:
    """A moment of excitement; `reason` is the curve that it is a peak of."""

    time_sec: float
    score: float
    audio_z: float
    motion_z: float
    reason: str


@dataclass(frozen=True)
class BoundaryEntry:
    """A place to begin or end, with its four strengths (0..1) and what a stronger neighbour cost it."""

    time_sec: float
    score: float
    scene: float
    audio_dip: float
    fade: float
    motion_valley: float
    penalty: float


@dataclass(frozen=True)
class WindowEntry:
    """A window before the filters, and what its quality is made of."""

    clip_index: int
    start_sec: float
    end_sec: float
    anchor_sec: float
    quality: float
    mean_excitement: float
    boundary_quality: float
    narrative: float
    dead_time: float


@dataclass(frozen=True)
class DecisionEntry:
    """What a filter did with a window."""

    clip_index: int
    action: str
    reason: str
    related_clip_index: int | None


@dataclass(frozen=True)
class FilterReport:
    """The decisions of the four filters, in the order in which they ran."""

    overlap: tuple[DecisionEntry, ...]
    boring: tuple[DecisionEntry, ...]
    duplicate: tuple[DecisionEntry, ...]
    quality: tuple[DecisionEntry, ...]


@dataclass(frozen=True)
class ClipEntry:
    """A suggested clip; `clip_index` is its window's, or in scene mode its number."""

    clip_index: int
    name: str
    start_frame: int
    end_frame: int
    start_sec: float
    end_sec: float
    anchor_sec: float | None
    quality: float
    reason: str


@dataclass(frozen=True)
class SceneSpanEntry:
    """A span of scene mode: how many shots it holds, or which part of one it is."""

    clip_index: int
    start_frame: int
    end_frame: int
    shots: int
    part: int
    parts: int


@dataclass(frozen=True)
class HighlightsDocument:
    """How the highlight mode (v2) came to its clips."""

    config: dict[str, Any]
    features_summary: FeaturesSummary
    scene_cuts: tuple[CutEntry, ...]
    """Those that the numbers count."""
    shot_cuts: tuple[CutEntry, ...]
    """Where shots change, by the detector that tells best."""
    anchors: tuple[AnchorEntry, ...]
    top_boundaries: tuple[BoundaryEntry, ...]
    candidate_windows: tuple[WindowEntry, ...]
    filter_report: FilterReport
    final_clips: tuple[ClipEntry, ...]
    statistics: dict[str, int | float]


@dataclass(frozen=True)
class ScenesDocument:
    """How the scene mode (v1) came to its clips."""

    config: dict[str, Any]
    features_summary: FeaturesSummary
    scene_cuts: tuple[CutEntry, ...]
    """Those that the numbers count."""
    shot_cuts: tuple[CutEntry, ...]
    """Where shots change, by the detector that tells best."""
    spans: tuple[SceneSpanEntry, ...]
    final_clips: tuple[ClipEntry, ...]
    statistics: dict[str, int | float]


Document = HighlightsDocument | ScenesDocument


def as_json(document: Document) -> str:
    """The document as it is written, with fractions to a hundred-thousandth."""
    return json.dumps(_rounded(asdict(document)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def read(text: str) -> Document:
    """The document that `as_json` wrote.

    Raises:
        Rejected: it is none.
    """
    try:
        return TypeAdapter[Document](Document).validate_json(text)
    except ValidationError as error:
        problem = error.errors()[0]
        where = ".".join(str(part) for part in problem["loc"])
        raise Rejected(f"this is no debug file of a segmentation: {where}: {problem['msg']}") from error


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 5)
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
