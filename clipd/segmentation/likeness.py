"""Likeness: do two spans show the same pictures? By perceptual hash and Hamming distance, over several frames.

The hash is the difference hash (row and column, 8x8 each: 128 bits) of the `dhash` library, which is pure Python and
needs nothing else. A flat picture (black, sky, a slate) hashes its noise, so it is left out.

Two pictures of one and the same shot look alike by nature, above all where the camera stands still: that says nothing
about whether what happens is the same. Such pairs are therefore not compared unless the settings ask for it; a replay
or a repeated trailer lies in a shot of its own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

import cv2
import dhash
import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting

Grey: TypeAlias = NDArray[np.uint8]
"""(H, W), 0..255."""
PerceptualHash: TypeAlias = int
"""128 bits."""

SIDE = 8
BITS = 2 * SIDE * SIDE


class Settings(Section):
    """When two windows count as the same pictures."""

    distance: float = setting(
        12.0,
        "Windows whose pictures differ by no more than this are near-duplicates; negative: nothing is.",
        unit=f"bits of {BITS}",
        le=BITS,
    )
    frames: int = setting(5, "How many pictures of a window are looked at, evenly spread.", unit="frames", ge=1, le=50)
    at_least: int = setting(2, "Fewer comparable pictures than this prove nothing.", unit="frames", ge=1)
    flat_below: float = setting(
        4.0,
        "Pictures whose brightness varies less than this are flat and left out: their hash would be noise.",
        unit="0..255, standard deviation",
        ge=0,
    )
    same_shot: bool = setting(
        False, "Compare pictures of one and the same shot too? A camera that stands still makes them all alike."
    )


@dataclass(frozen=True)
class Look:
    """One picture of a window: what it hashes to, and the shot that it lies in."""

    hash: PerceptualHash
    shot: int


def hash_of(picture: Grey, settings: Settings) -> PerceptualHash | None:
    """The perceptual hash of a grey `picture` (H, W); None for a flat one."""
    small = cv2.resize(picture, (SIDE + 1, SIDE + 1), interpolation=cv2.INTER_AREA)
    if float(small.std()) < settings.flat_below:
        return None
    return int(dhash.dhash_int([int(value) for value in small.ravel()], size=SIDE))


def distance(one: PerceptualHash, other: PerceptualHash) -> int:
    """The Hamming distance: how many of the 128 bits differ."""
    return (one ^ other).bit_count()


def alike(some: Sequence[Look], others: Sequence[Look], settings: Settings) -> float | None:
    """How far the pictures of two windows are apart, in bits; None where too few of them can be compared.

    For each picture the nearest of the other window is sought, and the distances are averaged, once from each side; the
    larger mean counts. So the order of the pictures does not matter, and all of one window must be found in the other.
    """
    sides = [_nearest(some, others, settings), _nearest(others, some, settings)]
    if any(len(side) < settings.at_least for side in sides):
        return None
    return max(sum(side) / len(side) for side in sides)


def _nearest(some: Sequence[Look], others: Sequence[Look], settings: Settings) -> list[int]:
    found = []
    for one in some:
        comparable = [other for other in others if settings.same_shot or other.shot != one.shot]
        if comparable:
            found.append(min(distance(one.hash, other.hash) for other in comparable))
    return found
