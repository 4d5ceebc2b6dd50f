from __future__ import annotations

import av
import numpy as np
import pytest

from clipd.media.framehash import frame_hash


def picture(pixels: str = "yuv420p", width: int = 30, height: int = 22, padding: int = 0) -> av.VideoFrame:
    """Noise whose rows end in `padding` bytes that are no picture."""
    random = np.random.default_rng(5)
    frame = av.VideoFrame(width, height, pixels)
    for plane in frame.planes:
        rows = np.full((plane.height, plane.line_size), padding, np.uint8)
        rows[:, : plane.width] = random.integers(0, 256, (plane.height, plane.width))
        plane.update(rows.tobytes())
    return frame


def test_padding_at_the_end_of_rows_does_not_count() -> None:
    assert frame_hash(picture(padding=0)) == frame_hash(picture(padding=255))


@pytest.mark.parametrize("plane", [0, 1, 2])
def test_a_single_sample_makes_another_hash(plane: int) -> None:
    changed = picture()
    samples = np.frombuffer(memoryview(changed.planes[plane]), np.uint8).copy()
    samples[-changed.planes[plane].line_size] ^= 1
    changed.planes[plane].update(samples.tobytes())
    assert frame_hash(changed) != frame_hash(picture())


def test_size_and_layout_count_but_the_range_marker_in_a_name_does_not() -> None:
    assert frame_hash(picture(width=30, height=22)) != frame_hash(picture(width=22, height=30))
    assert frame_hash(picture("yuv420p")) != frame_hash(picture("yuv444p"))
    assert frame_hash(picture("yuv420p")) == frame_hash(picture("yuvj420p"))
