from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from clipd.errors import MediaError, Rejected
from clipd.media import index as indexing
from clipd.media.door import Limits
from clipd.media.index import FrameIndex, build, load, rebuild
from clipd.media.probe import probe
from clipd.model.timespan import FrameSpan, TimeSpan
from tests.footage import REAL, decoded_from_the_start, footage, make

LIMITS = Limits()


def indexed(path: Path, **how: bool) -> FrameIndex:
    return build(path, probe(path, LIMITS), LIMITS, **how)


def made_of(
    pts: list[int], end_pts: int, time_base: Fraction = Fraction(1, 1000), sync: tuple[int, ...] = (0,)
) -> FrameIndex:
    syncs = np.asarray(sync, dtype=np.int64)
    return FrameIndex(np.asarray(pts, dtype=np.int64), syncs, syncs, end_pts, time_base, "packets")


@pytest.mark.footage
@pytest.mark.parametrize("name", REAL)
def test_packets_tell_the_same_as_decoding_every_frame(name: str) -> None:
    path = footage(name)
    told, counted = indexed(path), indexed(path, decoded=True)
    assert (told.method, counted.method) == ("packets", "decoded")
    assert np.array_equal(told.pts, counted.pts)
    assert told.end_pts == counted.end_pts
    assert set(counted.sync.tolist()) <= set(told.sync.tolist())


VARIABLE = np.cumsum([0] + [33, 34, 120, 7, 500, 40] * 15).tolist()
OPEN_GOP = {"preset": "veryfast", "g": "25", "bf": "3", "x264-params": "open-gop=1:b-pyramid=normal:scenecut=0"}


def test_the_times_are_those_that_were_written(tmp_path: Path) -> None:
    options = {"preset": "veryfast", "g": "20", "bf": "3"}
    path = make(tmp_path / "variable.mkv", pts=VARIABLE, time_base=Fraction(1, 1000), options=options)
    index = indexed(path)
    assert index.pts.tolist() == VARIABLE
    assert index.pts.dtype == np.int64
    assert index.time(5) == Fraction(694, 1000)
    assert index.duration(4) == 500


def test_a_start_that_is_not_zero_is_kept_and_times_count_from_it(tmp_path: Path) -> None:
    index = indexed(
        make(tmp_path / "late.ts", pts=range(900000, 900000 + 3600 * 50, 3600), time_base=Fraction(1, 90000))
    )
    assert index.count == 50
    assert index.pts[0] >= 900000
    assert index.time(25) == 1


def test_frames_cut_off_by_an_edit_list_do_not_count(tmp_path: Path) -> None:
    # A negative start becomes an edit list that begins in the middle of the first group of pictures.
    options = {"preset": "veryfast", "g": "12", "bf": "2"}
    path = make(tmp_path / "trimmed.mp4", pts=range(-5, 55), options=options, keyframes=(20, 40))
    index = indexed(path)
    assert index.count == 55 == len(decoded_from_the_start(path, 0))
    assert index.method == "packets"
    assert index.pts[0] == 0


def test_only_true_sync_frames_count_as_such(tmp_path: Path) -> None:
    refresh = {"preset": "veryfast", "g": "25", "x264-params": "intra-refresh=1:keyint=25"}
    assert indexed(make(tmp_path / "refresh.ts", count=100, options=refresh)).sync.tolist() == [0]
    assert indexed(make(tmp_path / "open.ts", count=100, options=OPEN_GOP)).sync.tolist()[0] == 0
    assert len(indexed(tmp_path / "open.ts").sync) == 4


