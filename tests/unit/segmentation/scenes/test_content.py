from __future__ import annotations

from tests.unit.segmentation.scenes.glances import cuts, frames, plain, scenery


def test_a_change_of_colour_alone_is_a_cut() -> None:
    film = [plain(120, 80, 128)] * 20 + [plain(120, 176, 128)] * 20

    assert frames(cuts("content", film)) == [20]
    assert cuts("scene", film) == ()


def test_of_a_flurry_only_the_first_counts() -> None:
    film = [plain(20, 128, 128)] * 20 + [plain(number % 2 * 200, 128, 128) for number in range(6)] + [scenery(1)] * 20

    assert frames(cuts("content", film))[0] == 21
    assert len(cuts("content", film)) < len(cuts("content", film, shortest_seconds=0))


def test_weights_of_zero_see_nothing() -> None:
    assert cuts("content", [scenery(1)] * 9 + [scenery(2)] * 9, luma=0, chroma=0) == ()
