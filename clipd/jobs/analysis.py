"""Analysis: what a video shows, the clips worth keeping, and the files that tell of both.

The daemon and the command line both come here. The video is decoded once; a second analysis with other numbers reads
what was measured then from the cache. Pictures are taken from the film at single frames, for the clips that are left.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
from av import VideoFrame
from pydantic import ValidationError

from clipd.clock import stamp
from clipd.errors import MediaError, Rejected
from clipd.media import index as frame_index
from clipd.media.decode import still
from clipd.media.door import Limits
from clipd.media.encode import writing
from clipd.media.images import jpeg
from clipd.media.index import FrameIndex
from clipd.media.orientation import Upright
from clipd.media.picture import JPEG, MPEG, is_full_range
from clipd.media.probe import NoVideo, SourceInfo, probe
from clipd.model import slip
from clipd.model.clip import Status
from clipd.model.setting import Section, over, setting
from clipd.segmentation import cache as feature_cache
from clipd.segmentation import debug, page
from clipd.segmentation.features import Features
from clipd.segmentation.segment import Segmentation, segment
from clipd.segmentation.settings import Settings as SegmentationSettings
from clipd.segmentation.suggestion import Suggestion
from clipd.segmentation.survey import Settings as SurveySettings

Checkpoint = Callable[[str, int, int], None]


class AutoProcess(Section):
    """Which suggestions are made at once, without anybody looking at them."""

    min_quality: float = setting(0.5, "Only clips at least this good.", unit="0..1", ge=0, le=1)
    max_clips: int = setting(10, "At most so many, the best.", unit="clips", ge=0)


class Thumbnails(Section):
    """The pictures to choose clips by, one from the middle of each."""

    width: int = setting(320, "Width of the box that a picture is fitted into, and padded to.", unit="px", ge=16)
    height: int = setting(180, "Height of that box.", unit="px", ge=16)
    quality: int = setting(2, "JPEG quality as in FFmpeg: 2 is best, 31 is smallest.", ge=2, le=31)


class Settings(SegmentationSettings):
    """How a video becomes suggested clips."""

    survey: SurveySettings = setting(SurveySettings(), "How a video is measured, in one pass over it.")
    thumbnails: Thumbnails = setting(Thumbnails(), "The pictures of the suggestions.")
    report: page.Settings = setting(page.Settings(), "What the report page holds.")
    auto_process: AutoProcess | None = setting(
        None, "Which suggestions are processed at once, such as {min_quality: 0.5, max_clips: 10}; null: none."
    )
    source_tree: bool = setting(
        False,
        "Also analyse videos that lie in the source tree and have no sidecar? Those of the inbox always are. Taken at "
        "start.",
    )


def overlaid(settings: Settings, overrides: Mapping[str, Any], where: str) -> Settings:
    """`settings` with what was said about a video or its folder laid over them.

    Raises:
        Rejected: `overrides`, which stand in the file(s) `where`, name no setting or a wrong value.
    """
    try:
        return Settings.model_validate(over(settings.model_dump(exclude_unset=True), overrides))
    except ValidationError as error:
        problem = error.errors()[0]
        path = [str(part) for part in problem["loc"]]
        if problem["type"] == "extra_forbidden":
            known = _names(path[:-1])
            raise Rejected(f"{where}: there is no setting {'.'.join(path)!r}; {slip.meant(path[-1], known)}") from None
        words = str(problem["msg"]).removeprefix("Value error, ")
        raise Rejected(f"{where}: {'.'.join(path)} = {problem['input']!r}: {words[:1].lower()}{words[1:]}") from None


def _names(path: Sequence[str]) -> list[str]:
    model: Any = Settings
    for part in path:
        model = model.model_fields[part].annotation
    return sorted(getattr(model, "model_fields", {}))


@dataclass(frozen=True)
class Analysis:
    """What a video gave."""

    path: Path
    features: Features
    found: Segmentation
    settings: Settings
    film: Film | None
    """Where its pictures are taken from; None for a file without a picture."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was met, in words for a person."""
        return self.features.warnings


