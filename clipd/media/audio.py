"""The sound of a span, cut to the sample: decoded, aligned to the picture, gaps filled with silence and named.

It reads one track through its own opening of the file, so that sound can be pulled just ahead of the picture and a clip
of any length needs the same memory. Sample k of a track sounds at k / rate seconds; the cut holds the samples from the
first picture's time up to the end of the last picture. Timestamps that wander by less than one audio frame are jitter
of the container and change nothing; a larger step is a gap (filled with silence) or an overlap (cut), so that sound
never drifts from the picture by more than one audio frame.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Final

import av.error
import numpy as np
from av import AudioFrame, AudioResampler, AudioStream, Packet
from av.container import InputContainer
from numpy.typing import NDArray

from clipd.errors import MediaError
from clipd.media.door import Limits, only, opened, words_of
from clipd.media.probe import AudioTrack

RUN_UPS: Final = (Fraction(1, 2), Fraction(5), None)
"""Seconds to start decoding before the span (codecs need some to settle); None: from the start of the file."""
LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""The usual layout for tracks that tell only how many channels they have."""
SILENCE_BLOCK: Final = 8192
MOST_PLANES: Final = 8
"""The pointers to planes that a frame of the library holds itself."""
SHORTEST_FRAME_HERTZ: Final = 50
"""Steps of less than 20 ms count as jitter even where frames are shorter (Vorbis: down to 3 ms)."""


@dataclass
class SoundFacts:
    """What was met while reading a track; times in seconds from the first picture."""

    silent: list[tuple[Fraction, Fraction]] = field(default_factory=list)
    overlaps: int = 0
    broken_packets: int = 0
    samples: int = 0

    def notes(self, track: AudioTrack) -> Iterator[str]:
        """The same in words."""
        name = f"audio track {track.index}"
        for start, length in self.silent[:20]:
            yield f"{name}: no sound from {float(start):.3f} s for {float(length):.3f} s; filled with silence"
        if len(self.silent) > 20:
            yield f"{name}: {len(self.silent) - 20} more gaps filled with silence"
        if self.overlaps:
            yield f"{name}: {self.overlaps} overlapping stretches cut, so that sound stays with the picture"
        if self.broken_packets:
            yield f"{name}: {self.broken_packets} broken packets skipped"


