from __future__ import annotations

import numpy as np
import pytest

from clipd.media.glance import Glance
from clipd.segmentation.motion import Motion, Settings

UNSMOOTHED = Settings(smooth_points=1)
CHROMA = (np.zeros((4, 4), np.uint8), np.zeros((4, 4), np.uint8))


def motion(levels: list[int], times: list[float], settings: Settings = UNSMOOTHED) -> Motion:
    """What even pictures of these levels, shown at these times, give."""
    measure = Motion(settings)
    for number, (level, seconds) in enumerate(zip(levels, times, strict=True)):
        measure.feed(Glance(number, seconds, np.full((8, 8), level, np.uint8), CHROMA))
    return measure


@pytest.mark.parametrize("rate", [10, 25, 29.97, 60])
def test_it_is_the_change_in_a_quarter_of_a_second_at_any_rate(rate: float) -> None:
    # Brighter by 40 levels a second.
    times = [number / rate for number in range(int(4 * rate))]
    curve = motion([round(40 * seconds) for seconds in times], times, Settings()).curve(np.arange(8) * 0.5)

    assert curve == pytest.approx([10.0] * 8, abs=2.5)


def test_a_picture_that_stays_has_no_motion() -> None:
    # Shown at 0, 0.25 and 3 s: nothing moves in between.
    curve = motion([0, 100, 200], [0, 0.25, 3]).curve(np.arange(8) * 0.5)

    assert curve.tolist() == [100, 0, 0, 0, 0, 0, 100, 0]


def test_a_flash_between_two_looks_is_no_motion() -> None:
    assert not motion([50, 255, 50, 50], [0, 0.1, 0.25, 0.5]).curve(np.arange(2) * 0.5).any()


def test_smoothing_spreads_a_jump() -> None:
    levels = [0] * 8 + [90] * 8
    times = [number / 4 for number in range(16)]

    curve = motion(levels, times, Settings()).curve(np.array([1.5, 1.75, 2.0, 2.25, 2.5]))

    assert curve == pytest.approx([0, 30, 30, 30, 0])


@pytest.mark.parametrize("count", [0, 1])
def test_no_pair_of_pictures_no_motion(count: int) -> None:
    assert motion([7] * count, [0.0] * count).curve(np.arange(3) * 0.5).tolist() == [0, 0, 0]