@dataclass(frozen=True)
class Film:
    """Single frames of a video."""

    path: Path
    info: SourceInfo
    index: FrameIndex
    limits: Limits
    threads: int

    def frame(self, number: int) -> VideoFrame | None:
        """The frame of that number, upright; None where it cannot be decoded."""
        last = min(number, self.index.count - 1)
        try:
            return still(self.path, self.info, self.index, last, self.limits, threads=self.threads)
        except MediaError:
            return None

    def warnings(self, features: Features) -> Iterator[str]:
        """Where the frames counted here differ from those that were measured."""
        if self.index.count != features.frame_count:
            yield (
                f"decoding showed {features.frame_count} frames, the file's index tells of {self.index.count}: "
                "frame numbers after a damaged place may be off"
            )


@dataclass(frozen=True)
class Written:
    """A file of an analysis: its name, with `/`, below the folder that was asked for."""

    name: str
    format: str
    path: Path


def analyse(
    path: Path, settings: Settings, limits: Limits, cache: Path | None, threads: int, checkpoint: Checkpoint
) -> Analysis:
    """Measure the video at `path`, or recall what was measured, and find the clips worth keeping.

    Raises:
        MediaError, Rejected: as `survey` does.
    """
    features = measure(path, settings, limits, cache, threads, checkpoint)
    try:
        info = probe(path, limits)
        film = Film(path, info, frame_index.load(path, info, limits, cache), limits, threads)
        features = replace(features, warnings=(*features.warnings, *film.warnings(features)))
    except NoVideo:
        film = None
    found = segment(features, settings)
    return Analysis(path, features, found, settings, film)


def measure(
    path: Path, settings: Settings, limits: Limits, cache: Path | None, threads: int, checkpoint: Checkpoint
) -> Features:
    """What one pass over the video measures, with every detector whose cuts are to count; from the cache if it can be.

    Raises:
        MediaError, Rejected: as `survey` does.
    """
    scenes = settings.survey.scenes
    wanted = tuple(dict.fromkeys((*scenes.detectors, *settings.detectors)))
    measures = settings.survey.model_copy(update={"scenes": scenes.model_copy(update={"detectors": wanted})})
    return feature_cache.features_of(path, measures, limits, cache, checkpoint, threads=threads)


def entries(analysis: Analysis, source_path: str, now: datetime) -> list[dict[str, Any]]:
    """The suggestions as clips of a sidecar; `source_path` counts below the source tree."""
    chosen = analysis.settings.auto_process
    best: set[str] = set()
    if chosen is not None:
        good = [clip for clip in analysis.found.suggestions if clip.quality >= chosen.min_quality]
        best = {clip.name for clip in sorted(good, key=lambda clip: -clip.quality)[: chosen.max_clips]}
    return [_entry(clip, source_path, clip.name in best, now) for clip in analysis.found.suggestions]


def _entry(clip: Suggestion, source_path: str, process: bool, now: datetime) -> dict[str, Any]:
    identity = f"{source_path}/{clip.origin}/{clip.start_frame}-{clip.end_frame}"
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, identity)),
        "name": clip.name,
        "source_path": source_path,
        "start_frame": clip.start_frame,
        "end_frame": clip.end_frame,
        "crop_keyframes": {},
        "status": str(Status.PROCESS if process else Status.DRAFT),
        "export_path": None,
        "quality": round(clip.quality, 3),
        "reason": clip.reason,
        "origin": clip.origin,
        "created_at": stamp(now),
        "modified_at": stamp(now),
    }


