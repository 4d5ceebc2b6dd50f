"""What goes wrong around the daemon: crashing, hanging and greedy work, a share that goes away, full disks, stops."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.e2e.test_main_job import clip, frames_in
from tests.e2e.tree import Tree, wait_until
from tests.footage import footage, make

LONG = "intel_one-by-one-person-detection.mp4"

PROCESSORS = """
import os, signal, time

def crashes(clip, frames, staging):
    os.kill(os.getpid(), signal.SIGSEGV)

def hangs(clip, frames, staging):
    while True:
        time.sleep(1)

def raises(clip, frames, staging):
    with open(os.environ["PIDS"], "a") as pids:
        print(os.getpid(), file=pids)
    raise KeyError("no such thing")

def eats(clip, frames, staging):
    hoard = [bytes(50_000_000) for _ in range(1000)]
"""


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make(tmp_path / "film.mp4", count=60, size=(160, 96))


def tree_with(tmp_path: Path, function: str | None = None, **settings: object) -> Tree:
    """A tree whose camera `bad` is worked on by a function that misbehaves."""
    (tmp_path / "ours.py").write_text(PROCESSORS)
    processor = {"function": f"ours:{function}", "cameras": ["bad"]} if function else {}
    return Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"], "processor": processor}, **settings})


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("crashes", "SIGSEGV"),
        ("hangs", "did not get on"),
        ("raises", "no such thing"),
        ("eats", "Memory"),
    ],
)
def test_work_that_misbehaves_ends_failed_with_a_reason_and_others_go_on(
    tmp_path: Path, film: Path, function: str, words: str
) -> None:
    tree = tree_with(tmp_path, function, workers={"no_progress_seconds": 2, "memory": "800MiB"})
    sidecars = []
    for camera in ("bad", "good"):
        tree.add_source(film, "match.mp4", place=f"{camera}/s1")
        entry = {**clip("goal", 0, 9), "source_path": f"{camera}/s1/match.mp4"}
        sidecars.append(tree.write_sidecar([entry], place=f"{camera}/s1"))
    bad, good = sidecars
    with tree.daemon(PYTHONPATH=str(tmp_path), PIDS=str(tmp_path / "pids")):
        wait_until(lambda: tree.clip(good, "goal")["status"] == "Complete", "the good clip to complete")
        wait_until(lambda: tree.clip(bad, "goal")["status"] == "Failed", "the bad clip to fail", 90)
    assert words in tree.clip(bad, "goal")["error"]
    assert oracle.violations(tree.layout) == []
    if function == "raises":
        pids = (tmp_path / "pids").read_text().split()
        assert len(set(pids)) == len(pids) == 2, "what one attempt left behind must not decide the next"


def test_sigterm_abandons_what_takes_too_long_and_the_next_start_does_it(tmp_path: Path) -> None:
    tree = tree_with(tmp_path, stop_seconds=0.5)
    tree.add_source(footage(LONG), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 1393)])
    for _ in range(4):
        with tree.daemon() as daemon:
            wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run")
            assert daemon.stop() == 0
        assert not tree.strays()
        assert tree.clip(sidecar, "long")["status"] == "Process"
    (record,) = [json.loads(path.read_text()) for path in tree.layout.records.glob("*.json")]
    assert (record["failures"], record["losses"], record["attempt_by"]) == (0, 0, None)


def test_workers_die_with_their_daemon(tmp_path: Path) -> None:
    tree = tree_with(tmp_path)
    tree.add_source(footage(LONG), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 1393)])
    with tree.daemon() as daemon:
        wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run")
        workers = [json.loads(path.read_text())["pid"] for path in tree.layout.progresses.glob("*.json")]
        daemon.kill()
        wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), "the workers to die", 2)
        assert tree.clip(sidecar, "long")["status"] == "Process"
    tree.run("mark", str(sidecar), "--as", "draft")


def test_a_share_that_goes_away_makes_work_wait_and_changes_nothing(tmp_path: Path, film: Path) -> None:
    tree = tree_with(tmp_path)
    tree.add_source(film, "match.mp4")
    with tree.daemon() as daemon:
        away = tree.layout.marker.rename(tree.root / "away")
        wait_until(lambda: "not mounted" in daemon.log, "the daemon to notice")
        sidecar = tree.write_sidecar([clip("goal", 0, 9)])
        assert tree.clip(sidecar, "goal")["status"] == "Process"
        away.rename(tree.layout.marker)
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    assert "share is back" in daemon.log


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 40 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "clipd-test", str(folder)], capture_output=True)
    if made.returncode != 0:
        pytest.skip(f"this machine lets us mount nothing: {made.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_full_disk_makes_work_wait_and_it_goes_on_when_there_is_room(
    tmp_path: Path, film: Path, small_disk: Path
) -> None:
    ballast = small_disk / "ballast"
    ballast.write_bytes(bytes(39 << 20))
    tree = tree_with(tmp_path, directories={"outputs": str(small_disk / "out")}, space={"reserve": "2MiB"})
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 59)])
    with tree.daemon() as daemon:
        wait_until(lambda: "disk full" in daemon.log, "the daemon to notice")
        assert tree.clip(sidecar, "goal")["status"] == "Process"
        ballast.unlink()
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    (output,) = tree.clip(sidecar, "goal")["export_path"]
    assert frames_in((tree.root / output).resolve()) == 60


def test_a_disk_that_fills_while_encoding_makes_work_wait(tmp_path: Path, film: Path, small_disk: Path) -> None:
    tree = tree_with(
        tmp_path, directories={"outputs": str(small_disk / "out")}, space={"reserve": "0"}, clips={"formats": ["ffv1"]}
    )
    tree.add_source(footage(LONG), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 900), clip("short", 0, 9)])
    ended = tree.once()
    assert "disk full" in ended.stderr + ended.stdout or "No space left" in ended.stderr + ended.stdout
    assert tree.clip(sidecar, "long")["status"] == "Process"
    assert tree.clip(sidecar, "short")["status"] == "Complete"
    assert not list(small_disk.rglob("*long*"))
    assert os.statvfs(small_disk).f_bavail > 0


def test_a_read_only_share_fails_nothing(tmp_path: Path, film: Path, small_disk: Path) -> None:
    cache = {"cache": str(tmp_path / "cache")}
    tree = Tree.at(small_disk / "tree", {"clips": {"formats": ["h264"]}, **cache}, logs=tmp_path)
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with tree.daemon() as daemon:
        wait_until(lambda: "deferred" in daemon.log, "the daemon to notice")
        assert tree.clip(sidecar, "goal")["status"] == "Process"
        subprocess.run(["mount", "-o", "remount,rw", str(small_disk)], check=True)
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    assert oracle.violations(tree.layout) == []
