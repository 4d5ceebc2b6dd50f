"""The boxes of recordings: read exactly, and never believed about their size."""

from __future__ import annotations

import os
import struct
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clipd.errors import Rejected
from clipd.media.mtxi import Mtxi, read
from tests.footage import make
from tests.unit.recordings.camera import FRAGMENTED, STREAM, cut, mtxi, with_box


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """6 seconds in 6 fragments, as MediaMTX writes them."""
    path = cut(tmp_path_factory.mktemp("mtxi") / "recording.mp4", 9, 15, options=FRAGMENTED)
    return with_box(path.read_bytes(), mtxi(7, 42 * 10**9, 1756477809_123456789))


def boxes_of(tmp_path: Path, data: bytes):
    path = tmp_path / "recording.mp4"
    path.write_bytes(data)
    return read(path)


def test_the_box_and_the_last_fragment_are_read(tmp_path: Path, recording: bytes) -> None:
    found = boxes_of(tmp_path, recording)
    assert found.mtxi == Mtxi(STREAM.hex(), 7, 42 * 10**9, 1756477809_123456789)
    assert (found.has_header, found.fragmented, found.cut_off_bytes) == (True, True, 0)
    assert found.video_ends == 6


def test_a_plain_mp4_has_neither(tmp_path: Path) -> None:
    found = read(make(tmp_path / "plain.mp4", count=5))
    assert (found.has_header, found.mtxi, found.fragmented, found.video_ends) == (True, None, False, None)


@pytest.mark.parametrize("suffix", ["mkv", "ts", "avi"])
def test_other_formats_have_no_boxes(tmp_path: Path, suffix: str) -> None:
    assert read(make(tmp_path / f"other.{suffix}", count=5)) is None


@pytest.mark.parametrize("options", [{"movflags": "frag_keyframe+empty_moov"}, {"frag_duration": "300000"}])
def test_fragments_of_other_writers_end_where_the_film_does(tmp_path: Path, options: dict[str, str]) -> None:
    flags = {"movflags": "empty_moov+default_base_moof"} | options
    found = read(make(tmp_path / "film.mp4", count=45, rate=25, container_options=flags, options={"bf": "0"}))
    assert found.video_ends == Fraction(45, 25)


def test_only_whole_fragments_count(tmp_path: Path, recording: bytes) -> None:
    starts = [at for at in range(len(recording)) if recording[at + 4 : at + 8] == b"moof"]
    assert len(starts) == 6
    for count in (2, 4):
        inside = boxes_of(tmp_path, recording[: starts[count] + 400])
        assert inside.video_ends == count
    cut_off = boxes_of(tmp_path, recording[: starts[3] - 10])
    assert (cut_off.video_ends, cut_off.cut_off_bytes) == (2, 10)


@pytest.mark.parametrize("payload", [b"", bytes(43), b"\x01" + bytes(43)])
def test_a_box_of_another_version_or_length_says_nothing(tmp_path: Path, recording: bytes, payload: bytes) -> None:
    inner = struct.pack(">I4s", 8 + len(payload), b"mtxi") + payload
    box = struct.pack(">I4s", 8 + len(inner), b"udta") + inner
    plain = cut(tmp_path / "plain.mp4", 0, 1, options=FRAGMENTED).read_bytes()
    assert boxes_of(tmp_path, with_box(plain, box)).mtxi is None


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_is_in_a_file_is_read_without_harm(tmp_path: Path, recording: bytes, data: st.DataObject) -> None:
    damaged = bytearray(recording[: data.draw(st.integers(0, 4000))])
    for _ in range(data.draw(st.integers(0, 6))):
        if damaged:
            at = data.draw(st.integers(0, len(damaged) - 1))
            damaged[at : at + 4] = data.draw(
                st.sampled_from([b"\0\0\0\0", b"\0\0\0\1", b"\xff\xff\xff\xff", b"\0\0\0\7"])
            )
    boxes_of(tmp_path, bytes(damaged))


def test_a_box_that_claims_to_be_huge_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.mp4"
    path.write_bytes(struct.pack(">I4s8x", 16, b"ftyp") + struct.pack(">I4sQ", 1, b"moov", 1 << 40))
    os.truncate(path, 1 << 41)
    found = read(path)
    assert (found.mtxi, found.has_header) == (None, True)


def test_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.mp4").symlink_to(make(tmp_path / "plain.mp4", count=2))
    with pytest.raises(Rejected, match="symbolic link"):
        read(tmp_path / "link.mp4")
