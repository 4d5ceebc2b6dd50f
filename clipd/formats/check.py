"""What every finished file must pass, whatever its format: count, times, size and where its sound begins."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np

from clipd.errors import MediaError
from clipd.formats.format import Expected, Proof
from clipd.media.inspect import Found


def check(path: Path, found: Found, expected: Expected, words: str) -> Proof:
    """Compares what was found at `path` with what is expected of it.

    Raises:
        MediaError: with the first difference.
    """
    recipe = expected.recipe
    if found.frames != len(expected.times):
        raise MediaError(f"{path.name} holds {found.frames} frames instead of {len(expected.times)}")
    if (found.width, found.height) != (recipe.width, recipe.height):
        raise MediaError(
            f"{path.name} is {found.width}x{found.height} pixels instead of {recipe.width}x{recipe.height}"
        )
    _check_times(path, found, expected)
    return Proof(
        frames=found.frames,
        width=found.width,
        height=found.height,
        pixels=found.pixels,
        codec=found.codec,
        seconds=expected.end * recipe.time_base,
        time_base=found.time_base,
        sync_frames=found.sync_frames,
        audio_offsets=_check_sound(path, found, expected),
        words=words,
    )


def _check_times(path: Path, found: Found, expected: Expected) -> None:
    """Times strictly increase and are exactly those that were to be written."""
    if np.any(np.diff(found.times) <= 0):
        raise MediaError(f"{path.name}: presentation times do not strictly increase")
    ratio = expected.recipe.time_base / found.time_base
    off = np.abs(found.times * ratio.denominator - expected.times * ratio.numerator)
    if np.any(off):
        worst = int(np.argmax(off))
        seconds = float(off[worst] * found.time_base / ratio.denominator)
        raise MediaError(f"{path.name}: frame {worst} is shown at the wrong time ({seconds:.6f} s off)")


def _check_sound(path: Path, found: Found, expected: Expected) -> tuple[Fraction, ...]:
    """Every track is there, and begins within one audio frame of the first picture; returns the offsets in seconds."""
    wanted = len(expected.recipe.audio)
    if len(found.audio) != wanted:
        raise MediaError(f"{path.name} has {len(found.audio)} audio tracks instead of {wanted}")
    first = int(found.times[0]) * found.time_base
    offsets = []
    for number, track in enumerate(found.audio, 1):
        if track.start is None:
            raise MediaError(f"{path.name}: audio track {number} holds no sound")
        offset = track.start - first
        if abs(offset) > max(track.frame_seconds, found.time_base):
            raise MediaError(f"{path.name}: audio track {number} begins {float(offset):+.3f} s off the picture")
        offsets.append(offset)
    return tuple(offsets)