def test_leading_pictures_without_their_reference_are_not_counted(tmp_path: Path) -> None:
    options = {"preset": "ultrafast", "x265-params": "keyint=20:bframes=4:open-gop=1:log-level=none"}
    whole = make(tmp_path / "open.ts", "libx265", count=100, options=options)
    data = whole.read_bytes()
    for share in (3, 4, 5):
        path = tmp_path / f"cut{share}.ts"
        path.write_bytes(data[len(data) // share // 188 * 188 :])
        index = indexed(path)
        assert index.count == indexed(path, decoded=True).count == len(decoded_from_the_start(path, 0))


@pytest.mark.parametrize(
    ("name", "codec", "options", "method"),
    [
        ("b.avi", "mpeg4", {"g": "12", "bf": "2"}, "decoded"),
        ("b.avi", "libx264", {"g": "12", "bf": "2"}, "decoded"),
        ("raw.h264", "libx264", {"g": "12", "bf": "2"}, "decoded"),
        ("b.ts", "mpeg2video", {"g": "12", "bf": "2"}, "packets"),
        ("w.asf", "wmv2", {"g": "12"}, "decoded"),
        (
            "hidden.webm",
            "libvpx-vp9",
            {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5", "b": "200k"},
            "packets",
        ),
        ("hidden.mkv", "libvpx", {"auto-alt-ref": "1", "lag-in-frames": "16", "cpu-used": "5", "b": "200k"}, "packets"),
        ("i.ts", "libx264", {"preset": "veryfast", "x264-params": "interlaced=1"}, "packets"),
    ],
)
def test_every_kind_of_file_counts_as_a_decoder_does(
    tmp_path: Path, name: str, codec: str, options: dict[str, str], method: str
) -> None:
    path = make(tmp_path / name, codec, count=50, options=options)
    index = indexed(path)
    assert (index.count, index.method) == (len(decoded_from_the_start(path, 0)), method)
    assert (np.diff(index.pts) > 0).all()


def test_a_clock_that_jumps_back_is_counted_on(tmp_path: Path) -> None:
    first = make(tmp_path / "a.ts", count=50, options={"preset": "veryfast", "g": "10"})
    joined = tmp_path / "joined.ts"
    joined.write_bytes(first.read_bytes() * 2)
    index = indexed(joined)
    assert index.count == len(decoded_from_the_start(joined, 0))
    assert index.method == "decoded"
    assert not index.seekable
    assert (np.diff(index.pts) > 0).all()
    assert index.time(index.count) == Fraction(index.count, 25)


def test_a_recording_that_was_cut_off_counts_what_is_there(tmp_path: Path) -> None:
    whole = make(tmp_path / "whole.mkv", count=100, options=OPEN_GOP).read_bytes()
    for share in (0.5, 0.7, 0.85, 0.99):
        path = tmp_path / f"{share}.mkv"
        path.write_bytes(whole[: int(len(whole) * share)])
        assert indexed(path).count == indexed(path, decoded=True).count


def test_one_frame_has_a_duration(tmp_path: Path) -> None:
    index = indexed(make(tmp_path / "one.mp4", count=1))
    assert index.count == 1
    assert index.time(1) == Fraction(1, 25)
    assert index.span(TimeSpan(Fraction(0), Fraction(1, 25))) == FrameSpan(0, 0)


def test_more_frames_than_allowed_are_refused(tmp_path: Path) -> None:
    path = make(tmp_path / "many.mp4", count=30)
    info = probe(path, LIMITS)
    for decoded in (False, True):
        with pytest.raises(Rejected, match="more than 29 frames"):
            build(path, info, Limits(max_frames=29), decoded=decoded)


@pytest.mark.footage
def test_progress_is_told() -> None:
    path = footage("intel_one-by-one-person-detection.mp4")
    told: list[int] = []
    build(path, probe(path, LIMITS), LIMITS, progress=told.append)
    assert told == [0, 512, 1024]


def test_a_frame_span_must_lie_within_the_file() -> None:
    index = made_of([0, 40, 80], 120)
    assert index.span(FrameSpan(0, 2)) == FrameSpan(0, 2)
    with pytest.raises(Rejected, match="3 frames, 0 to 2"):
        index.span(FrameSpan(1, 3))


@pytest.mark.parametrize(
    ("start", "end", "first", "last"),
    [
        ("0", "0.12", 0, 2),
        ("0", "0.040", 0, 0),  # the frame at the end's very instant does not belong
        ("0.040", "0.041", 1, 1),
        ("0.001", "0.081", 1, 2),
        ("0", "0.160", 0, 2),  # within one frame beyond the end
    ],
)
def test_a_time_span_holds_the_frames_first_shown_in_it(start: str, end: str, first: int, last: int) -> None:
    index = made_of([1000, 1040, 1080], 1120)
    assert index.span(TimeSpan(Fraction(start), Fraction(end))) == FrameSpan(first, last)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("0.120", "0.2", r"starts at 0.120 s, but the video is 0.120 s long"),
        ("0", "0.161", r"ends at 0.161 s, but the video is 0.120 s long"),
        ("0.041", "0.080", r"no frame is first shown between"),
    ],
)
def test_a_time_span_that_cannot_be_met_is_rejected(start: str, end: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        made_of([1000, 1040, 1080], 1120).span(TimeSpan(Fraction(start), Fraction(end)))


def test_time_spans_are_exact_at_a_rate_that_is_no_decimal() -> None:
    # 30000/1001 frames a second for ten hours: frame n is shown at n * 1001/30000 s, to the tick.
    count = 1_078_921
    index = made_of(list(range(0, count * 1001, 1001)), count * 1001, Fraction(1, 30000))
    at = Fraction(1001, 30000) * 1_000_000
    assert index.span(TimeSpan(at, at + Fraction(1, 10**9))) == FrameSpan(1_000_000, 1_000_000)
    assert index.span(TimeSpan(at + Fraction(1, 10**9), at + 1)).first == 1_000_001


def test_the_sync_frame_before_a_frame() -> None:
    index = made_of([0, 40, 80, 120, 160], 200, sync=(1, 3))
    assert [index.sync_before(frame) for frame in range(5)] == [0, 1, 1, 3, 3]


def test_an_index_is_found_again_until_the_file_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = make(tmp_path / "video.mp4", count=30)
    info, cache = probe(path, LIMITS), tmp_path / "cache"
    built = load(path, info, LIMITS, cache)
    with monkeypatch.context() as closed:
        closed.setattr(indexing, "build", None)  # whoever builds now fails
        found = load(path, info, LIMITS, cache)
    assert np.array_equal(found.pts, built.pts)
    assert np.array_equal(found.sync, built.sync)
    assert np.array_equal(found.sync_dts, built.sync_dts)
    assert (found.end_pts, found.time_base, found.method, found.seekable) == (
        built.end_pts,
        built.time_base,
        built.method,
        built.seekable,
    )
    make(path, count=31)
    assert load(path, probe(path, LIMITS), LIMITS, cache).count == 31


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_cache_is_built_anew(tmp_path: Path, damage: bytes | None) -> None:
    path = make(tmp_path / "video.mp4", count=30)
    info, cache = probe(path, LIMITS), tmp_path / "cache"
    load(path, info, LIMITS, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(kept.read_bytes()[:-40] if damage is None else damage)
    assert load(path, info, LIMITS, cache).count == 30
    assert [entry.name for entry in cache.iterdir()] == [kept.name]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mp4", count=5)
    in_the_way = tmp_path / "cache"
    in_the_way.write_text("a file, no folder")
    assert load(path, probe(path, LIMITS), LIMITS, in_the_way).count == 5
    assert load(path, probe(path, LIMITS), LIMITS, None).count == 5


def test_a_rebuilt_index_replaces_the_kept_one(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mp4", count=5)
    info, cache = probe(path, LIMITS), tmp_path / "cache"
    assert load(path, info, LIMITS, cache).method == "packets"
    assert rebuild(path, info, LIMITS, cache).method == "decoded"
    assert load(path, info, LIMITS, cache).method == "decoded"


def test_a_video_without_a_single_frame_is_an_error(tmp_path: Path) -> None:
    path = make(tmp_path / "video.mp4", count=5)
    info = probe(path, LIMITS)
    os.truncate(path, 0)
    with pytest.raises(MediaError):
        build(path, info, LIMITS)
