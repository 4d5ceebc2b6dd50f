from __future__ import annotations

import numpy as np

from tests.unit.segmentation.scenes.glances import cuts, frames, moved, scenery


def test_fast_motion_is_no_cut_and_a_cut_within_is_one() -> None:
    hurry = [moved(scenery(number // 30), 9.0 * number) for number in range(60)]

    assert frames(cuts("adaptive", hurry, ratio=1.5)) == [30]
    assert len(cuts("content", hurry, threshold=8, shortest_seconds=0)) > 10


def test_quiet_changes_are_none_however_much_they_stand_out() -> None:
    still, touched = scenery(1), np.clip(scenery(1).astype(int) + 3, 0, 255).astype(np.uint8)

    assert cuts("adaptive", [still] * 20 + [touched] * 20) == ()
    assert frames(cuts("adaptive", [still] * 20 + [touched] * 20, least_change=1)) == [20]


def test_a_cut_close_to_either_end_is_found() -> None:
    assert frames(cuts("adaptive", [scenery(1)] + [scenery(2)] * 30 + [scenery(3)])) == [1, 31]
