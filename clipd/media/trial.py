"""Trials: can this machine encode? A few pictures or samples are really encoded, muxed, read back and compared.

A build that names an encoder says nothing about the drivers and devices under it. Hardware encoders run code of those
drivers, which may crash, hang or print: they are tried in a process of their own, and a crash or a hang is a result
like any other.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing.connection import Connection
from typing import Final, cast

import av
import av.error
import av.logging
import numpy as np
from av import AudioFrame, AudioStream, Codec, VideoFrame, VideoStream
from av.codec import Capabilities
from av.codec.hwaccel import HWAccel, hwdevices_available
from numpy.typing import NDArray

from clipd.media.door import words_of

PICTURES: Final = 5
SIZE: Final = (320, 240)
"""Width and height in pixels; above what any hardware encoder wants at least (NVENC: 160x64)."""
RATE: Final = 48_000
SAMPLES: Final = 4 * 4608
"""Whole blocks of FLAC, whole frames of AAC."""
CLOSE: Final = 12.0
"""Mean distance, in 8-bit steps, up to which a lossy codec's luma counts as the picture that went in."""
HARDWARE_CODECS: Final = frozenset({"h264", "hevc", "av1"})
PLAIN_PIXELS: Final = ("yuv420p", "nv12")
"""Pixel formats of pictures in ordinary memory, one of which nearly every encoder takes."""
HANG_SECONDS: Final = 10.0
START_SECONDS: Final = 60.0
BEGAN: Final = "began"


@dataclass(frozen=True)
class Tried:
    """How the trial of an encoder ended: `trouble` says why it does not work, in the library's words."""

    encoder: str
    trouble: str = ""

    @property
    def works(self) -> bool:
        """Did it give back what went in?"""
        return not self.trouble


class _Unlike(Exception):
    """What came back is not what went in."""


def software() -> Iterator[Tried]:
    """Try the encoders that clipd itself uses; those without loss must give back every sample."""
    for name, attempt in SOFTWARE.items():
        yield _tried(name, attempt)


def hardware(hang_seconds: float = HANG_SECONDS) -> tuple[Tried, ...]:
    """Try every hardware encoder for H.264, HEVC and AV1 that the build names."""
    return apart(hardware_encoders(), _hardware_trial, hang_seconds)


def hardware_encoders() -> tuple[str, ...]:
    """The hardware encoders for H.264, HEVC and AV1 that the build names."""
    return tuple(name for name in sorted(av.codecs_available) if _is_hardware(name))


def apart(names: Sequence[str], attempt: Callable[[str], Tried], hang_seconds: float) -> tuple[Tried, ...]:
    """`attempt` each of `names` in another process; one that ends or hangs it is told so, and the others go on."""
    found: list[Tried] = []
    while len(found) < len(names):
        told, death = _told_apart(names[len(found) :], attempt, hang_seconds)
        found += told
        if len(found) < len(names):
            found.append(Tried(names[len(found)], death))
    return tuple(found)


