"""The main job, as a user does it: real footage, the real daemon, what comes out."""

from __future__ import annotations

import hashlib
import json
import signal
from pathlib import Path

import av
import pytest

from tests.e2e.tree import Tree, save, wait_until
from tests.footage import footage, make

FRIDAY, PENS = "mdn_friday.mp4", "docutils_pens.mp4"


def clip(name: str, first: int, last: int, status: str = "Process", **more: object) -> dict[str, object]:
    return {"id": f"id-{name}", "name": name, "source_path": "cam1/s1/match.mp4", "start_frame": first,
            "end_frame": last, "status": status, "export_path": None, **more}  # fmt: skip


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264", "ffv1"]}})


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make(tmp_path / "film.mp4", count=120, size=(160, 96))


def test_a_clip_marked_process_becomes_proven_files_and_the_sidecar_says_where(tree: Tree) -> None:
    tree.add_source(footage(FRIDAY), "match.mp4")
    sidecar = tree.write_sidecar(
        [clip("talk", 30, 89, crop_keyframes={"30": [100, 50, 321, 241]}), clip("later", 0, 9, "Draft")]
    )
    tree.once()
    done = tree.clip(sidecar, "talk")
    assert done["status"] == "Complete"
    assert done["export_path"] == [
        "data/prept/03_CLIPPED/h264/cam1/s1/match_talk.mp4",
        "data/prept/03_CLIPPED/ffv1/cam1/s1/match_talk.mkv",
    ]
    for output in done["export_path"]:
        video = tree.root / output
        sheet = json.loads(video.with_suffix(".json").read_text())
        assert frames_in(video) == 60 == sheet["output"]["frames"]
        assert hashlib.sha256(video.read_bytes()).hexdigest() == sheet["sha256"]
        assert video.with_suffix(".jpg").stat().st_size > 500
    assert "60 of 60" in sheet["output"]["proof"]
    assert (sheet["output"]["width"], sheet["output"]["height"]) == (321, 241)
    assert tree.clip(sidecar, "later")["status"] == "Draft"
    assert not tree.strays()


def test_a_wrong_clip_fails_with_words_and_the_others_go_on(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("too_long", 100, 500), clip("fine", 0, 9), clip("backwards", 9, 3)])
    ended = tree.once(expect=1)
    failed = tree.clip(sidecar, "too_long")
    assert failed["status"] == "Failed"
    assert "120 frames" in failed["error"]
    assert "line" in tree.clip(sidecar, "backwards")["error"]
    assert tree.clip(sidecar, "fine")["status"] == "Complete"
    assert "too_long" in ended.stderr


def test_setting_a_clip_back_to_process_runs_it_again_each_time(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 5, 24)])
    for run in (1, 2, 3):
        tree.once()
        assert tree.clip(sidecar, "goal")["status"] == "Complete"
        receipts = list(tree.layout.state.glob("results/*/*.json"))
        assert len(receipts) == run
        save(sidecar, sidecar.read_text().replace("Complete", "process"))


def test_an_older_sidecar_brought_back_is_answered_again_without_a_second_encode(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 5, 24)])
    older = sidecar.read_text()
    tree.once()
    answer = tree.clip(sidecar, "goal")
    save(sidecar, older)
    tree.once()
    assert tree.clip(sidecar, "goal") == {**answer, "modified_at": tree.clip(sidecar, "goal")["modified_at"]}
    assert len(list(tree.layout.state.glob("results/*/*.json"))) == 1


def test_outputs_of_a_renamed_clip_replace_the_former_ones(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 5, 24)])
    tree.once()
    save(sidecar, [{**tree.clip(sidecar, "goal"), "name": "own_goal", "status": "Process"}])
    tree.once()
    names = {path.name for path in tree.layout.outputs.rglob("*.mp4")}
    assert names == {"match_own_goal.mp4"}


