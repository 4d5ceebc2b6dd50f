"""What a clip job has to say for itself: the job's part of the truth sheet, as frozen values.

Seconds are exact fractions here and become decimal numbers in `plain`, the only place where a sheet's shape is decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, is_dataclass
from fractions import Fraction
from typing import Any

from clipd.media.probe import SourceInfo


@dataclass(frozen=True)
class SpanFacts:
    """A span of the source; `last_frame` is included, `end_seconds` is not. Seconds count from the first frame."""

    first_frame: int | None
    last_frame: int | None
    frames: int | None
    start_seconds: Fraction | None
    end_seconds: Fraction | None


@dataclass(frozen=True)
class AudioFacts:
    """One audio track of the source."""

    track: int
    codec: str
    rate: int
    channels: int
    layout: str
    language: str | None


@dataclass(frozen=True)
class SourceFacts:
    """The source, as it was read. Sizes are of the upright picture, in pixels."""

    container: str
    codec: str
    profile: str | None
    width: int
    height: int
    pixel_format: str
    bits: int
    rate: Fraction | None
    time_base: str
    pixel_aspect: str
    orientation: str
    frames: int
    frame_index: str
    video_tracks: int
    audio: tuple[AudioFacts, ...]
    other_tracks: tuple[str, ...]


@dataclass(frozen=True)
class AppliedCrop:
    """The rectangle `[x, y, width, height]` cut from one source frame."""

    frame: int
    rect: tuple[int, int, int, int]


@dataclass(frozen=True)
class CropFacts:
    """The crop of one output. An animated one is shown at its first frame, its keyframes and its last frame."""

    variation: str
    interpolation: str | None
    requested: tuple[AppliedCrop, ...]
    applied: tuple[AppliedCrop, ...]
    clamped_frames: int
    is_scaled: bool


@dataclass(frozen=True)
class OutputFacts:
    """One video file: how it was made and what was proven of it."""

    format: str
    method: str
    codec_settings: Mapping[str, str]
    codec: str
    width: int
    height: int
    pixel_format: str
    frames: int
    seconds: Fraction
    time_base: str
    sync_frames: int
    audio: tuple[str, ...]
    audio_offset_seconds: tuple[Fraction, ...]
    crop: CropFacts
    proof: str


@dataclass(frozen=True)
class Truth:
    """All of it; `outputs` by file name."""

    requested: SpanFacts
    delivered: SpanFacts
    source: SourceFacts
    outputs: Mapping[str, OutputFacts]
    warnings: tuple[str, ...]
    tools: Mapping[str, str]

    def plain(self) -> dict[str, Any]:
        """Plain values for JSON: fractions as numbers of seconds to the microsecond, tuples as lists."""
        return {field.name: plain_value(getattr(self, field.name)) for field in fields(self)}


def source_facts(info: SourceInfo, frames: int, index_method: str) -> SourceFacts:
    """The facts of a source with `frames` frames, as counted by `index_method`."""
    video = info.video
    return SourceFacts(
        container=info.container,
        codec=video.codec,
        profile=video.profile,
        width=video.width,
        height=video.height,
        pixel_format=video.pix_fmt,
        bits=video.bits,
        rate=video.rate,
        time_base=str(video.time_base),
        pixel_aspect=str(video.sar),
        orientation=video.orientation.name.lower(),
        frames=frames,
        frame_index=index_method,
        video_tracks=info.video_tracks,
        audio=tuple(AudioFacts(t.index, t.codec, t.rate, t.channels, t.layout, t.language) for t in info.audio),
        other_tracks=info.other_tracks,
    )


def plain_value(value: object) -> object:
    """`value`, whatever facts it holds, as plain values for JSON."""
    if isinstance(value, AppliedCrop):
        return {"frame": value.frame, "rect": list(value.rect)}
    if is_dataclass(value):
        return {field.name: plain_value(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Fraction):
        return int(value) if value.denominator == 1 else round(float(value), 6)
    if isinstance(value, Mapping):
        return {str(key): plain_value(part) for key, part in value.items()}
    if isinstance(value, tuple | list):
        return [plain_value(part) for part in value]
    return value
