"""Pictures made into a film: still pictures in order, each shown exactly its time, as H.264 or as a GIF.

The core of event clips from cameras that send pictures. The first picture that can be read decides the size; others are
fitted into it with black around them. A picture that is broken is named and left out, and the rest goes on. Pictures
are decoded one at a time, so that their number costs no memory.

Times are those of a fixed rate, or the pictures' own, by their names or else by their EXIF data. The last picture is
shown for the usual time between two.

Raises the errors of `clipd.errors`: `Rejected` where the pictures cannot be what was asked for, `MediaError` for what
cannot be encoded or proven, `Deferred` and `Temporary` for disks and shares; and whatever `checkpoint` raises.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Final, Literal

import numpy as np

from clipd.errors import Rejected
from clipd.formats import h264
from clipd.formats.format import Expected, Pictures
from clipd.formats.h264 import Settings as H264Settings
from clipd.jobs.context import Context
from clipd.jobs.hashing import hashed
from clipd.jobs.rendition import Rendition
from clipd.media import gif
from clipd.media.encode import Picture, Recipe, encoding
from clipd.media.gif import Settings as GifSettings
from clipd.media.joining import Canvas, Fitter
from clipd.media.orientation import Orientation
from clipd.media.picture import BT601_MATRIX, MPEG
from clipd.media.probe import ColorTags, VideoTrack
from clipd.media.sequence import BrokenPicture, natural_key, read_still, spread, taken_at, time_in_name, usual_step
from clipd.media.timing import Ticks
from clipd.model.artifact import Artifact
from clipd.model.resolution import fit
from clipd.model.setting import Section, setting

FINEST: Final = 1_000_000
"""Most ticks per second of the film's clock: names tell millionths at best."""
PLAIN_CLOCK: Final = Fraction(1, 90_000)
BT709_PRIMARIES: Final = 1
SRGB_TRANSFER: Final = 13
"""ITU-T H.273: what pictures from cameras are meant to be looked at with (IEC 61966-2-1)."""

TimeSource = Literal["fps", "names", "exif"]


class Settings(Section):
    """How pictures become a film."""

    fps: float = setting(2, "Pictures per second, where their own times are not used.", unit="pictures/s", ge=1, le=60)
    max_width: int = setting(3840, "Widest film; larger pictures are shrunk to fit.", unit="pixels", ge=16, le=8192)
    max_height: int = setting(2160, "Highest film; larger pictures are shrunk to fit.", unit="pixels", ge=16, le=8192)
    max_pictures: int = setting(10_000, "Most pictures in one film.", unit="pictures", ge=1)
    max_picture_bytes: int = setting(64 * 2**20, "Largest picture file that is read.", unit="bytes", ge=1)
    max_seconds: float = setting(3600, "Longest film; own times that are days apart are refused.", unit="seconds", gt=0)
    scaler: Literal["fast_bilinear", "bilinear", "bicubic", "area", "lanczos", "spline"] = setting(
        "bicubic", "How pictures are resampled."
    )
    h264: H264Settings = setting(H264Settings(), "How H.264 files are made.")
    gif: GifSettings = setting(GifSettings(), "How GIF files are made.")


@dataclass(frozen=True)
class Shown:
    """A picture of the film, in seconds from its beginning; `taken` is its own time, where that was used."""

    name: str
    begins_seconds: Fraction
    ends_seconds: Fraction
    taken: Fraction | None


@dataclass(frozen=True)
class Broken:
    """A picture that was left out, and why."""

    name: str
    reason: str


@dataclass(frozen=True)
class Film:
    """What was made: a verified and hashed file in staging, and what there is to say about it."""

    artifact: Artifact
    frames: int
    seconds: Fraction
    width: int
    height: int
    times_from: TimeSource
    shown: tuple[Shown, ...]
    broken: tuple[Broken, ...]
    warnings: tuple[str, ...]
    proof: str


def in_order(pictures: Sequence[Path]) -> list[Path]:
    """`pictures` in the natural order of their names: 2.jpg before 10.jpg."""
    return sorted(pictures, key=lambda path: (natural_key(path.name), path.as_posix()))


