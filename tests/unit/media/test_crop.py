from __future__ import annotations

from fractions import Fraction

import av
import numpy as np
import pytest

from clipd.media.crop import Cropper, has_odd_chroma
from clipd.media.picture import CROPPABLE, Reshaper
from clipd.media.planes import plane_rows
from clipd.model.crop import Rect

PLANAR = (
    "yuv420p", "yuvj420p", "yuv422p", "yuv444p", "yuv440p", "yuv411p", "yuv410p", "yuva420p", "gray", "gbrp",
    "yuv420p10le", "yuv422p10le", "yuv444p10le", "yuv420p12le", "yuv420p16be", "yuva420p10le", "gbrp10le", "gray12le",
)  # fmt: skip
PACKED = {"rgb24": 3, "bgr24": 3, "bgra": 4, "rgb48le": 6, "ya8": 2, "rgb565le": 2, "pal8": 1}
RECTS = (Rect(0, 0, 20, 16), Rect(7, 5, 21, 17), Rect(1, 0, 63, 47), Rect(62, 46, 1, 1), Rect(8, 4, 32, 16))


def noise(pixels: str, width: int = 64, height: int = 48) -> av.VideoFrame:
    random = np.random.default_rng(3)
    frame = av.VideoFrame(width, height, pixels)
    for plane in frame.planes:
        plane.update(random.integers(0, 256, plane.buffer_size, dtype=np.uint8).tobytes())
    frame.pts, frame.time_base = 4711, Fraction(1, 90000)
    frame.color_primaries, frame.color_trc, frame.colorspace, frame.color_range = 9, 16, 9, 1
    return frame


def planar_crop(frame: av.VideoFrame, rect: Rect) -> list[np.ndarray]:
    """Written from the definition: luma exact, chroma offset floored, chroma size rounded up."""
    planes = []
    for plane in frame.planes:
        across, down = frame.width // plane.width, frame.height // plane.height
        sample = 2 if frame.format.components[0].bits > 8 else 1
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        left, top = rect.x // across, rect.y // down
        width, height = -(-rect.width // across), -(-rect.height // down)
        planes.append(rows[top : top + height, left * sample : (left + width) * sample])
    return planes


@pytest.mark.parametrize("rect", RECTS, ids=str)
@pytest.mark.parametrize("pixels", PLANAR)
def test_planar_crops_are_exact_to_the_sample(pixels: str, rect: Rect) -> None:
    frame = noise(pixels)
    cut = Cropper().cut(frame, rect)
    assert (cut.format.name, cut.width, cut.height) == (pixels, rect.width, rect.height)
    for index, expected in enumerate(planar_crop(frame, rect)):
        assert np.array_equal(plane_rows(cut, index), expected), f"plane {index}"


@pytest.mark.parametrize("rect", RECTS, ids=str)
@pytest.mark.parametrize("pixels", PACKED)
def test_packed_crops_are_exact_to_the_sample(pixels: str, rect: Rect) -> None:
    frame, step = noise(pixels), PACKED[pixels]
    cut = Cropper().cut(frame, rect)
    expected = plane_rows(frame, 0)[rect.y : rect.y + rect.height, rect.x * step : (rect.x + rect.width) * step]
    assert np.array_equal(plane_rows(cut, 0), expected)


@pytest.mark.parametrize("pixels", [name for name in CROPPABLE if name != "uyyvyy411"])
def test_layouts_that_cannot_be_cut_become_ones_that_can_without_loss(pixels: str) -> None:
    frame = noise(pixels)
    depth = next((bits for bits in (10, 12) if str(bits) in pixels), None)
    if depth is not None:
        for plane in frame.planes:
            samples = np.frombuffer(memoryview(plane), "<u2")
            plane.update((samples >> (16 - depth) << (16 - depth)).tobytes())
    planar = Reshaper(CROPPABLE[pixels]).fit(frame, 64, 48)
    assert planar.format.name == CROPPABLE[pixels]
    back = Reshaper(pixels).fit(planar, 64, 48)
    for index in range(len(frame.planes)):
        assert np.array_equal(plane_rows(back, index), plane_rows(frame, index)), f"plane {index}"


def test_a_crop_that_moves_and_changes_size_follows_every_step() -> None:
    frame, cropper = noise("yuv420p", 320, 240), Cropper()
    for step in range(80):
        rect = Rect(step * 3 % 200, step * 7 % 150, 120 - step, 90 - step // 2)
        cut = cropper.cut(frame, rect)
        for index, expected in enumerate(planar_crop(frame, rect)):
            assert np.array_equal(plane_rows(cut, index), expected), f"step {step}, plane {index}"


def test_times_and_colour_tags_stay() -> None:
    for pixels, rect in (("yuv420p", Rect(2, 2, 10, 10)), ("yuv420p10le", Rect(3, 3, 9, 9))):
        frame = noise(pixels)
        cut = Cropper().cut(frame, rect)
        assert (cut.pts, cut.time_base) == (4711, Fraction(1, 90000))
        assert (cut.color_primaries, cut.color_trc, cut.colorspace, cut.color_range) == (9, 16, 9, 1)


def test_the_whole_picture_is_passed_through() -> None:
    frame = noise("yuv420p")
    assert Cropper().cut(frame, Rect(0, 0, 64, 48)) is frame


def test_odd_offsets_are_noticed_only_where_chroma_is_shared() -> None:
    assert has_odd_chroma(av.VideoFormat("yuv420p"), Rect(1, 0, 8, 8))
    assert has_odd_chroma(av.VideoFormat("yuv420p"), Rect(0, 1, 8, 8))
    assert not has_odd_chroma(av.VideoFormat("yuv422p"), Rect(0, 1, 8, 8))
    assert not has_odd_chroma(av.VideoFormat("yuv444p"), Rect(1, 1, 8, 8))
    assert not has_odd_chroma(av.VideoFormat("rgb24"), Rect(1, 1, 8, 8))
