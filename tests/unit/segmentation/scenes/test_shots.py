from __future__ import annotations

import json
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from clipd.media.door import Limits
from clipd.media.glance import Glance, Rows, Viewing
from clipd.media.glance import Settings as ViewSettings
from clipd.media.probe import probe
from clipd.segmentation.scenes.shots import Settings, Shots
from tests.footage import footage
from tests.unit.segmentation.scenes.glances import cuts, frames, mixed, moved, plain, scenery

BLACK, WHITE = plain(16, 128, 128), plain(235, 128, 128)


@pytest.mark.footage
@pytest.mark.parametrize(
    "name",
    [
        "mdnshared_tears-of-steel-battle-clip-medium.webm",
        "pyscenedetect_testvideo.mp4",
        "torchcodec_nasa_13013.mp4",
        "intel_car-detection.mp4",
        "mdn_friday.mp4",
        "docutils_pens.mp4",
    ],
)
def test_eye_checked_cuts_are_found_and_no_others(name: str) -> None:
    path, shots = footage(name), Shots(Settings())
    truth = json.loads(footage("shots.json").read_text()).get(name, {"hard_cuts": [], "gradual": []})
    for seen in Viewing(path, probe(path, Limits()), Limits(), ViewSettings()):
        if isinstance(seen, Glance):
            shots.feed(seen)
    found = shots.finish()

    hard = frames([cut for cut in found if cut.kind == "cut"])
    assert len(hard) == len(truth["hard_cuts"])
    assert all(abs(cut - true) <= 1 for cut, true in zip(hard, truth["hard_cuts"], strict=True))
    for _, first, last in truth.get("gradual", []):
        assert len([cut for cut in found if first - 5 <= cut.frame <= last + 5]) == 1


@pytest.mark.footage
@pytest.mark.parametrize("shape", [(4, 3), (9, 16)], ids=["4:3", "portrait"])
def test_bars_beside_the_picture_change_nothing(shape: tuple[int, int]) -> None:
    """What a station sends in 16:9 of what was filmed in another shape."""
    path, alone, among = footage("mdnshared_tears-of-steel-battle-clip-medium.webm"), [], []
    for seen in Viewing(path, probe(path, Limits()), Limits(), ViewSettings()):
        if isinstance(seen, Glance):
            planes = [middle(plane, shape) for plane in (seen.luma, *seen.chroma)]
            alone.append(planes)
            among.append([between_bars(plane, level) for plane, level in zip(planes, (16, 128, 128), strict=True)])
    found = cuts_of(among)
    assert len(found) > 20
    assert found == cuts_of(alone)


def middle(plane: Rows, shape: tuple[int, int]) -> Rows:
    high, wide = plane.shape
    shown = high * shape[0] // shape[1] // 2 * 2
    return plane[:, (wide - shown) // 2 :][:, :shown].copy()


def between_bars(plane: Rows, level: int) -> Rows:
    high, wide = plane.shape
    left = (high * 16 // 9 - wide) // 2
    return cv2.copyMakeBorder(plane, 0, 0, left, left, cv2.BORDER_CONSTANT, value=level)


def cuts_of(film: Sequence[Sequence[Rows]]) -> list[int]:
    shots, before = Shots(Settings()), film[0]
    for number, planes in enumerate(film):
        luma, blue, red = (float(cv2.absdiff(now, then).mean()) for now, then in zip(planes, before, strict=True))
        shots.feed(Glance(number, number / 25, planes[0], (planes[1], planes[2]), (luma, blue, red)))
        before = planes
    return frames(shots.finish())


def test_a_cut_within_fast_motion_is_found_and_nothing_else() -> None:
    film = [moved(scenery(number // 30), 7.0 * number, 2.0 * number) for number in range(90)]

    assert frames(cuts("shots", film)) == [30, 60]


@pytest.mark.parametrize("long", [1, 2, 3, 4])
@pytest.mark.parametrize("light", [WHITE, BLACK], ids=["flash", "blackout"])
def test_what_returns_after_a_flash_was_not_cut(long: int, light: np.ndarray) -> None:
    film = [moved(scenery(1), 0.5 * number) for number in range(60)]
    film[30 : 30 + long] = [mixed(picture, light, 3)[2] for picture in film[30 : 30 + long]]

    assert cuts("shots", film) == ()


def test_a_step_of_exposure_is_no_cut() -> None:
    assert cuts("shots", [moved(scenery(1), 0, gain=1 if number < 30 else 0.55) for number in range(60)]) == ()


def test_a_shot_of_a_few_frames_has_both_its_cuts() -> None:
    film = [scenery(1)] * 30 + [scenery(2)] * 6 + [scenery(3)] * 30

    assert frames(cuts("shots", film)) == [30, 36]


def test_dark_pictures_are_told_apart() -> None:
    dark = [moved(scenery(number), 0, gain=0.2) for number in (1, 2)]

    assert frames(cuts("shots", [dark[0]] * 30 + [dark[1]] * 30)) == [30]


def test_repeated_frames_hide_no_cut_and_make_none() -> None:
    film = [moved(scenery(number // 30), 5.0 * number) for number in range(60)]
    slowed = [picture for number, picture in enumerate(film) for _ in range(2 if number % 4 == 0 else 1)]

    assert frames(cuts("shots", slowed)) == [30 + len(range(0, 30, 4))]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.7])
def test_a_cut_across_one_mixed_frame_is_found_once(share: float) -> None:
    mixture = mixed(scenery(1), scenery(2), 9)[round(10 * share) - 1]

    (found,) = cuts("shots", [scenery(1)] * 30 + [mixture] + [scenery(2)] * 30)

    assert found.kind == "cut"
    assert found.frame == 31


def test_a_cut_in_an_interlaced_film_is_found_once() -> None:
    fields = [moved(scenery(number // 61), 1.5 * number) for number in range(122)]
    woven = [first.copy() for first in fields[::2]]
    for picture, second in zip(woven, fields[1::2], strict=True):
        picture[1::2] = second[1::2]

    assert frames(cuts("shots", woven)) == pytest.approx([30], abs=1)


def test_a_gradual_change_is_one_cut_beside_the_hard_ones() -> None:
    film = [scenery(1)] * 40 + [scenery(2)] * 40 + mixed(scenery(2), scenery(3), 15) + [scenery(3)] * 60

    found = cuts("shots", film)

    assert [cut.kind for cut in found] == ["cut", "dissolve"]
    assert found[0].frame == 40
    assert found[1].frame == pytest.approx(95, abs=3)


def test_black_to_a_shot_and_back_are_hard_cuts() -> None:
    assert frames(cuts("shots", [BLACK] * 30 + [scenery(1)] * 40 + [BLACK] * 30)) == [30, 70]
