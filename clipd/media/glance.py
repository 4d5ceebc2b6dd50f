"""A glance: one frame, seen small. And the viewing: the one reading of a file that shows every frame and every sound.

It stands apart because decoding is what costs: whatever wants to know what a video shows (cuts, motion, black, freeze,
loudness) looks at what one demuxing and one decoding bring, while it passes. Memory is that of a few frames and two
integers for each, however long the file.

Frames are numbered as everywhere in clipd: what the decoder delivers, from the first packet on. Broken packets are
passed over, counted and named.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import av
import av.error
import cv2
import numpy as np
from av import AudioStream, VideoFormat, VideoFrame, VideoStream
from av.container import InputContainer
from av.stream import Discard
from av.video.plane import VideoPlane
from numpy.typing import NDArray

from clipd.errors import MediaError
from clipd.media.decoder import Decoder
from clipd.media.door import Limits, only, opened, words_of
from clipd.media.envelope import Ear, Heard
from clipd.media.index import FRAME_DISORDER, as_shown, check_count, track
from clipd.media.picture import CROPPABLE, Reshaper, is_full_range, is_rgb
from clipd.media.planes import plane_rows
from clipd.media.probe import SourceInfo
from clipd.model.setting import Section, setting

if TYPE_CHECKING:
    _Picture = av.Packet[VideoStream]
    _Sound = av.Packet[AudioStream]

Rows = NDArray[np.uint8]

NAMED: Final = 10
"""How many damaged frames are named; the rest are counted."""


class Settings(Section):
    """How small a frame is seen, and how sound is heard."""

    width: int = setting(
        160,
        "How wide the small picture is; its height keeps the aspect. At 160, cuts are found as at full size.",
        unit="pixels",
        ge=16,
        le=4096,
    )
    scaler: Literal["fast_bilinear", "bilinear", "area"] = setting(
        "fast_bilinear",
        "How pictures are shrunk. `fast_bilinear` looks at a few rows and columns and costs a small part of the "
        "others, which average all of them.",
    )
    sound_rate: int = setting(
        16_000, "Sound is mixed down to mono at this rate before it is measured.", unit="Hz", ge=1_000, le=192_000
    )


@dataclass(frozen=True, slots=True)
class Glance:
    """One frame, seen small. The arrays stay as they are for as long as somebody keeps them."""

    number: int
    """The n-th frame in presentation order, from 0."""
    seconds: float
    """When it is shown, since the first frame; strictly increasing."""
    luma: Rows
    """(H, W) uint8, W as the settings say, in the range that the video is coded with (16..235 or 0..255)."""
    chroma: tuple[Rows, Rows]
    """(H/2, W/2) uint8 U and V, likewise."""
    changes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """The mean absolute difference of each plane (Y, U, V) from the frame before, 0..255; 0 for the first frame.

    Almost everything that looks wants to know that, so it is measured once.
    """


class Whole:
    """A frame at full size. It keeps the decoder's picture alive for as long as it is kept itself, without copying."""

    def __init__(self, frame: VideoFrame) -> None:
        self._frame = frame
        self._planes: tuple[NDArray[Any], ...] | None = None

    @property
    def bits(self) -> int:
        """How many bits a sample has."""
        return _bits(self._frame.format.name)

    @property
    def is_full_range(self) -> bool:
        """Do the samples of `planes` use all values (0..255), not the video range (16..235)?"""
        pixels = self._frame.format.name
        return not is_rgb(pixels) and is_full_range(pixels, self._frame.color_range)

    @property
    def planes(self) -> tuple[NDArray[Any], ...]:
        """Luma and chroma, each (rows, columns), uint8 or little-endian uint16; views.

        RGB, and layouts whose samples lie mixed, are converted first (8 bits, 4:2:0 for RGB).
        """
        if self._planes is None:
            pixels = self._frame.format.name
            layout = "yuv420p" if is_rgb(pixels) else CROPPABLE.get(pixels)
            if layout is not None:
                self._frame = Reshaper(layout, scaler="fast_bilinear").fit(
                    self._frame, self._frame.width, self._frame.height
                )
            wide = self.bits > 8
            rows = [plane_rows(self._frame, index) for index in range(len(self._frame.planes))]
            self._planes = tuple(plane.view("<u2") if wide else plane for plane in rows)
        return self._planes