def write(
    analysis: Analysis,
    video: str,
    clips: Sequence[dict[str, Any]],
    place: Callable[[str], Path],
    checkpoint: Checkpoint,
) -> tuple[Written, ...]:
    """Write the clips, the features, the debug document, the thumbnails and the report page.

    Args:
        analysis: what was found.
        video: the name of the video, for people.
        clips: the suggestions as `entries` made them.
        place: where a file of a name such as `features/features_v2.json` goes; its folder must be there.
        checkpoint: told of every picture that is taken.
    """
    mode = analysis.settings.mode
    pictures = _thumbnails(analysis, checkpoint)
    report = page.render(
        video, analysis.features, analysis.found.document, pictures, _strip(analysis, checkpoint),
        analysis.settings.report,
    )  # fmt: skip
    texts = {
        "report.html": report,
        f"{mode}_clips.json": json.dumps({"video": video, "mode": mode, "clips": list(clips)}, indent=2) + "\n",
        f"features/features_{mode}.json": json.dumps(analysis.features.plain(), allow_nan=False) + "\n",
        f"debug/segmentation_{mode}_debug.json": debug.as_json(analysis.found.document),
    }
    written = [_write(name, name.rpartition(".")[2], text.encode(), place) for name, text in texts.items()]
    best = max(analysis.found.document.final_clips, key=lambda clip: clip.quality, default=None)
    if best is not None and best.clip_index in pictures:
        written.append(_write("report.jpg", "jpg", pictures[best.clip_index], place))
    for clip in analysis.found.document.final_clips:
        if clip.clip_index in pictures:
            written.append(_write(f"thumbnails/{clip.name}.jpg", "jpg", pictures[clip.clip_index], place))
    return tuple(written)


def _thumbnails(analysis: Analysis, checkpoint: Checkpoint) -> dict[int, bytes]:
    """A picture from the middle of each suggestion, by its `clip_index`."""
    chosen, clips, pictures = analysis.settings.thumbnails, analysis.found.document.final_clips, {}
    for number, clip in enumerate(clips):
        checkpoint("taking pictures of the clips", number, len(clips))
        frame = None if analysis.film is None else analysis.film.frame((clip.start_frame + clip.end_frame) // 2)
        if frame is not None:
            pictures[clip.clip_index] = _jpeg(
                frame, analysis, (chosen.width, chosen.height), chosen.quality, padded=True
            )  # fmt: skip
    return pictures


def _strip(analysis: Analysis, checkpoint: Checkpoint) -> list[tuple[float, bytes]]:
    """Pictures along the timeline: (seconds, JPEG)."""
    features = analysis.features
    if analysis.film is None or not len(features.strip):
        return []
    video = analysis.film.info.video
    upright, strip = Upright(video.orientation, video.time_base), []
    for number, picture in enumerate(features.strip):
        checkpoint("drawing the strip of pictures", number, len(features.strip))
        frame = VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="yuv420p")
        frame.pts = number
        frame.color_range = JPEG if is_full_range(video.pix_fmt, video.color.range) else MPEG
        data = _jpeg(upright(frame), analysis, (160, 90), 5)
        strip.append((float(features.strip_times[number]), data))
    return strip


def _jpeg(frame: VideoFrame, analysis: Analysis, box: tuple[int, int], quality: int, *, padded: bool = False) -> bytes:
    sar = analysis.film.info.video.sar if analysis.film is not None else Fraction(1)
    return jpeg(frame, box, quality=quality, sar=sar, padded=padded)[0]


def _write(name: str, format: str, data: bytes, place: Callable[[str], Path]) -> Written:
    path = place(name)
    with writing(path):
        path.write_bytes(data)
    return Written(name, format, path)


def facts(analysis: Analysis) -> dict[str, Any]:
    """The analysis' part of the truth sheet."""
    return {
        "mode": analysis.settings.mode,
        "profile": analysis.settings.profile,
        "duration_seconds": round(analysis.features.duration_seconds, 6),
        "frames": analysis.features.frame_count,
        "has_audio": analysis.features.loudness is not None,
        "clips": [asdict(clip) for clip in analysis.found.suggestions],
    }
