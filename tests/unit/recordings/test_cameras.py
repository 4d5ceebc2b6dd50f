"""The summary of cameras: first, last, how much, and what is missing today."""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from pathlib import Path

from clipd.model.instant import Period, find_zone, from_datetime, iso
from clipd.recordings.cameras import midnight, summaries
from tests.unit.recordings.camera import BEGIN, at, cut, indexed, named, period


def record(folder: Path, *starts: float) -> Path:
    for first in starts:
        cut(folder / named(first), 0, 5)
    return folder


def test_a_camera_at_a_glance(tmp_path: Path) -> None:
    index = indexed(record(tmp_path, -86_400, 0, 5, 10, 25, 30))
    (gate,) = summaries(index, from_datetime(at(33)))
    assert (gate.camera, gate.files) == ("gate", 6)
    assert gate.first == from_datetime(BEGIN - timedelta(days=1))
    assert gate.last == from_datetime(at(30))
    assert gate.size == sum(path.stat().st_size for path in tmp_path.rglob("*.mp4"))
    today = from_datetime(BEGIN.replace(hour=0, minute=0))
    assert gate.gaps == (Period(today, from_datetime(BEGIN)), period(15, 25))


def test_silence_up_to_now_is_a_gap(tmp_path: Path) -> None:
    (gate,) = summaries(indexed(record(tmp_path, 0, 5, 10)), from_datetime(at(60)))
    assert gate.gaps == (period(15, 60),)


def test_a_recording_that_is_longer_than_its_place_leaves_no_gap(tmp_path: Path) -> None:
    record(tmp_path, 0, 5, 25)
    cut(tmp_path / named(5), 0, 20)
    (gate,) = summaries(indexed(tmp_path), from_datetime(at(30)))
    assert gate.gaps == ()


def test_one_that_cannot_be_read_covers_nothing(tmp_path: Path) -> None:
    record(tmp_path, 0, 5, 10, 25)
    (tmp_path / named(10)).write_bytes(b"")
    (gate,) = summaries(indexed(tmp_path), from_datetime(at(30)))
    assert gate.gaps == (period(10, 25),)


def test_a_camera_that_was_silent_all_day_says_so(tmp_path: Path) -> None:
    now = from_datetime(BEGIN + timedelta(days=2))
    (gate,) = summaries(indexed(record(tmp_path, 0)), now)
    assert gate.gaps == (Period(from_datetime(BEGIN.replace(hour=0, minute=0) + timedelta(days=2)), now),)


def test_without_recordings_there_are_no_cameras(tmp_path: Path) -> None:
    assert summaries(indexed(tmp_path), Fraction(0)) == []


def test_the_day_begins_by_the_camera_s_clock(tmp_path: Path) -> None:
    index = indexed(tmp_path, cameras={"far": {"time_zone": "Asia/Tokyo"}, "cuba": {"time_zone": "America/Havana"}})
    assert iso(midnight(index, "far", from_datetime(BEGIN)), find_zone("Asia/Tokyo")) == "2025-08-29T00:00:00+09:00"
    # Cuba's clocks skip the first hour of this day.
    skipped = from_datetime(BEGIN.replace(month=3, day=9))
    assert iso(midnight(index, "cuba", skipped), find_zone("America/Havana")) == "2025-03-09T01:00:00-04:00"