def make_film(
    pictures: Sequence[Path],
    rendition: Rendition,
    settings: Settings,
    context: Context,
    *,
    fps: Fraction | None = None,
    own_times: bool | None = None,
) -> Film:
    """Makes `rendition`, whose format is `mp4` or `gif`, of `pictures`; their order is that of their names or times.

    `fps` in place of the setting's. `own_times`: true asks for the pictures' own and refuses where they lack them; None
    takes them if `fps` is not given and all pictures have them.
    """
    if not pictures:
        raise Rejected("there are no pictures")
    if len(pictures) > settings.max_pictures:
        raise Rejected(f"{len(pictures)} pictures; at most {settings.max_pictures} are allowed (setting max_pictures)")
    rate = Fraction(str(settings.fps)) if fps is None else fps
    if not 1 <= rate <= 60:
        raise Rejected(f"fps is {float(rate):g}; it must be from 1 to 60")
    warnings: list[str] = []
    wants_own = own_times if own_times is not None else (None if fps is None else False)
    timed = _timed(in_order(pictures), wants_own, rate, settings, context, warnings)
    show = _Show(timed, settings, context, small=rendition.format == "gif")
    make = _make_gif if rendition.format == "gif" else _make_mp4
    return make(show, rendition, settings, context, warnings)


@dataclass(frozen=True)
class _Timed:
    """Pictures in the order in which they are shown; `times` are their own, None where a rate is used."""

    pictures: tuple[Path, ...]
    times: tuple[Fraction, ...] | None
    source: TimeSource
    rate: Fraction
    broken: tuple[Broken, ...] = ()
    """Pictures that tell no time because they cannot be read."""

    def begins(self, good: Sequence[int], place: int) -> Fraction:
        """When the picture at `place` among those that are shown (`good` are their numbers) begins, in seconds."""
        if self.times is None:
            return place / self.rate
        return self.times[good[place]] - self.times[good[0]]

    def ends(self, good: Sequence[int]) -> Fraction:
        """When the last picture ends: it is shown for the usual time between two."""
        begins = [self.begins(good, place) for place in range(len(good))]
        step = None if self.times is None else usual_step(begins)
        return begins[-1] + (step or 1 / self.rate)


def _timed(
    pictures: Sequence[Path],
    wants_own: bool | None,
    rate: Fraction,
    settings: Settings,
    context: Context,
    warnings: list[str],
) -> _Timed:
    plain = _Timed(tuple(pictures), None, "fps", rate)
    if wants_own is False:
        return plain
    source, told = _own_times(pictures, settings, context)
    known = {path: time for path, time in zip(pictures, told, strict=True) if time is not None}
    faults = {path: _fault(path, settings, context) for path in pictures if path not in known}
    lacking = [path.name for path, fault in faults.items() if fault is None]
    if lacking or not known:
        if wants_own:
            some = ", ".join(lacking[:5]) + (", ..." if len(lacking) > 5 else "")
            raise Rejected(f"no time in the name or the EXIF data of {some or 'any picture'}; give fps instead")
        if known:
            warnings.append(f"{len(lacking)} pictures tell no time of their own; {float(rate):g} a second are shown")
        return plain
    ordered = sorted(known, key=lambda path: known[path])
    if ordered != [path for path in pictures if path in known]:
        warnings.append("the pictures are shown in the order of their times, which is not that of their names")
    times = [known[path] for path in ordered]
    apart = spread(times)
    if apart != times:
        warnings.append("pictures with the same time are shown one after the other within a second")
    length = apart[-1] - apart[0]
    if length > Fraction(str(settings.max_seconds)):
        raise Rejected(
            f"by their own times the pictures last {float(length):.0f} s; at most {settings.max_seconds:g} are allowed "
            "(setting max_seconds); give fps instead"
        )
    broken = tuple(Broken(path.name, fault) for path, fault in faults.items() if fault is not None)
    return _Timed(tuple(ordered), tuple(apart), source, rate, broken)


