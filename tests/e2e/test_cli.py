"""The command line, as people use it: what it prints, what it refuses, and with which words."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from clipd.newtree import from_clipper
from tests.e2e.tree import Tree, save
from tests.footage import make as draw


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path / "tree")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return draw(tmp_path / "film.mp4", count=60, size=(160, 96))


def clip(name: str, first: int = 0, last: int = 9, status: str = "Process", **more: object) -> dict[str, object]:
    return {"name": name, "start_frame": first, "end_frame": last, "status": status, **more}


def test_a_clipper_tree_is_taken_over_wherever_its_folders_are(tmp_path: Path, film: Path) -> None:
    root, media = tmp_path / "tree", tmp_path / "media"
    root.mkdir()
    config = root / "config.yaml"
    config.write_text(
        f"directories: {{source: {{base: {media}, raw: raw}}, output: {{base: ../work, clips: out, configs: conf}}}}\n"
        "export: {preserve_structure: true}\n"
    )
    (media / "raw/cam1/s1").mkdir(parents=True)
    film.rename(media / "raw/cam1/s1/match.mp4")
    sidecar = tmp_path / "work/conf/cam1/s1/match_clips.json"
    sidecar.parent.mkdir(parents=True)
    save(sidecar, [clip("goal", source_path="media/raw/cam1/s1/match.mp4"), clip("wrong", 50, 60)])
    tree = Tree.at(root, from_clipper(config, root))
    tree.once(expect=1)
    goal, wrong = json.loads(sidecar.read_text())
    assert goal["export_path"] == ["../work/out/h264/cam1/s1/match_goal.mp4"]
    assert (root / goal["export_path"][0]).is_file()
    assert "60 frames" in wrong["error"]
    assert "match_goal.mp4" in tree.run("why", "goal").stdout
    assert "match_clips.json: goal done" in tree.run("why", str(sidecar)).stdout
    assert tree.run("mark", str(sidecar), "wrong", "--as", "draft").stdout == "wrong: Draft\n"


def test_settings_taken_over_do_not_get_lost_in_a_tree_that_has_some(tree: Tree, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text("directories: {source: {base: a, raw: b}, output: {base: a, clips: c, configs: d}}\n")
    before = (tree.root / "clipd.yaml").read_bytes()
    ended = tree.run("init", str(tree.root), "--from-clipper", str(config), expect=2)
    assert "is there already" in ended.stderr
    assert (tree.root / "clipd.yaml").read_bytes() == before
    assert tree.run("init", str(tree.root)).stdout.startswith("videos go to")


def test_the_help_lists_the_commands_in_the_order_of_a_day(tree: Tree) -> None:
    words = tree.run("--help", COLUMNS="200").stdout
    commands = ("init", "demo", "run", "status", "why", "mark", "check", "cancel", "schema")
    places = [words.index(f"│ {command} ") for command in commands]
    assert places == sorted(places)


def test_status_lists_one_clip_a_line_in_columns_and_says_what_it_leaves_out(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    drafts = [clip(f"draft{number}", status="Draft") for number in range(3)]
    tree.write_sidecar([clip("goal"), clip("too_long", 0, 99), *drafts])
    tree.write_sidecar([clip(f"due{number}") for number in range(25)], video="absent")
    tree.once("--formats", "h264", expect=1)
    shown = [line.rstrip() for line in tree.run("status").stdout.splitlines()]
    assert shown[0] == "daemon    none is running here; start one with: clipd run"
    assert sum(line.startswith("waiting   absent / due") for line in shown) == 20
    assert "waiting   and 5 more (--all)" in shown
    assert any(line.startswith("failed    match / too_long  ") for line in shown)
    (done,) = [line for line in shown if line.startswith("done      match / goal")]
    assert done.endswith("data/prept/03_CLIPPED/h264/cam1/s1/match_goal.mp4")
    assert not any("draft" in line for line in shown)
    assert "0 running, 25 waiting, 1 failed, 1 done, 3 idle" in shown
    everything = tree.run("status", "--all").stdout
    assert everything.count("absent / due") == 25
    assert everything.count("idle      match / draft") == 3


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--formats", "gif"), "command line: clips.formats.0 = 'gif': input should be 'h264' or 'ffv1'\n"),
        (("--max-workers", "-1"), "command line: workers.max_workers = -1: "),
        (("--interval", "0"), "command line: watch.interval_seconds = 0.0: "),
        (("--crop-variations", "tall"), "command line: clips.variations.variations.0 = 'tall': "),
        (("--formats", "h264", "--both-formats"), "give one of --formats, --cv-optimized and --both-formats\n"),
    ],
)
def test_a_wrong_flag_is_told_as_a_flag(tree: Tree, arguments: tuple[str, ...], words: str) -> None:
    ended = tree.run("run", "--once", *arguments, expect=2)
    assert ended.stderr.startswith(words)
    assert len(ended.stderr.splitlines()) == 1


def test_a_wrong_setting_is_told_with_its_line_or_its_variable(tree: Tree) -> None:
    file = tree.root / "clipd.yaml"
    text = file.read_text()
    file.write_text(text.replace("crf: 18.0", "crf: many").replace("rescan_seconds", "rescan_second"))
    words = tree.run("check", expect=2).stderr
    for wrong, mend in (("crf", "clips.h264.crf = 'many': "), ("rescan_second", "there is no setting of this name")):
        line = next(n for n, line in enumerate(file.read_text().splitlines(), 1) if line.strip().startswith(wrong))
        assert any(f"clipd.yaml, line {line}: " in told and mend in told for told in words.splitlines())
    file.write_text(text)
    words = tree.run("check", expect=2, CLIPD_CLIPS__H264__CRF="99").stderr
    assert words.startswith("environment variable CLIPD_CLIPS__H264__CRF: clips.h264.crf = '99'")


def test_mark_changes_nothing_but_the_clips_it_names(tree: Tree) -> None:
    text = '{"clips": [ {"name": "a",   "status": "Draft"},\n\t{"name":"b","status":"Rejected", "zoom": 1.50} ]}'
    sidecar = tree.write_sidecar(text)
    assert "it has a, b" in tree.run("mark", str(sidecar), "c", expect=1).stderr
    assert sidecar.read_text() == text
    tree.run("mark", str(sidecar), "a", "--as", "PROCESS")
    now = sidecar.read_text()
    assert tree.clip(sidecar, "a")["status"] == "Process"
    assert now.endswith(text[text.index(",\n\t") :])


def test_mark_refuses_what_is_probably_a_slip_and_takes_words_of_peoples_own(tree: Tree) -> None:
    sidecar = tree.write_sidecar([{"name": "a", "status": "Draft"}])
    told = tree.run("mark", str(sidecar), "a", "--as", "Porcess", expect=1).stderr
    assert "is Process meant? clipd knows Draft, Process, Complete, Failed" in told
    assert tree.clip(sidecar, "a")["status"] == "Draft"
    tree.run("mark", str(sidecar), "a", "--as", "Archived")
    assert tree.clip(sidecar, "a")["status"] == "Archived"


def test_check_tells_what_is_wrong_from_what_is_doubtful_or_only_worth_knowing(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    tree.write_sidecar([clip("noted"), clip("slip", status="Proces", source_path="cam1/s1/match.mp4")])
    file = tree.root / "clipd.yaml"
    file.write_text(file.read_text().replace("rules: []", "rules: [{formats: [ffv2], older_than_days: 1}]"))
    told = tree.run("check", CLIPD_CAMERAS="cam1,nosuch").stdout.splitlines()
    assert [line.split()[0] for line in told] == ["warning", "warning", "note", "warning", "all"]
    assert "there is no folder of camera 'nosuch' yet; there are cam1" in told[0]
    assert "'ffv2' is no format of any output" in told[1]
    assert told[-1] == "all is well, 3 warnings, 1 note"
    tree.write_sidecar([clip("bad", end_frame=-1)])
    assert tree.run("check", expect=1).stdout.splitlines()[-1] == "1 to mend, 1 warning"


def test_a_camera_that_nothing_is_of_is_named_at_the_start(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    tree.write_sidecar([clip("goal")])
    said = tree.once("--camera", "cam1", "--camera", "nosuch").stderr
    assert said.count("there is no folder of camera 'nosuch' yet; there are cam1") == 1


def test_a_demonstration_goes_where_nothing_is_and_again_where_it_was(tree: Tree, tmp_path: Path) -> None:
    before = sorted(tree.root.rglob("*"))
    told = tree.run("demo", str(tree.root), expect=2).stderr
    assert "is not empty; name an empty folder" in told
    assert sorted(tree.root.rglob("*")) == before
    (tmp_path / "empty").mkdir()
    for _ in range(2):
        assert "kick_off.mp4" in tree.run("demo", str(tmp_path / "empty")).stdout


def test_a_tree_that_is_not_there_at_all_is_not_waited_for(tree: Tree, tmp_path: Path) -> None:
    for flags in ((), ("--once",)):
        told = tree.run("run", "--root", str(tmp_path / "nope"), *flags, expect=2).stderr
        assert "nope" in told
    told = tree.run("run", expect=2, CLIPD_ROOT=str(tmp_path / "nope")).stderr
    assert told.startswith(f"{tmp_path / 'nope'} is not there. Is the name right, and its share mounted?")


def test_settings_that_lie_elsewhere_are_for_the_tree_around_this_folder(tree: Tree, tmp_path: Path) -> None:
    other = tmp_path / "club.yaml"
    other.write_bytes((tree.root / "clipd.yaml").read_bytes())
    assert "0 running" in tree.run("status", "--config", str(other)).stdout


def test_an_unknown_clip_is_told_with_the_sidecars_that_could_not_be_read(tree: Tree) -> None:
    tree.write_sidecar("[{")
    words = tree.run("why", "goal", expect=1).stderr
    assert words == "no clip 'goal' in data/prept/_configs; 1 file cannot be read (clipd check)\n"


def test_the_classic_script_does_what_clipd_run_does(tree: Tree, film: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "process_clips.py"

    def classic(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, str(script), "--root", str(tree.root), *arguments]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)

    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", crop_keyframes={"0": [8, 8, 40, 30]})])
    assert "2 files would be made" in classic("--both-formats", "--dry-run").stdout
    assert classic("--cv-optimized", "--multi-crop", "--crop-variations", "original,wide").returncode == 0
    assert [Path(path).name for path in tree.clip(sidecar, "goal")["export_path"]] == [
        "match_goal.mkv",
        "match_goal_wide.mkv",
    ]
    assert classic("--formats", "gif").returncode == 2
    assert classic("--bogus").returncode == 2
    assert classic("--root", str(tmp_path / "nowhere")).returncode == 2


def test_a_function_of_the_operators_own_is_tried_named_and_answered(tree: Tree, film: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "def count(clip, frames, staging):\n"
        "    path = staging / f'{clip.stem}.txt'\n"
        "    path.write_text(str(sum(1 for _ in frames)))\n"
        "    return [path]\n"
    )
    own = {"PYTHONPATH": str(tmp_path), "CLIPD_CLIPS__PROCESSOR__FUNCTION": "mine:count"}
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", source_path="cam1/s1/match.mp4")])
    wrong = tree.run("check", expect=1, **{**own, "CLIPD_CLIPS__PROCESSOR__FUNCTION": "mine:counts"}).stdout
    assert wrong.startswith(
        "wrong    clipd.yaml: clips.processor.function: the processor 'mine:counts' cannot be loaded"
    )
    assert tree.run("check", **own).stdout == "all is well\n"
    assert "h264/cam1/s1/match_goal... (by mine:count)" in tree.run("run", "--dry-run", **own).stdout
    tree.run("run", "--once", **own)
    assert tree.clip(sidecar, "goal")["export_path"] == ["data/prept/03_CLIPPED/h264/cam1/s1/match_goal.txt"]
    assert (tree.layout.outputs / "h264/cam1/s1/match_goal.txt").read_text() == "10"


def test_a_file_that_had_to_be_moved_aside_is_named_where_people_look(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", source_path="cam1/s1/match.mp4")])
    folder = tree.layout.outputs / "h264/cam1/s1"
    folder.mkdir(parents=True)
    for name in ("match_goal.mp4", "match_goal.json"):
        (folder / name).write_text("[]")
    tree.once()
    warnings = json.loads((folder / "match_goal.json").read_text())["warnings"]
    moved = [warning for warning in warnings if "was there before and is kept as" in warning]
    kept = sorted(path.name for path in folder.glob("*.before-clipd-*"))
    assert len(kept) == 2
    assert [warning.rpartition(" ")[2] for warning in sorted(moved)] == kept
    assert f"{len(warnings)} notes in the truth sheet" in tree.run("why", str(sidecar)).stdout


def test_variables_that_only_look_like_settings_are_named_at_the_start(tree: Tree) -> None:
    said = tree.run("run", "--once", CLIPD_STOP_SECOND="5", CLIPD_STOP_SECONDS="5", CLIPD_NONSENSE="x").stderr
    assert "CLIPD_STOP_SECOND is set, but there is no such setting; perhaps CLIPD_STOP_SECONDS is meant" in said
    assert "CLIPD_NONSENSE is set, but there is no such setting" in said
    assert "CLIPD_STOP_SECONDS is set" not in said