def test_clips_that_would_write_the_same_file_are_both_refused_by_name(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("a/b", 0, 9), clip("a-b", 10, 19), clip("c", 0, 4)])
    tree.once(expect=1)
    for name, other in (("a/b", "a-b"), ("a-b", "a/b")):
        assert tree.clip(sidecar, name)["status"] == "Failed"
        assert repr(other) in tree.clip(sidecar, name)["error"]
    assert tree.clip(sidecar, "c")["status"] == "Complete"


def test_clips_that_cannot_be_told_apart_are_left_alone_and_a_single_pass_says_so(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("a", 0, 4), {**clip("b", 0, 4), "id": "2"}, {**clip("c", 5, 9), "id": "2"}])
    ended = tree.once(expect=1)
    assert [tree.clip(sidecar, name)["status"] for name in "abc"] == ["Complete", "Process", "Process"]
    assert (ended.stdout + ended.stderr).count("WARNING") == 2
    assert 'another clip has the id "2" too' in ended.stdout.split("not read: ")[1]


@pytest.mark.parametrize("name", ["a b", 'it\'s "quoted"', "tor_übermut_目", "-y", "$(touch x)", "100%", "x" * 250])
def test_any_name_works(tree: Tree, film: Path, name: str) -> None:
    video = f"{name[:180]}.mp4"
    tree.add_source(film, video)
    source_path = f"cam1/s1/{video}"
    sidecar = tree.write_sidecar([{**clip(name, 0, 4), "source_path": source_path}], video=name[:180])
    tree.once("--formats", "h264")
    (output,) = tree.clip(sidecar, name)["export_path"]
    assert frames_in(tree.root / output) == 5


def test_both_shapes_any_depth_and_a_missing_source_path_work(tree: Tree, film: Path) -> None:
    tree.add_source(film, "a.mp4", place="cam1/day/morning")
    tree.add_source(film, "b.mp4", place="cam2/s2")
    deep = tree.write_sidecar(
        {"settings": {"zoom": 1.50}, "clips": [{"name": "x", "start": "00:00:01.000", "end": 2, "status": "PROCESS"}]},
        video="a", place="cam1/day/morning",
    )  # fmt: skip
    prefixed = tree.write_sidecar(
        [{**clip("y", 0, 4), "source_path": "source/cam2/s2/b.mp4"}], video="b", place="cam2/s2"
    )
    tree.once("--cv-optimized")
    (output,) = tree.clip(deep, "x")["export_path"]
    assert output == "data/prept/03_CLIPPED/ffv1/cam1/day/morning/a_x.mkv"
    assert frames_in(tree.root / output) == 25
    assert '"zoom": 1.5' in deep.read_text()
    assert tree.clip(prefixed, "y")["status"] == "Complete"


def test_variations_are_files_of_their_own_for_the_cameras_named(tree: Tree, film: Path) -> None:
    crop = {"crop_keyframes": {"0": [10, 10, 40, 30]}}
    for camera in ("fdr_1", "gopro"):
        tree.add_source(film, "match.mp4", place=f"{camera}/s1")
        tree.write_sidecar(
            [{**clip("goal", 0, 4, **crop), "source_path": f"{camera}/s1/match.mp4"}], place=f"{camera}/s1"
        )
    tree.once(
        "--formats", "ffv1", "--multi-crop", "--crop-variations", "original,wide,full", "--crop-camera-types", "fdr"
    )
    made = {path.relative_to(tree.layout.outputs).as_posix() for path in tree.layout.outputs.rglob("*.mkv")}
    assert made == {
        "ffv1/fdr_1/s1/match_goal.mkv",
        "ffv1/fdr_1/s1/match_goal_wide.mkv",
        "ffv1/fdr_1/s1/match_goal_full.mkv",
        "ffv1/gopro/s1/match_goal.mkv",
    }
    with av.open(str(tree.layout.outputs / "ffv1/fdr_1/s1/match_goal_wide.mkv")) as container:
        assert (container.streams.video[0].width, container.streams.video[0].height) == (60, 45)


