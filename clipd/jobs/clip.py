"""Clips: a span of a video, cut out, cropped, and made into one proven file for each format and crop variation.

One decode feeds every output. Sound is read beside it, just ahead of the picture, so that the memory a job needs does
not grow with the length of the clip. Nothing is reported that was not read back from the finished files.

Raises the errors of `clipd.errors`: `Rejected` for a span or crop that this video cannot give, `MediaError` for what
cannot be decoded, encoded or proven, `Deferred` and `Temporary` for disks and shares; and whatever `checkpoint` raises.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Literal

from clipd.formats import FORMATS
from clipd.formats.ffv1 import Settings as Ffv1Settings
from clipd.formats.format import FormatSettings, Proof
from clipd.formats.h264 import Settings as H264Settings
from clipd.jobs.context import Context
from clipd.jobs.footage import Decoded, Footage, open_footage, reopen_footage
from clipd.jobs.geometry import Geometry, lay_out
from clipd.jobs.hashing import hashed
from clipd.jobs.processor import Processor, process
from clipd.jobs.render import Render, Wanted
from clipd.jobs.rendition import Rendition, Variations, name_rendition, names_camera, variations_for
from clipd.jobs.truth import OutputFacts, SpanFacts, Truth, source_facts
from clipd.media.ahead import ahead
from clipd.media.audio import LAYOUTS, Sound
from clipd.media.decode import IndexWrong
from clipd.media.door import Limits
from clipd.media.encode import EncodedSound
from clipd.media.images import write_jpeg
from clipd.media.versions import library_versions
from clipd.model.artifact import Artifact
from clipd.model.clip import Clip
from clipd.model.crop import CropPlan
from clipd.model.setting import Section, setting
from clipd.model.timespan import FrameSpan, TimeSpan

WAITING_PICTURES = 4
"""How many decoded pictures may wait for the encoders."""
SOUND_STEP_SECONDS = Fraction(1, 4)
"""How much sound is encoded at a time."""


class Thumbnail(Section):
    """A small picture of the middle of each clip, beside it."""

    enabled: bool = setting(True, "Make a JPEG beside each video.")
    width: int = setting(320, "The box that it is fitted into: width.", unit="pixels", ge=16, le=8192)
    height: int = setting(180, "The box that it is fitted into: height.", unit="pixels", ge=16, le=8192)
    quality: int = setting(3, "2 is best, 31 is worst.", ge=2, le=31)


class Settings(Section):
    """What clips become."""

    formats: tuple[Literal["h264", "ffv1"], ...] = setting(
        ("h264",), "The files made of each clip; one decode feeds them all.", min_length=1
    )
    h264: H264Settings = setting(H264Settings(), "How H.264 files are made.")
    ffv1: Ffv1Settings = setting(Ffv1Settings(), "How FFV1 files are made.")
    variations: Variations = setting(Variations(), "Several crops of each clip.")
    thumbnail: Thumbnail = setting(Thumbnail(), "A small picture beside each video.")
    scaler: Literal["fast_bilinear", "bilinear", "bicubic", "area", "lanczos", "spline"] = setting(
        "bicubic", "How pictures are resampled where the output size or a zoom asks for it."
    )
    processor: Processor = setting(Processor(), "A function of your own in place of a format.")

    def of(self, format: str) -> FormatSettings:
        """The settings of one format."""
        section: FormatSettings = getattr(self, format)
        return section


@dataclass(frozen=True)
class Effort:
    """What a run cost, in seconds. `proof_cpu` is the part that hashing and decoding the FFV1 files took."""

    wall: float
    cpu: float
    proof_cpu: float


@dataclass(frozen=True)
class Result:
    """What a run made: verified and hashed files in staging, videos first, and what there is to say about them."""

    artifacts: tuple[Artifact, ...]
    span: FrameSpan
    truth: Truth
    effort: Effort


@dataclass(frozen=True)
class Estimate:
    """What one rendition will be, for a dry run and for disk space. `size_bytes` is rough, and rather too high."""

    rendition: Rendition
    extension: str
    width: int
    height: int
    span: FrameSpan
    size_bytes: int


def plan(clip: Clip, settings: Settings, *, camera: str, session: str, video_stem: str) -> tuple[Rendition, ...]:
    """The files that `clip` of this camera becomes, named."""
    variations = variations_for(settings.variations, camera) if clip.crop is not None else ("original",)
    return tuple(
        name_rendition(
            Rendition(
                format=format,
                variation=variation,
                stem="",
                folder=f"{format}/{camera or '_'}/{session or '_'}",
                processor=settings.processor.chosen(format, camera, names_camera),
            ),
            video_stem,
            clip.name,
            settings.of(format).suffix,
        )
        for format in dict.fromkeys(settings.formats)
        for variation in variations
    )


def estimate(
    clip: Clip,
    renditions: Sequence[Rendition],
    settings: Settings,
    source: Path,
    limits: Limits,
    cache: Path | None,
) -> tuple[Estimate, ...]:
    """What `run` would make, without making it; raises what it would raise about the span and the crop."""
    opened = open_footage(source, clip.span, limits, cache, lambda _: None)
    made = []
    for rendition in renditions:
        format, section = FORMATS[rendition.format], settings.of(rendition.format)
        geometry = _geometry(clip, rendition, settings, opened)
        pixels = geometry.width * geometry.height * opened.span.count
        seconds = float(opened.after(opened.span.last) - opened.start)
        size = pixels * format.bytes_per_pixel(section, opened.info.video) + seconds * 100_000 + 100_000
        made.append(Estimate(rendition, section.container, geometry.width, geometry.height, opened.span, round(size)))
    return tuple(made)


def run(clip: Clip, renditions: Sequence[Rendition], settings: Settings, context: Context) -> Result:
    """Makes every rendition of `clip` in `context.staging`, proves and hashes it.

    Where the file turns out to deliver other frames than its packets promised, the frame index is built anew by
    decoding and the work done again, once.
    """
    wall, cpu = time.perf_counter(), time.process_time()

    def watch(read: int) -> None:
        context.checkpoint("reading the frame index", read, 0)

    source = open_footage(context.source, clip.span, context.limits, context.cache, watch)
    try:
        made = _make(clip, renditions, settings, context, source)
    except IndexWrong:
        source = reopen_footage(source, clip.span, context.limits, context.cache, watch)
        made = _make(clip, renditions, settings, context, source)
    truth = Truth(
        requested=_requested(clip),
        delivered=source.delivered(),
        source=source_facts(source.info, source.index.count, source.index.method),
        outputs=made.outputs,
        warnings=tuple(dict.fromkeys((*clip.notes, *source.warnings(), *made.warnings))),
        tools=library_versions(),
    )
    effort = Effort(time.perf_counter() - wall, time.process_time() - cpu, made.proof_cpu)
    return Result(made.artifacts, source.span, truth, effort)


_Encoded = tuple[Render, EncodedSound]


@dataclass(frozen=True)
class _Made:
    artifacts: tuple[Artifact, ...]
    outputs: dict[str, OutputFacts]
    warnings: tuple[str, ...]
    proof_cpu: float


def _make(clip: Clip, renditions: Sequence[Rendition], settings: Settings, context: Context, source: Footage) -> _Made:
    own = [rendition for rendition in renditions if rendition.processor is None]
    made = _render(clip, own, settings, context, source) if own else _Made((), {}, (), 0.0)
    foreign: list[Artifact] = []
    warnings = list(made.warnings)
    for rendition in renditions:
        if rendition.processor is not None:
            decoded = Decoded(source, context.limits, context.threads, exactly=False)
            foreign += process(clip, rendition, _geometry(clip, rendition, settings, source), decoded, context)
            warnings += decoded.warnings()
    artifacts = sorted((*made.artifacts, *foreign), key=lambda artifact: artifact.role != "video")
    return _Made(tuple(artifacts), made.outputs, tuple(warnings), made.proof_cpu)


def _render(
    clip: Clip, renditions: Sequence[Rendition], settings: Settings, context: Context, source: Footage
) -> _Made:
    with ExitStack() as stack:
        sounds, warnings = _sounds(renditions, settings, context, source, stack)
        renders: list[Render] = []
        for rendition in renditions:
            section = settings.of(rendition.format)
            wanted = Wanted(
                source.info,
                source.index,
                source.span,
                _geometry(clip, rendition, settings, source),
                _chosen(section, sounds),
                source.rate,
                source.is_constant,
            )
            render = Render(
                rendition,
                FORMATS[rendition.format],
                section,
                wanted,
                context.staging,
                taken={made.name for made in renders},
                threads=context.threads,
                scaler=settings.scaler,
            )
            stack.callback(render.encoder.abandon)
            renders.append(render)
        warnings += _feed(renders, sounds, context, source)
    for sound in sounds:
        warnings += sound.facts.notes(sound.track)
    return _prove(renders, settings, context, source, warnings)


def _feed(renders: Sequence[Render], sounds: Sequence[Sound], context: Context, source: Footage) -> Iterator[str]:
    """Decodes the span once and gives each picture, and the sound up to its end, to every output.

    Returns what was met in the pictures.
    """
    total = source.span.count
    exactly = any(render.format.is_exact for render in renders)
    decoded = Decoded(source, context.limits, context.threads, exactly=exactly)
    stream = ahead(decoded.pictures(), WAITING_PICTURES)
    with closing(stream) as pictures, closing(ahead(_heard(renders, sounds), 2)) as heard:
        heard_until = Fraction(0)
        for done, (number, frame) in enumerate(pictures):
            context.checkpoint("encoding", done, total)
            for render in renders:
                render.take(number, frame)
            while sounds and heard_until < source.after(number) - source.start:
                heard_until, packets = next(heard)
                for render, encoded in packets:
                    render.encoder.write(encoded)
    for render in renders:
        context.checkpoint("finishing the files", total, total)
        render.encoder.finish()
    return decoded.warnings()


def _heard(renders: Sequence[Render], sounds: Sequence[Sound]) -> Iterator[tuple[Fraction, Sequence[_Encoded]]]:
    """The encoded sound of all outputs in steps, without end: (seconds from the first picture, packets up to there)."""
    seconds = Fraction(0)
    while True:
        seconds += SOUND_STEP_SECONDS
        yield (
            seconds,
            [
                (render, render.hear(sound, block))
                for sound in sounds
                for block in sound.until(seconds)
                for render in renders
            ],
        )


def _prove(
    renders: Sequence[Render], settings: Settings, context: Context, source: Footage, warnings: list[str]
) -> _Made:
    videos: list[Artifact] = []
    thumbnails: list[Artifact] = []
    outputs = {}
    for render in renders:
        proof = render.verify(context.limits, lambda done, total: context.checkpoint("verifying", done, total))
        facts = _output_facts(render, proof)
        outputs[render.path.name] = facts
        warnings += render.warnings()
        rendition = render.rendition
        video = hashed(render.path, rendition.folder, "video", rendition.format, context, name=render.name)
        videos.append(video)
        if settings.thumbnail.enabled and render.middle is not None:
            path = context.staging / f"{render.path.name}.jpg"
            box = (settings.thumbnail.width, settings.thumbnail.height)
            write_jpeg(render.middle, path, box, quality=settings.thumbnail.quality, sar=source.info.video.sar)
            name = f"{rendition.stem}.jpg"
            thumbnails.append(hashed(path, rendition.folder, "thumbnail", rendition.format, context, name=name))
    proof_cpu = sum(render.proof_cpu_seconds for render in renders)
    return _Made((*videos, *thumbnails), outputs, tuple(warnings), proof_cpu)


def _sounds(
    renditions: Sequence[Rendition], settings: Settings, context: Context, source: Footage, stack: ExitStack
) -> tuple[list[Sound], list[str]]:
    """The audio tracks that any output wants, opened, and why some are left out."""
    choices = {settings.of(rendition.format).audio for rendition in renditions}
    tracks = source.info.audio if "all" in choices else source.info.audio[:1] if "first" in choices else ()
    sounds: list[Sound] = []
    warnings: list[str] = []
    for track in tracks:
        if track.channels and track.channels not in LAYOUTS:
            warnings.append(f"audio track {track.index} has {track.channels} channels and is left out; 8 are possible")
            continue
        end = source.after(source.span.last)
        sound = stack.enter_context(Sound(source.path, track, source.start, end, context.limits))
        if sound.is_empty:
            warnings.append(f"audio track {track.index} has no sound in this span and is left out")
            continue
        sounds.append(sound)
    return sounds, warnings


def _chosen(section: FormatSettings, sounds: Sequence[Sound]) -> Sequence[Sound]:
    return {"all": sounds, "first": sounds[:1], "none": sounds[:0]}[section.audio]


def _geometry(clip: Clip, rendition: Rendition, settings: Settings, source: Footage) -> Geometry:
    video, format = source.info.video, FORMATS[rendition.format]
    crop = CropPlan(
        clip.crop, video.width, video.height, rendition.variation, Fraction(str(settings.variations.wide_factor))
    )
    box = None if format.is_exact else clip.output_resolution
    return lay_out(crop, source.span, format.allowed, box, upscale=clip.upscale)


def _requested(clip: Clip) -> SpanFacts:
    span = clip.span
    if isinstance(span, TimeSpan):
        return SpanFacts(None, None, None, span.start, span.end)
    return SpanFacts(span.first, span.last, span.count, None, None)


def _output_facts(render: Render, proof: Proof) -> OutputFacts:
    recipe = render.recipe
    return OutputFacts(
        format=render.rendition.format,
        method="decoded once, cut, encoded",
        codec_settings={"encoder": recipe.codec, **recipe.options},
        codec=proof.codec,
        width=proof.width,
        height=proof.height,
        pixel_format=proof.pixels,
        frames=proof.frames,
        seconds=proof.seconds,
        time_base=str(proof.time_base),
        sync_frames=proof.sync_frames,
        audio=tuple(f"{track.codec} {track.rate} Hz {track.layout}" for track in recipe.audio),
        audio_offset_seconds=proof.audio_offsets,
        crop=render.crop_facts(),
        proof=proof.words,
    )
