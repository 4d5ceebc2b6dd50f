from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.media.orientation import Orientation, Upright, from_matrix, matrix_of
from tests.footage import footage, make, pictures

# What each orientation does to an array of rows, by numpy's own operations.
BY_NUMPY = {
    Orientation.UPRIGHT: lambda rows: rows,
    Orientation.CLOCKWISE: lambda rows: np.rot90(rows, -1),
    Orientation.HALF_TURN: lambda rows: np.rot90(rows, 2),
    Orientation.COUNTERCLOCKWISE: np.rot90,
    Orientation.MIRRORED: np.fliplr,
    Orientation.FLIPPED: np.flipud,
    Orientation.TRANSPOSED: np.transpose,
    Orientation.TRANSVERSED: lambda rows: np.rot90(rows, 2).T,
}


def rows_of(plane: av.video.plane.VideoPlane, wide: bool) -> np.ndarray:
    samples = np.frombuffer(memoryview(plane), dtype="<u2" if wide else "u1")
    return samples.reshape(-1, plane.line_size // samples.itemsize)[: plane.height, : plane.width]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv444p", "yuv420p10le", "yuv422p", "yuv422p10le", "yuv440p", "gbrp"])
@pytest.mark.parametrize("orientation", list(Orientation))
def test_every_sample_lands_where_it_belongs(orientation: Orientation, pix_fmt: str) -> None:
    (frame,) = pictures(1, 34, 22, pix_fmt)
    frame.pts, frame.time_base, frame.duration = 7, Fraction(1, 25), 2
    frame.colorspace, frame.color_range, frame.color_primaries, frame.color_trc = 1, 1, 9, 16
    turned = Upright(orientation, Fraction(1, 25))(frame)
    for before, after in zip(frame.planes, turned.planes, strict=True):
        wide = "10" in pix_fmt
        assert np.array_equal(rows_of(after, wide), BY_NUMPY[orientation](rows_of(before, wide)))
        assert after.line_size > 0
    assert (turned.pts, turned.duration, turned.time_base) == (7, 2, Fraction(1, 25))
    assert (turned.colorspace, turned.color_range, turned.color_primaries, turned.color_trc) == (1, 1, 9, 16)


@pytest.mark.parametrize(
    ("rotation", "hflip", "vflip", "expected"),
    [
        (0, False, False, Orientation.UPRIGHT),
        (-90, False, False, Orientation.CLOCKWISE),
        (90, False, False, Orientation.COUNTERCLOCKWISE),
        (180, False, False, Orientation.HALF_TURN),
        (0, True, False, Orientation.MIRRORED),
        (0, False, True, Orientation.FLIPPED),
        (45, False, False, Orientation.UPRIGHT),
    ],
)
def test_the_display_matrix_of_a_file_is_understood(
    tmp_path: Path, rotation: float, hflip: bool, vflip: bool, expected: Orientation
) -> None:
    path = make(tmp_path / "turned.mp4", count=1, rotation=rotation, hflip=hflip, vflip=vflip)
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
        matrix = matrix_of(frame)
    assert from_matrix(matrix or (1, 0, 0, 0, 1, 0, 0, 0, 1)) is expected
    upright = Upright(expected, Fraction(1, 25))(frame)
    assert matrix_of(upright) is None
    assert (upright.width > upright.height) is not expected.swaps


@pytest.mark.parametrize("a_sign", [-1, 1])
@pytest.mark.parametrize("b_sign", [-1, 1])
@pytest.mark.parametrize("swapped", [False, True])
def test_a_matrix_means_where_it_puts_the_corners(a_sign: int, b_sign: int, swapped: bool) -> None:
    # Shown point = (a p + c q, b p + d q): the definition, carried out on every sample of a small picture.
    rows = np.arange(12).reshape(3, 4)
    a, b, c, d = (0, a_sign, b_sign, 0) if swapped else (a_sign, 0, 0, b_sign)
    shown = {(a * x + c * y, b * x + d * y): rows[y, x] for y in range(3) for x in range(4)}
    xs, ys = sorted({x for x, _ in shown}), sorted({y for _, y in shown})
    expected = np.array([[shown[x, y] for x in xs] for y in ys])
    orientation = from_matrix((a, b, 0, c, d, 0, 0, 0, 1))
    assert np.array_equal(BY_NUMPY[orientation](rows), expected)


@pytest.mark.footage
def test_a_phone_clip_stands_upright() -> None:
    with av.open(str(footage("docutils_pens.mp4"))) as container:
        frame = next(container.decode(video=0))
        matrix = matrix_of(frame)
    assert matrix is not None
    assert from_matrix(matrix) is Orientation.CLOCKWISE
    upright = Upright(Orientation.CLOCKWISE, Fraction(1, 90000))(frame)
    assert (upright.width, upright.height) == (144, 176)
    assert np.array_equal(rows_of(upright.planes[0], False), np.rot90(rows_of(frame.planes[0], False), -1))