def _own_times(
    pictures: Sequence[Path], settings: Settings, context: Context
) -> tuple[TimeSource, list[Fraction | None]]:
    """By their names, if these tell it of all pictures; else by EXIF, if that tells it of more."""
    named = [time_in_name(path.stem) for path in pictures]
    if None not in named:
        return "names", named
    written: list[Fraction | None] = []
    for number, path in enumerate(pictures):
        context.checkpoint("reading the pictures' times", number, len(pictures))
        try:
            written.append(taken_at(path, settings.max_picture_bytes))
        except BrokenPicture:
            written.append(None)
    return ("names", named) if written.count(None) >= named.count(None) else ("exif", written)


def _fault(path: Path, settings: Settings, context: Context) -> str | None:
    """Why the picture at `path` cannot be read; None where it can."""
    try:
        read_still(path, context.limits, settings.max_picture_bytes)
    except BrokenPicture as error:
        return str(error)
    return None


class _Show:
    """Reads pictures one by one and fits them; the first good one decides the size. `good` are their numbers."""

    def __init__(self, timed: _Timed, settings: Settings, context: Context, *, small: bool) -> None:
        self.timed, self.good, self.broken = timed, list[int](), dict[int, Broken]()
        self.notes: list[str] = []
        self._settings, self._context, self._small = settings, context, small
        self._fitter: Fitter | None = None
        self.canvas = Canvas(2, 2, "yuv420p")

    def pictures(self) -> Iterator[Picture]:
        """Every picture that can be read, fitted; may be asked for again.

        Raises:
            Rejected: none can be read.
        """
        self.good = []
        for number, path in enumerate(self.timed.pictures):
            if number in self.broken:
                continue
            try:
                still = read_still(path, self._context.limits, self._settings.max_picture_bytes)
            except BrokenPicture as error:
                self.broken[number] = Broken(path.name, str(error))
                continue
            self.good.append(number)
            yield self._fitted(still.frame)
        if not self.good:
            why = next(iter(self.broken.values())).reason
            raise Rejected(f"none of the {len(self.timed.pictures)} pictures can be read: {why}")

    def _fitted(self, picture: Picture) -> Picture:
        if self._fitter is None:
            self.canvas = self._canvas(picture.width, picture.height)
            self._fitter = Fitter(self.canvas, scaler=self._settings.scaler, threads=self._context.threads)
        return self._fitter.fit(picture, Fraction(1))

    def _canvas(self, width: int, height: int) -> Canvas:
        if self._small:
            return Canvas(*gif.size_for(width, height, self._settings.gif), "rgb24")
        wide, high = fit(width, height, (self._settings.max_width, self._settings.max_height))
        wide, high = max(2, wide - wide % 2), max(2, high - high % 2)
        if (wide, high) != (width, height):
            self.notes.append(f"the film is {wide}x{high}, the first picture {width}x{height}")
        return Canvas(wide, high, "yuv420p")


def _make_mp4(show: _Show, rendition: Rendition, settings: Settings, context: Context, warnings: list[str]) -> Film:
    total, clock = len(show.timed.pictures), _clock(show.timed)
    path = context.staging / f"{rendition.stem}.{settings.h264.container}"
    pictures = show.pictures()
    held = next(pictures)
    recipe = _recipe(show.canvas, show.timed, clock, settings)
    with encoding(path, recipe, context.threads) as encoder:
        # One is held back: until when it is shown is known with the next one that can be read.
        before = 0
        for picture in pictures:
            context.checkpoint("encoding", show.good[-1], total)
            begins = round(show.timed.begins(show.good, len(show.good) - 1) / clock)
            encoder.picture(held, before, begins - before)
            held, before = picture, begins
        times = _ticks(show, clock)
        encoder.picture(held, int(times[-2]), int(times[-1] - times[-2]))
        context.checkpoint("finishing the file", total, total)
        encoder.finish()
    expected = Expected(recipe, times[:-1], int(times[-1]), [])
    tick = partial(context.checkpoint, "verifying")
    proof = h264.FORMAT.verify(path, expected, context.limits, context.threads, tick)
    if any((time / clock).denominator > 1 for time in _steps(show.timed)):
        warnings.append(f"times are rounded to {float(clock) * 1e6:.0f} millionths of a second")
    return _film(
        show, rendition, path, _seconds(times, clock), (proof.width, proof.height), proof.words, context, warnings
    )


