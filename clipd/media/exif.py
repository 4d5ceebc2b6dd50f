"""What a still picture says about itself: when it was taken, and how it must be turned.

A reader of only that, because nothing here needs more, and a picture comes from anyone: every offset is checked, every
count is bounded, and what is not understood is left out. Nothing is raised.

Formats: Exif 2.32 (CIPA DC-008), 4.6; TIFF 6.0; the containers JPEG (ITU-T T.81, B.1.1.4), PNG (eXIf) and WebP (EXIF).
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from typing import Final

from clipd.media.orientation import Orientation

ORIENTATIONS: Final = {
    1: Orientation.UPRIGHT,
    2: Orientation.MIRRORED,
    3: Orientation.HALF_TURN,
    4: Orientation.FLIPPED,
    5: Orientation.TRANSPOSED,
    6: Orientation.CLOCKWISE,
    7: Orientation.TRANSVERSED,
    8: Orientation.COUNTERCLOCKWISE,
}
ORIENTATION, DATE, SUB_IFD = 0x0112, 0x0132, 0x8769
DATE_ORIGINAL, SUBSEC, SUBSEC_ORIGINAL = 0x9003, 0x9290, 0x9291
TEXT, SHORT, LONG = 2, 3, 4
MOST_ENTRIES: Final = 512
"""Entries of one directory that are looked at; cameras write about forty."""
LONGEST_TEXT: Final = 64
"""Bytes of a text that are read; a date has 20."""

_DATE = re.compile(r"(\d{4})[:\-](\d\d)[:\-](\d\d)[ T](\d\d):(\d\d):(\d\d)", re.ASCII)


@dataclass(frozen=True)
class Exif:
    """`taken` is in seconds since 1970 on the camera's own clock, whose zone is not known; None: it is not told."""

    taken: Fraction | None = None
    orientation: Orientation = Orientation.UPRIGHT


def read_exif(data: bytes) -> Exif:
    """What the bytes of a picture file tell."""
    block = _block(data)
    if block is None or len(block) < 8:
        return Exif()
    order = {b"II": "<", b"MM": ">"}.get(block[:2])
    if order is None:
        return Exif()
    (first,) = struct.unpack_from(f"{order}I", block, 4)
    main = dict(_entries(block, order, first))
    below = main.get(SUB_IFD)
    detail = dict(_entries(block, order, below)) if isinstance(below, int) else {}
    turn = main.get(ORIENTATION)
    return Exif(
        _moment(detail.get(DATE_ORIGINAL), detail.get(SUBSEC_ORIGINAL)) or _moment(main.get(DATE), detail.get(SUBSEC)),
        ORIENTATIONS.get(turn, Orientation.UPRIGHT) if isinstance(turn, int) else Orientation.UPRIGHT,
    )


def _block(data: bytes) -> bytes | None:
    """The TIFF structure that holds the tags, wherever the format keeps it."""
    if data[:4] in (b"II*\0", b"MM\0*"):
        return data
    if data[:2] == b"\xff\xd8":
        parts = _jpeg_segments(data)
    elif data[:8] == b"\x89PNG\r\n\x1a\n":
        parts = _chunks(data, 8, ">I4s", 4, b"eXIf")
    elif data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        parts = _chunks(data, 12, "<4sI", 0, b"EXIF")
    else:
        return None
    return next(parts, None)


def _jpeg_segments(data: bytes) -> Iterator[bytes]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and data[at + 1] not in (0xD9, 0xDA):
        (length,) = struct.unpack_from(">H", data, at + 2)
        if data[at + 1] == 0xE1 and data[at + 4 : at + 10] == b"Exif\0\0":
            yield data[at + 10 : at + 2 + length]
        at += 2 + max(2, length)


def _chunks(data: bytes, at: int, head: str, tail: int, wanted: bytes) -> Iterator[bytes]:
    """The chunks named `wanted`, each behind a `head` of length and name and before `tail` bytes of checksum."""
    while at + 8 <= len(data):
        fields = struct.unpack_from(head, data, at)
        name, length = fields if isinstance(fields[0], bytes) else fields[::-1]
        if name == wanted:
            yield data[at + 8 : at + 8 + length].removeprefix(b"Exif\0\0")
        # RIFF pads its chunks to even lengths.
        at += 8 + length + tail + (length % 2 if not tail else 0)


def _entries(block: bytes, order: str, at: int) -> Iterator[tuple[int, int | str]]:
    """The entries of one directory that hold a number or a text."""
    if not 8 <= at <= len(block) - 2:
        return
    (count,) = struct.unpack_from(f"{order}H", block, at)
    for number in range(min(count, MOST_ENTRIES)):
        place = at + 2 + 12 * number
        if place + 12 > len(block):
            return
        tag, kind, length = struct.unpack_from(f"{order}HHI", block, place)
        if kind == SHORT:
            yield tag, struct.unpack_from(f"{order}H", block, place + 8)[0]
        elif kind == LONG:
            yield tag, struct.unpack_from(f"{order}I", block, place + 8)[0]
        elif kind == TEXT:
            start = place + 8 if length <= 4 else struct.unpack_from(f"{order}I", block, place + 8)[0]
            text = block[start : start + min(length, LONGEST_TEXT)]
            yield tag, text.split(b"\0")[0].decode("ascii", "replace").strip()


def _moment(date: int | str | None, fraction: int | str | None) -> Fraction | None:
    match = _DATE.match(date) if isinstance(date, str) else None
    if match is None:
        return None
    try:
        whole = datetime(*map(int, match.groups()), tzinfo=UTC)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    digits = fraction if isinstance(fraction, str) and re.fullmatch(r"\d{1,9}", fraction, re.ASCII) else "0"
    return int(whole.timestamp()) + Fraction(int(digits), 10 ** len(digits))
