"""Making unlike films alike: pictures fitted into one box and layout, sound brought to one rate, part by part.

It stands apart from cutting, where nothing of a source is changed that need not be. What already has the box's size,
layout and range passes untouched here as well, sample by sample.

The one rule for sound: part k sounds exactly as long as its pictures are shown. Its samples are those from the first
picture's time on; what its file lacks at the end is silence, what it has too much is cut. Every part begins at its own
sample, counted from the beginning of the whole, so that no joint adds to another's error.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final

import numpy as np
from av import AudioFrame, AudioLayout, AudioResampler, VideoFrame
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter

from clipd.media.audio import LAYOUTS, MOST_PLANES, Sound, part_of
from clipd.media.door import Limits
from clipd.media.picture import JPEG, MPEG, copy_tags, is_full_range, is_rgb
from clipd.media.planes import chroma_shifts, plane_rows, row_bytes
from clipd.media.probe import AudioTrack
from clipd.model.resolution import fit

Picture = VideoFrame

SILENCE_BLOCK: Final = 8192
"""Samples of silence made at a time."""
UNTOLD_RATE: Final = 48_000
"""For tracks that begin late in the file, whose header says nothing."""
ROOM_FOR_ALL: Final = "flt"
"""A sample format that holds what any decoder delivers, up to 24 bits."""


@dataclass(frozen=True)
class Canvas:
    """What every picture is made to be: `width` x `height` in layout `pixels`, pixels of shape `sar`, in one range."""

    width: int
    height: int
    pixels: str
    sar: Fraction = Fraction(1)
    is_full_range: bool = False

    def inner(self, width: int, height: int, sar: Fraction) -> tuple[int, int, int, int]:
        """Where a picture of this size and pixel shape goes: x, y, width, height; as large as fits, in the middle.

        Corners lie on whole colour samples, so that nothing is smeared over the edge.
        """
        if (width, height) == (self.width, self.height) and sar == self.sar:
            return 0, 0, width, height
        wide, high = fit(max(1, round(width * sar / self.sar)), height, (self.width, self.height), upscale=True)
        across, down = chroma_shifts(self.pixels)
        wide, high = _even(wide, across, self.width), _even(high, down, self.height)
        return _even((self.width - wide) // 2, across, 0), _even((self.height - high) // 2, down, 0), wide, high

    def holds(self, pixels: str, width: int, height: int, sar: Fraction, *, full: bool) -> bool:
        """Is a picture like this one that already, so that it is not touched?"""
        alike = pixels.replace("yuvj", "yuv") == self.pixels.replace("yuvj", "yuv")
        # Red, green and blue have no range of their own here; what they are turned into is the canvas's.
        same_range = full == self.is_full_range or is_rgb(self.pixels)
        return alike and same_range and (width, height, sar) == (self.width, self.height, self.sar)


def _even(length: int, shift: int, whole: int) -> int:
    """`length` cut down to whole colour samples, unless it is all there is; a place (`whole` 0) may be 0."""
    return length if length == whole else max(length >> shift, min(whole, 1)) << shift


class Fitter:
    """Brings pictures onto a canvas; keeps its scaler and its black from picture to picture."""

    def __init__(self, canvas: Canvas, *, scaler: str, threads: int) -> None:
        self._canvas, self._threads = canvas, threads
        self._flags = Interpolation[scaler.upper()] | Interpolation.ACCURATE_RND
        self._reformatter = VideoReformatter()
        self._black: VideoFrame | None = None

    def fit(self, frame: VideoFrame, sar: Fraction) -> VideoFrame:
        """`frame`, whose pixels have the shape `sar`, on the canvas; the very same frame where it is like it."""
        canvas = self._canvas
        full = is_full_range(frame.format.name, frame.color_range)
        if canvas.holds(frame.format.name, frame.width, frame.height, sar, full=full):
            if full:
                # Else the encoder, which goes by names, would squeeze a `yuvj420p` that nobody tagged.
                frame.color_range = JPEG
            return frame
        x, y, width, height = canvas.inner(frame.width, frame.height, sar)
        fitted = self._reshaped(frame, width, height, full=full)
        if (width, height) == (canvas.width, canvas.height):
            return fitted
        whole = VideoFrame(canvas.width, canvas.height, canvas.pixels)
        _copy(self.black(), whole, 0, 0)
        _copy(fitted, whole, x, y)
        copy_tags(fitted, whole)
        return whole

    def black(self) -> VideoFrame:
        """A black canvas; the same frame every time."""
        if self._black is None:
            canvas = self._canvas
            dark = VideoFrame.from_ndarray(np.zeros((canvas.height, canvas.width, 3), np.uint8), format="rgb24")
            self._black = self._reformatter.reformat(
                dark,
                format=canvas.pixels,
                dst_colorspace=Colorspace.ITU601,
                src_color_range=JPEG,
                dst_color_range=JPEG if canvas.is_full_range else MPEG,
            )
            self._black.color_range = JPEG if canvas.is_full_range else MPEG
        return self._black

    def _reshaped(self, frame: VideoFrame, width: int, height: int, *, full: bool) -> VideoFrame:
        canvas = self._canvas
        from_rgb, to_rgb = is_rgb(frame.format.name), is_rgb(canvas.pixels)
        reshaped = self._reformatter.reformat(
            frame,
            width,
            height,
            canvas.pixels,
            dst_colorspace=Colorspace.ITU601 if from_rgb and not to_rgb else None,
            interpolation=self._flags,
            src_color_range=JPEG if full or from_rgb else MPEG,
            dst_color_range=JPEG if canvas.is_full_range or to_rgb else MPEG,
            threads=self._threads,
        )
        reshaped.color_range = JPEG if canvas.is_full_range else MPEG
        return reshaped


def _copy(source: VideoFrame, target: VideoFrame, x: int, y: int) -> None:
    """Puts `source` into `target`, of the same layout, with its corner at (x, y), on whole colour samples."""
    pixels = target.format.name
    _, down = chroma_shifts(pixels)
    for index in range(len(target.planes)):
        is_chroma = any(part.plane == index and part.is_chroma for part in target.format.components)
        rows, into = plane_rows(source, index), _writable(target, index)
        top, left = y >> down if is_chroma else y, row_bytes(pixels, index, x) if x else 0
        into[top : top + rows.shape[0], left : left + rows.shape[1]] = rows


def _writable(frame: VideoFrame, index: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    plane = frame.planes[index]
    return np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)


def layout_for(layouts: Sequence[tuple[str, int, bool]]) -> tuple[str, bool]:
    """The pixel layout, and whether in full range, for pictures of `layouts`: (name, bits, is full range).

    Where they agree, theirs. Otherwise the one with the most bits and colour samples, in the first one's range.
    """
    names = {name.replace("yuvj", "yuv") for name, _, _ in layouts}
    first_range = layouts[0][2]
    if len(names) == 1:
        return names.pop(), first_range
    yuv = [(name.replace("yuvj", "yuv"), bits) for name, bits, _ in layouts if not is_rgb(name)]
    if len(yuv) < len(layouts):
        yuv.append(("yuv444p", 8))
    name, _ = max(yuv, key=lambda one: (one[1], -sum(chroma_shifts(one[0]))))
    return name, first_range


@dataclass(frozen=True)
class Tone:
    """What all sound of a joined track is made to be; `sample_format` and `layout` as FFmpeg names them."""

    rate: int
    layout: str
    sample_format: str


def tone_for(tracks: Sequence[AudioTrack]) -> Tone:
    """The rate, layout and sample format for these tracks: theirs where they agree, else the one that loses nothing."""
    shapes = {(track.rate, _layout(track), track.sample_format) for track in tracks}
    if len(shapes) == 1:
        ((rate, layout, sample_format),) = shapes
        if rate and sample_format:
            return Tone(rate, layout, sample_format)
    widest = max(tracks, key=lambda track: track.channels)
    return Tone(max(track.rate for track in tracks) or UNTOLD_RATE, _layout(widest), ROOM_FOR_ALL)


def _layout(track: AudioTrack) -> str:
    """The track's layout, which some containers tell only as a number of channels."""
    return LAYOUTS.get(track.channels, "stereo") if "channels" in track.layout or not track.layout else track.layout


