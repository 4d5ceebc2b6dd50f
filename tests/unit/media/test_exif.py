from __future__ import annotations

import struct
from fractions import Fraction

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.media.exif import Exif, read_exif
from clipd.media.orientation import Orientation

TAKEN = 1_756_477_815
"""2025-08-29 14:30:15, as if the camera's clock were UTC."""


def tags(
    *, date: str | None = None, subsec: str | None = None, orientation: int | None = None, order: str = "<"
) -> bytes:
    """A TIFF structure with these tags, written here by the specification."""
    main, detail, texts = [], [], b""
    start = 8 + 2 + 3 * 12 + 4 + 2 + 2 * 12 + 4
    if orientation is not None:
        main.append(struct.pack(f"{order}HHIHH", 0x0112, 3, 1, orientation, 0))
    if date is not None:
        detail.append(struct.pack(f"{order}HHII", 0x9003, 2, 20, start + len(texts)))
        texts += date.encode() + b"\0"
    if subsec is not None:
        padded = subsec.encode() + b"\0"
        if len(padded) <= 4:
            detail.append(struct.pack(f"{order}HHI", 0x9291, 2, len(padded)) + padded.ljust(4, b"\0"))
        else:
            detail.append(struct.pack(f"{order}HHII", 0x9291, 2, len(padded), start + len(texts)))
            texts += padded
    below = 8 + 2 + (len(main) + 1) * 12 + 4
    main.append(struct.pack(f"{order}HHII", 0x8769, 4, 1, below))
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}I", 8)
    body = head + struct.pack(f"{order}H", len(main)) + b"".join(main) + bytes(4)
    body += struct.pack(f"{order}H", len(detail)) + b"".join(detail) + bytes(4)
    return body.ljust(start, b"\0") + texts


def with_exif(jpeg: bytes, **wanted: object) -> bytes:
    """`jpeg` with EXIF data."""
    block = b"Exif\0\0" + tags(**wanted)  # type: ignore[arg-type]
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + jpeg[2:]


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    return np.zeros((8, 8, 3), np.uint8)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_jpeg_tells_when_it_was_taken(image: np.ndarray, order: str) -> None:
    jpeg = cv2.imencode(".jpg", image)[1].tobytes()
    told = read_exif(with_exif(jpeg, date="2025:08:29 14:30:15", subsec="123456", orientation=8, order=order))
    assert told == Exif(TAKEN + Fraction(123_456, 10**6), Orientation.COUNTERCLOCKWISE)
    assert read_exif(jpeg) == Exif()


def test_png_and_webp_tell_it_too(image: np.ndarray) -> None:
    block = tags(date="2025:08:29 14:30:15", subsec="50")
    png = cv2.imencode(".png", image)[1].tobytes()
    chunk = struct.pack(">I", len(block)) + b"eXIf" + block + bytes(4)
    assert read_exif(png[:33] + chunk + png[33:]).taken == TAKEN + Fraction(1, 2)
    webp = cv2.imencode(".webp", image)[1].tobytes()
    assert read_exif(webp + b"EXIF" + struct.pack("<I", len(block)) + block).taken == TAKEN + Fraction(1, 2)
    assert read_exif(block).taken == TAKEN + Fraction(1, 2)


@pytest.mark.parametrize(
    "date", ["0000:00:00 00:00:00", "2025:13:29 14:30:15", "    :  :     :  :  ", "yesterday", "2025:08:29"]
)
def test_a_date_that_is_none_is_left_out(date: str) -> None:
    assert read_exif(tags(date=date.ljust(19))).taken is None


@pytest.mark.parametrize("orientation", [0, 9, 65_535])
def test_an_orientation_that_is_none_leaves_the_picture(orientation: int) -> None:
    assert read_exif(tags(orientation=orientation)).orientation is Orientation.UPRIGHT


@given(st.binary(max_size=300), st.integers(0, 200))
def test_no_bytes_do_harm(noise: bytes, at: int) -> None:
    block = tags(date="2025:08:29 14:30:15", subsec="123456", orientation=3)
    for data in (
        block[:at] + noise + block[at:],
        block[:at],
        block[:at] + noise,
        b"\xff\xd8\xff\xe1" + noise,
        b"\x89PNG\r\n\x1a\n" + noise,
        b"RIFF0000WEBP" + noise,
        with_exif(b"\xff\xd8")[:at] + noise,
    ):
        read_exif(data)
