"""Clips: the part of a video that a row names, cut, cropped and proven as clips of sidecars are."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Literal

from clipd.files import atomic
from clipd.jobs import clip as clips
from clipd.jobs.context import Context
from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.media import index as frame_index
from clipd.media.probe import probe
from clipd.model.artifact import Artifact
from clipd.model.clip import Clip
from clipd.model.resolution import parse_resolution
from clipd.model.setting import Section, setting
from clipd.model.timespan import FrameSpan


class Settings(Section):
    """What each row becomes. Only what is safe to take from a table's own settings can be chosen here."""

    formats: tuple[Literal["h264", "ffv1"], ...] = setting(
        ("h264",), "The files made of each row; one decode feeds them all.", min_length=1
    )
    crf: float | None = setting(None, "Quality of H.264: 0 is lossless, 51 is worst; null: as for clips.", ge=0, le=51)
    audio: Literal["all", "first", "none"] | None = setting(None, "Which audio tracks; null: as for clips.")
    thumbnail: bool = setting(False, "Make a JPEG of the middle beside each video.")
    output_resolution: str | None = setting(None, "A box that H.264 is fitted into, such as 720p.")
    upscale: bool = setting(False, "May the picture be enlarged?")


def run(around: Surroundings, settings: Settings) -> dict[str, Any]:
    """The files, and the truth sheet that lies beside them.

    Sizes and hashes are not told: x264 gives the same pictures in other bytes now and then, and results are to be the
    same whenever they are made.
    """
    row, means = around.row, around.means
    chosen = _clip_settings(means.clips, settings)
    clip = Clip(
        key=row.key,
        name=row.id or f"row_{row.line}",
        source_path=row.video,
        span=_span(around),
        crop=row.crop,
        output_resolution=parse_resolution(settings.output_resolution),
        upscale=settings.upscale,
    )
    stem = PurePosixPath(row.video).stem
    renditions = tuple(
        replace(rendition, folder=rendition.format)
        for rendition in clips.plan(clip, chosen, camera="", session="", video_stem=stem)
    )
    context = Context(around.folder, row.path, row.video, means.cache, means.threads, means.limits, around.checkpoint)
    made = clips.run(clip, renditions, chosen, context)
    outputs = [_placed(around, artifact) for artifact in made.artifacts]
    truth = made.truth.plain()
    text = json.dumps({"source_path": row.video, **truth}, ensure_ascii=False, indent=2) + "\n"
    with atomic.translated("writing the truth sheet"):
        (around.folder / "truth.json").write_text(text, encoding="utf-8")
    return {
        "first_frame": made.span.first,
        "last_frame": made.span.last,
        "frames": made.span.count,
        "outputs": outputs,
        "truth": f"{around.below}/truth.json",
        "warnings": truth["warnings"],
    }


def _clip_settings(base: clips.Settings, settings: Settings) -> clips.Settings:
    """The settings of clips, with those of the dataset over them."""
    changes = {"crf": settings.crf, "audio": settings.audio}
    h264 = base.h264.model_copy(update={key: value for key, value in changes.items() if value is not None})
    ffv1 = base.ffv1.model_copy(update={} if settings.audio is None else {"audio": settings.audio})
    thumbnail = base.thumbnail.model_copy(update={"enabled": settings.thumbnail})
    return base.model_copy(update={"formats": settings.formats, "h264": h264, "ffv1": ffv1, "thumbnail": thumbnail})


def _span(around: Surroundings) -> FrameSpan:
    row, means = around.row, around.means
    info = probe(row.path, means.limits)
    return row.span.within(frame_index.load(row.path, info, means.limits, means.cache))


def _placed(around: Surroundings, artifact: Artifact) -> dict[str, Any]:
    """The file under its own name, in a folder for its format: names are alike in all formats."""
    folder = around.folder / artifact.format
    with atomic.translated(f"making {artifact.format}"):
        folder.mkdir(exist_ok=True)
    atomic.rename(around.folder / artifact.staged_name, folder / artifact.name)
    return {
        "path": f"{around.below}/{artifact.format}/{artifact.name}",
        "role": artifact.role,
        "format": artifact.format,
    }


FUNCTION = RowFunction("export", Settings, run, uses_clip_settings=True)
