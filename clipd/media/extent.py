"""How far a recording reaches: when its first picture is shown and when the showing of its last one ends.

Packets tell it, without decoding, so that the files around a moment are measured in milliseconds each. Small files are
read through, which also finds damage; of large ones only both ends are read.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import NamedTuple

import av
import av.error
from av import VideoStream
from av.container import InputContainer

from clipd.errors import MediaError
from clipd.media import index as frame_index
from clipd.media import mtxi
from clipd.media.decoder import Decoder
from clipd.media.door import Limits, only, open_regular, opened
from clipd.media.mtxi import Boxes, Mtxi
from clipd.media.probe import NotReady, probe

WHOLE_BYTES = 32 << 20
"""Files up to this size are read through."""
HEAD_PACKETS = 64
"""The first picture is looked for among so many packets: H.264 and HEVC show at most 16 frames out of order."""
HOLE_SECONDS = 1
HOLE_FRAMES = 3
"""A picture that stands longer than both is told of: the camera may have been out of reach."""
PROMISED_SECONDS = 1
"""Other tracks may be so much longer than the video."""
TS_PACKET_BYTES = 188
"""ISO/IEC 13818-1, 2.4.3.2; M2TS puts a time code of 4 bytes before each."""
TS_SYNC = b"\x47"


@dataclass(frozen=True)
class Extent:
    """The video of a recording. Times are seconds on the file's own clock."""

    container: str
    codec: str
    width: int
    height: int
    start: Fraction
    """When the first decodable picture is shown."""
    end: Fraction
    """When the showing of the last whole picture ends."""
    frame: Fraction
    """How long a picture is usually shown."""
    damage: str
    """What is wrong with the end of the file, for a person; empty where nothing is."""
    holes: tuple[tuple[Fraction, Fraction], ...]
    """Where one picture stands for long, from its own time to the next one's; unknown in large files."""
    appends: bool
    """Does the format only grow at its end, so that what is there stays as it is while more is written?"""
    mtxi: Mtxi | None

    @property
    def length(self) -> Fraction:
        """How long the pictures last."""
        return self.end - self.start


class _Packet(NamedTuple):
    pts: int
    duration: int
    is_sync: bool


def measure(path: Path, limits: Limits, whole_bytes: int = WHOLE_BYTES) -> Extent:
    """How far the recording at `path` reaches; one of up to `whole_bytes` is read through.

    Raises:
        NotReady: it looks unfinished: empty, or without its index.
        MediaError: it cannot be read, or holds no picture that can be decoded.
        Rejected: it is not a regular file, or exceeds the limits.
    """
    boxes = mtxi.read(path)
    size = path.stat().st_size
    try:
        with opened(path, limits) as container:
            extent = _measure(path, container, size <= whole_bytes, size, boxes)
        return _as_decoded(path, extent, limits) if extent.damage and size <= whole_bytes else extent
    except MediaError as error:
        if size == 0:
            raise NotReady(f"{path.name} is empty") from error
        if boxes is not None and (boxes.cut_off_bytes or not boxes.has_header):
            raise NotReady(f"{path.name} is cut off: it has no index (moov)", tail=error.tail) from error
        raise


def _measure(path: Path, container: InputContainer, whole: bool, size: int, boxes: Boxes | None) -> Extent:
    stream = _moving(path, container)
    base = stream.time_base or Fraction(1, av.time_base)
    names = set(container.format.name.split(","))
    fragmented = boxes is not None and boxes.fragmented
    only(container, stream)
    decoder = Decoder(container, stream)
    head = _from_first_sync(_packets(decoder, None if whole else HEAD_PACKETS))
    tail = head
    if not whole and not fragmented:
        tail = _last_packets(container, stream, decoder) or head
    damage = _damage(path, size, names, boxes, decoder) or _missing(container, names, tail, base)
    if damage:
        # Nothing may tell how long a picture's data are: the last one, in decoding order, is what was cut off.
        del tail[-1:]
    if not head or not tail:
        raise MediaError(f"{path.name} holds no picture that can be decoded", tail=decoder.last_words)
    frame = _usual_frame(head, stream, base)
    end = _end(tail, frame / base) * base
    if not whole and fragmented and boxes is not None and boxes.video_ends is not None:
        # Decoding time ends as much earlier as the first picture is shown later than it is decoded.
        end = boxes.video_ends + min(packet.pts for packet in head) * base
    return Extent(
        container=container.format.name,
        codec=stream.codec_context.codec.canonical_name,
        width=stream.codec_context.width,
        height=stream.codec_context.height,
        start=min(packet.pts for packet in head) * base,
        end=end,
        frame=frame,
        damage=damage,
        holes=tuple(_holes(head, frame, base)),
        appends=fragmented or "mpegts" in names,
        mtxi=None if boxes is None else boxes.mtxi,
    )


