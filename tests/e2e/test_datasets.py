"""Tables dropped into the inbox of the real daemon: real footage, broken rows, kills, several machines.

`CLIPD_KILLS` makes it longer.
"""

from __future__ import annotations

import json
import os
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from clipd.datasets.folder import OutputFolder
from clipd.datasets.row import Columns
from clipd.jobs.clip import Settings
from clipd.jobs.rows.finish import cut_up, merge
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.recipe import recipe
from clipd.jobs.rows.run import Dataset, run_shard
from clipd.media.door import Limits
from tests.e2e.tree import Daemon, Tree, wait_until
from tests.footage import footage, make

FRIDAY = "mdn_friday.mp4"
KILLS = int(os.environ.get("CLIPD_KILLS", "1"))
ROWS_OF_KILLS = 24 + 9 * (KILLS - 1)
ROWS = (
    "v1,cam1/s1/friday.mp4,,",
    "v2,cam1/s1/made.mp4,,",
    "v3,data/source/cam1/s1/made.mp4,0.4,0.8",
    "v4,cam1/s1/none.mp4,,",
    "v5,cam1/s1/text.mp4,,",
    "v6,../../etc/passwd,,",
    "v1,cam1/s1/made.mp4,,",
    "v8,cam1/s1/made.mp4,99,100",
    "v9,cam1/s1/link.mp4,,",
    "v10,cam1/s1/friday.mp4,1,1.5",
    "v11,/etc/passwd,,",
    "v12,cam1/s1/made.mp4,0.2,",
)
BAD = {5: "missing", 6: "media", 7: "row", 8: "duplicate", 9: "rejected", 10: "rejected", 12: "row"}
"""The lines that cannot give a result, and what is wrong with them."""
NOTE = "video_col: video\nid_col: id\n"
LAB = '''
import os, time

def look(video, row, output_dir, calls, seconds=0.0):
    """Writes down each call; a row may kill its process."""
    with open(calls, "a") as file:
        file.write(row["id"] + " " + row["kind"] + "\\n")
    if row["kind"] == "kill":
        os.kill(os.getpid(), 9)
    time.sleep(seconds)
    (output_dir / "note.txt").write_text(row["id"] * 50)
    return {"id": row["id"], "kind": row["kind"], "frames": video.total_frames, "first": video.get_frame(0)}
'''
"""What an administrator allows datasets to name."""
WRONG = (
    ("function", "process: 'os:system'\n", "there is no function 'os:system'"),
    ("argument", "arguments: {frames: 2}\n", "has no setting 'frames'"),
    ("key", "proces: metadata\n", "there is no key 'proces'"),
    ("folder", "output_dir: ../../source\n", "may begin with a dot"),
    ("column", "id_col: name\n", "has no column 'name'"),
    ("yaml", "process: [\n", "line"),
)


def inbox(tree: Tree) -> Path:
    folder = tree.layout.inbox_of("datasets")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def drop(
    tree: Tree, name: str, rows: tuple[str, ...] | list[str], note: str = "", header: str = "id,video,start,end"
) -> Path:
    if note:
        (inbox(tree) / name).with_suffix(".yaml").write_text(note)
    temp = inbox(tree) / f".{name}.tmp"
    temp.write_text("\n".join([header, *rows]) + "\n")
    return temp.rename(inbox(tree) / name)


def said(tree: Tree, name: str) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads((inbox(tree) / f"{name}.status.json").read_text())
    except FileNotFoundError:
        return {}
    return content


def results(tree: Tree, folder: str) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads((tree.layout.outputs / folder / "processing_results.json").read_text())
    return rows


def all_in(root: Path) -> dict[str, bytes]:
    """All in an output folder that must not depend on how it came about."""
    kept = [root / "processing_results.json", *(path for path in (root / "rows").rglob("*") if path.is_file())]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in kept}


def finished(tree: Tree, name: str) -> bool:
    return said(tree, name).get("completed_at") is not None


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return planted(tmp_path, "tree")


