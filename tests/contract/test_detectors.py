"""What every detector of cuts must keep, run over the table of detectors."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from clipd.segmentation.scenes import DETECTORS
from tests.unit.segmentation.scenes.glances import RATE, cuts, frames, glances, mixed, moved, plain, scenery


@pytest.fixture(params=list(DETECTORS))
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_it_is_in_the_table_under_its_name(name: str) -> None:
    assert DETECTORS[name].name == name


def test_a_change_of_shot_is_found_once_under_the_detectors_name(name: str) -> None:
    first, second = scenery(1) // 2, 255 - scenery(2) // 2
    change = mixed(first, second, 12) if name == "gradual" else []

    found = cuts(name, [first] * 40 + change + [second] * 40)

    assert len(found) == 1
    assert 40 <= found[0].frame <= 40 + len(change)
    assert found[0].seconds == pytest.approx(found[0].frame / RATE)
    assert found[0].detector == name
    assert 0 < found[0].score <= 1


@pytest.mark.parametrize("count", [0, 1, 2, 3])
def test_a_film_of_few_frames_has_no_cut(name: str, count: int) -> None:
    assert cuts(name, [scenery(1)] * count) == ()


def test_a_still_or_slowly_moving_picture_has_no_cut(name: str) -> None:
    assert cuts(name, [scenery(3)] * 120) == ()
    assert cuts(name, [moved(scenery(3), number * 0.7) for number in range(120)]) == ()


@pytest.mark.parametrize("size", [(2, 2), (16, 90), (160, 4), (158, 88), (64, 36)])
def test_any_size_of_picture_is_taken(name: str, size: tuple[int, int]) -> None:
    pictures = [scenery(number // 20, size) for number in range(100)]

    found = cuts(name, pictures)

    assert set(frames(found)) <= {20, 40, 60, 80}


def test_noise_is_endured(name: str) -> None:
    random = np.random.default_rng(5)

    found = cuts(name, (random.integers(0, 256, (90, 160, 3), dtype=np.uint8) for _ in range(60)))

    assert frames(found) == sorted(set(frames(found)))
    assert all(0 < cut.frame < 60 and 0 <= cut.score <= 1 for cut in found)


def test_memory_does_not_grow_with_the_film(name: str) -> None:
    detector = DETECTORS[name](DETECTORS[name].settings())
    sizes = {}
    for glance in glances(moved(scenery(4), np.sin(number / 9) * 20) for number in range(500)):
        detector.feed(glance)
        if glance.number in (200, 499):
            sizes[glance.number] = len(pickle.dumps(detector))

    # Which frames are kept depends on what they show: a few more or less of them.
    assert sizes[499] <= sizes[200] * 1.1


def test_settings_say_what_they_are_for(name: str) -> None:
    for key, field in DETECTORS[name].settings.model_fields.items():
        assert field.description, key


def test_black_at_either_end_and_a_plain_colour_give_no_cut(name: str) -> None:
    assert cuts(name, [plain(16, 128, 128)] * 60) == ()
