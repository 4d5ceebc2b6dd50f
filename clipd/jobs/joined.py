"""Joined films: parts of one or several sources, and black where nothing is shown, made into one proven file each.

The core of compounds and of exact delivery from recordings. Parts may differ in size, rate, layout and sound; pictures
are fitted into one box with black around them, sound is brought to one rate. Each part begins exactly where the one
before ends, and its sound lasts exactly as long as its pictures, so that both are in step at every joint. A picture
that is like the box already is not touched: in lossless formats its samples are the source's.

One decode feeds every output. Nothing is reported that was not read back from the finished files.

Raises the errors of `clipd.errors`: `Rejected` for spans that their files do not hold, `MediaError` for what cannot be
decoded, encoded or proven, `Deferred` and `Temporary` for disks and shares; and whatever `checkpoint` raises.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import Final, Literal

import numpy as np

from clipd.errors import Rejected
from clipd.formats import FORMATS
from clipd.formats.format import Expected, FormatSettings, Pictures, Proof
from clipd.jobs.clip import SOUND_STEP_SECONDS, WAITING_PICTURES, Settings
from clipd.jobs.context import Context
from clipd.jobs.footage import Decoded, Footage, open_footage, reopen_footage
from clipd.jobs.geometry import Geometry, lay_out
from clipd.jobs.hashing import hashed
from clipd.jobs.rendition import Rendition
from clipd.jobs.truth import AppliedCrop, CropFacts, OutputFacts, SourceFacts, SpanFacts, source_facts
from clipd.media.ahead import ahead
from clipd.media.audio import LAYOUTS
from clipd.media.crop import Cropper
from clipd.media.decode import IndexWrong
from clipd.media.door import Limits
from clipd.media.encode import EncodedSound, Encoder, Picture
from clipd.media.framehash import frame_hash
from clipd.media.images import write_jpeg
from clipd.media.joining import Canvas, Fitter, JoinedSound, Stretch, layout_for
from clipd.media.orientation import Orientation
from clipd.media.picture import CROPPABLE, JPEG, Reshaper, is_full_range
from clipd.media.probe import AudioTrack, VideoTrack
from clipd.media.timing import Ticks, is_exact, rebased
from clipd.model.artifact import Artifact
from clipd.model.crop import CropPath, CropPlan, Rect
from clipd.model.timespan import Span

FINEST: Final = 10_000_000
"""Most ticks per second of an output's clock; its lengths are counted in 32 bits by some programs."""
PLAIN_CLOCK: Final = Fraction(1, 90_000)
"""The clock where the parts' own have no common one: that of MPEG."""
PLAIN_LAYOUT: Final = {"pal8": "rgb24"}
"""What pictures are made into that nothing can be put beside."""


@dataclass(frozen=True)
class FilmPart:
    """A span of the file at `path`; `name` is what people call it.

    It takes `length` seconds of the whole: pictures and sound beyond are cut; where they are missing, the last picture
    is held. None: as long as its pictures are shown. `crop` is cut from each picture before it is fitted.
    """

    path: Path
    name: str
    span: Span
    length: Fraction | None = None
    crop: CropPath | None = None


@dataclass(frozen=True)
class BlackPart:
    """Black and silence for `length` seconds."""

    length: Fraction


Part = FilmPart | BlackPart


@dataclass(frozen=True)
class PartFacts:
    """What became of one part. Seconds count from the first picture of the whole; `rect` is where its pictures lie.

    `is_untouched`: its pictures went in as they were decoded.
    """

    name: str
    begins_seconds: Fraction
    ends_seconds: Fraction
    frames: int
    source: SourceFacts | None
    span: SpanFacts | None
    rect: tuple[int, int, int, int]
    is_untouched: bool
    crop: tuple[AppliedCrop, ...] = ()


@dataclass(frozen=True)
class Joined:
    """What was made: verified and hashed files in staging, videos first, and what there is to say about them."""

    artifacts: tuple[Artifact, ...]
    parts: tuple[PartFacts, ...]
    outputs: dict[str, OutputFacts]
    frames: int
    seconds: Fraction
    warnings: tuple[str, ...]


def join(
    parts: Sequence[Part],
    renditions: Sequence[Rendition],
    settings: Settings,
    context: Context,
    *,
    box: tuple[int, int] | None = None,
) -> Joined:
    """Makes every rendition of `parts`, in this order, in `context.staging`; proves and hashes it.

    `box` is the size of the whole in pixels; None takes that of the largest part. Where a file turns out to deliver
    other frames than its packets promised, frame indexes are built anew by decoding and the work done again, once.
    """
    try:
        return _Making(parts, _footages(parts, context, open_footage), renditions, settings, context, box).run()
    except IndexWrong:
        return _Making(parts, _footages(parts, context, _counted), renditions, settings, context, box).run()


