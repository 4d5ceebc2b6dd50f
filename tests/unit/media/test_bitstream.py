from __future__ import annotations

from pathlib import Path

import av
import pytest

from clipd.media.bitstream import Content, content, hevc_kinds, is_clean_start, is_sync, units
from tests.footage import make

AVCC = bytes([1, 100, 0, 30, 0xFF])  # lengths of four bytes
IDR, PICTURE, LATER_SLICE, PARAMETERS = b"\x65\x88\x01", b"\x41\x9a\x02", b"\x41\x40\x02", b"\x67\x64\x00"
RECOVERY_NOW = b"\x06\x06\x01\xc4\x80"  # recovery_frame_cnt 0, exact_match_flag 1
RECOVERY_LATER = b"\x06\x06\x02\x09\xc0\x80"
RECOVERY_ROUGHLY = b"\x06\x06\x01\x84\x80"  # exact_match_flag 0


def behind_lengths(*parts: bytes) -> memoryview:
    return memoryview(b"".join(len(part).to_bytes(4, "big") + part for part in parts))


def behind_start_codes(*parts: bytes) -> memoryview:
    return memoryview(b"".join(b"\0\0\0\1" + part for part in parts))


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((IDR,), True),
        ((PARAMETERS, IDR), True),
        ((RECOVERY_NOW, PICTURE), True),
        ((RECOVERY_LATER, PICTURE), False),
        ((RECOVERY_ROUGHLY, PICTURE), False),
        ((PICTURE,), False),
        ((b"\x06\x05\x02ab\x06\x01\xc4\x80", PICTURE), True),  # behind another message
        ((), False),
    ],
)
def test_h264_can_be_entered_at_an_idr_or_an_exact_recovery_point(parts: tuple[bytes, ...], expected: bool) -> None:
    assert is_sync("h264", behind_lengths(*parts), AVCC) is expected
    assert is_sync("h264", behind_start_codes(*parts), None) is expected


def test_only_an_idr_is_a_clean_start() -> None:
    assert is_clean_start("h264", behind_lengths(IDR), AVCC)
    assert not is_clean_start("h264", behind_lengths(RECOVERY_NOW, PICTURE), AVCC)


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        ((PICTURE, LATER_SLICE), Content.PICTURE),
        ((PARAMETERS,), Content.NOTHING),
        ((LATER_SLICE,), Content.DAMAGED),
        ((b"\xe5\x88\x01",), Content.DAMAGED),
    ],
)
def test_what_an_h264_packet_holds(parts: tuple[bytes, ...], expected: Content) -> None:
    assert content("h264", behind_lengths(*parts), AVCC) is expected


def test_lengths_that_do_not_fit_the_packet_are_damage() -> None:
    assert content("h264", behind_lengths(PICTURE)[:-1], AVCC) is Content.DAMAGED
    assert content("h264", memoryview(bytes(40)), AVCC) is Content.DAMAGED


@pytest.mark.parametrize(
    ("codec", "packet", "expected"),
    [
        ("vp8", b"\x10\x00\x00", Content.PICTURE),
        ("vp8", b"\x01\x00\x00", Content.NOTHING),
        ("vp9", b"\x86\x00\x00", Content.PICTURE),  # frame marker, profile 0, inter frame, show_frame
        ("vp9", b"\x84\x00\x00", Content.NOTHING),
        ("vp9", b"\x88\x00\x00", Content.PICTURE),  # show_existing_frame
        ("vp9", b"\x84\x00\xc0", Content.PICTURE),  # a superframe
        ("mjpeg", b"\xff\xd8", Content.PICTURE),
        ("mjpeg", b"", Content.NOTHING),
    ],
)
def test_pictures_that_are_never_shown_are_told_apart(codec: str, packet: bytes, expected: Content) -> None:
    assert content(codec, memoryview(packet), None) is expected


def test_units_of_a_real_file_are_found_behind_lengths_and_start_codes(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "keyint=10:log-level=none"}
    for name, length_size in (("a.mp4", 4), ("a.ts", 0)):
        with av.open(str(make(tmp_path / name, "libx265", count=20, options=options))) as container:
            stream = container.streams.video[0]
            extradata = stream.codec_context.extradata
            packets = [bytes(packet) for packet in container.demux(stream) if packet.size]
        assert all(len(list(units(memoryview(packet), length_size))) for packet in packets)
        kinds = [hevc_kinds(memoryview(packet), extradata) for packet in packets]
        assert sum(any(16 <= kind <= 21 for kind in each) for each in kinds) == 2


def test_rubbish_is_read_without_harm() -> None:
    for rubbish in (b"", b"\0", b"\0\0\1", b"\0\0\0\1\x06\xff\xff", b"\xff" * 50, bytes(3)):
        for codec in ("h264", "hevc", "vp8", "vp9"):
            content(codec, memoryview(rubbish), None)
            content(codec, memoryview(rubbish), AVCC * 5)
            is_sync(codec, memoryview(rubbish), AVCC * 5)
            is_sync(codec, memoryview(rubbish), None)
