from __future__ import annotations

import os
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest

from clipd.errors import Rejected
from clipd.media.door import Limits
from clipd.media.sequence import BrokenPicture, natural_key, read_still, spread, time_in_name, usual_step
from tests.unit.media.test_exif import with_exif

MIB = 2**20
TAKEN = int(datetime(2025, 8, 29, 14, 30, 15, tzinfo=UTC).timestamp())


def gradient() -> np.ndarray:
    """Red grows to the right, green downwards."""
    across, down = np.meshgrid(np.linspace(0, 255, 80), np.linspace(0, 255, 60))
    return np.stack((np.full_like(across, 60), down, across), axis=2).astype(np.uint8)


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif"])
def test_every_kind_is_read_by_its_content(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "picture.misnamed"
    path.write_bytes(cv2.imencode(suffix, gradient())[1].tobytes())
    frame = read_still(path, Limits(), MIB).frame
    # OpenCV writes GIF with few colours, mixed.
    tolerance = 25 if suffix == ".gif" else 8
    assert np.abs(frame.to_ndarray(format="bgr24").astype(int) - gradient()).mean() < tolerance


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".bmp", ".tiff", ".gif"])
@pytest.mark.parametrize("share", [0.03, 0.5, 0.9])
def test_what_is_cut_off_is_broken(tmp_path: Path, suffix: str, share: float) -> None:
    path = tmp_path / f"picture{suffix}"
    whole = cv2.imencode(suffix, gradient())[1].tobytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(BrokenPicture, match="picture"):
        read_still(path, Limits(), MIB)


def test_a_picture_that_is_too_large_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(cv2.imencode(".png", np.zeros((4000, 4000), np.uint8))[1].tobytes())
    with pytest.raises(BrokenPicture, match="does not decode"):
        read_still(path, Limits(max_pixels=1_000_000), MIB)
    with pytest.raises(BrokenPicture, match="more than 100 bytes"):
        read_still(path, Limits(), 100)


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    with pytest.raises(Rejected, match="not a regular file"):
        read_still(tmp_path / "pipe.jpg", Limits(), MIB)


def test_what_is_transparent_becomes_black(tmp_path: Path) -> None:
    picture = np.full((20, 20, 4), 200, np.uint8)
    picture[:, :, 3] = np.repeat([0, 255], 10)[None]
    path = tmp_path / "glass.png"
    path.write_bytes(cv2.imencode(".png", picture)[1].tobytes())
    shown = read_still(path, Limits(), MIB).frame.to_ndarray(format="rgb24")
    assert shown[:, :10].max() == 0
    assert shown[:, 10:].min() == 200


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_undone(tmp_path: Path, orientation: int) -> None:
    """Compared with OpenCV, which turns JPEG pictures itself."""
    data = with_exif(cv2.imencode(".jpg", gradient())[1].tobytes(), orientation=orientation)
    path = tmp_path / "turned.jpg"
    path.write_bytes(data)
    wanted = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    shown = read_still(path, Limits(), MIB).frame.to_ndarray(format="bgr24")
    assert shown.shape == wanted.shape
    assert np.abs(shown.astype(int) - wanted).mean() < 3


@pytest.mark.parametrize(
    ("name", "fraction"),
    [
        ("20250829_143015", 0),
        ("20250829143015", 0),
        ("20250829-143015-cam1", 0),
        ("cam1_20250829_143015_7", 0),
        ("cam1 2025-08-29 14.30.15", 0),
        ("2025-08-29T14-30-15", 0),
        ("2025-08-29_14-30-15-123", Fraction(123, 1000)),
        ("2025_08_29_14_30_15_123456", Fraction(123_456, 10**6)),
        ("IMG_20250829_143015123", Fraction(123, 1000)),
        ("Screenshot 2025-08-29 at 14.30.15", 0),
        ("192.168.1.20_01_20250829143015123_MOTION", Fraction(123, 1000)),
        (str(TAKEN), 0),
        (f"frame_{TAKEN}123", Fraction(123, 1000)),
        (f"{TAKEN}123456", Fraction(123_456, 10**6)),
        (f"{TAKEN}.5", Fraction(1, 2)),
    ],
)
def test_names_tell_the_time(name: str, fraction: Fraction) -> None:
    assert time_in_name(name) == TAKEN + fraction


@pytest.mark.parametrize(
    "name", ["IMG_0001", "2025-08-29", "20251329_143015", "20250829_253015", "12345", "p1", "99999999999999", ""]
)
def test_names_that_tell_none(name: str) -> None:
    assert time_in_name(name) is None


def test_order_is_natural() -> None:
    names = ["a10", "a2", "A1", "b", "a2b", "10", "9", "a02"]
    assert sorted(names, key=natural_key) == ["9", "10", "A1", "a2", "a02", "a2b", "a10", "b"]


def test_equal_times_are_set_apart() -> None:
    halves = [Fraction(n) for n in (0, 0, 1, 1, 1, 5, 5)]
    third = Fraction(1, 3)
    assert spread(halves) == [0, Fraction(1, 2), 1, 1 + third, 1 + 2 * third, 5, Fraction(11, 2)]
    assert usual_step([Fraction(0), Fraction(1), Fraction(4), Fraction(5)]) == 1
    assert usual_step([Fraction(3)]) is None
