"""Still pictures in a row: read from their files, put in order, and given times.

A picture comes from anyone who can write to the share: only regular files are read, up to a size, decoded by their
content and never by their name, with the limit on pixels that videos have. A picture that does not decode whole is
broken and says so; the others go on.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Final, cast

import av.error
import numpy as np
from av import CodecContext, Packet, VideoFrame
from av.video.codeccontext import VideoCodecContext

from clipd.errors import MediaError
from clipd.media.door import Limits, open_regular, words_of
from clipd.media.exif import Exif, read_exif
from clipd.media.orientation import Upright

SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
"""Names of picture files, in lower case; what is in them is told by their content."""
HEADS: Final = (
    (b"\xff\xd8\xff", "mjpeg"),
    (b"\x89PNG\r\n\x1a\n", "png"),
    (b"BM", "bmp"),
    (b"II*\0", "tiff"),
    (b"MM\0*", "tiff"),
    (b"GIF87a", "gif"),
    (b"GIF89a", "gif"),
)
"""How files begin, and the decoder for them; WebP is told by two places."""
BURST_SECONDS: Final = Fraction(1)
"""Pictures with the same time lie within so long: most names and cameras tell whole seconds."""

_DAY_AND_TIME = re.compile(
    r"(?<!\d)(?P<year>(?:19|20)\d\d)(?P<dash>[-_.]?)(?P<month>\d\d)(?P=dash)(?P<day>\d\d)"
    r"[-_ T.@]*(?:at)?[-_ ]*"
    r"(?P<hour>\d\d)(?P<colon>[-_:.h]?)(?P<minute>\d\d)(?P<c2>[-_:.m]?)(?P<second>\d\d)"
    r"(?:[-_.,]?(?P<fraction>\d{6}|\d{3})(?!\d)|(?!\d))",
    re.ASCII,
)
_EPOCH = re.compile(
    r"(?<!\d)(?P<seconds>1\d{9})(?:(?P<digits>\d{3}|\d{6})(?!\d)|[.,](?P<after>\d{1,9})(?!\d)|(?!\d))", re.ASCII
)


class BrokenPicture(MediaError):
    """A file that is no picture, or of which not all decodes."""


@dataclass(frozen=True)
class Still:
    """A picture, upright, and what its file says; its pixels are square."""

    frame: VideoFrame
    exif: Exif


def read_still(path: Path, limits: Limits, max_bytes: int) -> Still:
    """The picture in the file at `path`, turned upright; what is transparent in it becomes black.

    Raises:
        BrokenPicture: the words say what is wrong. Rejected: it is not a regular file.
    """
    data = _content(path, max_bytes)
    codec = next((codec for head, codec in HEADS if data.startswith(head)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        codec = "webp"
    if codec is None:
        raise BrokenPicture(f"{path.name} is no picture that can be read (JPEG, PNG, WebP, BMP, TIFF or GIF)")
    if codec == "gif" and not data.rstrip(b"\0").endswith(b";"):
        raise BrokenPicture(f"{path.name} is cut off")
    frame = _decoded(path, codec, data, limits)
    exif = read_exif(data)
    frame.pts, frame.time_base = 0, Fraction(1, 1000)
    return Still(_opaque(Upright(exif.orientation, Fraction(1, 1000))(frame)), exif)


def taken_at(path: Path, max_bytes: int) -> Fraction | None:
    """When the picture at `path` was taken by its EXIF data: seconds since 1970 on the camera's clock."""
    return read_exif(_content(path, max_bytes)).taken


def _content(path: Path, max_bytes: int) -> bytes:
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - it is a descriptor
        data = file.read(max_bytes + 1)
    if not data:
        raise BrokenPicture(f"{path.name} is empty")
    if len(data) > max_bytes:
        raise BrokenPicture(f"{path.name} has more than {max_bytes} bytes (setting max_picture_bytes)")
    return data


def _decoded(path: Path, codec: str, data: bytes, limits: Limits) -> VideoFrame:
    decoder = cast(VideoCodecContext, CodecContext.create(codec, "r"))
    decoder.thread_count = 1
    # FFmpeg's TIFF decoder takes its own notes on a strip for an error.
    strict = {} if codec == "tiff" else {"err_detect": "explode"}
    decoder.options = {"max_pixels": str(limits.max_pixels), **strict}
    try:
        frames = decoder.decode(Packet(data))
        if not frames:
            frames = decoder.decode(None)
    except (av.error.FFmpegError, ValueError) as error:
        words = words_of(error) if isinstance(error, av.error.FFmpegError) else str(error)
        raise BrokenPicture(f"{path.name} does not decode", tail=words) from error
    if not frames or frames[0].is_corrupt:
        raise BrokenPicture(f"{path.name} does not decode")
    return frames[0]


def _opaque(frame: VideoFrame) -> VideoFrame:
    """`frame` over black, where it is transparent."""
    if not any(component.is_alpha for component in frame.format.components) and frame.format.name != "pal8":
        return frame
    pixels = frame.to_ndarray(format="rgba").astype(np.uint16)
    seen = (pixels[:, :, :3] * pixels[:, :, 3:] + 127) // 255
    flat = VideoFrame.from_ndarray(np.ascontiguousarray(seen.astype(np.uint8)), format="rgb24")
    flat.pts, flat.time_base = frame.pts, frame.time_base or Fraction(1, 1000)
    return flat


def is_picture(name: str) -> bool:
    """Does `name` end as pictures do?"""
    return name[name.rfind(".") :].casefold() in SUFFIXES


def natural_key(name: str) -> tuple[tuple[int, int | str], ...]:
    """A sorting key by which `2.jpg` comes before `10.jpg`, in any case."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple((0, int(part)) if part.isdecimal() and part.isascii() else (1, part) for part in parts if part)


def time_in_name(name: str) -> Fraction | None:
    """The moment that a picture's name tells, in seconds since 1970 on the camera's clock; None if it tells none.

    Known are a day and a time of day (`20250829_143015`, `2025-08-29_14-30-15-123`, `IMG_20250829_143015123`,
    `2025-08-29 14.30.15`) and seconds, thousandths or millionths since 1970 (`1756477815`, `1756477815123`).
    """
    for match in _DAY_AND_TIME.finditer(name):
        fields = [int(match[part]) for part in ("year", "month", "day", "hour", "minute", "second")]
        try:
            whole = datetime(*fields, tzinfo=UTC)  # type: ignore[arg-type, misc]
        except ValueError:
            continue
        digits = match["fraction"] or "0"
        return int(whole.timestamp()) + Fraction(int(digits), 10 ** len(digits))
    found = _EPOCH.search(name)
    if found is None:
        return None
    digits = found["digits"] or found["after"] or "0"
    return int(found["seconds"]) + Fraction(int(digits), 10 ** len(digits))


def spread(times: Sequence[Fraction]) -> list[Fraction]:
    """Ascending `times` with equal ones set apart: evenly within a second, or up to the next one if that is sooner."""
    apart: list[Fraction] = []
    at = 0
    while at < len(times):
        after = next((place for place in range(at, len(times)) if times[place] != times[at]), len(times))
        room = BURST_SECONDS if after == len(times) else min(BURST_SECONDS, times[after] - times[at])
        apart += [times[at] + room * place / (after - at) for place in range(after - at)]
        at = after
    return apart


def usual_step(times: Sequence[Fraction]) -> Fraction | None:
    """The middle one of the steps between ascending `times`; None for less than two."""
    steps = sorted(b - a for a, b in pairwise(times))
    return steps[len(steps) // 2] if steps else None
