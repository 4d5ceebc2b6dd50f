from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.segmentation.survey import Settings, survey
from tests.footage import footage
from tests.unit.segmentation.filmed import film, texture
from tests.unit.segmentation.filters import found_by


def runs(path: Path, **settings: float) -> list[tuple[int, int]]:
    chosen = Settings.model_validate({"black": settings})
    found = survey(path, chosen, Limits(), lambda *_: None).black
    return [(stretch.start_frame, stretch.end_frame) for stretch in found]


def dark(level: int, bright_share: float = 0.0) -> np.ndarray:
    """A picture of one level, with bright rows that take up a share of it."""
    picture = np.full((100, 160), level, np.uint8)
    picture[: round(100 * bright_share)] = 200
    return picture


def test_black_lasts_from_its_first_frame_to_the_first_that_is_not(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [texture(size=(160, 100))] * 10 + [dark(16)] * 8 + [texture(size=(160, 100))] * 5)

    (stretch,) = survey(path, Settings(), Limits(), lambda *_: None).black

    assert (stretch.start_frame, stretch.end_frame) == (10, 18)
    assert (stretch.start_seconds, stretch.end_seconds) == pytest.approx((0.4, 0.72))


def test_black_at_the_end_lasts_to_the_end(tmp_path: Path) -> None:
    assert runs(film(tmp_path / "a.mkv", [texture(size=(160, 100))] * 5 + [dark(16)] * 5)) == [(5, 10)]


def test_a_moment_of_black_is_left_out(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mkv", [texture(size=(160, 100)), *[dark(16)] * 2, texture(size=(160, 100))])

    assert runs(path) == []
    assert runs(path, least_seconds=0.08) == [(1, 3)]


@pytest.mark.parametrize(
    ("picture", "is_black"),
    [(dark(37), True), (dark(38), False), (dark(16, 0.02), True), (dark(16, 0.03), False)],
    ids=["just dark", "just not dark", "2 % bright", "3 % bright"],
)
def test_the_limits_are_those_of_blackdetect(tmp_path: Path, picture: np.ndarray, is_black: bool) -> None:
    path = film(tmp_path / "a.mkv", [picture] * 10)

    assert runs(path) == ([(0, 10)] if is_black else [])
    assert found_by("blackdetect=d=0.1:pix_th=0.10:pic_th=0.98", path).any() == is_black


@pytest.mark.footage
def test_real_footage_is_black_where_blackdetect_says_so() -> None:
    path = footage("pyscenedetect_testvideo.mp4")
    truth = found_by("blackdetect=d=0.1:pix_th=0.10:pic_th=0.98", path)

    ours = np.zeros(len(truth), bool)
    for start, end in runs(path):
        ours[start:end] = True

    assert truth.any()
    assert ours.tolist() == truth.tolist()
