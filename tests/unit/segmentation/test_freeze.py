from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.segmentation.survey import Settings, survey
from tests.footage import footage
from tests.unit.segmentation.filmed import film, texture
from tests.unit.segmentation.filters import found_by

FILTER = "freezedetect=n=0.003:d=0.5"


def runs(path: Path, **settings: float) -> list[tuple[int, int]]:
    chosen = Settings.model_validate({"freeze": settings})
    found = survey(path, chosen, Limits(), lambda *_: None).freezes
    return [(stretch.start_frame, stretch.end_frame) for stretch in found]


def moving(count: int) -> list[np.ndarray]:
    return [texture(number) for number in range(count)]


def noisy(count: int, levels: float) -> list[np.ndarray]:
    """One large picture, each time with other noise; two of them differ by `levels` in the mean of all samples."""
    dice = np.random.default_rng(3)
    # Luma alone is noisy: two thirds of the samples. Normal noise of deviation s differs by 2 s / sqrt(pi).
    deviation = levels * 1.5 * np.sqrt(np.pi) / 2
    still = texture(5, size=(640, 360)).astype(float)
    return [np.round(still + dice.normal(0, deviation, still.shape)).astype(np.uint8) for _ in range(count)]


def test_a_freeze_lasts_from_its_first_frame_to_the_first_that_differs(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [*moving(10), *[texture(99)] * 20, *moving(5)])

    (stretch,) = survey(path, Settings(), Limits(), lambda *_: None).freezes

    assert (stretch.start_frame, stretch.end_frame) == (10, 30)
    assert (stretch.start_seconds, stretch.end_seconds) == pytest.approx((0.4, 1.2))


def test_a_freeze_at_the_end_lasts_to_the_end(tmp_path: Path) -> None:
    assert runs(film(tmp_path / "a.mkv", [*moving(5), *[texture(99)] * 20])) == [(5, 25)]


def test_a_still_picture_is_one_freeze(tmp_path: Path) -> None:
    assert runs(film(tmp_path / "a.mkv", [texture()] * 100)) == [(0, 100)]


def test_a_moment_of_stillness_is_left_out(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [*moving(5), *[texture(99)] * 10, *moving(5)])

    assert runs(path) == []
    assert runs(path, least_seconds=0.4) == [(5, 15)]


@pytest.mark.parametrize(("levels", "is_frozen"), [(0.6, True), (0.95, False), (3.0, False)])
def test_noise_counts_at_full_size_as_with_freezedetect(tmp_path: Path, levels: float, is_frozen: bool) -> None:
    path = film(tmp_path / "a.mkv", noisy(30, levels))

    assert runs(path) == ([(0, 30)] if is_frozen else [])
    assert found_by(FILTER, path).any() == is_frozen


def test_a_slow_change_ends_the_freeze_where_it_has_gone_too_far(tmp_path: Path) -> None:
    # A level every 25 frames: compared with the first frame, not with the one before.
    path = film(tmp_path / "a.mkv", [texture() + np.uint8(number // 25) for number in range(100)])

    assert runs(path) == [(0, 50), (50, 100)]


@pytest.mark.footage
@pytest.mark.parametrize(
    "name", ["pyscenedetect_testvideo.mp4", "intel_car-detection.mp4", "torchcodec_nasa_13013.mp4"]
)
def test_real_footage_is_frozen_where_freezedetect_says_so(name: str) -> None:
    path = footage(name)
    truth = found_by(FILTER, path)

    ours = np.zeros(len(truth), bool)
    for start, end in runs(path):
        ours[start:end] = True

    assert truth.any()
    assert ours.tolist() == truth.tolist()