def planted(tmp_path: Path, name: str) -> Tree:
    """A tree with some videos, whose settings allow one function."""
    lab = tmp_path / "python" / "lab.py"
    lab.parent.mkdir(exist_ok=True)
    lab.write_text(LAB)
    settings = {"datasets": {"rows_per_job": 3, "note_seconds": 1.0, "functions": {"look": "lab:look"}}}
    tree = Tree.at(tmp_path / name, settings)
    tree.add_source(footage(FRIDAY), "friday.mp4")
    tree.add_source(make(tmp_path / "made.mp4", count=30))
    (tree.layout.source / "cam1/s1/text.mp4").write_text("no video at all")
    (tree.layout.source / "cam1/s1/link.mp4").symlink_to(tmp_path / "made.mp4")
    return tree


def looked(tree: Tree, **more: Any) -> tuple[str, Path]:
    """The note of a table for `look`, and where its calls are written down."""
    calls = tree.root.with_name(f"{tree.root.name}-calls")
    return NOTE + yaml.safe_dump({"process": "look", "arguments": {"calls": str(calls), **more}}), calls


def test_every_row_is_a_result_or_a_failure_named_by_its_line_and_wrong_tables_are_told_what_is_wrong(
    tree: Tree,
) -> None:
    drop(tree, "videos.csv", ROWS, NOTE + "arguments: {num_frames: 2}\n")
    for name, note, _ in WRONG:
        drop(tree, f"{name}.csv", ROWS, f"video_col: video\n{note}")
    drop(tree, "alone.csv", ROWS)
    tree.once(expect=1)
    answer = said(tree, "videos")
    assert (answer["status"], answer["rows"], answer["processed"], answer["failed"]) == ("partial", 12, 5, 7)
    assert {failure["line"]: failure["kind"] for failure in answer["failures"]} == BAD
    assert "5 of 12 rows have a result" in answer["message"]
    assert "line 5: cam1/s1/none.mp4 is not there" in answer["message"]
    outputs = tree.layout.outputs / "datasets/videos"
    assert answer["path"] == tree.layout.relative(outputs / "processing_results.json")
    rows = results(tree, "datasets/videos")
    assert [row["line"] for row in rows] == list(range(2, 14))
    assert [row["line"] for row in rows if row["status"] == "failed"] == list(BAD)
    assert all((outputs / name).is_file() for row in rows for name in row.get("files", ()))
    assert len(rows[0]["files"]) == 2
    assert json.loads((outputs / "processing_stats.json").read_text())["processed"] == 5
    assert sorted(path.name for path in (inbox(tree) / "done").iterdir()) == [
        "videos.csv", "videos.status.json", "videos.yaml"
    ]  # fmt: skip
    for name, _, words in (*WRONG, ("alone", "", "has no column 'video_path'")):
        assert said(tree, name)["status"] == "failed", name
        assert words in said(tree, name)["message"]
        assert (inbox(tree) / f"failed/{name}.csv").exists()
    assert {path.name for path in inbox(tree).iterdir() if path.is_file()} == {
        f"{name}.status.json" for name in ("videos", "alone", *(name for name, *_ in WRONG))
    }
    assert not tree.strays()
    assert not list((tree.layout.state / "datasets").rglob("plan.json"))


