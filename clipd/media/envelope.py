"""The ear: decoded sound of one track in, mono samples at a low rate with their place in time out.

It stands apart from `audio`, which cuts sound to the sample for a clip: here nobody listens, loudness is measured, and
what counts is that it costs little. Frames of sound are a few milliseconds; they are gathered before they are mixed
down and resampled. A step of time larger than a frame starts anew at the place told; sound that is already past is
dropped, and where a clock is set back for good, sound goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

import av.error
import numpy as np
from av import AudioFifo, AudioFrame, AudioResampler, AudioStream
from numpy.typing import NDArray

from clipd.media.audio import SHORTEST_FRAME_HERTZ
from clipd.media.door import words_of

GATHERED_SECONDS: Final = 0.5
"""How much sound is mixed down at a time."""
CLOCK_RESET_SECONDS: Final = 10
"""A step back of at least this much is a clock that was set, not sound that overlaps."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Mono sound: `samples` (K,) float32, full scale at 1; `seconds` on the file's own clock at the first of them."""

    seconds: float
    samples: NDArray[np.float32]


class Ear:
    """Mixes the frames of one audio track down to mono at `rate` Hz.

    All channels count alike, as FFmpeg mixes them. What the library cannot mix is left out; `warnings` say so.
    """

    def __init__(self, stream: AudioStream, rate: int) -> None:
        self.stream, self._rate = stream, rate
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._begin = 0.0
        self._given = 0
        self._expected: float | None = None
        self._moved = 0.0
        self._shape: tuple[object, ...] = ()
        self.broken_packets = 0
        self.overlaps = 0
        self.deaf = ""
        """Why sound is left out, in the library's words; or nothing."""

    def warnings(self) -> Iterator[str]:
        """What was met, in words for a person."""
        name = f"audio track {self.stream.index}"
        if self.broken_packets:
            yield f"{name}: {self.broken_packets} broken packets passed over"
        if self.overlaps:
            yield f"{name}: {self.overlaps} overlapping stretches passed over"
        if self._moved:
            yield f"{name}: its clock was set back on the way; its sound was taken to go on"
        if self.deaf:
            yield f"{name}: some of its sound cannot be mixed down and is left out ({self.deaf})"

    def hear(self, packet: av.Packet[AudioStream] | None) -> Iterator[Heard]:
        """Decodes `packet`, None at the end, and yields what sound is gathered by then."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, ValueError):
            self.broken_packets += 1
            frames = []
        for frame in frames:
            yield from self._take(frame)
        if packet is None:
            yield from self._begin_at(0.0)

    def _take(self, frame: AudioFrame) -> Iterator[Heard]:
        rate, length = frame.sample_rate, frame.samples
        if rate <= 0 or length <= 0:
            return
        told, expected = self._told(frame), self._expected
        if expected is None or abs(told - expected) > max(length / rate, 1 / SHORTEST_FRAME_HERTZ):
            if expected is not None and told + length / rate <= expected:
                self.overlaps += 1
                return
            yield from self._begin_at(told)
            expected = told
        # The library's buffer compares everything but the number of channels, and would read beyond them.
        shape = (frame.layout.nb_channels, frame.format.name, rate, frame.time_base)
        if shape != self._shape:
            yield from self._begin_at(expected)
            self._shape = shape
        frame.pts = None
        self._fifo.write(frame)
        self._expected = expected + length / rate
        if self._fifo.samples >= rate * GATHERED_SECONDS:
            yield from self._mixed(self._fifo.read())

    def _told(self, frame: AudioFrame) -> float:
        """When `frame` sounds: as its time says, else right after the one before."""
        if frame.pts is None or frame.time_base is None:
            return self._expected or 0.0
        told = float(frame.pts * frame.time_base) + self._moved
        if self._expected is not None and told < self._expected - CLOCK_RESET_SECONDS:
            self._moved += self._expected - told
            return self._expected
        return told

    def _begin_at(self, seconds: float) -> Iterator[Heard]:
        """Yields all that was heard before, and begins anew at `seconds`."""
        gathered = self._fifo.read()
        if gathered is not None:
            yield from self._mixed(gathered)
        if self._resampler is not None:
            yield from self._mixed(None)
        self._fifo, self._resampler = AudioFifo(), None
        self._begin, self._given = seconds, 0

    def _mixed(self, gathered: AudioFrame | None) -> Iterator[Heard]:
        if self._resampler is None:
            self._resampler = AudioResampler("flt", "mono", self._rate)
        try:
            mixed: Iterable[AudioFrame] = self._resampler.resample(gathered)
        except (av.error.FFmpegError, ValueError) as error:
            self.deaf = words_of(error) if isinstance(error, av.error.FFmpegError) else str(error)
            return
        for block in mixed:
            if block is None:
                # The library hands back what it is given where there is nothing to convert.
                continue
            samples = block.to_ndarray()[0]
            yield Heard(self._begin + self._given / self._rate, samples)
            self._given += len(samples)
