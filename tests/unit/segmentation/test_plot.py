from __future__ import annotations

import re

import numpy as np
import pytest

from clipd.segmentation import plot
from clipd.segmentation.debug import CutEntry

POINT = re.compile(r"([\d.]+),([\d.]+)")


def points(path: str) -> list[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in POINT.findall(path)]


def test_a_curve_is_an_area_from_the_bottom_whose_last_value_holds_to_the_end() -> None:
    path = plot.curve(np.array([0.0, 0.5]), np.array([1.0, 4.0]), top=4.0, end_seconds=1.0, most=100)
    assert path == "M0,100L0.00,75.0 0.50,0.0 1.00,0.0 1.00,100"


def test_a_long_curve_is_thinned_out_and_keeps_every_peak_and_valley_of_note() -> None:
    values = np.full(20_000, 5.0)
    values[[1, 7_777, 19_999]] = 10.0
    values[12_345] = 0.0
    path = plot.curve(np.arange(20_000) * 0.5, values, 10.0, 10_000.0, most=1_000)
    drawn = dict(points(path))
    assert len(drawn) <= 1_003
    assert [drawn[at] for at in (0.5, 3888.5, 9999.5)] == [0.0, 0.0, 0.0]
    assert drawn[6172.5] == 100.0


def test_points_that_must_be_there_are_there_however_flat() -> None:
    values = np.tile([1.0, 3.0, 2.0, 3.0, 1.0], 2_000)
    path = plot.curve(np.arange(10_000) * 0.5, values, 3.0, 5_000.0, most=500, keep=[4_002])
    assert (2001.0, 33.3) in points(path)


def test_broken_values_are_drawn_within_the_picture() -> None:
    broken = np.array([np.nan, np.inf, -np.inf, 2.0])
    heights = [y for _, y in points(plot.curve(np.arange(4) * 0.5, broken, 1.0, 2.0, 10))]
    assert heights == [100, 100, 0, 100, 0, 0, 100]


@pytest.mark.parametrize("count", [0, 1])
def test_little_gives_little(count: int) -> None:
    path = plot.curve(np.zeros(count), np.zeros(count), 1.0, 0.04, 10)
    assert path == ("M0,100L0.00,100.0 0.04,100.0 0.04,100" if count else "")


def test_changes_of_shot_look_like_what_they_are() -> None:
    cuts = [
        CutEntry(2.0, 20, None, None, 1.0, "cut", "scene"),
        CutEntry(4.0, 40, 30, 3.0, 1.0, "fade-in", "gradual"),
        CutEntry(6.0, 60, 50, 5.0, 1.0, "fade-out", "gradual"),
        CutEntry(8.0, 80, 70, 7.0, 1.0, "dissolve", "gradual"),
    ]
    assert plot.changes(cuts, "cut") == "M2.00,0v100"
    assert plot.changes(cuts, "fade-in") == "M3.00,100L4.00,0V100z"
    assert plot.changes(cuts, "fade-out") == "M5.00,0L6.00,100H5.00z"
    assert plot.changes(cuts, "dissolve") == "M7.00,0L8.00,100V0L7.00,100z"


def test_bars_dots_and_bands() -> None:
    assert plot.bars([(1.0, 0.25), (2.0, 7.0)]) == "M1.00,100v-25.0M2.00,100v-100.0"
    assert plot.dots([(1.0, 0.25), (2.0, -1.0)]) == "M1.00,75.0h0M2.00,100.0h0"
    assert plot.bands([(1.0, 2.5)]) == "M1.00,0H2.50V100H1.00z"
