"""Reading a written file back: what really is in it, packet by packet.

Verification rests on this and not on what the encoder reported. It raises `MediaError` when the file does not open, its
packets cannot be read or its last picture does not decode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av.error
import numpy as np
from av import AudioStream, VideoFrame, VideoStream
from av.container import InputContainer
from numpy.typing import NDArray

from clipd.errors import MediaError
from clipd.media.door import Limits, only, opened, words_of


@dataclass(frozen=True)
class AudioFound:
    """An audio track of a written file; `start` in seconds on the file's clock, None where it holds no sound."""

    codec: str
    rate: int
    channels: int
    start: Fraction | None
    frame_seconds: Fraction


@dataclass(frozen=True)
class Found:
    """What a written file holds. `times` are the pictures' pts in ticks of `time_base`, in order, as int64."""

    codec: str
    pixels: str
    width: int
    height: int
    time_base: Fraction
    times: NDArray[np.int64]
    sync_frames: int
    audio: tuple[AudioFound, ...]

    @property
    def frames(self) -> int:
        """How many pictures the file holds."""
        return len(self.times)


def inspect(path: Path, limits: Limits, threads: int, tick: Callable[[], None] = lambda: None) -> Found:
    """Counts the packets of the file at `path`, looks at its tracks and decodes its last picture.

    `tick` is called now and then and may raise to stop.
    """
    with reading(path), opened(path, limits) as container:
        video = _video(container, path)
        audio = tuple(first_sound(container, stream) for stream in container.streams.audio)
        only(container, video)
        container.seek(0)
        stamps = sorted(
            (packet.pts, packet.is_keyframe)
            for packet in container.demux(video)
            if packet.size and packet.pts is not None
        )
        if not stamps:
            raise MediaError(f"{path.name} holds no pictures")
        video.codec_context.thread_count = threads
        decode_last(container, video, stamps[-1][0], tick, path)
        context = video.codec_context
        return Found(
            codec=context.name,
            pixels=context.pix_fmt or "",
            width=context.width,
            height=context.height,
            time_base=video.time_base or Fraction(1, 1000),
            times=np.array([stamp[0] for stamp in stamps], np.int64),
            sync_frames=sum(stamp[1] for stamp in stamps),
            audio=audio,
        )


def pictures(path: Path, limits: Limits, threads: int) -> Iterator[VideoFrame]:
    """Every picture of the file at `path`, decoded in order; one that does not decode raises."""
    with reading(path), opened(path, limits) as container:
        video = _video(container, path)
        only(container, video)
        video.codec_context.thread_count = threads
        yield from container.decode(video)


def decode_last(container: InputContainer, video: VideoStream, last: int, tick: Callable[[], None], path: Path) -> None:
    """Decodes the picture at pts `last` from the sync frame before it.

    Pictures that nothing else refers to are skipped on the way, and block edges are not smoothed: whether the last one
    decodes does not depend on either.
    """
    video.codec_context.options |= {"skip_loop_filter": "all"}
    container.seek(last, stream=video, backward=True)
    reached: int | None = None
    for packet in container.demux(video):
        tick()
        video.codec_context.skip_frame = "NONREF" if packet.pts is not None and packet.pts < last else "DEFAULT"
        for frame in packet.decode():
            if frame.is_corrupt:
                raise MediaError(f"{path.name}: a picture near the end is damaged")
            reached = frame.pts
    if reached != last:
        raise MediaError(f"{path.name}: the last picture does not decode")


def first_sound(container: InputContainer, stream: AudioStream) -> AudioFound:
    """Decodes the first sound of a track: only then are the encoder's priming samples taken off."""
    only(container, stream)
    container.seek(0)
    context = stream.codec_context
    frame = next(iter(container.decode(stream)), None)
    rate = frame.sample_rate if frame else context.sample_rate
    start = frame.pts * frame.time_base if frame and frame.pts is not None and frame.time_base else None
    size = max(context.frame_size, frame.samples if frame else 0)
    return AudioFound(context.name, rate, context.channels, start, Fraction(size, rate))


def _video(container: InputContainer, path: Path) -> VideoStream:
    if not container.streams.video:
        raise MediaError(f"{path.name} holds no video track")
    return container.streams.video[0]


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Translates the library's errors while reading `path` back."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise MediaError(f"{path.name} does not read back", tail=words_of(error)) from error
