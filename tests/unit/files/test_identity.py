"""Identity: the hash of a source's content, read once and remembered, and never that of another content."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from clipd.errors import Rejected, Temporary
from clipd.files.atomic import Missing
from clipd.files.identity import CHUNK_BYTES, identify
from clipd.files.walk import look


class Reading:
    """Counts the steps of reading."""

    def __init__(self) -> None:
        self.steps: list[tuple[str, int, int]] = []

    def __call__(self, stage: str, done: int, total: int) -> None:
        self.steps.append((stage, done, total))


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "match.mp4"
    path.write_bytes(b"film")
    return path


def test_it_is_the_sha256_of_the_content_and_the_look_it_had(video: Path) -> None:
    found = identify(video, None, Reading())
    assert found.sha256 == hashlib.sha256(b"film").hexdigest()
    assert found.look == look(video)


def test_progress_is_told_for_every_piece(video: Path) -> None:
    size = 2 * CHUNK_BYTES + 7
    video.write_bytes(bytes(size))
    reading = Reading()
    assert identify(video, None, reading).sha256 == hashlib.sha256(bytes(size)).hexdigest()
    assert [done for _, done, _ in reading.steps] == [CHUNK_BYTES, 2 * CHUNK_BYTES, size]
    assert {(stage, total) for stage, _, total in reading.steps} == {("reading the source", size)}


def test_what_is_remembered_is_not_read_again(video: Path, tmp_path: Path) -> None:
    memory, reading = tmp_path / "memory", Reading()
    first = identify(video, memory, Reading())
    assert identify(video, memory, reading) == first
    assert reading.steps == []


@pytest.mark.parametrize("change", ["content", "copy back"])
def test_a_file_that_looks_different_is_read_again(video: Path, tmp_path: Path, change: str) -> None:
    memory = tmp_path / "memory"
    before = video.stat()
    identify(video, memory, Reading())
    if change == "content":
        video.write_bytes(b"FILM")
    else:  # same size and time, as `cp -p` leaves it; only inode and change time tell
        video.rename(tmp_path / "old.mp4")
        video.write_bytes(b"FILM")
    os.utime(video, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert identify(video, memory, Reading()).sha256 == hashlib.sha256(b"FILM").hexdigest()


@pytest.mark.parametrize("note", [b"", b"[]", b'{"sha256": 5}', b"\0\0\0"])
def test_a_damaged_memory_is_no_memory(video: Path, tmp_path: Path, note: bytes) -> None:
    memory, reading = tmp_path / "memory", Reading()
    first = identify(video, memory, Reading())
    (file,) = memory.iterdir()
    file.write_bytes(note)
    assert identify(video, memory, reading) == first
    assert reading.steps


def test_a_memory_that_cannot_be_written_costs_only_time(video: Path, tmp_path: Path) -> None:
    (tmp_path / "memory").write_text("a file where the folder should be")
    assert identify(video, tmp_path / "memory" / "hashes", Reading()) == identify(video, None, Reading())


def test_a_file_that_changes_while_it_is_read_has_no_identity(video: Path, tmp_path: Path) -> None:
    def write_on(_stage: str, _done: int, _total: int) -> None:
        with video.open("ab") as file:
            file.write(b"more")

    memory = tmp_path / "memory"
    with pytest.raises(Temporary, match="changed while it was read"):
        identify(video, memory, write_on)
    assert not memory.exists()


def test_a_file_that_grows_as_fast_as_it_is_read_is_not_read_for_ever(video: Path) -> None:
    reading = Reading()

    def grow(stage: str, done: int, total: int) -> None:
        reading(stage, done, total)
        assert len(reading.steps) < 10
        with video.open("ab") as file:
            file.write(bytes(CHUNK_BYTES))

    with pytest.raises(Temporary):
        identify(video, None, grow)


def test_who_stops_the_job_stops_the_reading(video: Path) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        identify(video, None, stop)


def test_only_a_regular_file_is_opened(video: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(video)
    os.mkfifo(tmp_path / "fifo")
    for name, words in (("link", "symbolic link"), ("fifo", "regular file"), ("", "regular file")):
        with pytest.raises(Rejected, match=words):
            identify(tmp_path / name, None, Reading())


def test_a_file_that_is_not_there_may_come_back(tmp_path: Path) -> None:
    with pytest.raises(Missing):
        identify(tmp_path / "none.mp4", None, Reading())


def test_a_name_that_is_no_unicode_is_a_name(tmp_path: Path) -> None:
    path = tmp_path / "caf\udce9.mp4"
    path.write_bytes(b"film")
    assert identify(path, tmp_path / "memory", Reading()) == identify(path, tmp_path / "memory", Reading())
