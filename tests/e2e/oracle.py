"""The truth to compare with, made without anything of clipd.

It decodes from the first packet, cuts with numpy and interpolates with fractions; slow and plain on purpose.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

Planes = list[np.ndarray]
Box = tuple[int, int, int, int]


class Film:
    """One video track of a file, decoded from the start; `pictures` are kept only where `numbers` ask for them."""

    def __init__(self, path: Path, track: int = 0, numbers: Sequence[int] | None = None, turn: int = 0) -> None:
        wanted = None if numbers is None else set(numbers)
        self.pictures: dict[int, Planes] = {}
        stamps = []
        with av.open(str(path)) as container:
            stream = container.streams.video[track]
            stream.thread_type = "AUTO"
            for number, frame in enumerate(container.decode(stream)):
                stamps.append(frame.pts)
                self.rotation = frame.rotation
                self.tags = (frame.colorspace, frame.color_primaries, frame.color_trc, frame.color_range)
                if wanted is None or number in wanted:
                    self.pictures[number] = [np.rot90(plane, turn) for plane in planes(frame)]
            self.times = [stamp * stream.time_base for stamp in sorted(stamps)]

    def steps(self, first: int, last: int) -> list[Fraction]:
        """Seconds between one frame and the next."""
        return [self.times[number + 1] - self.times[number] for number in range(first, last)]

    def shown_within(self, start: Fraction, end: Fraction) -> tuple[int, int]:
        """The first and last frame shown at `start` or later and before `end`, counted from the first frame's time."""
        inside = [n for n, time in enumerate(self.times) if start <= time - self.times[0] < end]
        return inside[0], inside[-1]


def planes(frame: av.VideoFrame) -> Planes:
    """The samples of a planar 8-bit frame without padding."""
    return [
        np.frombuffer(bytes(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in frame.planes
    ]


def cut(picture: Planes, box: Box | None) -> Planes:
    """A box of a 4:2:0 picture, as `crop=exact=1` cuts it: chroma offset rounded down, chroma size up."""
    if box is None:
        return picture
    x, y, w, h = box
    luma, *chroma = picture
    return [luma[y : y + h, x : x + w]] + [
        plane[y // 2 : y // 2 + (h + 1) // 2, x // 2 : x // 2 + (w + 1) // 2] for plane in chroma
    ]


def even(picture: Planes) -> Planes:
    """The picture without the last row or column that makes its size odd."""
    height, width = picture[0].shape
    return cut(picture, (0, 0, width - width % 2, height - height % 2))


def same(a: Planes, b: Planes) -> bool:
    """Are all samples equal?"""
    return len(a) == len(b) and all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def between(keyframes: Mapping[int, Sequence[int]], number: int, *, smooth: bool) -> Box:
    """The box at frame `number`: exact interpolation between keyframes, rounded with halves to even."""
    known = sorted(keyframes)
    if number <= known[0] or number >= known[-1]:
        x, y, w, h = keyframes[known[0] if number <= known[0] else known[-1]]
        return x, y, w, h
    after = next(frame for frame in known if frame > number)
    before = known[known.index(after) - 1]
    t = Fraction(number - before, after - before)
    if smooth:
        t = 3 * t**2 - 2 * t**3
    pairs = zip(keyframes[before], keyframes[after], strict=True)
    x, y, w, h = (round((1 - t) * p + t * q) for p, q in pairs)
    return x, y, w, h


def ssim(a: np.ndarray, b: np.ndarray) -> float:
    """Mean structural similarity of two 8-bit planes, in windows of 8 x 8 at every pixel (Wang et al. 2004)."""

    def mean(image: np.ndarray) -> np.ndarray:
        sums = np.pad(image.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        return (sums[8:, 8:] - sums[:-8, 8:] - sums[8:, :-8] + sums[:-8, :-8]) / 64

    x, y = a.astype(float), b.astype(float)
    mx, my = mean(x), mean(y)
    vx, vy, cov = mean(x * x) - mx * mx, mean(y * y) - my * my, mean(x * y) - mx * my
    c1, c2 = 2.55**2, 7.65**2
    return float(((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))).mean())


def flashes(path: Path) -> list[float]:
    """The times, in seconds, at which the picture turns white."""
    found, lit = [], False
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            was, lit = lit, planes(frame)[0].mean() > 180
            if lit and not was:
                found.append(float(frame.pts * frame.time_base))
    return found


def beeps(path: Path) -> list[float]:
    """The times, in seconds, at which sound sets in after silence."""
    found: list[float] = []
    heard = -1.0
    with av.open(str(path)) as container:
        for frame in container.decode(audio=0):
            samples = frame.to_ndarray()
            line = samples[0] if frame.format.is_planar else samples[0, :: frame.layout.nb_channels]
            full = 1.0 if line.dtype.kind == "f" else float(np.iinfo(line.dtype).max)
            start = float(frame.pts * frame.time_base)
            for at in np.flatnonzero(np.abs(line / full) > 0.15):
                now = start + at / frame.sample_rate
                if now - heard > 0.1 or heard < 0:
                    found.append(now)
                heard = now
    return found
