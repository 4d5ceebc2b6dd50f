"""Moments from camera recordings: real footage cut into recordings by another program's rules, the real daemon, frames
compared with the original footage."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import yaml

from tests.e2e.oracle import Film, ssim
from tests.e2e.tree import Tree, save, wait_until
from tests.footage import fingerprint, footage, make
from tests.unit.recordings.camera import FRAGMENTED, at, cut, cut_for_mediamtx, named, named_by_mediamtx

PEOPLE, CARS = "intel_one-by-one-person-detection.mp4", "intel_car-detection.mp4"
RATE = 10
"""Frames per second of the footage of people, each second begins with a sync frame."""
SETTINGS: dict[str, Any] = {
    "recordings": {"time_zone": "UTC", "settle_seconds": 0},
    "requests": {"wait_seconds": 1.0, "look_seconds": 0.3},
}


@cache
def original() -> list[str]:
    """The fingerprints of the first minute of the footage."""
    found = []
    with av.open(str(footage(PEOPLE))) as film:
        film.streams.video[0].thread_type = "AUTO"
        for number, frame in enumerate(film.decode(video=0)):
            if number == 60 * RATE:
                break
            found.append(fingerprint(frame))
    return found


def frames_of(path: Path) -> list[str]:
    with av.open(str(path)) as film:
        return [fingerprint(frame) for frame in film.decode(video=0)]


def seconds(first: float, last: float) -> list[str]:
    return original()[round(first * RATE) : round(last * RATE)]


def written(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds")


def ask(tree: Tree, name: str, **request: Any) -> None:
    path = tree.layout.inbox_of("requests") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, request)


def answer(tree: Tree, name: str) -> dict[str, Any]:
    path = tree.layout.inbox_of("requests") / f"{name}.status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def sheet(tree: Tree, name: str) -> dict[str, Any]:
    return json.loads((tree.root / answer(tree, name)["path"]).with_suffix(".json").read_text())


def film(tree: Tree, name: str) -> Path:
    return tree.root / answer(tree, name)["path"]


def record_all(tree: Tree) -> None:
    """The first minute as three recorders write it, each with other lengths; and a camera with everything wrong."""
    recordings = tree.layout.recordings
    for start in range(0, 60, 5):
        cut(recordings / named(start), start, start + 5)
    for start in range(0, 60, 4):
        cut(recordings / named(start, ".ts", "yard"), start, start + 4, restart=False)
    for number, start in enumerate(range(0, 60, 6)):
        path = recordings / named_by_mediamtx(start + 0.25, camera="door")
        cut_for_mediamtx(path, start, start + 6, number, ntp=at(start + 0.25))
    for start in (0, 5, 15, 20, 25, 30, 40):
        cut(recordings / named(start, ".ts", "attic"), start, start + 5)
    cut(recordings / named(33, ".ts", "attic"), 33, 37)
    broken = recordings / named(20, ".ts", "attic")
    broken.write_bytes(broken.read_bytes()[: broken.stat().st_size // 376 * 188 + 100])
    foreign = recordings / named(25, ".ts", "attic")
    foreign.unlink()
    make(foreign, count=50, size=(320, 240), rate=10)


def record_cars(tree: Tree) -> None:
    """Footage with sound, cut at its sync frames, every 4.8 s."""
    for number in range(6):
        begin, end = number * 4.8, (number + 1) * 4.8
        target = tree.layout.recordings / named_by_mediamtx(begin, camera="street")
        target.parent.mkdir(parents=True, exist_ok=True)
        with av.open(str(footage(CARS))) as source, av.open(str(target), "w", options=FRAGMENTED) as output:
            tracks = {
                stream.index: output.add_stream_from_template(stream)
                for stream in (source.streams.video[0], source.streams.audio[0])
            }
            for packet in source.demux(*(source.streams[index] for index in tracks)):
                if packet.pts is None or not begin - 0.01 <= packet.pts * packet.time_base < end - 0.01:
                    continue
                shift = round(begin / packet.time_base)
                packet.pts, packet.dts = packet.pts - shift, packet.dts - shift
                packet.stream = tracks[packet.stream_index]
                output.mux(packet)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Tree:
    """A tree whose requests were all answered in one pass."""
    tree = Tree.at(tmp_path_factory.mktemp("requests") / "tree", SETTINGS)
    record_all(tree)
    record_cars(tree)
    ask(tree, "gate", camera_id="gate", timestamp=written(at(30)), duration=20, clip_id="c-gate", source="alarm")
    ask(tree, "yard", camera_id="yard", timestamp=f"{written(at(31.4))}Z")
    ask(tree, "door", camera_id="door", timestamp="2025-08-29T16:30:30.25+02:00")
    ask(tree, "whole", camera_id="gate", start_time=written(at(12)), end_time=written(at(18)), delivery="copy")
    ask(tree, "exact", camera_id="gate", start_time=written(at(12.3)), end_time=written(at(17.7)), delivery="exact")
    ask(tree, "aligned", camera_id="yard", start_time=written(at(9)), end_time=written(at(14)), delivery="exact")
    ask(tree, "attic", camera_id="attic", start_time=written(at(2)), end_time=written(at(43)))
    ask(tree, "black", camera_id="attic", start_time=written(at(8)), end_time=written(at(17)), gap="black")
    ask(tree, "fail", camera_id="attic", start_time=written(at(8)), end_time=written(at(17)), gap="fail")
    ask(tree, "sound", camera_id="street", start_time=written(at(6)), end_time=written(at(16)))
    bad = {
        "unknown": {"camera_id": "Gaet", "timestamp": written(at(30))},
        "future": {"camera_id": "gate", "timestamp": written(datetime.now(UTC) + timedelta(days=2))},
        "backwards": {"camera_id": "gate", "start_time": written(at(9)), "end_time": written(at(3))},
        "long": {"camera_id": "gate", "timestamp": written(at(3)), "duration": 7200},
        "types": {"camera_id": ["gate"], "timestamp": {}, "pre_seconds": "ten"},
        "outside": {"camera_id": "../gate", "timestamp": written(at(3)), "clip_id": "../../x"},
        "slip": {"camera_id": "gate", "timestamp": written(at(3)), "pre_second": 3},
        "nothing": {"camera_id": "gate", "timestamp": "2020-01-01T00:00:00"},
    }
    for name, request in bad.items():
        ask(tree, name, **request)
    (tree.layout.inbox_of("requests") / "torn.yaml").write_text("camera_id: gate\n  timestamp: [")
    tree.once(expect=1)
    return tree


def test_a_copy_holds_the_frames_of_the_footage_and_the_answer_says_where(served: Tree) -> None:
    said = answer(served, "gate")
    assert said["status"] == "done"
    assert said["path"] == "data/prept/03_CLIPPED/h264/gate/_/gate_20250829_143030_c-gate.mp4"
    assert (said["clip_id"], said["camera_id"], said["coverage"]) == ("c-gate", "gate", 100)
    assert (said["start_time"], said["end_time"]) == ("2025-08-29T14:30:15+00:00", "2025-08-29T14:30:35+00:00")
    assert said["completed_at"] >= said["created_at"]
    assert frames_of(film(served, "gate")) == seconds(15, 35)
    assert (served.layout.inbox_of("requests") / "done" / "gate.json").exists()


def test_the_truth_sheets_say_what_was_asked_for_and_what_is_in_the_file(served: Tree) -> None:
    path, said = film(served, "gate"), sheet(served, "gate")
    assert said["clip_id"] == "c-gate"
    assert (said["requested_start"], said["actual_start"]) == ("2025-08-29T14:30:15+00:00",) * 2
    assert (said["requested_end"], said["actual_end"]) == ("2025-08-29T14:30:35+00:00",) * 2
    assert (said["duration_seconds"], said["coverage"], said["gaps"], said["source"]) == (20, 100, [], "alarm")
    assert "copied" in said["method"]
    assert [clip["filename"] for clip in said["source_clips"]] == [Path(named(k)).name for k in (15, 20, 25, 30)]
    first = served.root / said["source_clips"][0]["file_path"]
    assert first.stat().st_size == said["source_clips"][0]["file_size"]
    assert said["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
    assert yaml.safe_load(path.with_suffix(".yaml").read_text())["clip_id"] == "c-gate"
    assert "duration seconds: 20.0" in path.with_suffix(".txt").read_text()


def test_what_is_not_on_sync_frames_is_copied_from_the_one_before_and_named(served: Tree) -> None:
    said = sheet(served, "yard")
    assert said["requested_start"] == "2025-08-29T14:30:16.400+00:00"
    assert said["actual_start"] == "2025-08-29T14:30:16+00:00"
    end = (datetime.fromisoformat(said["actual_end"]) - at(0)).total_seconds()
    assert 36.4 <= end <= 36.7, "pictures that are decoded together stay together"
    assert frames_of(film(served, "yard")) == seconds(16, end)


def test_recordings_of_mediamtx_are_placed_by_their_own_clock(served: Tree) -> None:
    said = sheet(served, "door")
    assert said["requested_start"] == "2025-08-29T14:30:15.250+00:00"
    assert {clip["placed_by"] for clip in said["source_clips"]} == {"mtxi"}
    assert frames_of(film(served, "door")) == seconds(15, 35)


def test_whole_recordings_are_delivered_where_only_copying_is_allowed(served: Tree) -> None:
    said = sheet(served, "whole")
    assert (said["requested_start"], said["actual_start"]) == ("2025-08-29T14:30:12+00:00", "2025-08-29T14:30:10+00:00")
    assert said["actual_end"] == "2025-08-29T14:30:20+00:00"
    assert "whole recordings" in said["method"]
    assert frames_of(film(served, "whole")) == seconds(10, 20)


def test_exact_is_cut_to_the_frame(served: Tree) -> None:
    said = sheet(served, "exact")
    assert "encoded" in said["method"]
    assert (said["actual_start"], said["actual_end"]) == (
        "2025-08-29T14:30:12.300+00:00",
        "2025-08-29T14:30:17.700+00:00",
    )
    got = Film(film(served, "exact"), numbers=range(54)).pictures
    wanted = Film(footage(PEOPLE), numbers=range(123, 177)).pictures
    assert len(got) == 54
    alike = {
        shift: np.mean([ssim(got[n][0], wanted[123 + n + shift][0]) for n in range(2, 52, 5)]) for shift in (-1, 0, 1)
    }
    assert alike[0] > 0.98
    assert max(alike, key=lambda shift: alike[shift]) == 0


def test_exact_is_a_copy_where_the_cuts_fall_on_sync_frames(served: Tree) -> None:
    assert "copied" in sheet(served, "aligned")["method"]
    assert frames_of(film(served, "aligned")) == seconds(9, 14)


def test_missing_truncated_and_foreign_recordings_are_named_and_covered_to_the_frame(served: Tree) -> None:
    said = answer(served, "attic")
    assert said["status"] == "partial"
    gaps = {gap["reason"]: gap for gap in said["gaps"]}
    assert gaps["foreign"]["file_path"].endswith(named(25, ".ts", "attic"))
    assert gaps["truncated"]["file_path"].endswith(named(20, ".ts", "attic"))
    assert [gap["seconds"] for gap in said["gaps"] if gap["reason"] == "missing"] == [5, 3]
    missing = sum(gap["seconds"] for gap in said["gaps"])
    assert said["coverage"] == pytest.approx(100 * (1 - missing / 41), abs=0.001)
    got, wanted = frames_of(film(served, "attic")), seconds(0, 60)
    assert len(got) == round((41 - missing) * RATE)
    assert got[:80] == wanted[20:100]
    assert got[80:130] == wanted[150:200]
    assert got[-30:] == wanted[400:430]
    assert got[-100:-30] == wanted[300:370]
    assert "missing" in said["message"]
    [overlap] = sheet(served, "attic")["overlaps"]
    assert overlap["kept"].endswith(named(30, ".ts", "attic"))


def test_a_gap_is_black_where_that_is_asked_for(served: Tree) -> None:
    said = answer(served, "black")
    assert (said["status"], said["duration_seconds"]) == ("partial", 9)
    pictures = Film(film(served, "black"), numbers=range(90)).pictures
    assert len(pictures) == 90
    dark = [number for number in range(90) if np.mean(pictures[number][0]) < 20]
    assert dark == list(range(20, 70))


def test_sound_is_copied_along(served: Tree) -> None:
    said = sheet(served, "sound")
    assert said["output"]["audio"]
    with av.open(str(film(served, "sound"))) as got:
        heard = sum(frame.samples for frame in got.decode(audio=0)) / 48000
    assert heard == pytest.approx(said["duration_seconds"], abs=0.06)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("unknown", "did you mean gate"),
        ("future", "in the future"),
        ("backwards", "is not after"),
        ("long", "the longest clip is 3600 s"),
        ("types", "camera_id: write the name of a camera"),
        ("outside", "is a path"),
        ("slip", "did you mean pre_seconds"),
        ("nothing", "nothing of"),
        ("fail", "gap is fail"),
        ("torn", "line 2"),
    ],
)
def test_bad_requests_are_answered_in_words_and_kept(served: Tree, name: str, words: str) -> None:
    said = answer(served, name)
    assert said["status"] == "failed"
    assert words in said["message"]
    kept = served.layout.inbox_of("requests") / "failed"
    assert [path.name for path in kept.glob(f"{name}.*")]
    assert said["path"] is None


def test_a_named_request_is_answered_from_its_receipt_unless_forced(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    for start in (10, 15):
        cut(tree.layout.recordings / named(start), start, start + 5)
    span = {"camera_id": "gate", "start_time": written(at(12)), "end_time": written(at(16)), "clip_id": "door"}
    ask(tree, "one", **span)
    tree.once()
    made = film(tree, "one")
    before = made.stat().st_mtime_ns
    (tree.layout.recordings / named(10)).unlink()
    ask(tree, "two", **span)
    tree.once()
    assert answer(tree, "two")["status"] == "done"
    assert answer(tree, "two")["start_time"] == answer(tree, "one")["start_time"]
    assert film(tree, "two").stat().st_mtime_ns == before
    ask(tree, "three", **span, force=True)
    tree.once()
    assert answer(tree, "three")["status"] == "partial"
    assert made.stat().st_mtime_ns != before


def test_requests_in_folders_are_answered_each(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    for start in (10, 15):
        cut(tree.layout.recordings / named(start), start, start + 5)
    for name, begin in (("a", 11), ("b", 14)):
        ask(tree, f"door/{name}", camera_id="gate", start_time=written(at(begin)), duration=2, clip_id=name)
    ask(tree, "door/deeper/c", camera_id="gone", timestamp=written(at(12)))
    tree.once(expect=1)
    assert [answer(tree, f"door/{name}")["status"] for name in ("a", "b", "deeper/c")] == ["done", "done", "failed"]
    folder = tree.layout.inbox_of("requests") / "door"
    assert all((folder / name).exists() for name in ("done/a.json", "done/b.json", "deeper/failed/c.json"))


def live(tree: Tree, begin: datetime, second: float) -> Path:
    """A recording of 5 s as a camera writes it now, complete under its name at once."""
    target = tree.layout.recordings / f"gate/gate_{begin + timedelta(seconds=second):%Y%m%d_%H%M%S}.mp4"
    hidden = target.with_name(f".{target.name}.tmp.mp4")
    cut(hidden, second, second + 5)
    hidden.rename(target)
    return target


def test_a_request_waits_for_its_recording_or_is_delivered_in_part(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {**SETTINGS, "requests": {"wait_seconds": 60, "look_seconds": 30}})
    begin = (datetime.now(UTC) - timedelta(seconds=20)).replace(microsecond=0)
    for second in (0, 5):
        live(tree, begin, second)
    span = {"camera_id": "gate", "start_time": written(begin + timedelta(seconds=7))}
    with tree.daemon():
        ask(tree, "wait", **span, end_time=written(begin + timedelta(seconds=13)))
        wait_until(lambda: answer(tree, "wait").get("status") == "waiting", "the request to wait")
        assert "waiting for the recordings of gate" in answer(tree, "wait")["message"]
        live(tree, begin, 10)
        wait_until(lambda: answer(tree, "wait").get("status") == "done", "the request to go on", 20)
        tree.layout.control("PAUSE").touch()
        wait_until(lambda: "PAUSE" in tree.run("status").stdout, "the pause")
        ask(tree, "later", **span, end_time=written(begin + timedelta(seconds=9)))
        wait_until(lambda: answer(tree, "later").get("status") == "pending", "the request to be seen")
        tree.layout.control("PAUSE").unlink()
        wait_until(lambda: answer(tree, "later").get("status") == "done", "the pause to be over")
    assert frames_of(film(tree, "wait")) == seconds(7, 13)
    tree.run("run", "--once")  # nothing is left to do


def test_a_request_that_is_corrected_does_not_wait_for_the_wrong_moment(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    begin = (datetime.now(UTC) - timedelta(seconds=20)).replace(microsecond=0)
    live(tree, begin, 0)
    request = {"camera_id": "gate", "clip_id": "door-17", "duration": 2}
    with tree.daemon():
        ask(tree, "door", **request, timestamp=written(begin + timedelta(minutes=50)))
        wait_until(lambda: answer(tree, "door").get("status") == "waiting", "the request to wait")
        ask(tree, "door", **request, timestamp=written(begin + timedelta(seconds=2)))
        wait_until(lambda: answer(tree, "door").get("status") == "done", "the corrected request to be answered", 20)


def test_after_the_timeout_what_is_there_is_delivered(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {**SETTINGS, "requests": {"wait_seconds": 15, "look_seconds": 0.3}})
    begin = (datetime.now(UTC) - timedelta(seconds=10)).replace(microsecond=0)
    live(tree, begin, 0)
    with tree.daemon():
        ask(tree, "late", camera_id="gate", start_time=written(begin + timedelta(seconds=2)),
            end_time=written(begin + timedelta(seconds=10)))  # fmt: skip
        wait_until(lambda: answer(tree, "late").get("status") == "waiting", "the request to wait")
        wait_until(lambda: answer(tree, "late").get("status") == "partial", "the time to be over")
    assert answer(tree, "late")["coverage"] == 37.5
    assert frames_of(film(tree, "late")) == seconds(2, 5)


def test_a_burst_is_answered_whole_though_the_daemon_is_killed_in_the_middle(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    for start in (0, 5, 10):
        cut(tree.layout.recordings / named(start), start, start + 5)
    count = 24
    for number in range(count):
        ask(
            tree,
            f"r{number}",
            camera_id="gate",
            start_time=written(at(1 + number / 4)),
            duration=4,
            clip_id=f"c{number}",
        )
    folder = tree.layout.outputs / "h264" / "gate" / "_"
    daemon_log = ""
    with tree.daemon() as daemon:
        wait_until(lambda: len(list(folder.glob("*.mp4"))) >= 3, "the first clips")
        daemon.kill()
        daemon_log = daemon.log
        daemon.start()
        wait_until(lambda: all(answer(tree, f"r{n}").get("status") == "done" for n in range(count)), "all answers")
    assert "claimed" in daemon_log
    assert len(list(folder.glob("*.mp4"))) == count
    assert frames_of(film(tree, "r8")) == seconds(3, 7)
    assert not tree.strays()
