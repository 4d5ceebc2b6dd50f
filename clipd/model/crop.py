"""Rectangles over time: what a clip asks for (`CropPath`) and how it is kept inside the picture.

Coordinates are pixels of the upright (rotated) picture, origin top left. Frame numbers are those of the source file.
"""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

Interpolation = Literal["linear", "smooth"]
Variation = Literal["original", "wide", "full"]


@dataclass(frozen=True, order=True)
class Rect:
    """A rectangle in whole pixels."""

    x: int
    y: int
    width: int
    height: int

    def __post_init__(self) -> None:
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a crop of {self.width}x{self.height} pixels is empty")

    def inside(self, width: int, height: int) -> Rect:
        """This rectangle moved, and only if it must be shrunk, to lie within a picture of `width` x `height`."""
        w, h = min(self.width, width), min(self.height, height)
        return Rect(min(max(self.x, 0), width - w), min(max(self.y, 0), height - h), w, h)

    def widened(self, factor: Fraction, width: int, height: int) -> Rect:
        """This rectangle enlarged `factor` times about its centre, kept within a picture of `width` x `height`."""
        w, h = min(round(self.width * factor), width), min(round(self.height * factor), height)
        centre_x, centre_y = self.x + Fraction(self.width, 2), self.y + Fraction(self.height, 2)
        return Rect(round(centre_x - Fraction(w, 2)), round(centre_y - Fraction(h, 2)), w, h).inside(width, height)

    def as_list(self) -> list[int]:
        """`[x, y, width, height]`, the sidecar's order."""
        return [self.x, self.y, self.width, self.height]


@dataclass(frozen=True)
class CropPath:
    """Crop keyframes: at each named frame a rectangle, in between `linear` or `smooth` (3t^2 - 2t^3).

    Before the first keyframe its rectangle holds, after the last one the last. Between two, every one of x, y, width
    and height is interpolated exactly (as a fraction) and rounded to the nearest whole pixel, halves to even.
    """

    keyframes: tuple[tuple[int, Rect], ...]
    interpolation: Interpolation = "linear"

    def __post_init__(self) -> None:
        frames = [frame for frame, _ in self.keyframes]
        if not frames:
            raise ValueError("a crop needs at least one keyframe")
        if frames != sorted(set(frames)):
            raise ValueError("crop keyframes must be in order, each frame named once")

    @property
    def moves(self) -> bool:
        """Does the rectangle change at all?"""
        return len({rect for _, rect in self.keyframes}) > 1

    @property
    def zooms(self) -> bool:
        """Does its size change?"""
        return len({(rect.width, rect.height) for _, rect in self.keyframes}) > 1

    def at(self, frame: int) -> Rect:
        """The rectangle asked for at source frame `frame` (it may reach outside the picture)."""
        after = bisect_right(self.keyframes, frame, key=lambda pair: pair[0])
        if after == 0:
            return self.keyframes[0][1]
        if after == len(self.keyframes):
            return self.keyframes[-1][1]
        (frame_a, a), (frame_b, b) = self.keyframes[after - 1], self.keyframes[after]
        t = Fraction(frame - frame_a, frame_b - frame_a)
        if self.interpolation == "smooth":
            t = t * t * (3 - 2 * t)
        x, y, w, h = (round(p + (q - p) * t) for p, q in zip(a.as_list(), b.as_list(), strict=True))
        return Rect(x, y, w, h)


@dataclass(frozen=True)
class CropPlan:
    """What a clip's crop means on a real picture: every rectangle lies inside `width` x `height` pixels."""

    path: CropPath | None
    width: int
    height: int
    variation: Variation = "original"
    wide_factor: Fraction = Fraction(3, 2)

    def at(self, frame: int) -> Rect:
        """The rectangle applied at source frame `frame`."""
        if self.path is None or self.variation == "full":
            return Rect(0, 0, self.width, self.height)
        if self.variation == "wide":
            return self.path.at(frame).widened(self.wide_factor, self.width, self.height)
        return self.path.at(frame).inside(self.width, self.height)

    def of(self, variation: Variation) -> CropPlan:
        """The same crop in another variation."""
        return replace(self, variation=variation)