def _make_gif(show: _Show, rendition: Rendition, settings: Settings, context: Context, warnings: list[str]) -> Film:
    total = len(show.timed.pictures)
    path = context.staging / f"{rendition.stem}.gif"
    palette = gif.palette_of(
        show.pictures(), settings.gif, lambda number: context.checkpoint("choosing colours", number, total)
    )
    clock = _clock(show.timed)
    exact = _ticks(show, clock)
    times = gif.hundredths(exact, clock)
    made = gif.write_gif(
        path,
        show.pictures(),
        times,
        palette,
        settings.gif,
        context.limits,
        lambda number: context.checkpoint("encoding", number, total),
    )
    off = max(abs(a - b) for a, b in zip(_seconds(times, gif.CLOCK), _seconds(exact, clock), strict=True))
    if off:
        warnings.append(f"GIF counts in hundredths of a second: times are up to {float(off):.3f} s off")
    words = f"{made.frames} pictures counted, times in hundredths of a second equal those wanted, loops for ever"
    return _film(show, rendition, path, _seconds(times, gif.CLOCK), (made.width, made.height), words, context, warnings)


def _clock(timed: _Timed) -> Fraction:
    """The clock on which every picture has an exact time, or a plain one where that would be too fine."""
    ticks = math.lcm(*(step.denominator for step in _steps(timed)))
    return Fraction(1, ticks) if ticks <= FINEST else PLAIN_CLOCK


def _steps(timed: _Timed) -> list[Fraction]:
    """From the first picture to each of them where they have their own times, and from one to the next at the rate."""
    return [1 / timed.rate, *(time - timed.times[0] for time in timed.times)] if timed.times else [1 / timed.rate]


def _ticks(show: _Show, clock: Fraction) -> Ticks:
    """When each of the pictures read so far begins, and when the last one ends, in ticks of `clock`."""
    begins = (show.timed.begins(show.good, place) for place in range(len(show.good)))
    return np.array([round(time / clock) for time in (*begins, show.timed.ends(show.good))], np.int64)


def _seconds(times: Ticks, clock: Fraction) -> list[Fraction]:
    return [int(time) * clock for time in times]


def _recipe(canvas: Canvas, timed: _Timed, clock: Fraction, settings: Settings) -> Recipe:
    rate = timed.rate if timed.times is None else 1 / (usual_step(timed.times) or 1 / timed.rate)
    video = VideoTrack(
        index=0,
        codec="pictures",
        profile=None,
        width=canvas.width,
        height=canvas.height,
        coded_width=canvas.width,
        coded_height=canvas.height,
        pix_fmt=canvas.pixels,
        time_base=clock,
        rate=rate,
        sar=Fraction(1),
        orientation=Orientation.UPRIGHT,
        color=ColorTags(BT709_PRIMARIES, SRGB_TRANSFER, BT601_MATRIX, MPEG),
        interlaced=False,
        hdr=(),
        bits=8,
    )
    # Pictures in the order of decoding: only so does MP4 keep how long the last one is shown.
    section = settings.h264.model_copy(update={"options": {"bf": "0", **settings.h264.options}})
    made, _ = h264.recipe(section, Pictures(video, canvas.width, canvas.height, rate, timed.times is None), ())
    return made


def _film(
    show: _Show,
    rendition: Rendition,
    path: Path,
    times: Sequence[Fraction],
    size: tuple[int, int],
    words: str,
    context: Context,
    warnings: list[str],
) -> Film:
    timed = show.timed
    shown = tuple(
        Shown(timed.pictures[number].name, begins, ends, timed.times[number] if timed.times else None)
        for number, (begins, ends) in zip(show.good, pairwise(times), strict=True)
    )
    broken = (*timed.broken, *(show.broken[number] for number in sorted(show.broken)))
    return Film(
        artifact=hashed(path, rendition.folder, "video", rendition.format, context),
        frames=len(shown),
        seconds=shown[-1].ends_seconds,
        width=size[0],
        height=size[1],
        times_from=timed.source,
        shown=shown,
        broken=broken,
        warnings=(*warnings, *show.notes, *(f"left out: {one.reason}" for one in broken)),
        proof=words,
    )
