"""A camera for tests: real footage, cut by stream copy into recordings as camera systems write them."""

from __future__ import annotations

import struct
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import av

from clipd.media.door import Limits
from clipd.model.instant import Period, from_datetime
from clipd.recordings.coverage import Coverage, cover
from clipd.recordings.index import Index
from clipd.recordings.settings import Settings
from tests.footage import footage

BEGIN = datetime(2025, 8, 29, 14, 30, tzinfo=UTC)
"""When second 0 of the footage was recorded."""
NOON_AFTER = from_datetime(BEGIN + timedelta(days=1))
STREAM = bytes(range(16))
OPEN: list[Index] = []
FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}


def cut(
    target: Path, first: float, last: float, *, restart: bool = True, options: dict[str, str] | None = None
) -> Path:
    """Seconds [first, last) of the footage (10 frames and one keyframe a second) at `target`, packets as they are.

    With `restart` the file's clock begins anew, else it goes on as in the footage.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    span = Fraction(repr(first)), Fraction(repr(last))
    target.write_bytes(_cut(target.suffix, *span, restart, tuple((options or {}).items())))
    return target


@cache
def _cut(suffix: str, first: Fraction, last: Fraction, restart: bool, options: tuple[tuple[str, str], ...]) -> bytes:
    with TemporaryDirectory() as folder:
        target = f"{folder}/cut{suffix}"
        with (
            av.open(str(footage("intel_one-by-one-person-detection.mp4"))) as film,
            av.open(target, "w", options=dict(options)) as output,
        ):
            stream = film.streams.video[0]
            track = output.add_stream_from_template(stream)
            begin = round(first / stream.time_base) if restart else 0
            film.seek(round(first / stream.time_base), stream=stream)
            for packet in film.demux(stream):
                if packet.pts is None or packet.pts * stream.time_base > last + 2:
                    break
                if first <= packet.pts * stream.time_base < last:
                    packet.pts, packet.dts, packet.stream = packet.pts - begin, packet.dts - begin, track
                    output.mux(packet)
        return Path(target).read_bytes()


def cut_for_mediamtx(target: Path, first: float, last: float, number: int, *, ntp: datetime | None = None) -> Path:
    """The same as MediaMTX writes it: fragmented MP4 with an `mtxi` box; by its clock it begins at `ntp`."""
    cut(target, first, last, options=FRAGMENTED)
    ntp_ns = round(from_datetime(ntp or at(first)) * 10**9)
    target.write_bytes(with_box(target.read_bytes(), mtxi(number, round(first * 10**9), ntp_ns)))
    return target


def mtxi(number: int, dts_ns: int, ntp_ns: int) -> bytes:
    """The box, in its `udta`."""
    box = struct.pack(">I4sI16sQqq", 52, b"mtxi", 0, STREAM, number, dts_ns, ntp_ns)
    return struct.pack(">I4s", 8 + len(box), b"udta") + box


def with_box(data: bytes, box: bytes) -> bytes:
    """An MP4 file with `box` at the end of its header."""
    start = data.index(b"moov") - 4
    (size,) = struct.unpack_from(">I", data, start)
    moov = data[start : start + size] + box
    return data[:start] + struct.pack(">I", len(moov)) + moov[4:] + data[start + size :]


def at(seconds: float) -> datetime:
    """When this second of the footage was recorded."""
    return BEGIN + timedelta(seconds=seconds)


def named(seconds: float, suffix: str = ".mp4", camera: str = "gate") -> str:
    """The path of a recording that begins there, by the default template."""
    return f"{camera}/{camera}_{at(seconds):%Y%m%d_%H%M%S}{suffix}"


def named_by_mediamtx(seconds: float, suffix: str = ".mp4", camera: str = "gate") -> str:
    """The same by MediaMTX's."""
    return f"{camera}/{at(seconds):%Y-%m-%d_%H-%M-%S-%f}{suffix}"


def period(first: float, last: float) -> Period:
    """When these seconds of the footage were recorded."""
    begin = from_datetime(BEGIN)
    return Period(begin + Fraction(repr(first)), begin + Fraction(repr(last)))


def opened(folder: Path, cache: Path | None = None, **settings: object) -> Index:
    """The index of `folder`, as the cache has it; closed when the test ends."""
    index = Index(folder, Settings(**{"time_zone": "UTC", "settle_seconds": 0, **settings}), Limits(), cache)
    OPEN.append(index)
    return index


def indexed(folder: Path, cache: Path | None = None, **settings: object) -> Index:
    """The same, scanned."""
    index = opened(folder, cache, **settings)
    index.scan(0)
    return index


def covered(folder: Path, first: float, last: float, **settings: object) -> Coverage:
    """What the camera `gate` covers of these seconds."""
    return cover(indexed(folder, **settings), "gate", period(first, last), NOON_AFTER)


def parts(coverage: Coverage) -> list[tuple[str, float, float]]:
    """The slices: name, and the seconds of the footage that they are said to show."""
    begin = from_datetime(BEGIN)
    return [
        (part.recording.name, float(part.period.start - begin), float(part.period.end - begin))
        for part in coverage.slices
    ]


def gaps(coverage: Coverage) -> list[tuple[str, float, float]]:
    """The gaps: reason and seconds of the footage."""
    begin = from_datetime(BEGIN)
    return [(gap.reason, float(gap.period.start - begin), float(gap.period.end - begin)) for gap in coverage.gaps]
