"""A frame's planes as numpy arrays, without copying and without the padding at the end of each row."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from av import VideoFormat, VideoFrame
from numpy.typing import NDArray

Rows = NDArray[np.uint8]


def plane_rows(frame: VideoFrame, index: int) -> Rows:
    """Plane `index` of `frame` as uint8 of shape (rows, bytes of picture in a row); a view, valid while `frame` lives.

    A frame stored upside down (negative line size) comes out upright.
    """
    plane = frame.planes[index]
    samples: Rows = np.frombuffer(memoryview(plane), np.uint8)
    if plane.height == 1 and plane.width == 256 and frame.format.name == "pal8" and index == 1:
        return samples.reshape(1, 1024)
    stride = plane.line_size
    rows = samples.reshape(plane.height, abs(stride))
    used = row_bytes(frame.format.name, index, frame.width)
    return rows[::-1, :used] if stride < 0 else rows[:, :used]


@lru_cache(maxsize=256)
def row_bytes(pixels: str, index: int, width: int) -> int:
    """How many bytes of a row of plane `index` hold picture, for a frame `width` pixels wide."""
    sample = VideoFrame(width, 1, pixels)
    if pixels.startswith("mono"):
        return (width + 7) // 8
    widest = VideoFrame(1024, 1, pixels)
    step = widest.planes[index].line_size // widest.planes[index].width
    return sample.planes[index].width * step


@lru_cache(maxsize=64)
def chroma_shifts(pixels: str) -> tuple[int, int]:
    """How many times chroma is halved across and down, as powers of two: (1, 1) for 4:2:0, (0, 0) where it is not."""
    whole = VideoFormat(pixels, 64, 64)
    if whole.is_rgb or not any(component.is_chroma for component in whole.components):
        return 0, 0
    return (64 // whole.chroma_width()).bit_length() - 1, (64 // whole.chroma_height()).bit_length() - 1
