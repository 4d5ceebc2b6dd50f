"""Boxes: their names, and what fits into them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.model.resolution import NAMED, fit, parse_resolution

SIDES = st.integers(1, 10_000)


@pytest.mark.parametrize("text", [None, "", "original", " Original ", "SOURCE", "none"])
def test_unscaled(text: str | None) -> None:
    assert parse_resolution(text) is None


@pytest.mark.parametrize(
    ("text", "box"),
    [("1080p", (1920, 1080)), (" 4K ", (3840, 2160)), ("640x480", (640, 480)), ("640 X 480", (640, 480)),
     ("640×480", (640, 480)), ("1x1", (1, 1))],
)  # fmt: skip
def test_names_and_sizes(text: str, box: tuple[int, int]) -> None:
    assert parse_resolution(text) == box


@pytest.mark.parametrize("text", ["1081p", "big", "0x480", "640x", "640x480x2", "-640x480", "100000x2", "1280.5x720"])
def test_what_is_no_resolution_is_refused_with_what_would_be_right(text: str) -> None:
    with pytest.raises(ValueError, match="write 1080p, 720p, 1280x720 or original"):
        parse_resolution(text)


def test_every_named_box_is_even() -> None:
    assert all(width % 2 == height % 2 == 0 for width, height in NAMED.values())


@given(SIDES, SIDES, st.tuples(SIDES, SIDES), st.booleans())
def test_a_picture_fits_its_box_with_its_aspect_kept(width: int, height: int, box: tuple[int, int], upscale) -> None:
    w, h = fit(width, height, box, upscale=upscale)
    if (w, h) == (width, height) and not upscale:
        return
    assert w <= box[0]
    assert h <= box[1]
    assert w == box[0] or h == box[1]
    # One side is exact; the other is the nearest whole pixel, and at least one.
    assert abs(w * height - h * width) <= max(width, height) / 2 or 1 in (w, h)


def test_nothing_is_enlarged_unless_asked() -> None:
    assert fit(640, 360, (1920, 1080)) == (640, 360)
    assert fit(640, 360, (1920, 1080), upscale=True) == (1920, 1080)
    assert fit(640, 360, None, upscale=True) == (640, 360)


def test_a_sliver_keeps_a_pixel() -> None:
    assert fit(10_000, 2, (100, 100)) == (100, 1)
