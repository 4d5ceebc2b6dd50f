from __future__ import annotations

import numpy as np
import pytest

from clipd.media.glance import Rows
from clipd.segmentation.scenes.bars import Area, Bars, Settings

HIGH, WIDE = 45, 80


def picture(top: int = 0, bottom: int = HIGH, left: int = 0, right: int = WIDE, seed: int = 0) -> Rows:
    """Noise within these limits, black around it, as noisy as compression makes it."""
    noise = np.random.default_rng(seed)
    made = noise.integers(16, 22, (HIGH, WIDE), np.uint8)
    made[top:bottom, left:right] = noise.integers(16, 235, (bottom - top, right - left), np.uint8)
    return made


def area_of(*pictures: Rows, looks: int = 4) -> Area:
    bars = Bars(Settings(looks=looks))
    for one in pictures:
        bars.look(one)
    return bars.area


@pytest.mark.parametrize(
    ("limits", "inside"),
    [
        ({}, (slice(0, HIGH), slice(0, WIDE))),
        ({"left": 10, "right": 70}, (slice(0, HIGH), slice(11, 69))),
        ({"top": 6, "bottom": 39}, (slice(7, 38), slice(0, WIDE))),
        ({"top": 5}, (slice(6, HIGH), slice(0, WIDE))),
        ({"top": 6, "bottom": 39, "left": 10, "right": 70}, (slice(7, 38), slice(11, 69))),
    ],
    ids=["none", "4:3 in 16:9", "letterbox", "one side", "all around"],
)
def test_what_is_flat_at_the_edges_and_a_pixel_more_is_left_out(
    limits: dict[str, int], inside: tuple[slice, slice]
) -> None:
    shown = picture(**limits)
    assert np.array_equal(area_of(shown).of(shown), shown[inside])
    plane = np.arange(90 * 160, dtype=np.uint8).reshape(90, 160)
    part = area_of(shown).of(plane)
    assert abs(part.shape[0] - 2 * shown[inside].shape[0]) <= 2
    assert abs(part.shape[1] - 2 * shown[inside].shape[1]) <= 2


def test_a_picture_that_is_dark_for_a_moment_has_no_wider_bars() -> None:
    shown = [picture(left=10, right=70), picture(left=30, right=60), picture(left=20, right=20)]
    assert area_of(*shown) == area_of(shown[0])


def test_bars_that_come_are_known_after_a_while_and_gone_at_once() -> None:
    full, barred = picture(), picture(left=10, right=70)
    assert area_of(full, *[barred] * 7) == Area()
    assert area_of(full, *[barred] * 8) == area_of(barred)
    assert area_of(full, *[barred] * 8, full) == Area()


@pytest.mark.parametrize(
    "shown",
    [picture(0, 0, 0, 0), picture(20, 25, 30, 50), picture(5, 40, 30, 48)],
    ids=["black", "title", "tall title"],
)
def test_where_little_is_shown_there_are_no_bars(shown: Rows) -> None:
    assert area_of(shown) == Area()


def test_a_plane_too_small_to_lose_anything_stays_whole() -> None:
    tiny = np.zeros((6, 8), np.uint8)
    assert area_of(picture(top=20, bottom=32)).of(tiny) is tiny