class Viewing:
    """One reading of the file at `path`: an iterator of glances and sounds, in the order in which they come.

    Frames are those of the track that `info` chose (None: a file without video, only heard); sound is that of the
    first audio track, which clips take first as well. `tick` is called for every packet and may raise to stop.

    Raises:
        MediaError: the file cannot be read, or no frame of its video can be decoded.
        Rejected: it has more frames than the limits allow.
    """

    def __init__(
        self,
        path: Path,
        info: SourceInfo | None,
        limits: Limits,
        settings: Settings,
        *,
        threads: int = 0,
        tick: Callable[[], None] = lambda: None,
    ) -> None:
        self._path, self._info, self._limits, self._settings = path, info, limits, settings
        self._threads, self._tick = threads, tick
        self._stamps, self._durations = array("q"), array("q")
        self._whole: Whole | None = None
        self._damaged: list[int] = []
        self._ear: Ear | None = None
        self._refused = 0
        self._last_words = ""
        self._broken_off = ""

    def __iter__(self) -> Iterator[Glance | Heard]:
        """Reads the file, once."""
        with opened(self._path, self._limits) as container:
            audio = next((stream for stream in container.streams.audio if stream.codec_context is not None), None)
            self._ear = Ear(audio, self._settings.sound_rate) if audio is not None else None
            if self._info is not None:
                yield from self._seen(container, self._info, self._ear)
            elif self._ear is not None:
                yield from self._heard(container, self._ear)
            else:
                raise MediaError(f"{self._path.name} holds neither video nor sound")

    @property
    def has_sound(self) -> bool:
        """Is there an audio track?"""
        return self._ear is not None

    def whole(self) -> Whole:
        """The frame of the last glance at full size."""
        if self._whole is None:
            raise LookupError("no frame was seen yet")
        return self._whole

    @property
    def start_seconds(self) -> float:
        """When the first frame is shown, on the file's own clock; 0 where there is none."""
        if self._info is None or not self._stamps:
            return 0.0
        return float(min(self._stamps[:FRAME_DISORDER]) * self._info.video.time_base)

    def times(self) -> tuple[NDArray[np.float64], float]:
        """When each frame was shown, (N,) seconds since the first, and when the last one's showing ended.

        The same as the frame index says of the file.
        """
        if self._info is None or not self._stamps:
            return np.zeros(0), 0.0
        shown = as_shown(np.frombuffer(self._stamps, np.int64), self._durations, self._info)
        base = self._info.video.time_base
        ticks = shown.pts - shown.pts[0]
        seconds = ticks * base.numerator / base.denominator
        return seconds, float((shown.end_pts - int(shown.pts[0])) * base)

    def warnings(self) -> Iterator[str]:
        """What was met, in words for a person; complete once the file is read."""
        if self._refused:
            yield f"{self._refused} broken packets of the video passed over ({self._last_words})"
        if self._damaged:
            some = ", ".join(map(str, self._damaged[:NAMED])) + (", ..." if len(self._damaged) > NAMED else "")
            yield f"{len(self._damaged)} frames could be decoded in part only ({some})"
        if self._broken_off:
            yield f"the file breaks off: {self._broken_off}"
        if self._ear is not None:
            yield from self._ear.warnings()

    def _heard(self, container: InputContainer, ear: Ear) -> Iterator[Heard]:
        only(container, ear.stream)
        for packet in self._packets(container, ear.stream):
            yield from ear.hear(cast("_Sound", packet))
        yield from ear.hear(None)

    def _seen(self, container: InputContainer, info: SourceInfo, ear: Ear | None) -> Iterator[Glance | Heard]:
        decoder = Decoder(container, track(container, info), threads=self._threads)
        tracks: list[VideoStream | AudioStream] = [decoder.stream]
        if ear is not None:
            ear.stream.discard = Discard.default
            tracks.append(ear.stream)
        video = decoder.stream.index
        look = _Look(self._settings, float(info.video.time_base))
        for packet in self._packets(container, *tracks):
            if packet.stream_index == video:
                for frame in decoder.frames(cast("_Picture", packet)):
                    yield self._glance(look, frame)
            elif ear is not None:
                yield from ear.hear(cast("_Sound", packet))
        for frame in decoder.frames(cast("_Picture", av.Packet())):
            yield self._glance(look, frame)
        self._refused, self._last_words = decoder.refused, decoder.last_words
        if not self._stamps:
            raise MediaError(f"{self._path.name}: no frame of its video can be decoded", tail=decoder.last_words)
        if ear is not None:
            yield from ear.hear(None)

    def _packets(self, container: InputContainer, *tracks: VideoStream | AudioStream) -> Iterator[av.Packet[Any]]:
        """The packets of `tracks` as they lie in the file; one that breaks off ends there."""
        packets = container.demux(*tracks)
        while True:
            self._tick()
            try:
                packet = next(packets, None)
            except av.error.FFmpegError as error:
                self._broken_off = words_of(error)
                return
            except IndexError:  # at the end, as in `decoder`
                return
            if packet is None:
                return
            # The empty ones at the end flush; that is done for every track, however the file ends.
            if packet.size:
                yield packet

    def _glance(self, look: _Look, frame: VideoFrame) -> Glance:
        stamp = frame.dts if frame.pts is None else frame.pts
        if stamp is None:
            stamp = self._stamps[-1] if self._stamps else 0
        if frame.is_corrupt:
            self._damaged.append(len(self._stamps))
        self._stamps.append(stamp)
        self._durations.append(frame.duration or 0)
        check_count(self._path, len(self._stamps), self._limits)
        self._whole = Whole(frame)
        return look.at(frame, len(self._stamps) - 1, stamp)


