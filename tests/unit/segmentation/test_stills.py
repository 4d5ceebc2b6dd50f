from __future__ import annotations

import cv2
import numpy as np

from clipd.segmentation import stills


def jpeg(seed: int = 0, width: int = 320, height: int = 180) -> bytes:
    """Noise: as large as a JPEG gets."""
    noise = np.random.default_rng(seed).integers(0, 255, (height, width, 3), np.uint8)
    return cv2.imencode(".jpg", noise, [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()


def test_pictures_that_fit_stay_as_they_are() -> None:
    pictures = {2: jpeg(2), 1: jpeg(1)}
    assert stills.fitted(pictures, 1_000_000) == pictures


def test_pictures_that_do_not_fit_are_all_made_smaller() -> None:
    pictures = {number: jpeg(number) for number in range(8)}
    total = sum(map(len, pictures.values()))
    for share in (2, 4, 12, 24):
        found = stills.fitted(pictures, total // share)
        assert list(found) == list(pictures)
        assert sum(map(len, found.values())) <= total // share
        shapes = {stills.size(one) for one in found.values()}
        assert len(shapes) == 1
        width, height = shapes.pop() or (0, 0)
        assert abs(width / height - 16 / 9) < 0.05


def test_where_even_the_smallest_do_not_fit_the_first_ones_stay() -> None:
    pictures = {number: jpeg(number) for number in range(8)}
    found = stills.fitted(pictures, 8_000)
    assert list(found) == list(pictures)[: len(found)]
    assert 0 < len(found) < 8


def test_what_is_no_picture_is_left_out() -> None:
    assert list(stills.fitted({1: b"", 2: b"\xff\xd8 no", 3: jpeg()}, 1_000_000)) == [3]
    assert [seconds for seconds, _ in stills.spread([(0.0, b""), (1.0, jpeg()), (2.0, b"GIF89a")], 9, 1_000_000)] == [
        1.0
    ]
    assert stills.spread([], 9, 1000) == []


def test_a_strip_is_spread_evenly_over_the_video_in_order_of_time() -> None:
    one = jpeg()
    strip = [(float(second), one) for second in reversed(range(100))]
    assert [seconds for seconds, _ in stills.spread(strip, 5, 10_000_000)] == [10, 30, 50, 70, 90]
    assert len(stills.spread(strip, 50, 7 * len(one))) == 7
