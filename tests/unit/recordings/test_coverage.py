"""Coverage: which part of which real recording covers a period, and every gap with its reason, to the frame."""

from __future__ import annotations

import os
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import av
import pytest

from clipd.media import decode
from clipd.media import index as frame_index
from clipd.media.door import Limits
from clipd.media.probe import probe
from clipd.model.instant import from_datetime
from clipd.recordings.coverage import Coverage, cover, protected
from tests.footage import fingerprint, footage, make
from tests.unit.recordings.camera import (
    BEGIN,
    FRAGMENTED,
    NOON_AFTER,
    at,
    covered,
    cut,
    cut_for_mediamtx,
    gaps,
    indexed,
    named,
    named_by_mediamtx,
    parts,
    period,
)

CUTS = (0, 5, 9, 15, 20, 26, 30)
"""Recordings of 4, 5 and 6 seconds."""


def record(folder: Path, suffix: str = ".mp4", cuts: tuple[float, ...] = CUTS, **how: object) -> Path:
    for first, last in pairwise(cuts):
        cut(folder / named(first, suffix), first, last, **how)  # type: ignore[arg-type]
    return folder


def record_with_mediamtx(folder: Path, cuts: tuple[float, ...] = CUTS) -> Path:
    for number, (first, last) in enumerate(pairwise(cuts)):
        cut_for_mediamtx(folder / named_by_mediamtx(first), first, last, number)
    return folder


@pytest.fixture(scope="module")
def film() -> list[str]:
    """The fingerprints of the first 30 seconds of the footage, 10 a second."""
    with av.open(str(footage("intel_one-by-one-person-detection.mp4"))) as container:
        return [fingerprint(frame) for frame, _ in zip(container.decode(video=0), range(300), strict=False)]


def delivered(folder: Path, coverage: Coverage) -> list[str]:
    """The fingerprints of the frames in the slices, as the rest of clipd cuts them."""
    found = []
    for part in coverage.slices:
        path = folder / part.recording.path
        info = probe(path, Limits())
        index = frame_index.build(path, info, Limits())
        shown = decode.frames(path, info, index, index.span(part.inside), Limits(), threads=1)
        found += [fingerprint(frame) for _, frame in shown]
    return found


@pytest.mark.parametrize("suffix", [".mp4", ".ts", ".mkv"])
def test_a_period_over_several_recordings_is_delivered_frame_by_frame(tmp_path: Path, suffix: str, film) -> None:
    coverage = covered(record(tmp_path, suffix), 3.5, 23.5)
    assert parts(coverage) == [
        (Path(named(0, suffix)).name, 3.5, 5),
        (Path(named(5, suffix)).name, 5, 9),
        (Path(named(9, suffix)).name, 9, 15),
        (Path(named(15, suffix)).name, 15, 20),
        (Path(named(20, suffix)).name, 20, 23.5),
    ]
    assert (coverage.gaps, coverage.overlaps, coverage.ratio, coverage.is_complete) == ((), (), 1, True)
    assert delivered(tmp_path, coverage) == film[35:235]


def test_a_clock_that_runs_on_through_the_files_makes_no_difference(tmp_path: Path, film) -> None:
    coverage = covered(record(tmp_path, ".ts", restart=False), 3.5, 23.5)
    assert coverage.is_complete
    assert delivered(tmp_path, coverage) == film[35:235]


def test_recordings_of_mediamtx_are_placed_by_their_box(tmp_path: Path, film) -> None:
    coverage = covered(record_with_mediamtx(tmp_path), 3.5, 23.5)
    assert {part.placed for part in coverage.slices} == {"mtxi"}
    assert coverage.is_complete
    assert delivered(tmp_path, coverage) == film[35:235]


def test_the_box_counts_more_than_the_name(tmp_path: Path) -> None:
    cut_for_mediamtx(tmp_path / named(0), 0, 5, 0, ntp=at(0.75))
    assert parts(covered(tmp_path, 0, 6)) == [(Path(named(0)).name, 0.75, 5.75)]


