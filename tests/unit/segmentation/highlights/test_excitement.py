from __future__ import annotations

import numpy as np
import pytest

from clipd.segmentation.highlights.excitement import Curve, Settings, excitement, has_sound
from tests.unit.segmentation.drawn import features


def test_weighted_is_the_sum_of_the_positive_parts() -> None:
    drawn = features(2, loudness=[2, -1, 1, 0], motion=[1, 2, -3, -1])
    assert excitement(drawn, "weighted", Settings()).values == pytest.approx([1.6, 0.8, 0.6, 0])


def test_product_needs_both() -> None:
    drawn = features(2, loudness=[2, -1, 1, 0.5], motion=[1, 2, -3, 3])
    assert excitement(drawn, "product", Settings()).values == pytest.approx([2, 0, 0, 1.5])


@pytest.mark.parametrize("formula", ["weighted", "product"])
def test_without_sound_motion_counts_alone_and_fully(formula: str) -> None:
    drawn = features(2, motion=[1, 2, -3, -1])
    assert not has_sound(drawn)
    assert excitement(drawn, formula, Settings()).values == pytest.approx([1, 2, 0, 0])  # type: ignore[arg-type]


def test_audio_that_never_rises_above_the_floor_is_no_sound() -> None:
    drawn = features(2, loudness=[-4, -4, -4, -4], motion=[1, 2, -3, -1])
    assert drawn.loudness is not None
    assert not drawn.loudness.any()
    assert not has_sound(drawn)


def test_sums_over_spans_are_half_open() -> None:
    curve = Curve(np.arange(8) * 0.5, 0.5, np.array([1.0, 2, 3, 4, 0, 0, 0.2, 9]))
    assert curve.mean(0.5, 1.5) == 2.5
    assert curve.mean(0.6, 0.9) == 0
    assert curve.share_below(0.15, 1.5, 3.5) == 0.5
    assert curve.share_below(0.15, 0.6, 0.9) == 1
    assert curve.integrals(np.array([3.0, 2.0, 0.0]), 3.0) == pytest.approx([5, 5, 0])
