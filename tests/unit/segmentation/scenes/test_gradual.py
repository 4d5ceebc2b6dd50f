from __future__ import annotations

import cv2
import numpy as np
import pytest

from tests.unit.segmentation.scenes.glances import cuts, mixed, moved, plain, scenery

BLACK, WHITE = plain(16, 128, 128), plain(235, 128, 128)


@pytest.mark.parametrize("long", [6, 12, 25, 40])
def test_a_dissolve_is_found_with_its_limits(long: int) -> None:
    film = [scenery(1)] * 60 + mixed(scenery(1), scenery(2), long) + [scenery(2)] * 60

    (found,) = cuts("gradual", film)

    assert found.kind == "dissolve"
    assert found.start_frame == pytest.approx(60, abs=2 + long // 10)
    assert found.frame == pytest.approx(60 + long, abs=2 + long // 10)


@pytest.mark.parametrize("colour", [BLACK, WHITE], ids=["black", "white"])
def test_fades_are_found_apart_although_the_camera_moves(colour: np.ndarray) -> None:
    before = [moved(scenery(1), 1.5 * number) for number in range(80)]
    after = [moved(scenery(2), -1.5 * number) for number in range(80)]
    for step in range(20):
        share = (step + 1) / 21
        before[60 + step] = mixed(before[60 + step], colour, 99)[round(99 * share)]
        after[step] = mixed(colour, after[step], 99)[round(99 * share)]

    found = cuts("gradual", [*before, *[colour] * 10, *after])

    assert [cut.kind for cut in found] == ["fade-out", "fade-in"]
    assert 75 <= found[0].frame <= 82
    assert 100 <= found[1].frame <= 112


def test_a_dark_picture_that_fades_to_nothing_is_found_and_a_dim_one_that_stays_is_not() -> None:
    dark, dim = (cv2.addWeighted(plain(20, 128, 128), 1 - share, scenery(1), share, 0) for share in (0.22, 0.05))
    assert 8 < dark[..., 0].std() < 14
    for end, kinds in ((BLACK, ["fade-out"]), (dim, [])):
        film = [dark] * 40 + mixed(dark, end, 20) + [end] * 40
        assert [cut.kind for cut in cuts("gradual", film)] == kinds


@pytest.mark.parametrize(
    "film",
    [
        [moved(scenery(1), 6.0 * number) for number in range(90)],
        [moved(scenery(1), 0, gain=1 - 0.5 * min(1, max(0, number - 30) / 20)) for number in range(90)],
        [moved(scenery(1), 40 * np.sin(number / 4)) for number in range(90)],
        [scenery(1)] * 40 + [scenery(2)] * 40,
        [scenery(1)] * 30 + [WHITE] * 4 + [scenery(1)] * 30,
    ],
    ids=["pan", "dimming", "swaying", "hard cut", "flash"],
)
def test_what_is_not_gradual_is_not_found(film: list[np.ndarray]) -> None:
    assert cuts("gradual", film) == ()
