from __future__ import annotations

import numpy as np
import pytest

from clipd.segmentation.scenes.seen_again import Settings, correlation, seen_again
from tests.unit.segmentation.scenes.glances import moved, scenery

SIZE = (80, 45)


def grey(number: int) -> np.ndarray:
    return np.ascontiguousarray(scenery(number, SIZE)[..., 0])


def test_moved_and_darker_it_is_still_the_same() -> None:
    first = scenery(1, SIZE)
    second = moved(first, 5, 3, gain=0.6)

    found = seen_again(grey(1), np.ascontiguousarray(second[..., 0]), Settings())

    assert found is not None
    assert found > 0.85


def test_another_picture_is_not() -> None:
    assert all((seen_again(grey(1), grey(number), Settings()) or 0) < 0.65 for number in range(2, 12))


def test_bars_that_stay_say_nothing() -> None:
    first, second = grey(1), grey(2)
    for picture in (first, second):
        picture[:7] = picture[-7:] = 16

    assert seen_again(first, second, Settings()) == pytest.approx(
        seen_again(first[8:-8].copy(), second[8:-8].copy(), Settings()), abs=0.02
    )


def test_one_colour_shows_nothing() -> None:
    flat = np.full((45, 80), 40, np.uint8)

    assert seen_again(flat, flat, Settings()) is None
    assert seen_again(flat, grey(1), Settings()) == 0
    assert correlation(flat, grey(1), Settings()) == 0