def _told_apart(names: Sequence[str], attempt: Callable[[str], Tried], hang_seconds: float) -> tuple[list[Tried], str]:
    """The results up to the one that ended the process, and how it ended."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_tell, args=(names, attempt, sender), daemon=True)
    try:
        process.start()
    except OSError as error:
        return [], f"no process could be started to try it in ({error.strerror})"
    finally:
        sender.close()
    told: list[Tried] = []
    death = "no process could be started to try it in"
    try:
        began = receiver.poll(START_SECONDS) and receiver.recv() == BEGAN
        if began:
            death = f"its driver hangs (nothing within {hang_seconds:g} s)"
        while began and len(told) < len(names) and receiver.poll(hang_seconds):
            told.append(receiver.recv())
    except EOFError:
        process.join(hang_seconds)
        death = f"its driver ended the process ({_end(process.exitcode)})"
    finally:
        process.kill()
        process.join()
        receiver.close()
    return told, death


def _tell(names: Sequence[str], attempt: Callable[[str], Tried], sender: Connection) -> None:
    silence = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 1)
    os.dup2(silence, 2)
    sender.send(BEGAN)
    for name in names:
        sender.send(attempt(name))


def _end(code: int | None) -> str:
    known = code is not None and -code in set(signal.Signals)
    return signal.Signals(-code).name if known and code is not None else f"exit code {code}"


def _is_hardware(name: str) -> bool:
    try:
        codec = Codec(name, "w")
    except ValueError:  # a decoder's name
        return False
    return codec.canonical_name in HARDWARE_CODECS and bool(
        codec.capabilities & (Capabilities.hardware | Capabilities.hybrid)
    )


def _hardware_trial(name: str) -> Tried:
    taken = [pixels.name for pixels in Codec(name, "w").video_formats or ()]
    pixels = next((pixels for pixels in PLAIN_PIXELS if pixels in taken or not taken), None)
    if pixels is not None:
        return _tried(name, lambda name: _pictures_back(name, pixels, exact=False))
    device = name.rpartition("_")[2]
    if device not in hwdevices_available():
        return Tried(name, f"it takes only pictures that lie on the device ({', '.join(taken)}), it was not tried")
    return _tried(name, lambda name: _pictures_back(name, "nv12", exact=False, accelerated_by=device))


def _tried(name: str, attempt: Callable[[str], None]) -> Tried:
    former = av.logging.get_level()
    av.logging.set_level(av.logging.ERROR)
    try:
        with av.logging.Capture(local=False) as said:
            try:
                attempt(name)
            except av.error.FFmpegError as error:
                return Tried(name, _first_words(said) or words_of(error))
            except (ValueError, NotImplementedError, _Unlike) as error:
                return Tried(name, str(error))
    finally:
        av.logging.set_level(former)
    return Tried(name)


def _first_words(said: Sequence[tuple[int, str, str]]) -> str:
    """What the library said first: the cause; what follows are its consequences."""
    return next((words.strip() for _, _, words in said if words.strip()), "")


def _pictures_back(encoder: str, pixels: str, *, exact: bool, accelerated_by: str | None = None) -> None:
    made = [_picture(number) for number in range(PICTURES)]
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        device = None if accelerated_by is None else HWAccel(accelerated_by)
        stream = cast(VideoStream, container.add_stream(encoder, rate=25, hwaccel=device))
        stream.width, stream.height = SIZE
        stream.pix_fmt = pixels
        stream.codec_context.thread_count = 1
        for number, luma in enumerate(made):
            frame = VideoFrame.from_ndarray(_with_chroma(luma), format="yuv420p").reformat(format=pixels)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as container:
        back = [frame.to_ndarray(format="yuv420p")[: SIZE[1]] for frame in container.decode(video=0)]
    if len(back) != PICTURES:
        raise _Unlike(f"{PICTURES} pictures went in, {len(back)} came back")
    far = max(float(np.abs(a.astype(int) - b).mean()) for a, b in zip(made, back, strict=True))
    if far > (0.0 if exact else CLOSE):
        raise _Unlike(f"the pictures that came back differ by {far:.1f} steps of 255")


def _picture(number: int) -> NDArray[np.uint8]:
    """A slope with a bright bar that moves; within 16 to 235, which also a codec of full range gives back."""
    width, height = SIZE
    luma = np.tile(np.linspace(32, 160, width).astype(np.uint8), (height, 1))
    luma[:, 40 * number : 40 * number + 24] = 224
    return luma


def _with_chroma(luma: NDArray[np.uint8]) -> NDArray[np.uint8]:
    width, height = SIZE
    return np.concatenate((luma, np.full((height // 2, width), 128, np.uint8)))


def _sound_back(encoder: str, sample_format: str, *, exact: bool) -> None:
    made = (np.sin(np.arange(SAMPLES) * 2 * np.pi * 440 / RATE) * 20_000).astype(np.int16)
    file = io.BytesIO()
    with av.open(file, "w", format="matroska") as container:
        stream = cast(AudioStream, container.add_stream(encoder, rate=RATE))
        stream.codec_context.layout, stream.codec_context.format = "mono", sample_format
        samples = made[None, :] if sample_format == "s16" else (made[None, :] / 32768).astype(np.float32)
        frame = AudioFrame.from_ndarray(samples, format=sample_format, layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = RATE, 0, Fraction(1, RATE)
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as container:
        back = np.concatenate([frame.to_ndarray().ravel() for frame in container.decode(audio=0)])
    if exact and not np.array_equal(back, made):
        raise _Unlike("the samples that came back are others")
    if back.size < SAMPLES:
        raise _Unlike(f"{SAMPLES} samples went in, {back.size} came back")
    loudness = float(np.sqrt(np.mean(back.astype(float) ** 2))) * (1 if exact else 32768)
    if not 0.5 < loudness / 14_142 < 1.5:  # a sine's root mean square is its height by the root of two
        raise _Unlike("the sound that came back is louder or softer than what went in")


SOFTWARE: Final[dict[str, Callable[[str], None]]] = {
    "libx264": lambda name: _pictures_back(name, "yuv420p", exact=False),
    "ffv1": lambda name: _pictures_back(name, "yuv420p", exact=True),
    "aac": lambda name: _sound_back(name, "fltp", exact=False),
    "flac": lambda name: _sound_back(name, "s16", exact=True),
    "mjpeg": lambda name: _pictures_back(name, "yuvj420p", exact=False),
}
"""Every encoder that clipd uses, and its trial."""
