"""Probing: what a media file holds, as far as its headers and its first frame tell.

The first frame is decoded, because headers lie: about size, pixel format, orientation and high dynamic range.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.audio.stream
import av.container
import av.stream
import av.video.stream
from av.audio.format import AudioFormat
from av.sidedata.sidedata import Type as SideDataType

from clipd.errors import MediaError, Rejected
from clipd.media.decoder import Decoder
from clipd.media.door import Limits, open_regular, opened
from clipd.media.orientation import Orientation, Upright, from_matrix, matrix_of, side_data_of

HDR_SIDE_DATA = {
    SideDataType.MASTERING_DISPLAY_METADATA: "mastering display",
    SideDataType.CONTENT_LIGHT_LEVEL: "content light level",
    SideDataType.AMBIENT_VIEWING_ENVIRONMENT: "ambient viewing environment",
    SideDataType.DYNAMIC_HDR_PLUS: "dynamic HDR10+",
    SideDataType.DYNAMIC_HDR_VIVID: "dynamic HDR Vivid",
    SideDataType.DOVI_RPU_BUFFER: "Dolby Vision",
    SideDataType.DOVI_METADATA: "Dolby Vision",
}
"""Our names for the side data of a frame that describe high dynamic range."""

_EBML = b"\x1a\x45\xdf\xa3"
_SEGMENT = b"\x18\x53\x80\x67"

PACKETS_TRIED = 3000
"""How many packets may pass before the first frame: recordings start in the middle of long groups of pictures."""


class NotReady(MediaError):
    """The file looks like media that is still being written (empty, no index yet, header cut off): look again later."""


class NoVideo(MediaError):
    """The file is media, but holds no video."""


@dataclass(frozen=True)
class ColorTags:
    """Colour tags by their numbers in ITU-T H.273; `range` is 0 unknown, 1 limited, 2 full."""

    primaries: int
    transfer: int
    space: int
    range: int


@dataclass(frozen=True)
class VideoTrack:
    """The video track that is cut. `width`, `height`, `pix_fmt` and `sar` are those of the upright picture."""

    index: int
    codec: str
    profile: str | None
    width: int
    height: int
    coded_width: int
    coded_height: int
    pix_fmt: str
    time_base: Fraction
    rate: Fraction | None
    sar: Fraction
    orientation: Orientation
    color: ColorTags
    interlaced: bool
    hdr: tuple[str, ...]
    bits: int


@dataclass(frozen=True)
class AudioTrack:
    """One audio track, as far as the header tells; a track that begins late in the file may say nothing (0, "").

    `bits` is the integer depth that keeps what its decoder delivers: 16, or 24 above that and where it is not known.
    """

    index: int
    codec: str
    rate: int
    channels: int
    layout: str
    sample_format: str
    time_base: Fraction
    language: str | None
    bits: int


@dataclass(frozen=True)
class SourceInfo:
    """What a file holds.

    `duration`, in seconds, is the container's claim; `missing_bytes` are those that it promises beyond the file's end;
    `notes` say what was met, for the truth sheet.
    """

    path: Path
    container: str
    duration: Fraction | None
    video: VideoTrack
    video_tracks: int
    audio: tuple[AudioTrack, ...]
    other_tracks: tuple[str, ...]
    missing_bytes: int
    notes: tuple[str, ...]


def probe(path: Path, limits: Limits) -> SourceInfo:
    """What the media file at `path` holds.

    Raises:
        NotReady: it looks unfinished.
        NoVideo: it holds none.
        MediaError: it cannot be read, or no frame of its video can be decoded.
        Rejected: it is not a regular file, or exceeds the limits.
    """
    try:
        with opened(path, limits) as container:
            return _describe(path, container, limits)
    except NotReady:
        raise
    except MediaError as error:
        reason = _unfinished(path)
        if reason is None:
            raise
        raise NotReady(f"{path.name} {reason}", tail=error.tail) from error


def _describe(path: Path, container: av.container.InputContainer, limits: Limits) -> SourceInfo:
    duration = Fraction(container.duration, av.time_base) if container.duration else None
    if duration is not None and duration > Fraction(limits.max_duration_hours) * 3600:
        raise Rejected(
            f"{path.name} says it is {float(duration) / 3600:.1f} hours long; "
            f"at most {limits.max_duration_hours:g} are allowed (setting max_duration_hours)"
        )
    moving = [stream for stream in container.streams.video if _moves(stream)]
    if not moving:
        raise NoVideo(f"{path.name} holds no video")
    # The first one that is meant to be shown, not the largest: its frames are those that other programs count.
    shown = (stream for stream in moving if stream.disposition & av.stream.Disposition.default)
    chosen = next(shown, moving[0])
    _check_size(path, chosen.codec_context.width, chosen.codec_context.height, limits)
    frame = _first_frame(path, container, chosen)
    _check_size(path, frame.width, frame.height, limits)
    video = _video_track(chosen, frame)
    audio = tuple(_audio_track(stream) for stream in container.streams.audio if stream.codec_context is not None)
    missing = _missing_bytes(path)
    described = {video.index, *(track.index for track in audio), *(stream.index for stream in moving)}
    return SourceInfo(
        path=path,
        container=container.format.name,
        duration=duration,
        video=video,
        video_tracks=len(moving),
        audio=audio,
        other_tracks=tuple(_name(stream) for stream in container.streams if stream.index not in described),
        missing_bytes=missing,
        notes=tuple(_notes(video, moving, frame, missing)),
    )


def _check_size(path: Path, width: int, height: int, limits: Limits) -> None:
    if width * height > limits.max_pixels:
        raise Rejected(
            f"{path.name} has pictures of {width}x{height}; at most {limits.max_pixels} pixels are allowed "
            "(setting max_pixels)"
        )


def _moves(stream: av.video.stream.VideoStream) -> bool:
    still = av.stream.Disposition.attached_pic | av.stream.Disposition.timed_thumbnails
    return stream.codec_context is not None and not stream.disposition & still


def _first_frame(
    path: Path, container: av.container.InputContainer, stream: av.video.stream.VideoStream
) -> av.VideoFrame:
    # One thread: the first frame comes out after one packet, not after one per thread.
    decoder = Decoder(container, stream, threads=1)
    for _, packet in zip(range(PACKETS_TRIED), decoder.packets(), strict=False):
        for frame in decoder.frames(packet):
            return frame
    raise MediaError(f"{path.name}: no frame of its video can be decoded", tail=decoder.last_words)


def _video_track(stream: av.video.stream.VideoStream, frame: av.VideoFrame) -> VideoTrack:
    time_base = stream.time_base or Fraction(1, av.time_base)
    matrix = matrix_of(frame)
    orientation = from_matrix(matrix) if matrix else Orientation.UPRIGHT
    upright = Upright(orientation, time_base)(frame)
    sar = stream.sample_aspect_ratio or Fraction(1)
    return VideoTrack(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        profile=stream.profile,
        width=upright.width,
        height=upright.height,
        coded_width=frame.width,
        coded_height=frame.height,
        pix_fmt=upright.format.name,
        time_base=time_base,
        rate=stream.average_rate or stream.guessed_rate or None,
        sar=1 / sar if orientation.swaps else sar,
        orientation=orientation,
        color=ColorTags(
            int(frame.color_primaries), int(frame.color_trc), int(frame.colorspace), int(frame.color_range)
        ),
        interlaced=frame.interlaced_frame,
        hdr=_hdr(frame),
        bits=max(component.bits for component in frame.format.components),
    )


def _hdr(frame: av.VideoFrame) -> tuple[str, ...]:
    kinds = side_data_of(frame) or {}
    return tuple(dict.fromkeys(HDR_SIDE_DATA[kind] for kind in kinds if kind in HDR_SIDE_DATA))


def _audio_track(stream: av.audio.stream.AudioStream) -> AudioTrack:
    samples: AudioFormat | None = stream.format
    return AudioTrack(
        index=stream.index,
        codec=stream.codec_context.codec.canonical_name,
        rate=stream.rate,
        channels=stream.channels,
        layout=stream.layout.name,
        sample_format=samples.name if samples else "",
        time_base=stream.time_base or Fraction(1, stream.rate or av.time_base),
        language=stream.language,
        bits=16 if samples and samples.bits <= 16 else 24,
    )


def _name(stream: av.stream.Stream) -> str:
    codec = stream.codec_context.name if stream.codec_context is not None else stream.name
    return f"{stream.type}: {codec or 'unknown codec'}"


def _notes(
    video: VideoTrack, moving: list[av.video.stream.VideoStream], frame: av.VideoFrame, missing: int
) -> Iterator[str]:
    if len(moving) > 1:
        others = ", ".join(f"{stream.index} ({stream.width}x{stream.height})" for stream in moving)
        yield f"{len(moving)} video tracks: {others}; track {video.index} is used"
    if video.interlaced:
        yield "the video is interlaced; its frames are kept as they are"
    matrix = matrix_of(frame)
    if video.orientation is not Orientation.UPRIGHT:
        yield f"the picture is turned upright ({video.orientation.name.lower().replace('_', ' ')})"
    elif matrix is not None and (matrix[1] or matrix[3]):
        yield "the display matrix asks for a turn that is no multiple of 90 degrees; the picture stays as coded"
    if video.hdr:
        yield f"HDR: {', '.join(video.hdr)}"
    if missing:
        yield f"the file ends {missing} bytes early"


def _unfinished(path: Path) -> str | None:
    """Why the file at `path`, which cannot be read, may just not be finished; None where nothing speaks for it."""
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - it is a descriptor
        head = file.read(4096)
        if not head:
            return "is empty"
        if not head.strip(b"\0"):
            return "starts with zeros: its space is reserved, its content is not there yet"
        boxes = list(_boxes(file))
    if boxes and not any(kind == b"moov" for kind, _ in boxes):
        return "has no index (moov) yet"
    if boxes and boxes[-1][1] > path.stat().st_size:
        return "is cut off"
    if len(head) < 4096 and head.startswith((_EBML, b"RIFF", b"FLV", b"OggS", b"GIF8", b"\x47")):
        return "has only the beginning of a header"
    return None


def _missing_bytes(path: Path) -> int:
    """How many bytes an MP4, QuickTime or Matroska file promises beyond its end; 0 for other files."""
    with open(open_regular(path), "rb") as file:  # noqa: PTH123 - it is a descriptor
        boxes = list(_boxes(file))
        end = boxes[-1][1] if boxes else _segment_end(file)
    return max(0, end - path.stat().st_size)


def _segment_end(file: BinaryIO) -> int:
    """Where the segment of a Matroska or WebM file ends; 0 where that is not said, or for any other file.

    RFC 8794: after its ID an element has its length, a number whose first set bit tells of how many bytes it is; with
    all other bits set, the length is unknown.
    """
    file.seek(0)
    head = file.read(4096)
    if not head.startswith(_EBML):
        return 0
    after, size = _length(head, len(_EBML))
    at = after + size
    if not head.startswith(_SEGMENT, at):
        return 0
    after, size = _length(head, at + len(_SEGMENT))
    return after + size if size else 0


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The offset after the length at `at`, and the length; 0 for an unknown one."""
    first = data[at] if at < len(data) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return at, 0
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return at + width, 0 if value == (1 << 7 * width) - 1 else value


def _boxes(file: BinaryIO) -> Iterator[tuple[bytes, int]]:
    """The top-level boxes of a QuickTime or MP4 file: (type, offset of its end). Nothing for any other file.

    ISO/IEC 14496-12, 4.2: a 32-bit size and a type; size 1 means a 64-bit size follows, size 0 that the box runs to the
    end of the file.
    """
    size = os.fstat(file.fileno()).st_size
    start = 0
    while start + 8 <= size:
        file.seek(start)
        head = file.read(16)
        length, kind = struct.unpack(">I4s", head[:8])
        if start == 0 and kind not in (b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip", b"pnot"):
            return
        if length == 1 and len(head) == 16:
            (length,) = struct.unpack(">Q", head[8:])
        end = size if length == 0 else start + length
        yield kind, end
        if end <= start:
            return
        start = end