_Open = Callable[[Path, Span, Limits, Path | None, Callable[[int], None]], Footage]


def _footages(parts: Sequence[Part], context: Context, open: _Open) -> list[Footage | None]:
    """The footage of each part, none for black; each file is opened once."""
    known: dict[Path, Footage] = {}
    footages: list[Footage | None] = []
    for part in parts:
        if isinstance(part, BlackPart):
            footages.append(None)
            continue
        if part.path not in known:
            known[part.path] = open(part.path, part.span, context.limits, context.cache, partial(_watch, context))
        footage = known[part.path]
        footages.append(replace(footage, span=footage.index.span(part.span)))
    return footages


def _counted(path: Path, span: Span, limits: Limits, cache: Path | None, watch: Callable[[int], None]) -> Footage:
    """The footage with an index made by decoding every frame."""
    return reopen_footage(open_footage(path, span, limits, cache, watch), span, limits, cache, watch)


def _watch(context: Context, read: int) -> None:
    context.checkpoint("reading the frame index", read, 0)


@dataclass(frozen=True)
class _Placed:
    """A part and its place: it begins at `begins` and ends at `ends`, seconds from the first picture of the whole.

    `times` are those of its pictures, in ticks of `base` from its beginning.
    """

    footage: Footage | None
    name: str
    begins: Fraction
    ends: Fraction
    times: Ticks
    base: Fraction
    geometry: Geometry | None = None
    """What is cut from its pictures; None for black."""

    @property
    def size(self) -> tuple[int, int]:
        """Of its pictures once they are cut, in pixels."""
        assert self.geometry is not None  # noqa: S101 - black has no size of its own
        return self.geometry.width, self.geometry.height


def _place(parts: Sequence[Part], footages: Sequence[Footage | None], rate: Fraction) -> list[_Placed]:
    """Each part after the one before."""
    placed: list[_Placed] = []
    begins = Fraction(0)
    for part, footage in zip(parts, footages, strict=True):
        if footage is None:
            length, name, base = part.length or Fraction(0), "black", 1 / rate
            times = np.arange(max(1, round(length * rate)), dtype=np.int64)
        else:
            span, base = footage.span, footage.index.time_base
            length = footage.after(span.last) - footage.start if part.length is None else part.length
            name = part.name if isinstance(part, FilmPart) else footage.path.name
            times = footage.index.pts[span.first : span.last + 1] - footage.index.pts[span.first]
            times = times[times < math.ceil(length / base)]
        geometry = None if footage is None else _geometry(part, footage)
        if length <= 0:
            raise Rejected(f"a part of the film ({name}) has no length")
        placed.append(_Placed(footage, name, begins, begins + length, times, base, geometry))
        begins += length
    return placed


def _geometry(part: Part, footage: Footage) -> Geometry:
    """What is cut from the pictures of a part: its crop, exact to the pixel, or all of them."""
    crop = part.crop if isinstance(part, FilmPart) else None
    plan = CropPlan(crop, footage.info.video.width, footage.info.video.height)
    return lay_out(plan, footage.span, lambda width, height: (width, height), None, upscale=False)


def _clock(placed: Sequence[_Placed]) -> Fraction:
    """The clock on which every part's pictures have exact times, or a plain one where that would be too fine."""
    ticks = math.lcm(*(part.base.denominator for part in placed), *(part.begins.denominator for part in placed))
    return Fraction(1, ticks) if ticks <= FINEST else PLAIN_CLOCK


def _is_rounded(placed: Sequence[_Placed], clock: Fraction) -> bool:
    """Do the pictures of any part have times between the ticks of `clock`?"""
    return any((time / clock).denominator > 1 for part in placed for time in (part.base, part.begins))