def test_a_stream_that_is_whole_has_no_gap_though_its_wall_clock_jumps(tmp_path: Path, film) -> None:
    for number, (first, last, jump) in enumerate([(0, 5, 0), (5, 9, 0.4), (9, 15, 0.1)]):
        ntp = at(first) + timedelta(seconds=jump)
        cut_for_mediamtx(tmp_path / named_by_mediamtx(first + jump), first, last, number, ntp=ntp)
    coverage = covered(tmp_path, 2, 13)
    assert coverage.is_complete
    assert not coverage.overlaps
    assert delivered(tmp_path, coverage)[:70] == film[20:90]
    # By the clock of the last file, second 13 is 0.1 s earlier in the film.
    assert delivered(tmp_path, coverage)[70:] == film[90:129]


def test_a_missing_recording_is_a_gap_between_its_neighbours(tmp_path: Path, film) -> None:
    record(tmp_path)
    (tmp_path / named(9)).unlink()
    coverage = covered(tmp_path, 3.5, 23.5)
    assert gaps(coverage) == [("missing", 9, 15)]
    assert named(5) in coverage.gaps[0].words
    assert named(15) in coverage.gaps[0].words
    assert coverage.ratio == Fraction(14, 20)
    assert delivered(tmp_path, coverage) == film[35:90] + film[150:235]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        (-4, 3, [("missing", -4, 0)]),
        (28, 35, [("missing", 30, 35)]),
        (40, 45, [("missing", 40, 45)]),
        (-4, 34, [("missing", -4, 0), ("missing", 30, 34)]),
    ],
)
def test_time_before_and_after_all_recordings_is_a_gap(tmp_path: Path, first: float, last: float, expected) -> None:
    assert gaps(covered(record(tmp_path), first, last)) == expected


def test_a_camera_without_recordings_covers_nothing(tmp_path: Path) -> None:
    coverage = covered(tmp_path, 0, 20)
    assert gaps(coverage) == [("missing", 0, 20)]
    assert (coverage.ratio, coverage.slices, coverage.recorded_until) == (0, (), None)