class Sound:
    """The samples of one audio track within `[start, end)`, seconds on the file's own clock.

    A context manager. Once entered, `rate`, `layout` and `channels` are those of the decoded sound (which may differ
    from what the container says: HE-AAC doubles the rate).

    Raises:
        MediaError: the file cannot be read. Broken packets are skipped and counted.
    """

    def __init__(self, path: Path, track: AudioTrack, start: Fraction, end: Fraction, limits: Limits) -> None:
        self.path, self.track, self.facts = path, track, SoundFacts()
        self._start, self._end, self._limits = start, end, limits
        self._stack = ExitStack()
        self.rate = 0
        self.layout = "mono"
        self.channels = 0
        self._position = 0
        self._blocks = self._aligned()
        self._next: AudioFrame | None = None

    def __enter__(self) -> Sound:
        with ExitStack() as opening:
            opening.callback(self._stack.close)
            self._next = next(self._blocks, None)
            opening.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def is_empty(self) -> bool:
        """Has the track no sound at all in this span?"""
        return self._next is None and self.facts.samples == 0

    def until(self, seconds: Fraction) -> Iterator[AudioFrame]:
        """The next blocks that begin before `seconds` after the first picture; pts in samples, time base 1/rate."""
        while self._next is not None and self._next.pts is not None and self._next.pts < seconds * self.rate:
            block, self._next = self._next, next(self._blocks, None)
            self.facts.samples += block.samples
            yield block

    def _aligned(self) -> Iterator[AudioFrame]:
        """Blocks without gap or overlap, the first at sample 0, the last ending at or before the span's end."""
        cursor = first = last = 0
        template: AudioFrame | None = None
        for frame in self._decoded():
            if template is None:
                template = frame
                self.rate, self.channels = frame.sample_rate, frame.layout.nb_channels
                self.layout = frame.layout.name if _has_names(frame) else LAYOUTS[self.channels]
                first, last = math.ceil(self._start * self.rate), math.ceil(self._end * self.rate)
            at = cursor + first
            if frame.pts is not None and frame.time_base is not None:
                told = frame.pts * frame.time_base
                jitter = (
                    max(frame.samples, self.rate // SHORTEST_FRAME_HERTZ, math.ceil(2 * frame.time_base * self.rate))
                    - 1
                )
                at = round(told * self.rate)
                if cursor and abs(at - first - cursor) <= jitter:
                    at = first + cursor
            begin = max(at, first + cursor)
            stop = min(at + frame.samples, last)
            if at >= last:
                break
            if stop <= begin:
                self.facts.overlaps += bool(cursor)
                continue
            self.facts.overlaps += bool(cursor and at < first + cursor)
            if begin > first + cursor:
                yield from self._silence(template, cursor, begin - first - cursor)
            yield part_of(frame, begin - at, stop - at, begin - first)
            cursor = stop - first
        if template is not None and cursor and last - first - cursor >= template.samples:
            yield from self._silence(template, cursor, last - first - cursor)

    def _silence(self, template: AudioFrame, position: int, samples: int) -> Iterator[AudioFrame]:
        if samples >= template.samples:
            self.facts.silent.append((Fraction(position, self.rate), Fraction(samples, self.rate)))
        while samples:
            size = min(samples, SILENCE_BLOCK)
            yield _silent(template, size, position)
            position, samples = position + size, samples - size

    def _decoded(self) -> Iterator[AudioFrame]:
        """Decoded frames from at or before the span's start, all in the first one's rate and layout."""
        container, stream = self._opened()
        template: AudioFrame | None = None
        resampler: AudioResampler | None = None
        for packet in self._packets(container, stream):
            for frame in self._decode(packet):
                template = template or frame
                if _shape(frame) == _shape(template):
                    yield frame
                    continue
                pts, time_base = frame.pts, frame.time_base
                resampler = AudioResampler(template.format.name, template.layout.name, template.sample_rate)
                for changed in (*resampler.resample(frame), *resampler.resample(None)):
                    changed.pts, pts = pts, None
                    if time_base is not None:
                        changed.time_base = time_base
                    yield changed

    def _opened(self) -> tuple[InputContainer, AudioStream]:
        """The file, open and standing at a packet from before the span (or the track's first)."""
        for run_up in RUN_UPS:
            container = self._stack.enter_context(opened(self.path, self._limits))
            stream = self._stream(container)
            only(container, stream)
            goal = None if run_up is None else int((self._start - run_up) / self.track.time_base)
            if goal is None or goal <= (stream.start_time or 0):
                return container, stream
            if self._lands_before(container, stream, goal):
                return container, stream
            self._stack.close()
        raise MediaError(f"{self.path.name}: audio track {self.track.index} cannot be read")

    def _stream(self, container: InputContainer) -> AudioStream:
        """The track in the open file; `MediaError` where that was replaced by another one."""
        for stream in container.streams.audio:
            if stream.index == self.track.index:
                return stream
        raise MediaError(f"{self.path.name} no longer has an audio track {self.track.index}")

    def _lands_before(self, container: InputContainer, stream: AudioStream, goal: int) -> bool:
        """Seeks to `goal` and tells whether the next packet indeed lies before the span; then seeks again."""
        try:
            container.seek(goal, stream=stream, backward=True)
            packet = next((p for p in container.demux(stream) if p.pts is not None), None)
            if packet is None or packet.pts is None or packet.pts * packet.time_base > self._start:
                return False
            container.seek(goal, stream=stream, backward=True)
        except (av.error.FFmpegError, OSError, IndexError):  # the last one at the end, as in `decoder`
            return False
        return True

    def _packets(self, container: InputContainer, stream: AudioStream) -> Iterator[Packet[AudioStream]]:
        packets = container.demux(stream)
        while True:
            try:
                packet = next(packets, None)
            except av.error.InvalidDataError:
                self.facts.broken_packets += 1
                return
            except av.error.FFmpegError as error:
                raise MediaError(f"{self.path.name}: reading the sound failed", tail=words_of(error)) from error
            except IndexError:  # at the end, as in `decoder`
                return
            if packet is None:
                return
            yield packet

    def _decode(self, packet: Packet[AudioStream]) -> list[AudioFrame]:
        try:
            return [_packed(frame) if _has_too_many_planes(frame) else frame for frame in packet.decode()]
        except (av.error.FFmpegError, ValueError):
            if packet.pts is None or self._start <= packet.pts * packet.time_base < self._end:
                self.facts.broken_packets += 1
            return []


def _has_too_many_planes(frame: AudioFrame) -> bool:
    """Would touching the planes of `frame` read beyond their list, and crash?

    The binding counts planes up to a null pointer, which eight of them do not leave (`AudioFrame.planes`, PyAV 18).
    """
    return frame.format.is_planar and frame.layout.nb_channels >= MOST_PLANES


def _packed(frame: AudioFrame) -> AudioFrame:
    """The same samples in a single plane."""
    resampler = AudioResampler(frame.format.packed.name, frame.layout, frame.sample_rate)
    (packed,) = resampler.resample(frame)
    packed.pts, packed.time_base = frame.pts, frame.time_base or Fraction(1, frame.sample_rate)
    return packed


def _shape(frame: AudioFrame) -> tuple[str, str, int]:
    return frame.format.name, frame.layout.name, frame.sample_rate


def part_of(frame: AudioFrame, begin: int, stop: int, position: int) -> AudioFrame:
    """Samples `begin` to `stop` of `frame`, sounding at sample `position` of the cut."""
    if (begin, stop) == (0, frame.samples) and _has_names(frame):
        return _placed(frame, position, frame.sample_rate)
    samples = frame.to_ndarray()
    channels = 1 if frame.format.is_planar else frame.layout.nb_channels
    return _built(np.ascontiguousarray(samples[:, begin * channels : stop * channels]), frame, position)


def _silent(template: AudioFrame, samples: int, position: int) -> AudioFrame:
    """`samples` of silence in the format of `template`."""
    channels = template.layout.nb_channels
    shape = (channels, samples) if template.format.is_planar else (1, samples * channels)
    zero = 128 if template.format.name.startswith("u8") else 0
    return _built(np.full(shape, zero, template.to_ndarray().dtype), template, position)


def _built(samples: NDArray[np.generic], template: AudioFrame, position: int) -> AudioFrame:
    layout = template.layout.name if _has_names(template) else LAYOUTS[template.layout.nb_channels]
    block = AudioFrame.from_ndarray(samples, format=template.format.name, layout=layout)  # type: ignore[arg-type]
    return _placed(block, position, template.sample_rate)


def _placed(block: AudioFrame, position: int, rate: int) -> AudioFrame:
    block.sample_rate = rate
    block.pts, block.time_base = position, Fraction(1, rate)
    return block


def _has_names(frame: AudioFrame) -> bool:
    """Does the layout say which channel is which (not just `2 channels`)?"""
    return "channels" not in frame.layout.name
