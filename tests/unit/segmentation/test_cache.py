from __future__ import annotations

import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.segmentation import cache as feature_cache
from clipd.segmentation.cache import features_of
from clipd.segmentation.features import Features
from clipd.segmentation.survey import STAGE, Settings
from tests.unit.segmentation.filmed import film, texture, tone


class Stages(list[str]):
    """What was done, in the order in which it was told."""

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.append(stage)

    @property
    def measured(self) -> bool:
        return STAGE in self


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return film(tmp_path / "a.mkv", [*[texture(1)] * 20, *[texture(2, lift=110)] * 20], sound=tone(1.6, 0.5))


def remembered(path: Path, cache: Path, settings: Settings | None = None) -> tuple[Features, bool]:
    """The features, and whether the video was measured for them."""
    stages = Stages()
    return features_of(path, settings or Settings(), Limits(), cache, stages), stages.measured


def assert_same(one: Features, other: Features) -> None:
    for each in fields(Features):
        np.testing.assert_array_equal(getattr(one, each.name), getattr(other, each.name), err_msg=each.name)


def test_what_was_measured_once_is_remembered_to_the_bit(path: Path, tmp_path: Path) -> None:
    first, measured = remembered(path, tmp_path / "cache")
    again, measured_again = remembered(path, tmp_path / "cache")

    assert (measured, measured_again) == (True, False)
    assert first.cuts
    assert first.freezes
    assert_same(first, again)


def test_content_counts_not_the_name(path: Path, tmp_path: Path) -> None:
    remembered(path, tmp_path / "cache")
    other = path.rename(tmp_path / "b.mkv")

    assert remembered(other, tmp_path / "cache")[1] is False


def test_other_settings_and_other_content_are_measured(path: Path, tmp_path: Path) -> None:
    remembered(path, tmp_path / "cache")

    assert remembered(path, tmp_path / "cache", Settings(step_seconds=0.25))[1] is True
    film(path, [texture(3)] * 20)
    assert remembered(path, tmp_path / "cache")[1] is True


@pytest.mark.parametrize("damage", [b"", b"nonsense", None], ids=["empty", "nonsense", "cut short"])
def test_a_damaged_memory_is_measured_anew(path: Path, tmp_path: Path, damage: bytes | None) -> None:
    first, _ = remembered(path, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.npz")
    kept.write_bytes(kept.read_bytes()[:-100] if damage is None else damage)

    again, measured = remembered(path, tmp_path / "cache")

    assert measured
    assert_same(first, again)
    assert remembered(path, tmp_path / "cache")[1] is False


def test_a_folder_that_cannot_be_written_is_no_error(path: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_bytes(b"a file where a folder should be")

    assert remembered(path, tmp_path / "cache")[1] is True


def test_an_hour_is_remembered_in_less_than_a_second(path: Path, tmp_path: Path) -> None:
    short, _ = remembered(path, tmp_path / "cache")
    (kept,) = (tmp_path / "cache").rglob("*.npz")
    dice = np.random.default_rng(1)
    curves = {name: dice.random(7200) for name in ("loudness", "motion", "loudness_z", "motion_z")}
    hour = replace(
        short,
        duration_seconds=3600.0,
        frame_times=np.arange(108_000) / 30,
        times=np.arange(7200) * 0.5,
        pictures=dice.integers(0, 256, (7200, 18, 32), dtype=np.uint8),
        cuts=tuple(replace(short.cuts[0], frame=number) for number in range(2000)),
        **curves,
    )
    feature_cache._store(kept, hour)

    begun = time.process_time()
    again, measured = remembered(path, tmp_path / "cache")

    assert not measured
    assert time.process_time() - begun < 1
    assert_same(again, hour)
