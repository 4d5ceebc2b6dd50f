"""Extents: where a recording begins and ends, from both its ends alike, and what is wrong with it."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import pytest

from clipd.errors import MediaError, Rejected
from clipd.media import index
from clipd.media.door import Limits
from clipd.media.extent import measure
from clipd.media.probe import NotReady, probe
from tests.footage import REAL, footage, make
from tests.unit.recordings.camera import FRAGMENTED, STREAM, cut, cut_for_mediamtx

LIMITS = Limits()


@pytest.mark.parametrize("name", REAL)
def test_it_agrees_with_the_frame_index(name: str) -> None:
    path = footage(name)
    found, truth = measure(path, LIMITS), index.build(path, probe(path, LIMITS), LIMITS)
    assert found.start == int(truth.pts[0]) * truth.time_base
    assert abs(found.end - truth.end_pts * truth.time_base) <= found.frame
    assert found.damage == ""


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
@pytest.mark.parametrize("whole_bytes", [0, 1 << 30])
def test_both_ends_tell_what_the_whole_file_tells(tmp_path: Path, suffix: str, whole_bytes: int) -> None:
    found = measure(cut(tmp_path / f"x{suffix}", 9, 15), LIMITS, whole_bytes)
    assert (found.length, found.frame, found.codec, found.width, found.height) == (6, Fraction(1, 10), "h264", 768, 432)
    assert found.appends is (suffix == ".ts")


@pytest.mark.parametrize("whole_bytes", [0, 1 << 30])
def test_fragments_tell_it_too(tmp_path: Path, whole_bytes: int) -> None:
    found = measure(cut_for_mediamtx(tmp_path / "x.mp4", 9, 15, 3), LIMITS, whole_bytes)
    assert (found.length, found.appends) == (6, True)
    assert found.mtxi is not None
    assert (found.mtxi.stream, found.mtxi.number, found.mtxi.dts_ns) == (STREAM.hex(), 3, 9 * 10**9)


def test_avi_without_presentation_times(tmp_path: Path) -> None:
    found = measure(make(tmp_path / "x.avi", "mjpeg", count=45, rate=10, pix_fmt="yuvj420p"), LIMITS)
    assert (found.length, found.codec) == (Fraction(9, 2), "mjpeg")


def test_the_clock_of_the_file_is_kept(tmp_path: Path) -> None:
    found = measure(cut(tmp_path / "x.ts", 9, 15, restart=False), LIMITS)
    assert (found.start // 1, found.length) == (9, 6)


def test_a_film_that_begins_amid_a_group_begins_at_its_first_sync_frame(tmp_path: Path) -> None:
    path = cut(tmp_path / "x.ts", 9.5, 15)
    found, truth = measure(path, LIMITS), index.build(path, probe(path, LIMITS), LIMITS)
    assert found.length == 5
    assert found.start == int(truth.pts[0]) * truth.time_base


def test_a_picture_that_stands_long_is_a_hole(tmp_path: Path) -> None:
    found = measure(make(tmp_path / "x.mp4", count=20, rate=10, pts=[*range(10), *range(40, 50)]), LIMITS)
    assert found.holes == ((Fraction(9, 10), Fraction(4)),)


@pytest.mark.parametrize(("suffix", "cut_to"), [(".ts", 61_000), (".ts", 61_150), (".ts", 30_055), (".mkv", 61_000)])
def test_what_was_cut_off_does_not_count(tmp_path: Path, suffix: str, cut_to: int) -> None:
    path = cut(tmp_path / f"x{suffix}", 9, 15)
    os.truncate(path, cut_to)
    found, truth = measure(path, LIMITS), index.build(path, probe(path, LIMITS), LIMITS)
    assert "cut off" in found.damage
    assert truth.end_pts * truth.time_base - 2 * found.frame <= found.end <= truth.end_pts * truth.time_base


@pytest.mark.parametrize(
    ("suffix", "options"), [(".mp4", {"movflags": "faststart"}), (".mp4", FRAGMENTED)], ids=["faststart", "fragments"]
)
def test_a_file_that_promises_more_than_it_has_is_damaged(tmp_path: Path, suffix: str, options: dict[str, str]) -> None:
    path = cut(tmp_path / f"x{suffix}", 9, 15, options=options)
    os.truncate(path, path.stat().st_size // 2)
    found = measure(path, LIMITS)
    assert "bytes are missing" in found.damage
    assert 1 < found.length < 5


def test_a_file_without_its_index_is_not_ready(tmp_path: Path) -> None:
    path = cut(tmp_path / "x.mp4", 9, 15)
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(NotReady, match="no index"):
        measure(path, LIMITS)


@pytest.mark.parametrize(("content", "error"), [(b"", NotReady), (b"x" * 1000, MediaError), (bytes(1000), MediaError)])
def test_what_is_no_video_is_refused(tmp_path: Path, content: bytes, error: type[Exception]) -> None:
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(error):
        measure(path, LIMITS)


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.mp4")
    with pytest.raises(Rejected):
        measure(tmp_path / "x.mp4", LIMITS)