def _as_decoded(path: Path, extent: Extent, limits: Limits) -> Extent:
    """`extent` with the pictures that a decoder really delivers: around damage, packets promise more."""
    index = frame_index.build(path, probe(path, limits), limits)
    base = index.time_base
    return replace(extent, start=int(index.pts[0]) * base, end=min(extent.end, index.end_pts * base))


def _moving(path: Path, container: InputContainer) -> VideoStream:
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    moving = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & still
    ]
    if not moving:
        raise MediaError(f"{path.name} holds no video")
    # As a source's video is chosen, so that both speak of the same track.
    return next((stream for stream in moving if stream.disposition & av.stream.Disposition.default), moving[0])


def _packets(decoder: Decoder, count: int | None) -> Iterator[_Packet]:
    for packet in islice(decoder.packets(), count):
        # AVI knows no presentation times; its decoding times come one picture after the other.
        shown = packet.dts if packet.pts is None else packet.pts
        if packet.size and shown is not None and not packet.is_corrupt and not packet.is_discard:
            yield _Packet(shown, packet.duration or 0, packet.is_keyframe)


def _from_first_sync(packets: Iterator[_Packet]) -> list[_Packet]:
    """What can be decoded: everything from the first sync frame on, but not the pictures shown before it."""
    found: list[_Packet] = []
    for packet in packets:
        if (found or packet.is_sync) and (not found or packet.pts >= found[0].pts):
            found.append(packet)
    return found


def _last_packets(container: InputContainer, stream: VideoStream, decoder: Decoder) -> list[_Packet]:
    """The packets from the last sync frame that seeking finds to the end of the file."""
    far = (stream.start_time or 0) + (stream.duration or 0)
    with suppress(av.error.FFmpegError):
        container.seek(far, stream=stream, backward=True)
        return list(_packets(decoder, None))
    return []


def _end(packets: list[_Packet], frame: Fraction) -> Fraction:
    """When the showing of the last picture ends, in ticks, as `frame` is.

    MP4 tells durations in decoding order, so that of the last picture shown may be another's.
    """
    last = max(packets, key=lambda packet: packet.pts)
    return last.pts + (Fraction(last.duration) if 0 < last.duration < frame * 3 / 2 else frame)


def _holes(packets: list[_Packet], frame: Fraction, base: Fraction) -> Iterator[tuple[Fraction, Fraction]]:
    for before, after in pairwise(sorted(packet.pts * base for packet in packets)):
        if after - before > HOLE_SECONDS and after - before > HOLE_FRAMES * frame:
            yield before, after


def _usual_frame(packets: list[_Packet], stream: VideoStream, base: Fraction) -> Fraction:
    times = sorted(packet.pts for packet in packets)
    steps = Counter(later - earlier for earlier, later in pairwise(times) if later > earlier)
    if steps:
        return steps.most_common(1)[0][0] * base
    if packets[0].duration > 0:
        return packets[0].duration * base
    rate = stream.average_rate or stream.guessed_rate
    return 1 / rate if rate else base


def _damage(path: Path, size: int, names: set[str], boxes: Boxes | None, decoder: Decoder) -> str:
    if boxes is not None and boxes.cut_off_bytes:
        return f"it is cut off, {boxes.cut_off_bytes:,} bytes are missing"
    if "mpegts" in names and size % _ts_packet_bytes(path):
        return "it is cut off in the middle of a packet"
    return f"it breaks off ({decoder.last_words})" if decoder.last_words else ""


def _missing(container: InputContainer, names: set[str], tail: list[_Packet], base: Fraction) -> str:
    """Does the header of a Matroska or AVI file promise more than there is?"""
    if not names & {"matroska", "avi"} or not container.duration or not tail:
        return ""
    promised = Fraction(container.duration + (container.start_time or 0), av.time_base)
    missing = promised - max(packet.pts for packet in tail) * base
    return f"it is cut off, {float(missing):.1f} s are missing" if missing > PROMISED_SECONDS else ""


def _ts_packet_bytes(path: Path) -> int:
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - it is a descriptor
        return TS_PACKET_BYTES if file.read(1) == TS_SYNC else TS_PACKET_BYTES + 4