def test_a_dry_run_tells_the_plan_and_changes_nothing(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    tree.write_sidecar([clip("goal", 0, 9), clip("bad", 0, 900), {**clip("gone", 0, 9), "source_path": "nowhere.mp4"}])
    before = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    plan = tree.run("run", "--dry-run").stdout
    assert "match_goal.mp4" in plan
    assert "160x96" in plan
    assert "match / bad" in plan
    after = {path: path.stat().st_mtime_ns for path in tree.root.rglob("*")}
    assert after == before


def test_a_missing_source_is_waited_for_and_processed_when_it_comes(tree: Tree, film: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    assert "waiting for its source" in tree.once().stdout
    assert tree.clip(sidecar, "goal")["status"] == "Process"
    with tree.daemon():
        tree.add_source(film, "match.mp4")
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")


def test_the_daemon_notices_serves_and_stops(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 9, "Draft")])
    with tree.daemon() as daemon:
        tree.run("mark", str(sidecar), "goal", "--as", "process")
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
        assert tree.run("status").stdout.count("done") >= 1
        assert daemon.stop() == 0
    assert "stopped" in daemon.log


def test_an_unparseable_sidecar_is_told_and_left_alone(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    broken = tree.write_sidecar('[{"name": "a", "status": "Process",}]', video="broken")
    fine = tree.write_sidecar([clip("goal", 0, 9)])
    ended = tree.once(expect=1)
    assert "line 1" in ended.stdout
    assert broken.read_text() == '[{"name": "a", "status": "Process",}]'
    assert tree.clip(fine, "goal")["status"] == "Complete"


def test_a_cancelled_clip_stops_and_goes_back_to_draft(tree: Tree) -> None:
    tree.add_source(footage("intel_one-by-one-person-detection.mp4"), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 1393)])
    with tree.daemon("--formats", "ffv1"):
        wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run")
        tree.run("cancel", "long")
        assert tree.clip(sidecar, "long")["status"] == "Draft"
        wait_until(lambda: not tree.strays(), "the attempt to end", seconds=10)
    assert not list(tree.layout.outputs.rglob("*.mkv"))


def test_a_clip_changed_while_it_runs_is_made_as_the_person_wants_it_now(tree: Tree) -> None:
    tree.add_source(footage("intel_one-by-one-person-detection.mp4"), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 1393)])
    with tree.daemon("--formats", "ffv1"):
        wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run")
        save(sidecar, [clip("long", 10, 19)])
        wait_until(lambda: tree.clip(sidecar, "long")["status"] == "Complete", "the clip to complete")
    (output,) = tree.clip(sidecar, "long")["export_path"]
    assert frames_in(tree.root / output) == 10


def test_a_bad_settings_file_changes_nothing_and_says_why(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    with tree.daemon() as daemon:
        config = tree.root / "clipd.yaml"
        good = config.read_text()
        config.write_text(good.replace("crf: 18.0", "crf: many"))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "clips.h264.crf" in daemon.log, "the bad setting to be named")
        config.write_text(good.replace("formats: [h264, ffv1]", "formats: [ffv1]"))
        daemon.send(signal.SIGHUP)
        wait_until(lambda: "read again" in daemon.log, "the settings to be taken")
        sidecar = tree.write_sidecar([clip("goal", 0, 9)])
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    assert tree.clip(sidecar, "goal")["export_path"] == ["data/prept/03_CLIPPED/ffv1/cam1/s1/match_goal.mkv"]


def test_wrong_usage_and_wrong_settings_exit_with_2(tree: Tree, tmp_path: Path) -> None:
    assert tree.run("run", "--once", "--formats", "gif89", expect=2).stderr
    assert tree.run("run", "--nonsense", expect=2).stderr
    assert "clipd init" in tree.run("run", "--root", str(tmp_path), expect=2).stderr
    tree.run("run", "--once", CLIPD_WATCH__SETTLE_SECONDS="soon", expect=2)
