from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from clipd.media.envelope import Heard
from clipd.segmentation.loudness import Loudness, Settings, smoothed

RATE = 16_000
UNSMOOTHED = Settings(smooth_points=1)


def noise(seconds: float, rms: float) -> NDArray[np.float32]:
    """Samples of exactly this RMS in every 10 ms."""
    signs = np.random.default_rng(1).choice([-1.0, 1.0], round(seconds * RATE))
    return (rms * signs).astype(np.float32)


def loudness(*heard: Heard, settings: Settings = UNSMOOTHED) -> Loudness:
    measure = Loudness(settings, RATE, 3600)
    for one in heard:
        measure.feed(one)
    return measure


def test_it_is_the_rms_in_decibels_above_the_floor() -> None:
    curve = loudness(Heard(0, noise(2, 0.1))).curve(0, 0.5, 4)

    assert curve == pytest.approx([40.0] * 4)


def test_what_lies_below_the_floor_is_silence() -> None:
    assert loudness(Heard(0, noise(1, 0.0009))).curve(0, 0.5, 2).tolist() == [0, 0]
    assert loudness(Heard(0, noise(1, 0.1)), settings=Settings(smooth_points=1, floor_db=-20)).curve(0, 0.5, 2) == (
        pytest.approx([0, 0], abs=1e-4)
    )


def test_it_does_not_matter_in_which_pieces_sound_comes() -> None:
    samples = np.concatenate([noise(0.5, 0.01), noise(0.5, 0.3), noise(0.5, 0.05)])
    pieces = [Heard(first / RATE, samples[first : first + 777]) for first in range(0, len(samples), 777)]

    assert loudness(*pieces).curve(0, 0.5, 3) == pytest.approx(loudness(Heard(0, samples)).curve(0, 0.5, 3))


def test_gaps_and_what_lies_outside_are_silent() -> None:
    curve = loudness(Heard(10.5, noise(0.5, 0.1)), Heard(11.5, noise(0.5, 0.1))).curve(10, 0.5, 6)

    assert curve == pytest.approx([0, 40, 0, 40, 0, 0])


def test_a_grid_that_begins_between_cells_takes_its_share() -> None:
    curve = loudness(Heard(0, noise(3, 0.1))).curve(0.2537, 0.5, 4)

    assert curve == pytest.approx([40.0] * 4, abs=1e-3)


def test_a_clap_is_spread_by_smoothing() -> None:
    sound = np.concatenate([noise(1, 0), noise(0.5, 0.1), noise(1, 0)])

    assert loudness(Heard(0, sound), settings=Settings()).curve(0, 0.5, 5) == pytest.approx(
        [0, 40 / 3, 40 / 3, 40 / 3, 0]
    )


def test_sound_at_impossible_times_is_left_out_and_counted() -> None:
    measure = loudness(Heard(5, noise(1, 0.1)), Heard(1e12, noise(1, 0.1)), Heard(1, noise(0.5, 0.1)))

    assert measure.end_seconds == pytest.approx(1)
    assert measure.lost_seconds == pytest.approx(1.5)


def test_nothing_heard_is_silence() -> None:
    assert loudness().curve(0, 0.5, 3).tolist() == [0, 0, 0]


@pytest.mark.parametrize(("points", "expected"), [(1, [0, 3, 0, 0]), (3, [1.5, 1, 1, 0]), (99, [0.75] * 4)])
def test_smoothing_takes_the_mean_of_those_that_there_are(points: int, expected: list[float]) -> None:
    assert smoothed(np.array([0.0, 3, 0, 0]), points) == pytest.approx(expected)
