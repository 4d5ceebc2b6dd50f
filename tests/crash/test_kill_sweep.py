"""`kill -9` at every step that touches the disk: whatever step it hits, the next attempt leads to the same final tree.

A child process runs the real lifecycle and is gone, without unwinding anything, right before its n-th operation that
changes a file. n goes from the first such operation to the last.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest

from clipd.config import load
from clipd.daemon import Daemon
from clipd.delivery.strays import sweep
from clipd.files import lease
from clipd.intake.admit import admit
from clipd.lifecycle import process
from clipd.model.outcome import Outcome, Verdict
from clipd.tree.layout import Layout
from tests.crash import oracle
from tests.e2e.tree import Tree
from tests.footage import make

CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "ctypes.call_function"}
KILLED = 137


def clip(name: str, first: int, last: int) -> dict[str, object]:
    return {"id": name, "name": name, "source_path": "cam1/s1/match.mp4", "start_frame": first, "end_frame": last,
            "status": "Process", "export_path": None, "note": "mine"}  # fmt: skip


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def attempt(layout: Layout, sidecar: Path, die_at: int | None) -> tuple[int, int]:
    """Run the lifecycle in a forked child that dies before its `die_at`-th change; exit code and changes made."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        count = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            changes = event in CHANGES or (event == "open" and _writes(arguments))
            if not changes:
                return
            count += 1
            if die_at is not None and count >= die_at:
                os._exit(KILLED)

        sys.addaudithook(watch)
        outcome = run(layout, sidecar)
        os.write(writer, str(count).encode())
        os._exit(0 if outcome.verdict is Verdict.COMPLETE else 1)
    os.close(writer)
    with os.fdopen(reader) as told:
        counted = told.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), int(counted or 0)


def run(layout: Layout, sidecar: Path) -> Outcome:
    (job,) = admit(layout, sidecar).jobs
    daemon = Daemon(load(layout.root, layout.root / "clipd.yaml"))
    return process(job, daemon.workplace)


def swept(layout: Layout) -> Layout:
    """The tree after its strays were swept, without grace."""
    for _ in sweep(layout, lease.Settings(), older_than=time.time() + 1, settle=lambda _: None, say=print):
        pass
    return layout


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))


def test_a_kill_before_any_change_on_disk_is_recovered_from(tmp_path: Path, film: Path) -> None:
    tree = Tree.at(tmp_path / "whole", {"clips": {"formats": ["h264"]}})
    tree.add_source(film, "match.mp4")
    code, changes = attempt(tree.layout, tree.write_sidecar([clip("goal", 2, 8)]), None)
    assert code == 0
    assert changes > 20
    for die_at in range(1, changes + 1):
        tree = Tree.at(tmp_path / f"killed-{die_at}", {"clips": {"formats": ["h264"]}})
        tree.add_source(film, "match.mp4")
        sidecar = tree.write_sidecar([clip("goal", 2, 8)])
        killed, _ = attempt(tree.layout, sidecar, die_at)
        assert killed == KILLED
        before = oracle.load(sidecar)
        assert before[0]["note"] == "mine"
        if before[0]["status"] == "Process":
            code, _ = attempt(tree.layout, sidecar, None)
            assert code == 0, f"killed before change {die_at}, the next attempt did not complete"
        (goal,) = oracle.load(sidecar)
        assert goal["status"] == "Complete", f"killed before change {die_at}"
        assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] in ([1], [1, 2])
        assert oracle.violations(swept(tree.layout)) == [], f"killed before change {die_at}"


def test_two_kills_in_a_row_are_recovered_from(tmp_path: Path, film: Path) -> None:
    for first, second in ((3, 9), (12, 30), (30, 12), (25, 41), (41, 25)):
        tree = Tree.at(tmp_path / f"{first}-{second}", {"clips": {"formats": ["h264"]}})
        tree.add_source(film, "match.mp4")
        sidecar = tree.write_sidecar([clip("goal", 2, 8)])
        for die_at in (first, second, None):
            if json.loads(sidecar.read_text())[0]["status"] == "Process":
                attempt(tree.layout, sidecar, die_at)
        assert oracle.violations(swept(tree.layout)) == []
        assert oracle.load(sidecar)[0]["status"] == "Complete"
