"""The strip keeps a bounded number of evenly spread pictures, each as it was seen."""

from __future__ import annotations

import numpy as np
import pytest

from clipd.media.glance import Glance
from clipd.segmentation.filmstrip import WANTED, Filmstrip


def glance(number: int) -> Glance:
    luma = np.full((18, 32), number % 200, np.uint8)
    return Glance(number, number / 25, luma, (luma[:9, :16] + 1, luma[:9, :16] + 2))


@pytest.mark.parametrize("count", [1, 7, WANTED, 2 * WANTED, 5000])
def test_pictures_are_evenly_spread_and_bounded(count: int) -> None:
    strip = Filmstrip()
    for number in range(count):
        strip.feed(glance(number))
    times, pictures = strip.finish()
    assert len(times) == len(pictures)
    assert min(count, WANTED) <= len(times) < 2 * WANTED or len(times) == count
    steps = np.diff(times)
    assert not len(steps) or np.ptp(steps) < 1e-9
    assert times[0] == 0


def test_a_picture_holds_luma_and_both_chroma_planes() -> None:
    strip = Filmstrip()
    strip.feed(glance(0))
    strip.feed(glance(7))
    picture = strip.finish()[1][1]
    assert picture.shape == (27, 32)
    assert set(picture[:18].ravel()) == {7}
    planes = picture[18:].reshape(2, 9, 16)
    assert (set(planes[0].ravel()), set(planes[1].ravel())) == ({8}, {9})


def test_nothing_seen_gives_an_empty_strip() -> None:
    times, pictures = Filmstrip().finish()
    assert len(times) == len(pictures) == 0
