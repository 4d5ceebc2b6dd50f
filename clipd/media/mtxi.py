"""What the boxes of an MP4 file tell about a recording, read without the media library and without trusting a size.

MediaMTX puts an `mtxi` box into the header (`moov/udta`) of the fragmented MP4 files that it records: which stream the
file is part of, its number there, and the wall-clock time of its beginning. The length of a fragmented file is told by
its fragments alone (ISO/IEC 14496-12, 8.8); while it is written, only whole ones count.

Layout of `mtxi` (MediaMTX, internal/recordstore/mp4_boxes.go and internal/recorder/format_fmp4_segment.go), big-endian:
version and flags (4 bytes, 0), stream id (16 bytes), segment number (uint64), decoding time of the segment's start on
the stream's clock (int64, ns), wall-clock time of the same (int64, ns since 1970).
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

from clipd.errors import MediaError
from clipd.media.door import open_regular

HEADER_BYTES = 16 << 20
"""A larger `moov` or `moof` box is not read: that of an hour of recording takes far less than a megabyte."""
BOXES_AT_MOST = 1_000_000
"""More boxes in a row are not walked: a day in fragments of a fifth of a second has fewer."""

_MTXI = struct.Struct(">4x16sQqq")
_BASE_OFFSET, _DESCRIPTION, _DEFAULT_DURATION = 0x1, 0x2, 0x8
_DATA_OFFSET, _FIRST_FLAGS, _DURATION, _SIZE, _FLAGS, _COMPOSITION = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800


@dataclass(frozen=True)
class Mtxi:
    """The place of a file in a stream that MediaMTX recorded."""

    stream: str
    """The stream's id, 32 hex digits: a new one whenever recording begins anew."""
    number: int
    """Counts the files of the stream from 0."""
    dts_ns: int
    """When the file begins on the stream's own clock."""
    ntp_ns: int
    """When it begins by the wall clock, in ns since 1970."""


@dataclass(frozen=True)
class Boxes:
    """What the boxes of an MP4 file tell."""

    has_header: bool
    """Is there a `moov` box?"""
    mtxi: Mtxi | None
    fragmented: bool
    video_ends: Fraction | None
    """Where the last whole fragment of the first video track ends, in seconds on the file's clock (decoding time)."""
    cut_off_bytes: int
    """How many bytes the last box promises beyond the end of the file."""


@dataclass(frozen=True)
class _Box:
    kind: bytes
    start: int
    """Where its content begins."""
    end: int


def read(path: Path) -> Boxes | None:
    """What the boxes of the file at `path` tell; None where it does not begin like an MP4 file.

    Raises:
        MediaError: it cannot be read.
        Rejected: it is not a regular file.
    """
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - it is a descriptor
        try:
            return _read(file)
        except OSError as error:
            raise MediaError(f"{path.name} cannot be read", tail=error.strerror or "") from error


def _read(file: BinaryIO) -> Boxes | None:
    size = os.fstat(file.fileno()).st_size
    mtxi: Mtxi | None = None
    timescales: dict[int, int] = {}
    last_whole: _Box | None = None
    pending: _Box | None = None
    has_header = fragmented = False
    end = 0
    for box in _top_level(file, size):
        end = box.end
        if box.kind == b"moov":
            content = _content(file, box, size)
            has_header = box.end <= size
            mtxi, timescales, fragmented = _mtxi(content), _video_timescales(content), _is_fragmented(content)
        elif box.kind == b"moof":
            pending = box
        elif box.kind == b"mdat" and pending is not None:
            last_whole, pending = (pending if box.end <= size else last_whole), None
    if end == 0:
        return None
    ends = None if last_whole is None else _ends(_content(file, last_whole, size), timescales)
    return Boxes(has_header, mtxi, fragmented, ends, max(0, end - size))


def _top_level(file: BinaryIO, size: int) -> Iterator[_Box]:
    """The boxes of the file in a row, the last maybe ending beyond it. Nothing where the first is none of MP4's."""
    at = 0
    for _ in range(BOXES_AT_MOST):
        if at + 8 > size:
            return
        file.seek(at)
        head = file.read(16)
        box = _box(head, at, size)
        if box is None or (at == 0 and box.kind not in (b"ftyp", b"styp")):
            return
        yield box
        at = box.end