def test_a_truncated_stream_is_used_as_far_as_it_goes_and_named(tmp_path: Path, film) -> None:
    path = record(tmp_path, ".ts") / named(9, ".ts")
    os.truncate(path, path.stat().st_size * 6 // 10 // 188 * 188 + 100)
    coverage = covered(tmp_path, 3.5, 23.5)
    ((reason, begin, end),) = gaps(coverage)
    assert (reason, end, coverage.gaps[0].path) == ("truncated", 15, named(9, ".ts"))
    assert 11 < begin < 14
    assert coverage.gaps[0].words.startswith(f"{named(9, '.ts')} ends after {begin - 9:.3f} s: it is cut off")
    assert coverage.ratio == 1 - (15 - Fraction(repr(begin))) / 20
    assert delivered(tmp_path, coverage) == film[35 : round(begin * 10)] + film[150:235]


def test_a_truncated_file_of_mediamtx_is_used_as_far_as_it_goes_and_named(tmp_path: Path, film) -> None:
    path = record_with_mediamtx(tmp_path) / named_by_mediamtx(9)
    os.truncate(path, path.stat().st_size * 6 // 10)
    coverage = covered(tmp_path, 3.5, 23.5)
    ((reason, begin, end),) = gaps(coverage)
    assert (reason, end, coverage.gaps[0].path) == ("truncated", 15, named_by_mediamtx(9))
    assert 11 < begin < 14
    assert delivered(tmp_path, coverage) == film[35 : round(begin * 10)] + film[150:235]


def test_a_truncated_file_without_its_index_is_a_gap_by_name(tmp_path: Path) -> None:
    path = record(tmp_path) / named(9)
    os.truncate(path, path.stat().st_size * 6 // 10)
    coverage = covered(tmp_path, 3.5, 23.5)
    assert gaps(coverage) == [("truncated", 9, 15)]
    assert coverage.gaps[0].path == named(9)
    assert "no index (moov)" in coverage.gaps[0].words


@pytest.mark.parametrize("content", [b"", b"no video", bytes(5000), b"#EXTM3U\nfile:///etc/passwd\n"])
def test_a_file_that_is_no_video_is_a_gap_by_name(tmp_path: Path, content: bytes) -> None:
    (record(tmp_path) / named(9)).write_bytes(content)
    coverage = covered(tmp_path, 3.5, 23.5)
    assert gaps(coverage) == [("unreadable" if content else "truncated", 9, 15)]
    assert coverage.gaps[0].path == named(9)
    assert Path(named(9)).name in coverage.gaps[0].words


def test_what_is_missing_beside_what_is_unreadable_is_told_apart(tmp_path: Path) -> None:
    (record(tmp_path) / named(15)).write_bytes(b"no video")
    (tmp_path / named(9)).unlink()
    assert gaps(covered(tmp_path, 3.5, 23.5)) == [("missing", 9, 15), ("unreadable", 15, 20)]


@pytest.mark.parametrize(("first", "last"), [(11, 13), (9, 13), (13, 15)])
def test_a_gap_within_what_is_unreadable_is_told_as_such(tmp_path: Path, first: float, last: float) -> None:
    (record(tmp_path) / named(9)).write_bytes(b"no video")
    coverage = covered(tmp_path, first, last)
    assert gaps(coverage) == [("unreadable", first, last)]
    assert coverage.gaps[0].path == named(9)


def test_what_is_unreadable_is_taken_to_be_as_long_as_the_others_at_most(tmp_path: Path) -> None:
    for second in (0, 5, 60):
        cut(tmp_path / named(second), second, second + 5)
    (tmp_path / named(10)).write_bytes(b"no video")
    assert gaps(covered(tmp_path, 12, 14)) == [("unreadable", 12, 14)]
    assert gaps(covered(tmp_path, 40, 44)) == [("missing", 40, 44)]


def test_a_recording_of_another_size_is_foreign(tmp_path: Path) -> None:
    make(record(tmp_path) / named(9), count=40, rate=10, size=(320, 240))
    coverage = covered(tmp_path, 3.5, 23.5)
    assert gaps(coverage) == [("foreign", 9, 13), ("missing", 13, 15)]
    assert coverage.gaps[0].words == f"{named(9)} is h264 of 320x240; the others are h264 of 768x432"


def test_a_recording_of_another_size_may_be_kept(tmp_path: Path) -> None:
    make(record(tmp_path) / named(9), count=60, rate=10, size=(320, 240))
    coverage = covered(tmp_path, 3.5, 23.5, foreign="keep")
    assert coverage.is_complete
    assert len({part.extent.width for part in coverage.slices}) == 2


def test_a_recording_named_for_another_camera_is_not_delivered(tmp_path: Path) -> None:
    record(tmp_path)
    (tmp_path / named(9)).rename(tmp_path / "gate" / named(9, camera="yard").split("/")[1])
    coverage = covered(tmp_path, 3.5, 23.5)
    assert gaps(coverage) == [("foreign", 9, 15)]
    assert "another camera" in coverage.gaps[0].words


def test_of_two_recordings_of_one_time_the_earlier_counts_until_its_end(tmp_path: Path, film) -> None:
    record(tmp_path)
    cut(tmp_path / named(9), 9, 17)
    coverage = covered(tmp_path, 3.5, 23.5)
    assert parts(coverage)[2:4] == [(Path(named(9)).name, 9, 17), (Path(named(15)).name, 17, 20)]
    (overlap,) = coverage.overlaps
    assert (overlap.kept, overlap.dropped, overlap.period) == (named(9), named(15), period(15, 17))
    assert delivered(tmp_path, coverage) == film[35:235]


def test_a_recording_within_another_is_named_and_not_used(tmp_path: Path, film) -> None:
    record(tmp_path)
    cut(tmp_path / named(11), 11, 13)
    coverage = covered(tmp_path, 3.5, 23.5)
    assert [(overlap.dropped, overlap.period) for overlap in coverage.overlaps] == [(named(11), period(11, 13))]
    assert delivered(tmp_path, coverage) == film[35:235]


def test_a_long_recording_reaches_over_later_ones(tmp_path: Path, film) -> None:
    """The files beside it are missing where the period lies; its length is seen by its size, long before."""
    record(tmp_path)
    for first in (15, 20, 26):
        (tmp_path / named(first)).unlink()
    cut(tmp_path / named(2), 2, 28)
    coverage = covered(tmp_path, 16, 27)
    assert parts(coverage) == [(Path(named(2)).name, 16, 27)]
    assert delivered(tmp_path, coverage) == film[160:270]


def test_names_that_tell_whole_seconds_do_not_tear_a_film_apart(tmp_path: Path) -> None:
    """Files of 4.6 s and the like begin somewhere in their second: no frame is lost or doubled, no gap is made up."""
    begin = 0.7
    for count in (46, 53, 49, 62, 51, 45):
        path = tmp_path / named(int(begin))
        path.parent.mkdir(exist_ok=True)
        make(path, count=count, rate=10)
        begin += count / 10
    coverage = covered(tmp_path, 2, 22)
    assert coverage.is_complete
    assert not coverage.overlaps
    assert len(delivered(tmp_path, coverage)) == 200
    assert "whole seconds" in coverage.notes[0]


def test_a_file_that_was_cut_off_moves_no_other(tmp_path: Path) -> None:
    """What follows on it does not follow on its pictures."""
    (tmp_path / "gate").mkdir()
    for begin, count in ((0, 46), (5, 53), (10, 49), (15, 62)):
        make(tmp_path / named(begin, ".ts"), "mpeg2video", count=count, rate=10, options={"g": "1"})
    path = tmp_path / named(5, ".ts")
    os.truncate(path, path.stat().st_size * 9 // 10 // 188 * 188 + 100)
    coverage = covered(tmp_path, 1, 18)
    begin = from_datetime(BEGIN)
    assert [float(part.start - begin) for part in coverage.slices[:2]] == [0.4, 5]
    assert coverage.notes[-1] == f"{named(5, '.ts')}: it is cut off in the middle of a packet"
    assert coverage.gaps[0].reason == "truncated"


def test_a_clock_that_runs_through_all_files_shows_what_is_missing(tmp_path: Path) -> None:
    """Their names alone would let the half second pass."""
    (tmp_path / "gate").mkdir()
    tick = 1000
    for begin, count, lost in ((0, 46, 0), (4, 53, 5), (10, 49, 0), (15, 62, 0)):
        pts = range(tick, tick + count - lost)
        make(tmp_path / named(begin, ".ts"), rate=10, pts=pts, options={"bf": "0"})
        tick += count
    coverage = covered(tmp_path, 1, 18)
    ((reason, first, last),) = gaps(coverage)
    assert (reason, round(last - first, 6)) == ("missing", 0.5)


@pytest.mark.parametrize(("last", "overlap", "gap"), [(15.5, [(15, 15.5)], []), (14.5, [], [("missing", 14.5, 15)])])
def test_names_that_are_exact_are_taken_at_their_word(tmp_path: Path, last: float, overlap, gap) -> None:
    """All other files meet to the frame, so the half second is real."""
    record(tmp_path)
    cut(tmp_path / named(9), 9, last)
    coverage = covered(tmp_path, 3.5, 23.5)
    assert [twice.period for twice in coverage.overlaps] == [period(*both) for both in overlap]
    assert gaps(coverage) == gap


def test_a_picture_that_stands_is_told_of(tmp_path: Path) -> None:
    path = tmp_path / named(0)
    path.parent.mkdir()
    make(path, count=40, rate=10, pts=[*range(20), *range(45, 65)])
    coverage = covered(tmp_path, 1, 6)
    assert coverage.is_complete
    assert coverage.notes == (f"{named(0)}: from 2025-08-29T14:30:01.900Z one picture stands for 2.600 s",)


def test_a_hole_shorter_than_the_join_is_none(tmp_path: Path) -> None:
    record(tmp_path)
    cut(tmp_path / named(9), 9, 14.9)
    assert covered(tmp_path, 3.5, 23.5, join_seconds=0.2).is_complete
    assert gaps(covered(tmp_path, 3.5, 23.5)) == [("missing", 14.9, 15)]


class TestWaiting:
    def open_at(self, folder: Path, last: float, now: float, **settings: object) -> Coverage:
        return cover(indexed(folder, **settings), "gate", period(10, last), from_datetime(at(now)))

    def test_what_is_not_recorded_yet_is_waited_for_until_the_timeout(self, tmp_path: Path) -> None:
        record(tmp_path)
        coverage = self.open_at(tmp_path, 33, 31)
        assert coverage.recorded_until is not None
        assert from_datetime(at(30)) <= coverage.recorded_until < from_datetime(at(31))
        assert coverage.is_waiting(from_datetime(at(31)), 10)
        assert coverage.is_waiting(from_datetime(at(42)), 10)
        assert not coverage.is_waiting(from_datetime(at(43)), 10)

    def test_a_gap_in_what_is_recorded_is_not_waited_for(self, tmp_path: Path) -> None:
        record(tmp_path)
        (tmp_path / named(15)).unlink()
        coverage = self.open_at(tmp_path, 29, 31)
        assert not coverage.is_complete
        assert not coverage.is_waiting(from_datetime(at(31)), 10)

    def grown(self, folder: Path, seconds_ago: float, suffix: str = ".ts") -> Path:
        """The newest recording was written to so long before second 31."""
        path = record(folder, suffix) / named(26, suffix)
        stamp = (at(31) - timedelta(seconds=seconds_ago)).timestamp()
        os.utime(path, (stamp, stamp))
        return path

    def test_a_recording_that_grows_is_waited_for(self, tmp_path: Path) -> None:
        self.grown(tmp_path, 1)
        coverage = self.open_at(tmp_path, 29, 31, settle_seconds=4)
        assert gaps(coverage) == [("growing", 26, 29)]
        assert coverage.unfinished == (named(26, ".ts"),)
        assert coverage.recorded_until == from_datetime(at(26))
        assert coverage.is_waiting(from_datetime(at(31)), 10)

    def test_it_is_used_once_it_held_still(self, tmp_path: Path) -> None:
        self.grown(tmp_path, 5)
        assert self.open_at(tmp_path, 29, 31, settle_seconds=4).is_complete

    def test_or_once_the_kernel_said_that_it_was_closed(self, tmp_path: Path) -> None:
        path = self.grown(tmp_path, 1)
        index = indexed(tmp_path, settle_seconds=4)
        assert index.hint(path, closed=True) == "gate"
        assert cover(index, "gate", period(10, 29), from_datetime(at(31))).is_complete
        with path.open("ab") as file:
            file.write(bytes(188))
        os.utime(path, (at(30.5).timestamp(),) * 2)
        assert not cover(index, "gate", period(10, 29), from_datetime(at(31))).is_complete

    def test_one_that_a_program_has_open_grows(self, tmp_path: Path) -> None:
        path = self.grown(tmp_path, 5)
        with path.open("ab"):
            assert gaps(self.open_at(tmp_path, 29, 31, settle_seconds=4)) == [("growing", 26, 29)]

    @pytest.mark.parametrize(("suffix", "usable"), [(".ts", True), (".mp4", False)])
    def test_what_is_there_of_it_may_be_used(self, tmp_path: Path, suffix: str, usable: bool, film) -> None:
        self.grown(tmp_path, 1, suffix)
        coverage = self.open_at(tmp_path, 29, 31, settle_seconds=4, use_growing=True)
        assert coverage.is_complete is usable
        if usable:
            assert coverage.slices[-1].is_growing
            assert delivered(tmp_path, coverage) == film[100:290]

    def test_the_last_frame_of_a_growing_file_is_not_trusted(self, tmp_path: Path) -> None:
        self.grown(tmp_path, 1)
        coverage = self.open_at(tmp_path, 32, 31, settle_seconds=4, use_growing=True)
        assert parts(coverage)[-1] == (Path(named(26, ".ts")).name, 26, 29.9)
        assert coverage.is_waiting(from_datetime(at(31)), 10)

    @pytest.mark.parametrize("is_whole", [True, False], ids=["whole", "in part"])
    def test_a_recording_that_has_just_arrived_may_hold_what_is_missing(self, tmp_path: Path, is_whole: bool) -> None:
        """Its pictures tell how long it is, if they can be read; else it may last until the next one begins."""
        for second in (40, 50):
            cut(tmp_path / named(second), second, second + 5)
            os.utime(tmp_path / named(second), (0, 0))
        path = cut(tmp_path / named(10), 10, 35)
        if not is_whole:
            os.truncate(path, path.stat().st_size // 2)
        os.utime(path, (at(99).timestamp(),) * 2)
        index = indexed(tmp_path, settle_seconds=4)

        def waited_for(first: float, last: float) -> tuple[str, ...]:
            return cover(index, "gate", period(first, last), from_datetime(at(100))).unfinished

        assert waited_for(20, 24) == waited_for(36, 39) == waited_for(5, 15) == (named(10),)
        assert waited_for(5, 9) == waited_for(46, 49) == waited_for(41, 44) == waited_for(56, 59) == ()

    def test_one_beside_a_shorter_one_is_waited_for_as_far_as_it_goes(self, tmp_path: Path) -> None:
        cut(tmp_path / named(12), 12, 14)
        os.utime(tmp_path / named(12), (0, 0))
        os.utime(cut(tmp_path / named(10), 10, 35), (at(99).timestamp(),) * 2)
        index = indexed(tmp_path, settle_seconds=4)
        assert cover(index, "gate", period(20, 24), from_datetime(at(100))).unfinished == (named(10),)
        assert cover(index, "gate", period(40, 44), from_datetime(at(100))).unfinished == ()


def test_what_an_open_request_needs_is_protected(tmp_path: Path) -> None:
    index = indexed(record(tmp_path))
    needed = protected(index, [("gate", period(10, 16)), ("nobody", period(0, 1))])
    assert {named(9), named(15)} <= needed
    assert named(26) not in needed


def test_a_file_that_vanished_since_the_scan_is_missing(tmp_path: Path) -> None:
    index = indexed(record(tmp_path))
    (tmp_path / named(9)).unlink()
    assert gaps(cover(index, "gate", period(3.5, 23.5), NOON_AFTER)) == [("missing", 9, 15)]


def test_the_camera_s_clock_is_put_right(tmp_path: Path, film) -> None:
    record_with_mediamtx(tmp_path)
    record(tmp_path / "plain")
    cameras = {"gate": {"clock_ahead_seconds": 2.5}}
    coverage = covered(tmp_path, 1, 4, cameras=cameras)
    assert delivered(tmp_path, coverage) == film[35:65]


def test_every_slice_shows_a_picture(tmp_path: Path, film) -> None:
    """A period that begins in the last picture of a file takes nothing of it, and is covered all the same."""
    coverage = covered(record(tmp_path), 4.95, 9.05)
    assert delivered(tmp_path, coverage) == film[50:91]
    assert coverage.is_complete


def test_fragments_alone_make_no_difference(tmp_path: Path, film) -> None:
    coverage = covered(record(tmp_path, options=FRAGMENTED), 3.5, 23.5)
    assert coverage.is_complete
    assert delivered(tmp_path, coverage) == film[35:235]
    assert from_datetime(BEGIN) == coverage.slices[0].start
