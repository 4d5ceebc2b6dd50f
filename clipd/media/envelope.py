"""The ear: decoded sound of one track in, mono samples at a low rate with their place in time out.

It stands apart from `audio`, which cuts sound to the sample for a clip: here nobody listens, loudness is measured, and
what counts is that it costs little. Frames of sound are a few milliseconds; they are gathered before they are mixed
down and resampled. A step of time larger than a frame starts anew at the place told; sound that is already past is
dropped, and where a clock is set back for good, sound goes on where it was.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
FULL_SCALE: Final = np.float32(1 << 15)
"""Of 16-bit samples; for them, unlike for float ones, the library weighs channels so that nothing is clipped."""
CLOCK_RESET_SECONDS: Final = 10
"""A step back of at least this much is a clock that was set, not sound that overlaps."""


@dataclass(frozen=True, slots=True)
class Heard:
    """Mono sound: `samples` (K,) float32, full scale at 1; `seconds` on the file's own clock at the first of them."""

    seconds: float
    samples: NDArray[np.float32]


class Ear:
    """Mixes the frames of one audio track down to mono at `rate` Hz, as `ffmpeg -ac 1` does: stereo is (L + R) / 2.

    What the library cannot mix is left out; `warnings` say so.
    """

    def __init__(self, stream: AudioStream, rate: int) -> None:
        self.stream, self._rate = stream, rate
        self._tick_seconds = float(stream.time_base or 0)
        self._fifo = AudioFifo()
        self._resampler: AudioResampler | None = None
        self._heard: list[Heard] = []
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

    def hear(self, packet: av.Packet[AudioStream] | None) -> list[Heard]:
        """Decodes `packet`, None at the end, and returns what sound is gathered by then: mostly none."""
        try:
            frames = self.stream.codec_context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, ValueError):
            self.broken_packets += 1
            frames = []
        for frame in frames:
            self._take(frame)
        if packet is None:
            self._begin_at(0.0)
        heard, self._heard = self._heard, []
        return heard

    def _take(self, frame: AudioFrame) -> None:
        rate, length = frame.sample_rate, frame.samples
        if rate <= 0 or length <= 0:
            return
        told, expected = self._told(frame.pts), self._expected
        if expected is None or abs(told - expected) > max(length / rate, 1 / SHORTEST_FRAME_HERTZ):
            if expected is not None and told + length / rate <= expected:
                self.overlaps += 1
                return
            self._begin_at(told)
            expected = told
        # The library's buffer does not compare the number of channels, and would read beyond them.
        shape = (frame.layout.nb_channels, frame.format.name, rate)
        if shape != self._shape:
            self._begin_at(expected)
            self._shape = shape
        frame.pts = None
        self._fifo.write(frame)
        self._expected = expected + length / rate
        if self._fifo.samples >= rate * GATHERED_SECONDS:
            self._mix(self._fifo.read())

    def _told(self, pts: int | None) -> float:
        """When a frame sounds: as its time says, else right after the one before."""
        if pts is None:
            return self._expected or 0.0
        told = pts * self._tick_seconds + self._moved
        if self._expected is not None and told < self._expected - CLOCK_RESET_SECONDS:
            self._moved += self._expected - told
            return self._expected
        return told

    def _begin_at(self, seconds: float) -> None:
        """Mixes all that was gathered before, and begins anew at `seconds`."""
        gathered = self._fifo.read()
        if gathered is not None:
            self._mix(gathered)
        if self._resampler is not None:
            self._mix(None)
        self._fifo, self._resampler = AudioFifo(), None
        self._begin, self._given = seconds, 0

    def _mix(self, gathered: AudioFrame | None) -> None:
        if self._resampler is None:
            self._resampler = AudioResampler("s16", "mono", self._rate)
        try:
            mixed: Sequence[AudioFrame | None] = self._resampler.resample(gathered)
        except (av.error.FFmpegError, ValueError) as error:
            self.deaf = words_of(error) if isinstance(error, av.error.FFmpegError) else str(error)
            return
        for block in mixed:
            # Where there is nothing to convert, the library hands back what it is given, at the end nothing.
            if block is not None:
                samples = block.to_ndarray()[0].astype(np.float32) / FULL_SCALE
                self._heard.append(Heard(self._begin + self._given / self._rate, samples))
                self._given += len(samples)
