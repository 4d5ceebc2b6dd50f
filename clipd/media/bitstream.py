"""What the bytes of a packet say about its picture: is decoding from here exact, and is it shown at all?

It stands apart because containers do not tell: they mark pictures as keyframes that only begin to refresh the picture,
and carry packets that show nothing. Only first bytes and headers are read here; nothing is decoded.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum

INTRA_ONLY = frozenset(
    {"mjpeg", "prores", "dnxhd", "ffv1", "rawvideo", "v210", "huffyuv", "ffvhuff", "utvideo", "png", "jpeg2000", "cfhd",
     "dvvideo"}
)  # fmt: skip
"""Codecs whose every packet is one whole picture."""

ONE_PICTURE_PER_PACKET = INTRA_ONLY | {"h264", "hevc", "vp8", "vp9", "av1", "mpeg1video", "mpeg2video", "mpeg4", "h263"}
"""Codecs for which packets can be counted instead of pictures (hidden ones are told apart by `content`)."""


class Content(Enum):
    """What a packet holds."""

    PICTURE = "a picture that is shown"
    NOTHING = "no picture, or one that is never shown"
    DAMAGED = "bytes that are not what its codec writes"


def content(codec: str, packet: memoryview, extradata: bytes | None) -> Content:
    """What a packet of `codec` holds, as far as its structure tells; see `is_sync` for `extradata`.

    VP8 (RFC 6386, 9.1) and VP9 (bitstream specification, 6.2) carry reference pictures that are never shown; a VP9
    superframe always ends in a shown one. H.264 and HEVC packets may hold parameters alone.
    """
    if not len(packet):
        return Content.NOTHING
    if codec == "vp8":
        return Content.PICTURE if packet[0] & 0x10 else Content.NOTHING
    if codec == "vp9":
        shown = (packet[-1] & 0xE0) == 0xC0 or _vp9_shows(packet[0], packet[1] if len(packet) > 1 else 0)
        return Content.PICTURE if shown else Content.NOTHING
    if codec in ("h264", "hevc"):
        return _content_of_units(codec, packet, length_size(codec, extradata))
    return Content.PICTURE


def _content_of_units(codec: str, packet: memoryview, length_size: int) -> Content:
    """A picture is there with its first slice: first_mb_in_slice 0, first_slice_segment_in_pic_flag 1; both a bit 1."""
    header, slices, covered = (1, range(1, 6), 0) if codec == "h264" else (2, range(32), 0)
    found = Content.NOTHING
    for unit in units(packet, length_size):
        covered += length_size + len(unit)
        kind = unit[0] & 0x1F if codec == "h264" else (unit[0] >> 1) & 0x3F
        if unit[0] & 0x80:
            return Content.DAMAGED
        if kind in slices and found is not Content.PICTURE:
            found = Content.PICTURE if len(unit) > header and unit[header] & 0x80 else Content.DAMAGED
    return Content.DAMAGED if length_size and covered != len(packet) else found


def is_sync(codec: str, packet: memoryview, extradata: bytes | None) -> bool:
    """Is every picture from this keyframe packet on, in presentation order, exactly decodable without earlier packets?

    `extradata` is the decoder configuration of the track: whether H.264 and HEVC units carry a length (avcC, hvcC) or a
    start code. H.264 (ITU-T H.264, 7.4.1 and D.2.8): IDR, or a recovery point at once and exact. HEVC (ITU-T H.265,
    7.4.2.2): any random access point. For other codecs the container's word is taken.
    """
    if codec == "h264":
        for unit in units(packet, length_size(codec, extradata)):
            kind = unit[0] & 0x1F
            if kind == 5 or (kind == 6 and _recovers_at_once(_unescaped(unit[1:]))):
                return True
            if kind in (1, 2):
                return False
        return False
    if codec == "hevc":
        return any(16 <= kind <= 21 for kind in hevc_kinds(packet, extradata))
    return True


def is_clean_start(codec: str, packet: memoryview, extradata: bytes | None) -> bool:
    """Is every picture before this sync packet, in decoding order, also before it in presentation order?

    So it is for IDR pictures, where decoder and container must therefore agree on the number of pictures before it.
    """
    if codec == "h264":
        return any(unit[0] & 0x1F == 5 for unit in units(packet, length_size(codec, extradata)))
    if codec == "hevc":
        return any(kind in (19, 20) for kind in hevc_kinds(packet, extradata))
    return codec in INTRA_ONLY or codec in ("vp8", "vp9")


def hevc_kinds(packet: memoryview, extradata: bytes | None) -> list[int]:
    """The types of the NAL units in an HEVC packet (ITU-T H.265, table 7-1)."""
    return [(unit[0] >> 1) & 0x3F for unit in units(packet, length_size("hevc", extradata))]


def units(packet: memoryview, length_size: int) -> Iterator[memoryview]:
    """The NAL units of a packet, each behind a length of `length_size` bytes, or, where that is 0, a start code."""
    if length_size:
        at, end = 0, len(packet)
        while at + length_size < end:
            length = int.from_bytes(packet[at : at + length_size], "big")
            at += length_size
            if not 0 < length <= end - at:
                return
            yield packet[at : at + length]
            at += length
        return
    data = bytes(packet)
    at = data.find(b"\0\0\1")
    while at >= 0:
        following = data.find(b"\0\0\1", at + 3)
        unit = packet[at + 3 : following if following >= 0 else len(data)]
        if len(unit):
            yield unit
        at = following


def length_size(codec: str, extradata: bytes | None) -> int:
    """The size of a unit's length as avcC (byte 4) or hvcC (byte 21) gives it, or 0 for start codes (Annex B)."""
    at = 4 if codec == "h264" else 21
    if not extradata or len(extradata) <= at or extradata.startswith((b"\0\0\1", b"\0\0\0\1")):
        return 0
    return (extradata[at] & 3) + 1


def _recovers_at_once(payload: bytes) -> bool:
    """Does this SEI unit hold a recovery point with recovery_frame_cnt 0 and exact_match_flag 1 (H.264, D.1.8)?"""
    at = 0
    while at + 2 < len(payload):
        kind, at = _sei_number(payload, at)
        size, at = _sei_number(payload, at)
        if kind == 6 and at < len(payload):
            # ue(v) of 0 is the single bit 1; the exact_match_flag follows.
            return (payload[at] & 0xC0) == 0xC0
        at += size
    return False


def _sei_number(payload: bytes, at: int) -> tuple[int, int]:
    number = 0
    while at < len(payload) and payload[at] == 0xFF:
        number, at = number + 255, at + 1
    return (number + payload[at], at + 1) if at < len(payload) else (number, at)


def _unescaped(unit: memoryview) -> bytes:
    return bytes(unit).replace(b"\0\0\3", b"\0\0")


def _vp9_shows(first: int, second: int) -> bool:
    """show_existing_frame or show_frame of a VP9 uncompressed header, from its first two bytes."""
    bits = f"{first:08b}{second:08b}"
    profile = int(bits[3] + bits[2], 2)
    at = 5 if profile == 3 else 4
    return bits[at] == "1" or bits[at + 2] == "1"
