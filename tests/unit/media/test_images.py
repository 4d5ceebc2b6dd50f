from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from clipd.media.images import rgb_array, write_jpeg
from tests.footage import pictures


def test_a_thumbnail_fits_its_box_and_looks_like_the_picture(tmp_path: Path) -> None:
    frame = next(pictures(1, 640, 480))
    assert write_jpeg(frame, tmp_path / "t.jpg", (320, 180), quality=2, sar=Fraction(1)) == (240, 180)
    with av.open(str(tmp_path / "t.jpg")) as container:
        small = next(container.decode(video=0))
    assert (small.width, small.height, small.format.name) == (240, 180, "yuvj420p")
    wanted = frame.reformat(240, 180, "gray").to_ndarray().astype(int)
    assert np.abs(small.reformat(format="gray").to_ndarray().astype(int) - wanted).mean() < 12


def test_pixels_of_a_thumbnail_are_square(tmp_path: Path) -> None:
    frame = next(pictures(1, 100, 100))
    assert write_jpeg(frame, tmp_path / "t.jpg", (320, 180), quality=3, sar=Fraction(2)) == (200, 100)


def test_a_picture_smaller_than_the_box_keeps_its_size(tmp_path: Path) -> None:
    assert write_jpeg(next(pictures(1, 31, 17)), tmp_path / "t.jpg", (320, 180), quality=3, sar=Fraction(1)) == (31, 17)


def test_an_rgb_array_has_the_colours_of_the_picture() -> None:
    red = np.zeros((20, 31, 3), np.uint8)
    red[:, :, 0] = 255
    array = rgb_array(av.VideoFrame.from_ndarray(red, format="rgb24"))
    assert array.shape == (20, 31, 3)
    assert np.array_equal(array, red)
