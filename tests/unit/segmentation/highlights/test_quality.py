from __future__ import annotations

import numpy as np
import pytest

from clipd.segmentation.highlights.anchors import Anchor
from clipd.segmentation.highlights.boundaries import Boundary
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.quality import Quality, Settings, quality
from clipd.segmentation.highlights.windows import Window


def found(
    at: float, score: float = 1.0, values: float = 0.5, ends: tuple[float | None, float | None] = (0.6, 0.2)
) -> Quality:
    curve = Curve(np.arange(40) * 0.5, 0.5, np.full(40, values))
    places = [None if end is None else Boundary(0, end, 0, 0, 0, 0, 0) for end in ends]
    return quality(Window(0, 20, Anchor(at, score, "excitement", 0, 0), *places), curve, Settings())


def test_it_is_the_sum_of_its_parts_times_the_anchor() -> None:
    assert found(10).total == pytest.approx(0.4 * 0.5 + 0.2 * 0.4 + 0.2)
    assert found(10, score=0.5).total == pytest.approx(0.48 * 0.75)
    assert found(10, score=7).total == pytest.approx(0.48)
    assert found(10, values=0.05).total == pytest.approx(0.4 * 0.05 + 0.08 + 0.2 - 0.2)
    assert found(10, ends=(None, 0.2)).boundaries == pytest.approx(0.1)


@pytest.mark.parametrize(("at", "narrative"), [(10, 1), (4, 1), (2, 0.5), (0, 0), (19, 0.25)])
def test_narrative_falls_towards_the_edges(at: float, narrative: float) -> None:
    assert found(at).narrative == pytest.approx(narrative)


def test_what_is_shown_lies_between_nought_and_one() -> None:
    assert found(10, values=9).shown == 1
    assert found(0, values=0, ends=(None, None)).total < 0
    assert found(0, values=0, ends=(None, None)).shown == 0