def _box(head: bytes, at: int, end: int) -> _Box | None:
    """The box whose head stands at `at`, in something that ends at `end`; None where it makes no sense."""
    if len(head) < 8:
        return None
    length, kind = struct.unpack_from(">I4s", head)
    header = 8
    if length == 1 and len(head) >= 16:
        (length,) = struct.unpack_from(">Q", head, 8)
        header = 16
    elif length == 0:
        length = end - at
    return _Box(kind, at + header, at + length) if length >= header else None


def _content(file: BinaryIO, box: _Box, size: int) -> bytes:
    length = min(box.end, size) - box.start
    if length > HEADER_BYTES:
        return b""
    file.seek(box.start)
    return file.read(length)


def _inside(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The boxes in the content of another, as (type, content), up to the first that does not fit."""
    at = 0
    while (box := _box(content[at : at + 16], at, len(content))) is not None and box.end <= len(content):
        yield box.kind, content[box.start : box.end]
        at = box.end


def _find(content: bytes, *path: bytes) -> Iterator[bytes]:
    """The contents of all boxes at this path inside `content`."""
    for kind, inner in _inside(content):
        if kind == path[0]:
            if len(path) == 1:
                yield inner
            else:
                yield from _find(inner, *path[1:])


def _mtxi(moov: bytes) -> Mtxi | None:
    for content in _find(moov, b"udta", b"mtxi"):
        if len(content) >= _MTXI.size and content[0] == 0:
            stream, number, dts_ns, ntp_ns = _MTXI.unpack_from(content)
            return Mtxi(stream.hex(), number, dts_ns, ntp_ns)
    return None


def _is_fragmented(moov: bytes) -> bool:
    return any(kind == b"mvex" for kind, _ in _inside(moov))


def _video_timescales(moov: bytes) -> dict[int, int]:
    """Ticks a second of each video track, by track id."""
    found = {}
    for trak in _find(moov, b"trak"):
        header = next(_find(trak, b"tkhd"), b"")
        media = next(_find(trak, b"mdia", b"mdhd"), b"")
        handler = next(_find(trak, b"mdia", b"hdlr"), b"")
        if len(header) < 24 or len(media) < 24 or handler[8:12] != b"vide":
            continue
        # Version 1 has times of 64 bits, twice, before these fields.
        (track,) = struct.unpack_from(">I", header, 20 if header[0] == 1 else 12)
        (timescale,) = struct.unpack_from(">I", media, 20 if media[0] == 1 else 12)
        if timescale:
            found[track] = timescale
    return found


def _ends(moof: bytes, timescales: dict[int, int]) -> Fraction | None:
    """Where the fragment of the first video track in it ends, in seconds of decoding time."""
    for traf in _find(moof, b"traf"):
        header = next(_find(traf, b"tfhd"), b"")
        begins = next(_find(traf, b"tfdt"), b"")
        if len(header) < 8 or len(begins) < 8:
            continue
        flags, track = struct.unpack_from(">II", header)
        if track not in timescales or (begins[0] == 1 and len(begins) < 12):
            continue
        (base,) = struct.unpack_from(">Q" if begins[0] == 1 else ">I", begins, 4)
        usual = _usual_duration(header, flags & 0xFFFFFF)
        lasts = [_lasts(run, usual) for run in _find(traf, b"trun")]
        if lasts and all(ticks is not None for ticks in lasts):
            return Fraction(base + sum(ticks or 0 for ticks in lasts), timescales[track])
    return None


def _usual_duration(tfhd: bytes, flags: int) -> int | None:
    """The duration of samples that tell none, in ticks; None where the fragment leaves it to the header."""
    at = 8 + (8 if flags & _BASE_OFFSET else 0) + (4 if flags & _DESCRIPTION else 0)
    if not flags & _DEFAULT_DURATION or len(tfhd) < at + 4:
        return None
    return int(struct.unpack_from(">I", tfhd, at)[0])


def _lasts(trun: bytes, usual: int | None) -> int | None:
    """How long a run of samples lasts, in ticks; None where it does not say."""
    if len(trun) < 8:
        return None
    flags, count = struct.unpack_from(">II", trun)
    flags &= 0xFFFFFF
    if not flags & _DURATION:
        return None if usual is None else count * usual
    at = 8 + (4 if flags & _DATA_OFFSET else 0) + (4 if flags & _FIRST_FLAGS else 0)
    step = 4 * sum(bool(flags & field) for field in (_DURATION, _SIZE, _FLAGS, _COMPOSITION))
    if len(trun) < at + count * step:
        return None
    return sum(int(struct.unpack_from(">I", trun, at + number * step)[0]) for number in range(count))