class _Look:
    """Shrinks frames, all to the size that the first one gives, and tells their time as far as it is known by then."""

    def __init__(self, settings: Settings, tick_seconds: float) -> None:
        self._width = settings.width
        self._reshaper = Reshaper("yuv420p", scaler=settings.scaler)
        self._size: tuple[int, int] | None = None
        self._tick_seconds = tick_seconds
        self._first = 0
        self._seconds = 0.0
        self._before: Glance | None = None

    def at(self, frame: VideoFrame, number: int, stamp: int) -> Glance:
        if self._size is None:
            self._size, self._first = _small(frame.width, frame.height, self._width), stamp
        small = self._reshaper.fit(frame, *self._size)
        width, height = self._size
        first, second, third = small.planes
        luma = _rows(first, width, height)
        chroma = _rows(second, width // 2, height // 2), _rows(third, width // 2, height // 2)
        before, changes = self._before, (0.0, 0.0, 0.0)
        if before is not None:
            changes = (
                cv2.norm(luma, before.luma, cv2.NORM_L1) / luma.size,
                cv2.norm(chroma[0], before.chroma[0], cv2.NORM_L1) / chroma[0].size,
                cv2.norm(chroma[1], before.chroma[1], cv2.NORM_L1) / chroma[1].size,
            )
        self._before = Glance(number, self._time(number, stamp), luma, chroma, changes)
        return self._before

    def _time(self, number: int, stamp: int) -> float:
        """Seconds since the first frame; where time stands still or jumps back, a tick after the frame before."""
        seconds = (stamp - self._first) * self._tick_seconds
        if number and seconds <= self._seconds:
            seconds = self._seconds + self._tick_seconds
        self._seconds = seconds
        return seconds


@lru_cache(maxsize=64)
def _bits(pixels: str) -> int:
    return max(component.bits for component in VideoFormat(pixels).components)


def _rows(plane: VideoPlane, width: int, height: int) -> Rows:
    """What `planes.plane_rows` gives, for 8-bit planes of known size: it is asked for thrice a frame."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(height, plane.line_size)[:, :width]


def _small(width: int, height: int, wanted: int) -> tuple[int, int]:
    """Even width and height of the small picture; one that is small already stays as it is, nearly."""
    small = min(wanted, width)
    return max(2, small // 2 * 2), max(2, round(height * small / width / 2) * 2)