def test_kills_and_several_machines_leave_what_one_quiet_run_leaves(tmp_path: Path) -> None:
    tree = planted(tmp_path, "tree")
    rows = [f"r{number},cam1/s1/{'made' if number % 5 else 'none'}.mp4,fine" for number in range(ROWS_OF_KILLS)]
    rows[13] = "r13,cam1/s1/made.mp4,kill"
    note, calls = looked(tree, seconds=0.1)
    table = drop(tree, "rows.csv", rows, note, "id,video,kind")
    quiet = done_quietly(tree, table, tmp_path / "quiet")
    environment = {"PYTHONPATH": str(tmp_path / "python"), "CLIPD_WORKERS__MAX_WORKERS": "1"}
    daemons = [Daemon(tree, (), environment) for _ in range(2)]
    for daemon in daemons:
        daemon.begin()
    try:
        for number in range(KILLS):
            begun = len(lines(calls))
            wait_until(partial(has_lines, calls, begun + 3), "rows to be begun")
            daemon = daemons[number % 2]
            daemon.kill()
            assert not finished(tree, "rows")
            daemon.begin()
        wait_until(lambda: finished(tree, "rows"), "the dataset to be finished")
    finally:
        for daemon in daemons:
            daemon.stop()
    left = all_in(tree.layout.outputs / "datasets/rows")
    assert {name: left[name] for name in left if name.startswith("rows/")} == {
        name: quiet[name] for name in quiet if name.startswith("rows/")
    }
    ended = results(tree, "datasets/rows")
    assert ended.pop(13)["error"] == {"kind": "crash", "message": "its process was lost 2 times while it was worked on"}
    assert ended == [row for row in json.loads(quiet["processing_results.json"]) if row["id"] != "r13"]
    assert lines(calls).count("r13 kill") >= 2
    assert said(tree, "rows")["status"] == "partial"
    receipts = [json.loads(path.read_text()) for path in tree.layout.all_receipts.glob("*/*.json")]
    assert sorted(receipt["kind"] for receipt in receipts) == ["dataset", "results", *["rows"] * (ROWS_OF_KILLS // 3)]


def done_quietly(tree: Tree, table: Path, root: Path) -> dict[str, bytes]:
    """What one process makes of the table, without any kill."""
    roots = (table.parent, tree.root, tree.layout.source)
    dataset = Dataset(table, Columns(video="video", id="id"), roots=roots).pin()
    made = recipe(calm, {}, Means(Limits(), Settings(), None, 1))
    output = OutputFolder(root)
    for shard in cut_up(dataset, 100):
        run_shard(dataset, shard, made, output, lambda *_: None)
    merge(dataset, made, output, output.shard_ledgers(0))
    return all_in(root)


def calm(video: Any, row: dict[str, Any], output_dir: Path) -> dict[str, Any]:
    if row["kind"] == "kill":
        raise ValueError
    (output_dir / "note.txt").write_text(row["id"] * 50)
    return {"id": row["id"], "kind": row["kind"], "frames": video.total_frames, "first": video.get_frame(0)}


def test_a_changed_table_is_another_run_of_which_only_changed_rows_are_done(tree: Tree, tmp_path: Path) -> None:
    rows = [f"r{number},cam1/s1/made.mp4,fine" for number in range(12)]
    environment = {"PYTHONPATH": str(tmp_path / "python")}
    note, calls = looked(tree, seconds=0.1)
    with tree.daemon(**environment):
        drop(tree, "rows.csv", rows, note, "id,video,kind")
        wait_until(lambda: said(tree, "rows").get("processed", 0) >= 3, "some rows to end")
        assert said(tree, "rows")["status"] == "processing"
        rows[1:3] = ["r1,cam1/s1/made.mp4,new"]
        rows.append("none,cam1/s1/none.mp4,fine")
        drop(tree, "rows.csv", rows, "", "id,video,kind")
        wait_until(lambda: finished(tree, "rows"), "the changed table to be finished")
        answer = said(tree, "rows")
        assert (answer["rows"], answer["processed"], answer["failed"]) == (12, 11, 1)
        assert [row.get("result", {}).get("kind") for row in results(tree, "datasets/rows")] == [
            "fine", "new", *["fine"] * 9, None
        ]  # fmt: skip
        called = lines(calls)
        assert called.count("r0 fine") == 1
        # The changed row runs twice, and what both workers were at when the table changed; nothing else that had ended.
        assert len(called) <= 12 + 1 + 2
        shutil.copyfile(tree.layout.source / "cam1/s1/made.mp4", tree.layout.source / "cam1/s1/none.mp4")
        # At once, while the daemon may still be at moving away what it has just answered.
        drop(tree, "rows.csv", rows, note, "id,video,kind")
        wait_until(lambda: said(tree, "rows").get("processed") == 12 and finished(tree, "rows"), "the second run")
    assert said(tree, "rows")["status"] == "done"
    assert said(tree, "rows")["resumed"] == 11
    assert lines(calls)[len(called) :] == ["none fine"]


def lines(path: Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def has_lines(path: Path, count: int) -> bool:
    return len(lines(path)) >= count
