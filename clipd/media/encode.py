"""Writing a media file: one video track, any number of audio tracks, encoded and muxed into staging.

It stands apart so that the formats only say *what* to write (`Recipe`) and this module how: the track's time scale is
the source's, encoders get the threads they are given (a context opened through the library would take every core, or
slice threads), durations reach the file, and picture types of the source never leak into the encoder.

Raises `Deferred` when the disk is full or the share went away, `Temporary` on an I/O error, `MediaError` with the
library's words for everything else.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from typing import Final, TypeAlias, cast

import av
import av.error
from av import AudioFrame, AudioStream, Codec, Packet, VideoFrame, VideoStream
from av.codec.context import Flags

from clipd.errors import Deferred, MediaError, Temporary
from clipd.media.door import words_of
from clipd.media.probe import ColorTags

WAITS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENODEV, errno.ENOTCONN})
"""Not the job's fault: a full disk, a read-only or vanished share."""
TRIES_AGAIN: Final = frozenset({errno.EIO, errno.ENOMEM, errno.EAGAIN, errno.ETIMEDOUT, errno.ENOENT, errno.ENXIO})
Picture = VideoFrame
Block = AudioFrame
EncodedSound: TypeAlias = "list[Packet[AudioStream]]"
"""The library's own types, by the names that the floors above use."""

MUXERS: Final = {"mp4": "mp4", "mov": "mov", "mkv": "matroska"}
"""The library's muxer for each file name extension."""


@dataclass(frozen=True)
class AudioRecipe:
    """One audio track to write. `rate` in samples per second; `sample_format` and `layout` as FFmpeg names them."""

    codec: str
    rate: int
    layout: str
    sample_format: str
    bit_rate: int | None = None
    language: str | None = None


@dataclass(frozen=True)
class Recipe:
    """All that decides how a file is written. `rate` is the nominal frame rate; times come with each frame.

    A rate of None is written nowhere. Matroska would make it every picture's duration, and programs that go by it drop
    pictures that lie closer together.
    """

    extension: str
    codec: str
    pixels: str
    width: int
    height: int
    time_base: Fraction
    rate: Fraction | None
    sar: Fraction
    color: ColorTags
    options: dict[str, str]
    gop: int | None = None
    audio: tuple[AudioRecipe, ...] = ()
    container_options: dict[str, str] = field(default_factory=dict)
    threads_for_each: Fraction = Fraction(1)
    """Encoder threads for each thread of the job; a frame-threaded encoder waits a lot and wants more than one."""


class Encoder:
    """An open output file; a context manager that leaves a complete file only when `finish` was called."""

    def __init__(self, path: Path, recipe: Recipe, threads: int) -> None:
        self.path = path
        self._recipe = recipe
        with writing(path):
            self._container = av.open(
                f"file:{path}",
                "w",
                format=MUXERS[recipe.extension],
                # Else Matroska makes up an id by chance, and the same clip is another file each time.
                container_options={"fflags": "+bitexact", **recipe.container_options},
            )
            self._video = self._add_video(recipe, threads)
            self._audio = [self._add_audio(track) for track in recipe.audio]
            self._container.start_encoding()

    def picture(self, frame: VideoFrame, pts: int, duration: int) -> None:
        """Encodes `frame` to be shown at `pts` for `duration`, both in ticks of the recipe's time base."""
        frame.pts, frame.duration, frame.time_base = pts, duration, self._recipe.time_base
        frame.pict_type = 0
        with writing(self.path):
            self._container.mux(self._video.encode(frame))

    def encode_sound(self, track: int, block: AudioFrame) -> list[Packet[AudioStream]]:
        """The packets that the next block of audio track `track` completes; pts count samples from the first picture.

        May run in another thread than the rest, which `write` must not.
        """
        with writing(self.path):
            return self._audio[track].encode(block)

    def write(self, packets: Sequence[Packet[AudioStream]]) -> None:
        """Puts encoded sound into the file."""
        with writing(self.path):
            self._container.mux(packets)

    def finish(self) -> None:
        """Drains the encoders and writes the end of the file."""
        with writing(self.path):
            self._container.mux(self._video.encode(None))
            for stream in self._audio:
                self._container.mux(stream.encode(None))
            self._container.close()

    def abandon(self) -> None:
        """Closes the file as it is; what is wrong with it no longer matters."""
        try:
            self._container.close()
        except (av.error.FFmpegError, OSError):
            return

    def _add_video(self, recipe: Recipe, threads: int) -> VideoStream:
        stream = cast(
            VideoStream, self._container.add_stream(recipe.codec, rate=recipe.rate or 25, options=dict(recipe.options))
        )
        context = stream.codec_context
        context.width, context.height, context.pix_fmt = recipe.width, recipe.height, recipe.pixels
        context.time_base = stream.time_base = recipe.time_base
        context.framerate = recipe.rate or Fraction(0)
        context.sample_aspect_ratio = recipe.sar
        context.color_primaries, context.color_trc = recipe.color.primaries, recipe.color.transfer
        context.colorspace, context.color_range = recipe.color.space, recipe.color.range
        context.thread_count = max(1, int(threads * recipe.threads_for_each))
        context.thread_type = "AUTO"
        context.flags |= Flags.frame_duration
        if recipe.gop is not None:
            context.gop_size = recipe.gop
        return stream

    def _add_audio(self, recipe: AudioRecipe) -> AudioStream:
        stream = cast(AudioStream, self._container.add_stream(recipe.codec, rate=recipe.rate))
        context = stream.codec_context
        context.layout, context.format = recipe.layout, recipe.sample_format
        context.time_base = stream.time_base = Fraction(1, recipe.rate)
        if recipe.bit_rate is not None:
            context.bit_rate = recipe.bit_rate
        if recipe.language:
            stream.metadata["language"] = recipe.language
        return stream


@contextmanager
def encoding(path: Path, recipe: Recipe, threads: int) -> Iterator[Encoder]:
    """An `Encoder` that is closed whatever happens; call `finish` on it for a complete file."""
    encoder = Encoder(path, recipe, threads)
    try:
        yield encoder
    finally:
        encoder.abandon()


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Translates the library's errors while writing `path` into ours."""
    try:
        yield
    except (av.error.FFmpegError, OSError) as error:
        words = words_of(error) if isinstance(error, av.error.FFmpegError) else error.strerror or str(error)
        if error.errno in WAITS:
            raise Deferred(f"{path.name} cannot be written: {words}") from error
        if error.errno in TRIES_AGAIN:
            raise Temporary(f"{path.name} could not be written: {words}") from error
        raise MediaError(f"{path.name} could not be encoded", tail=words) from error
    except ValueError as error:
        raise MediaError(f"{path.name} could not be encoded", tail=str(error)) from error


@lru_cache(maxsize=8)
def pixel_formats(codec: str) -> frozenset[str]:
    """The pixel formats that the encoder `codec` takes."""
    return frozenset(pixels.name for pixels in Codec(codec, "w").video_formats or ())
