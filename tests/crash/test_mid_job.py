"""What people and sync tools do while a clip is being made, or right after: the person wins, nothing is made twice."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest

from tests.crash import oracle
from tests.crash.child import clip
from tests.e2e.tree import Daemon, Tree, save, wait_until
from tests.footage import make

ROOT = str(Path(__file__).parents[2])
FRAMES = 60


def slow_tree(tmp_path: Path, **settings: Any) -> Tree:
    """A tree with one source, whose clips take some seconds."""
    slow = {"clips": {"formats": ["h264"], "processor": "tests.crash.slow:film"}, "claims": {"lease_seconds": 2.0}}
    made = Tree.at(tmp_path / "tree", {**slow, **settings})
    made.add_source(make(tmp_path / "film.mp4", count=FRAMES, size=(64, 48)), "match.mp4")
    return made


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return slow_tree(tmp_path)


def progress(tree: Tree) -> list[dict[str, Any]]:
    """The notes of attempts that have got to their first pictures."""
    notes = [json.loads(path.read_text()) for path in tree.layout.progresses.glob("*.json")]
    return [note for note in notes if note["stage"] == "processing"]


def running(tree: Tree, sidecar: Path) -> None:
    """Wait until the clip is being made."""
    wait_until(lambda: bool(progress(tree)), "the clip to be under way")


def complete(tree: Tree, sidecar: Path) -> None:
    wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")


def sync(source: Path, target: Path) -> None:
    """As rsync replaces a file: a temporary file beside it, with the source's times, renamed over it."""
    if shutil.which("rsync") is not None:
        subprocess.run(["rsync", "--times", "--ignore-times", str(source), str(target)], check=True)
        return
    temp = target.with_name(f".{target.name}.Xy12Ab")
    shutil.copy2(source, temp)
    temp.rename(target)


def runs(tree: Tree) -> list[int]:
    return [receipt.run for receipt in oracle.all_receipts(tree.layout)]


def frames_in(tree: Tree, sidecar: Path) -> int:
    (video,) = tree.clip(sidecar, "goal")["export_path"]
    with av.open(str(tree.root / video)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_a_sidecar_that_rsync_replaces_mid_job_is_obeyed(tree: Tree, tmp_path: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 49)])
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps([{**clip("goal", 3, 12), "note": "theirs"}, {**clip("more", 0, 4), "status": "Draft"}]))
    with tree.daemon(PYTHONPATH=ROOT):
        running(tree, sidecar)
        sync(newer, sidecar)
        complete(tree, sidecar)
    assert tree.clip(sidecar, "goal")["note"] == "theirs"
    assert tree.clip(sidecar, "more")["status"] == "Draft"
    assert frames_in(tree, sidecar) == 10
    assert runs(tree) == [1]
    assert oracle.violations(tree.layout) == []


def test_a_source_that_rsync_replaces_mid_job_is_cut_anew(tree: Tree, tmp_path: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 49)])
    other = make(tmp_path / "other.mp4", count=FRAMES, size=(80, 48))
    with tree.daemon(PYTHONPATH=ROOT):
        running(tree, sidecar)
        sync(other, tree.layout.source / "cam1/s1/match.mp4")
        complete(tree, sidecar)
    (video,) = tree.clip(sidecar, "goal")["export_path"]
    with av.open(str(tree.root / video)) as container:
        assert container.streams.video[0].width == 80
    assert runs(tree) == [1]
    assert oracle.violations(tree.layout) == []


def test_an_older_sidecar_that_rsync_brings_back_is_answered_again_and_nothing_is_made_twice(
    tree: Tree, tmp_path: Path
) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    older = tmp_path / "older.json"
    older.write_bytes(sidecar.read_bytes())
    with tree.daemon(PYTHONPATH=ROOT):
        complete(tree, sidecar)
        (video,) = tree.clip(sidecar, "goal")["export_path"]
        made = (tree.root / video).stat()
        sync(older, sidecar)
        assert tree.clip(sidecar, "goal")["status"] == "Process"
        complete(tree, sidecar)
        assert os.path.samestat((tree.root / video).stat(), made)
    assert runs(tree) == [1]
    assert oracle.violations(tree.layout) == []


def test_a_sidecar_that_is_deleted_mid_job_is_not_brought_back(tree: Tree) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 49)])
    with tree.daemon(PYTHONPATH=ROOT) as daemon:
        running(tree, sidecar)
        sidecar.unlink()
        wait_until(lambda: "superseded" in daemon.log, "the attempt to stop", 10)
        assert not sidecar.exists()
    assert not list(tree.layout.outputs.rglob("*.mp4"))
    assert oracle.violations(tree.layout) == []


def test_a_clip_cancelled_mid_job_stops_within_ten_seconds_and_stays_cancelled(tree: Tree) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 59)])
    with tree.daemon(PYTHONPATH=ROOT) as daemon:
        running(tree, sidecar)
        save(sidecar, [{**clip("goal", 0, 59), "status": "Draft"}])
        wait_until(lambda: "superseded" in daemon.log, "the attempt to stop", 10)
    assert tree.clip(sidecar, "goal")["status"] == "Draft"
    assert runs(tree) == []
    assert oracle.violations(tree.layout) == []


def test_a_worker_frozen_past_its_lease_is_fenced_by_the_daemon_that_takes_over(tree: Tree, tmp_path: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    hold = tmp_path / "hold"
    hold.touch()
    first, second = Daemon(tree, (), {"PYTHONPATH": ROOT, "HOLD": str(hold)}), Daemon(tree, (), {"PYTHONPATH": ROOT})
    first.start()
    try:
        running(tree, sidecar)
        worker = progress(tree)[0]["pid"]
        os.kill(worker, signal.SIGSTOP)
        second.start()
        complete(tree, sidecar)
        hold.unlink()
        os.kill(worker, signal.SIGCONT)
        # It finds its claim lost, its files gone, or the clip answered, whichever it looks at first.
        wait_until(lambda: any(words in first.log for words in ("was lost", "took the job", "superseded")), "its end")
    finally:
        first.stop()
        second.stop()
    assert runs(tree) == [1]
    assert oracle.violations(tree.layout) == []