def _times(placed: Sequence[_Placed], clock: Fraction) -> Ticks:
    """When each picture of the whole is shown, and when the last one's showing ends, in ticks of `clock`."""
    shown = []
    for part in placed:
        scale, shift = part.base / clock, part.begins / clock
        below = math.lcm(scale.denominator, shift.denominator)
        shown.append((2 * (part.times * int(scale * below) + int(shift * below)) + below) // (2 * below))
    return np.concatenate([*shown, [round(placed[-1].ends / clock)]])


class _Making:
    """One run over all parts."""

    def __init__(
        self,
        parts: Sequence[Part],
        footages: Sequence[Footage | None],
        renditions: Sequence[Rendition],
        settings: Settings,
        context: Context,
        box: tuple[int, int] | None,
    ) -> None:
        self._films = [footage for footage in footages if footage is not None]
        if not self._films:
            raise Rejected("a film of nothing but black is not made; give at least one part of a video")
        self._renditions, self._settings, self._context = renditions, settings, context
        rate = max(footage.rate for footage in self._films)
        self._placed = _place(parts, footages, rate)
        clock = _clock(self._placed)
        self._times = _times(self._placed, clock)
        shown = [part for part in self._placed if part.footage is not None]
        self._canvas = _canvas(shown, box)
        self._pictures = _alike(self._films, self._canvas, clock, rate, self._times)
        self._warnings: list[str] = [f"{film.path.name}: {note}" for film in self._films for note in film.info.notes]
        if _is_rounded(self._placed, clock):
            self._warnings.append(f"times are rounded to {float(clock) * 1e6:.0f} millionths of a second")
        if box is not None and (largest := _canvas(shown, None)).width < box[0] and largest.height < box[1]:
            self._warnings.append(
                f"the pictures are enlarged to fit {box[0]}x{box[1]}, as output_resolution asks; the largest part is "
                f"{largest.width}x{largest.height}"
            )

    def run(self) -> Joined:
        """Encodes all parts into all outputs, and proves them."""
        with ExitStack() as stack:
            sounds = [stack.enter_context(sound) for sound in self._sounds()]
            outputs: list[_Output] = []
            for rendition in self._renditions:
                section = self._settings.of(rendition.format)
                heard = {"all": sounds, "first": sounds[:1], "none": []}[section.audio]
                taken = {output.name for output in outputs}
                output = _Output(rendition, section, self._pictures, heard, self._times, self._context, taken)
                stack.callback(output.encoder.abandon)
                outputs.append(output)
            self._feed(outputs, sounds)
        self._warnings += [note for sound in sounds for note in sound.notes]
        return self._proven(outputs)

    def _feed(self, outputs: Sequence[_Output], sounds: Sequence[JoinedSound]) -> None:
        total, clock = len(self._times) - 1, self._pictures.video.time_base
        stream, heard_until = ahead(self._fitted(), WAITING_PICTURES), Fraction(0)
        with closing(stream) as pictures, closing(ahead(_heard(outputs, sounds), 2)) as heard:
            for number, picture in enumerate(pictures):
                self._context.checkpoint("encoding", number, total)
                for output in outputs:
                    output.take(number, picture)
                while sounds and heard_until < int(self._times[number + 1]) * clock:
                    heard_until, packets = next(heard)
                    for output, encoded in packets:
                        output.encoder.write(encoded)
        for output in outputs:
            self._context.checkpoint("finishing the files", total, total)
            output.encoder.finish()

    def _fitted(self) -> Iterator[Picture]:
        """Every picture of the whole, on the canvas."""
        fitter = Fitter(self._canvas, scaler=self._settings.scaler, threads=self._context.threads)
        for part in self._placed:
            count = len(part.times)
            if part.footage is None:
                for _ in range(count):
                    yield fitter.black()
                continue
            span = replace(part.footage.span, last=part.footage.span.first + count - 1)
            footage = replace(part.footage, span=span)
            decoded = Decoded(footage, self._context.limits, self._context.threads, exactly=False)
            sar, cropper = footage.info.video.sar, Cropper()
            for number, picture in decoded.pictures():
                cut = picture if part.geometry is None else cropper.cut(picture, part.geometry.at(number))
                yield fitter.fit(cut, sar)
            self._warnings += [f"{part.name}: {warning}" for warning in decoded.warnings()]

    def _sounds(self) -> Iterator[JoinedSound]:
        count = max(len(_tracks(film)) for film in self._films)
        choices = {self._settings.of(rendition.format).audio for rendition in self._renditions}
        wanted = count if "all" in choices else min(count, 1) if "first" in choices else 0
        if not count:
            self._warnings.append("none of the parts has audio")
        for number in range(wanted):
            yield JoinedSound([self._stretch(part, number) for part in self._placed], number, self._context.limits)

    def _stretch(self, part: _Placed, number: int) -> Stretch:
        tracks = () if part.footage is None else _tracks(part.footage)
        if part.footage is None or len(tracks) <= number:
            if part.footage is not None:
                self._warnings.append(f"{part.name}: no audio track {number + 1}; silence in its place")
            return Stretch(part.begins, part.ends)
        start = part.footage.start
        end = start + part.ends - part.begins
        return Stretch(part.begins, part.ends, part.footage.path, tracks[number], start, end)

    def _proven(self, outputs: Sequence[_Output]) -> Joined:
        videos, thumbnails, facts = [], [], {}
        parts = tuple(self._part_facts(part) for part in self._placed)
        fitted = sum(part.frames for part in parts if not part.is_untouched)
        for output in outputs:
            proof = output.verify()
            facts[output.path.name] = _output_facts(output, proof, fitted)
            self._warnings += output.warnings()
            videos.append(output.artifact(output.path, "video", output.name))
            box = self._settings.thumbnail
            if box.enabled and output.middle is not None:
                path = self._context.staging / f"{output.path.name}.jpg"
                write_jpeg(output.middle, path, (box.width, box.height), quality=box.quality, sar=self._canvas.sar)
                thumbnails.append(output.artifact(path, "thumbnail", f"{output.rendition.stem}.jpg"))
        return Joined(
            artifacts=(*videos, *thumbnails),
            parts=parts,
            outputs=facts,
            frames=len(self._times) - 1,
            seconds=self._placed[-1].ends,
            warnings=tuple(dict.fromkeys(self._warnings)),
        )

    def _part_facts(self, part: _Placed) -> PartFacts:
        canvas, footage = self._canvas, part.footage
        if footage is None:
            rect = (0, 0, canvas.width, canvas.height)
            return PartFacts(part.name, part.begins, part.ends, len(part.times), None, None, rect, False)
        video = footage.info.video
        cut = replace(footage, span=replace(footage.span, last=footage.span.first + len(part.times) - 1))
        return PartFacts(
            name=part.name,
            begins_seconds=part.begins,
            ends_seconds=part.ends,
            frames=len(part.times),
            source=source_facts(footage.info, footage.index.count, footage.index.method),
            span=cut.delivered(),
            rect=canvas.inner(*part.size, video.sar),
            is_untouched=canvas.holds(_layout(video)[0], *part.size, video.sar, full=_layout(video)[2]),
            crop=_applied(part),
        )


def _applied(part: _Placed) -> tuple[AppliedCrop, ...]:
    """The rectangles cut at the first and the last frame, and at the crop's keyframes between them."""
    if part.footage is None or part.geometry is None or part.geometry.plan.path is None:
        return ()
    span = part.footage.span
    keyframes = [frame for frame, _ in part.geometry.plan.path.keyframes if span.first < frame < span.last]
    rects = {frame: part.geometry.at(frame) for frame in (span.first, *keyframes, span.last)}
    return tuple(AppliedCrop(frame, (at.x, at.y, at.width, at.height)) for frame, at in rects.items())


def _tracks(film: Footage) -> tuple[AudioTrack, ...]:
    return tuple(track for track in film.info.audio if not track.channels or track.channels in LAYOUTS)


def _layout(video: VideoTrack) -> tuple[str, int, bool]:
    """The layout in which its pictures are delivered, its bits, and whether they use the full range."""
    name = CROPPABLE.get(video.pix_fmt, video.pix_fmt)
    return PLAIN_LAYOUT.get(name, name), video.bits, is_full_range(video.pix_fmt, video.color.range)


def _canvas(films: Sequence[_Placed], box: tuple[int, int] | None) -> Canvas:
    """A canvas of size `box`, or as large as the largest part; its pixels are square unless all parts' are alike."""
    videos = [film.footage.info.video for film in films if film.footage is not None]
    shapes = {video.sar for video in videos}
    sar = shapes.pop() if len(shapes) == 1 else Fraction(1)
    sizes = [
        (max(1, round(film.size[0] * video.sar / sar)), film.size[1]) for film, video in zip(films, videos, strict=True)
    ]
    width, height = box or max(sizes, key=lambda size: size[0] * size[1])
    pixels, full = layout_for([_layout(video) for video in videos])
    return Canvas(width, height, pixels, sar, full)


def _alike(films: Sequence[Footage], canvas: Canvas, clock: Fraction, rate: Fraction, times: Ticks) -> Pictures:
    """What a format is told about the pictures: the first part's facts, as far as the canvas keeps them."""
    first = films[0].info.video
    video = replace(
        first,
        width=canvas.width,
        height=canvas.height,
        coded_width=canvas.width,
        coded_height=canvas.height,
        pix_fmt=canvas.pixels,
        time_base=clock,
        rate=rate,
        sar=canvas.sar,
        orientation=Orientation.UPRIGHT,
        color=replace(first.color, range=JPEG if canvas.is_full_range else first.color.range),
        hdr=tuple(dict.fromkeys(kind for film in films for kind in film.info.video.hdr)),
        bits=max(film.info.video.bits for film in films),
    )
    steps = np.diff(times)
    return Pictures(video, canvas.width, canvas.height, rate, is_constant=int(steps.max()) - int(steps.min()) <= 1)


class _Output:
    """One output in the making: pictures go in one by one, a proven file comes out."""

    def __init__(
        self,
        rendition: Rendition,
        section: FormatSettings,
        made_of: Pictures,
        sounds: Sequence[JoinedSound],
        times: Ticks,
        context: Context,
        taken: set[str],
    ) -> None:
        self.rendition, self.format, self.sounds = rendition, FORMATS[rendition.format], sounds
        width, height = self.format.allowed(made_of.width, made_of.height)
        self._wanted, self._rect = (made_of.width, made_of.height), Rect(0, 0, width, height)
        made = replace(made_of, width=width, height=height)
        self.recipe, self._warnings = self.format.recipe(section, made, sounds)
        self.name = f"{rendition.stem}.{self.recipe.extension}"
        self.path = context.staging / (f"{rendition.format}-{self.name}" if self.name in taken else self.name)
        self.middle: Picture | None = None
        self._context, self._hashes = context, list[bytes]()
        self._cropper, self._reshaper = Cropper(), Reshaper(self.recipe.pixels, threads=context.threads)
        self._is_exact = is_exact(times, made_of.video.time_base, self.recipe.time_base)
        self._times = rebased(times, made_of.video.time_base, self.recipe.time_base)
        self.encoder = Encoder(self.path, self.recipe, context.threads)

    def take(self, number: int, picture: Picture) -> None:
        """Encodes picture `number` of the whole."""
        cut = self._cropper.cut(picture, self._rect)
        if number == (len(self._times) - 1) // 2:
            self.middle = cut
        fitted = self._reshaper.fit(cut, self._rect.width, self._rect.height)
        if self.format.is_exact:
            self._hashes.append(frame_hash(fitted))
        begin, end = int(self._times[number]), int(self._times[number + 1])
        self.encoder.picture(fitted, begin, end - begin)

    def verify(self) -> Proof:
        """Reads the finished file back and proves it."""
        expected = Expected(self.recipe, self._times[:-1], int(self._times[-1]), self._hashes)
        tick = partial(self._context.checkpoint, "verifying")
        return self.format.verify(self.path, expected, self._context.limits, self._context.threads, tick)

    def warnings(self) -> Iterator[str]:
        """What is lost or different in this output."""
        yield from (f"{self.path.name}: {warning}" for warning in self._warnings)
        if not self._is_exact:
            yield (
                f"{self.path.name}: times are rounded to {float(self.recipe.time_base) * 1000:g} ms, "
                f"the finest .{self.recipe.extension} has"
            )
        if self._wanted != (self._rect.width, self._rect.height):
            yield (
                f"{self.path.name}: {self._wanted[0]}x{self._wanted[1]} became {self._rect.width}x{self._rect.height}; "
                f"{self.format.name} needs even sizes, the last column or row is cut off"
            )

    def artifact(self, path: Path, role: Literal["video", "thumbnail"], name: str) -> Artifact:
        """The file at `path`, hashed."""
        rendition = self.rendition
        return hashed(path, rendition.folder, role, rendition.format, self._context, name=name)


def _heard(
    outputs: Sequence[_Output], sounds: Sequence[JoinedSound]
) -> Iterator[tuple[Fraction, Sequence[tuple[_Output, EncodedSound]]]]:
    """The encoded sound of all outputs in steps, without end: (seconds from the first picture, packets up to there)."""
    seconds = Fraction(0)
    while True:
        seconds += SOUND_STEP_SECONDS
        packets: list[tuple[_Output, EncodedSound]] = []
        for sound in sounds:
            for block in sound.until(seconds):
                packets += [
                    (output, output.encoder.encode_sound(track, block))
                    for output in outputs
                    for track, mine in enumerate(output.sounds)
                    if mine is sound
                ]
        yield seconds, packets


def _output_facts(output: _Output, proof: Proof, fitted: int) -> OutputFacts:
    recipe = output.recipe
    return OutputFacts(
        format=output.rendition.format,
        method="decoded once, fitted, joined, encoded",
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
        crop=CropFacts("original", None, (), (), 0, is_scaled=fitted > 0),
        proof=proof.words + (f"; {fitted} of them fitted or made before" if fitted else ""),
    )