@dataclass(frozen=True)
class Stretch:
    """Sound of one part: `track` of the file at `path` from `start` to `end`, seconds on the file's own clock.

    It sounds from `begins` until `ends`, in seconds from the first picture of the whole. Without a track: silence.
    """

    begins: Fraction
    ends: Fraction
    path: Path | None = None
    track: AudioTrack | None = None
    start: Fraction = Fraction(0)
    end: Fraction = Fraction(0)


class JoinedSound:
    """One audio track made of stretches that follow each other; a context manager.

    It offers the formats what a `Sound` does: `rate`, `layout` and `track`, and blocks of samples in order.
    """

    def __init__(self, stretches: Sequence[Stretch], number: int, limits: Limits) -> None:
        heard = [stretch.track for stretch in stretches if stretch.track is not None]
        self.tone = tone_for(heard)
        self.rate, self.layout = self.tone.rate, self.tone.layout
        self.track = AudioTrack(
            index=number,
            codec=heard[0].codec,
            rate=self.rate,
            channels=AudioLayout(self.layout).nb_channels,
            layout=self.layout,
            sample_format=self.tone.sample_format,
            time_base=Fraction(1, self.rate),
            language=heard[0].language,
            bits=max(track.bits for track in heard),
        )
        self.notes: list[str] = []
        self._stretches, self._limits = stretches, limits
        self._blocks = self._joined()
        self._next: AudioFrame | None = None

    def __enter__(self) -> JoinedSound:
        self._next = next(self._blocks, None)
        return self

    def __exit__(self, *_: object) -> None:
        self._blocks.close()

    def until(self, seconds: Fraction) -> Iterator[AudioFrame]:
        """The next blocks that begin before `seconds` after the first picture; pts in samples, time base 1/rate."""
        while self._next is not None and self._next.pts is not None and self._next.pts < seconds * self.rate:
            block, self._next = self._next, next(self._blocks, None)
            yield block

    def _joined(self) -> Generator[AudioFrame, None, None]:
        position = 0
        for stretch in self._stretches:
            end = math.ceil(stretch.ends * self.rate)
            for block in self._sounding(stretch):
                count = min(block.samples, end - position)
                if count <= 0:
                    break
                yield part_of(block, 0, count, position)
                position += count
            while position < end:
                count = min(SILENCE_BLOCK, end - position)
                yield self._silence(count, position)
                position += count

    def _sounding(self, stretch: Stretch) -> Iterator[AudioFrame]:
        """The blocks of one stretch, in the tone of all."""
        if stretch.path is None or stretch.track is None:
            return
        tone = (self.tone.sample_format, self.tone.layout, self.tone.rate)
        with Sound(stretch.path, stretch.track, stretch.start, stretch.end, self._limits) as sound:
            if sound.is_empty:
                self.notes.append(f"{stretch.path.name}: audio track {stretch.track.index} has no sound in this span")
                return
            resampler = None
            for block in sound.until(stretch.end - stretch.start + 1):
                if (block.format.name, block.layout.name, block.sample_rate) == tone:
                    yield block
                    continue
                resampler = resampler or AudioResampler(*tone)
                yield from resampler.resample(block)
            if resampler is not None:
                yield from resampler.resample(None)
            begins = float(stretch.begins)
            self.notes += [
                f"{stretch.path.name}, from {begins:.3f} s: {note}" for note in sound.facts.notes(sound.track)
            ]

    def _silence(self, samples: int, position: int) -> AudioFrame:
        tone, channels = self.tone, self.track.channels
        packed = not tone.sample_format.endswith("p") or channels >= MOST_PLANES
        shape = (1, samples * channels) if packed else (channels, samples)
        kinds = {"u8": np.uint8, "s16": np.int16, "s32": np.int32, "flt": np.float32, "dbl": np.float64}
        name = tone.sample_format.removesuffix("p")
        quiet = np.full(shape, 128 if name == "u8" else 0, kinds[name])
        block = AudioFrame.from_ndarray(quiet, format=name if packed else f"{name}p", layout=tone.layout)
        block.sample_rate, block.pts, block.time_base = tone.rate, position, Fraction(1, tone.rate)
        return block
