"""Films drawn picture by picture, with or without sound: what the measures are tried on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

RATE = 48_000


def texture(number: int = 0, size: tuple[int, int] = (160, 90), lift: int = 60) -> NDArray[np.uint8]:
    """A grey picture (height, width) with much in it; another one for each number."""
    coarse = np.random.default_rng(number).integers(lift, lift + 120, (size[1] // 10 + 1, size[0] // 10 + 1))
    return np.kron(coarse, np.ones((10, 10)))[: size[1], : size[0]].astype(np.uint8)


def film(
    path: Path,
    pictures: Iterable[NDArray[np.uint8]],
    *,
    rate: int = 25,
    times: Sequence[int] | None = None,
    sound: NDArray[np.float32] | None = None,
    sound_start: float = 0.0,
) -> Path:
    """Lossless: each grey picture (height, width) is the luma of a frame; `times` in ticks of 1/1000 s.

    `sound` (K,) is mono at 48 kHz, and begins `sound_start` seconds after the first frame at 0.
    """
    with av.open(str(path), "w") as output:
        video = output.add_stream("ffv1", rate=rate)
        audio = output.add_stream("pcm_f32le", rate=RATE, layout="mono") if sound is not None else None
        for number, luma in enumerate(pictures):
            if number == 0:
                video.width, video.height, video.pix_fmt = luma.shape[1], luma.shape[0], "yuv420p"
                video.codec_context.time_base = Fraction(1, 1000)
            grey = np.full(((luma.shape[0] + 1) // 2 * 2, luma.shape[1]), 128, np.uint8)
            planes = np.vstack([luma, grey[: luma.shape[0] // 2]])
            frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
            frame.pts = times[number] if times is not None else round(1000 * number / rate)
            frame.time_base = Fraction(1, 1000)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        for first in range(0, 0 if sound is None else len(sound), 1024):
            assert audio is not None
            assert sound is not None
            block = av.AudioFrame.from_ndarray(sound[None, first : first + 1024], format="flt", layout="mono")
            block.sample_rate, block.time_base = RATE, Fraction(1, RATE)
            block.pts = first + round(sound_start * RATE)
            output.mux(audio.encode(block))
    return path


def tone(seconds: float, peak: float, hertz: float = 440.0) -> NDArray[np.float32]:
    """A sine at 48 kHz; its RMS is peak / sqrt(2)."""
    return (peak * np.sin(2 * np.pi * hertz * np.arange(round(seconds * RATE)) / RATE)).astype(np.float32)
