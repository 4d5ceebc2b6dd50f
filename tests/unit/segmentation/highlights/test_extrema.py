from __future__ import annotations

import numpy as np
import pytest

from clipd.segmentation.highlights.extrema import peaks


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1, 3, 2], [0, 1, 0]),
        ([3, 1, 2], [1, 0, 1]),
        ([1, 3, 3, 2], [0, 1, 1, 0]),
        ([1, 2, 2, 3, 1], [0, 0, 0, 1, 0]),
        ([1, 1, 0, 1, 1], [1, 1, 0, 1, 1]),
        ([2, 2, 2], [0, 0, 0]),
        ([7], [0]),
        ([], []),
    ],
)
def test_peaks_fall_to_both_sides(values: list[float], expected: list[int]) -> None:
    assert peaks(np.array(values, dtype=np.float64)).tolist() == [bool(flag) for flag in expected]
