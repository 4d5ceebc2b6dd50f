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
        "Windows whose pictures differ by no more than this are near-duplicates; negative: none is. Measured: the same "
        "picture, much compressed, halved and cropped by 2 %, 10 at the median; pictures of other films, 40 or more.",
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


@dataclass(frozen=True)
class Lineup:
    """The looks of W windows, up to F each, side by side, so that one is compared with many at once."""

    hashes: NDArray[np.uint64]
    """(W, F, 2)"""
    shots: NDArray[np.int64]
    """(W, F); -1 where there is no picture."""

    def distances(self, one: int, others: Sequence[int], settings: Settings) -> NDArray[np.float64]:
        """(O,) how far window `one` is from each of `others`, in bits; infinite where too few pictures compare.

        For each picture the nearest of the other window is sought, and the distances are averaged, once from each side;
        the larger mean counts. So the order of the pictures does not matter, and all of one must be found in the other.
        """
        bits = np.bitwise_count(self.hashes[one][None, :, None] ^ self.hashes[others][:, None]).sum(axis=-1)
        own, theirs = self.shots[one][None, :, None], self.shots[others][:, None]
        comparable = (own >= 0) & (theirs >= 0) & (settings.same_shot | (own != theirs))
        apart = np.where(comparable, bits, np.inf)
        return np.maximum(_mean(apart.min(axis=2), settings), _mean(apart.min(axis=1), settings))


def lineup(looks: Sequence[Sequence[Look]]) -> Lineup:
    """The lineup of windows that were looked at by `looks`, one after the other."""
    most = max((len(own) for own in looks), default=0) or 1
    hashes, shots = np.zeros((len(looks), most, 2), dtype=np.uint64), np.full((len(looks), most), -1, dtype=np.int64)
    for window, own in enumerate(looks):
        for number, look in enumerate(own):
            hashes[window, number] = divmod(look.hash, 1 << 64)
            shots[window, number] = look.shot
    return Lineup(hashes, shots)


def _mean(nearest: NDArray[np.float64], settings: Settings) -> NDArray[np.float64]:
    """(O,) the means of `nearest` (O, F) over the pictures that compare; infinite where they are too few."""
    found = np.isfinite(nearest)
    count = found.sum(axis=1)
    sums = np.where(found, nearest, 0.0).sum(axis=1)
    means: NDArray[np.float64] = np.where(count >= settings.at_least, sums / np.maximum(count, 1), np.inf)
    return means
