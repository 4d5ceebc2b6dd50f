"""Arrival of large files: never called settled while it is being written."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clipd.files.arrival import Arriving, Settings, has_writer, require_settled, still_seconds

SETTLE = Settings(settle_seconds=4.0)
DAY = 86400.0
# The change time of a file cannot be set, so these tests move the share's clock instead: `share_offset` later than it.


@pytest.fixture
def video(tmp_path: Path) -> Path:
    path = tmp_path / "match.mp4"
    path.write_bytes(b"film")
    return path


def no_sleep(_: float) -> None:
    pytest.fail("the stamps say enough; nobody must wait")


def test_a_file_that_held_still_long_enough_has_arrived(video: Path) -> None:
    require_settled(video, 4.0, SETTLE, no_sleep)


@pytest.mark.parametrize("age", [0.0, 2.0, 3.8])
def test_a_file_that_changed_just_now_is_arriving_and_says_for_how_long_yet(video: Path, age: float) -> None:
    with pytest.raises(Arriving, match=r"match.mp4 is still arriving: it changed \d\.\d s ago") as caught:
        require_settled(video, age, SETTLE, no_sleep)
    assert caught.value.wait_seconds == pytest.approx(4.0 - age, abs=0.15)


def test_an_old_mtime_set_by_a_copying_program_does_not_count(video: Path) -> None:
    os.utime(video, (0, 0))
    with pytest.raises(Arriving):
        require_settled(video, 0.0, SETTLE, no_sleep)


def test_an_mtime_in_the_future_says_nothing_and_the_change_time_decides(video: Path) -> None:
    os.utime(video, (time.time() + DAY, time.time() + DAY))
    with pytest.raises(Arriving):
        require_settled(video, 0.0, SETTLE, no_sleep)
    require_settled(video, 4.5, SETTLE, no_sleep)


class TestWhereTheClockWasSetBack:
    """All stamps lie in the future: two looks tell, as for a sidecar."""

    def test_a_file_that_holds_still_between_two_looks_has_arrived(self, video: Path) -> None:
        slept: list[float] = []
        require_settled(video, -DAY, SETTLE, slept.append)
        assert slept == [4.0]

    def test_a_file_that_grows_between_two_looks_is_arriving(self, video: Path) -> None:
        def grow(_: float) -> None:
            with video.open("ab") as file:
                file.write(b"more")

        with pytest.raises(Arriving, match="changed just now"):
            require_settled(video, -DAY, SETTLE, grow)

    def test_a_file_that_is_gone_is_arriving(self, video: Path) -> None:
        with pytest.raises(Arriving):
            require_settled(video, -DAY, SETTLE, lambda _: video.unlink())


def test_a_file_that_is_not_there_is_arriving(tmp_path: Path) -> None:
    with pytest.raises(Arriving):
        require_settled(tmp_path / "none.mp4", 100.0, SETTLE, lambda _: None)
    assert still_seconds(tmp_path / "none.mp4", 100.0) == 0.0


def test_how_long_it_held_still_is_counted_on_the_shares_clock(video: Path) -> None:
    assert still_seconds(video, 60.0) == pytest.approx(60.0, abs=1.0)
    assert still_seconds(video, 0.0) == pytest.approx(0.0, abs=1.0)
    assert still_seconds(video, -DAY) == 0.0


def test_a_file_that_a_program_writes_is_arriving_however_old_it_looks(video: Path) -> None:
    with video.open("ab"):
        if not has_writer(video):
            pytest.skip("this filesystem knows no leases")
        with pytest.raises(Arriving, match="a program has it open") as caught:
            require_settled(video, 4.0, SETTLE, no_sleep)
        assert caught.value.wait_seconds == 4.0
    assert not has_writer(video)
    require_settled(video, 4.0, SETTLE, no_sleep)


def test_reading_is_not_writing(video: Path) -> None:
    with video.open("rb"):
        assert not has_writer(video)


def test_what_is_no_regular_file_has_no_writer(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "link").symlink_to("fifo")
    for name in ("fifo", "link", "none"):
        assert not has_writer(tmp_path / name)


def test_on_a_share_a_refused_lease_says_nothing(video: Path) -> None:
    with video.open("ab"):
        assert not has_writer(video, is_remote=lambda folder: folder == video.parent)
