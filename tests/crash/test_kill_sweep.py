"""`kill -9` at every step that touches the disk: whatever step it hits, the next attempt leads to the same final tree.

A child process runs the real lifecycle and is gone, without unwinding anything, right before its n-th operation that
changes a file. n goes from the first such operation to the last.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.child import KILLED, attempt, clip, swept
from tests.e2e.tree import Tree
from tests.footage import make


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def test_a_kill_before_any_change_on_disk_is_recovered_from(tmp_path: Path, film: Path) -> None:
    tree = Tree.at(tmp_path / "whole", {"clips": {"formats": ["h264"]}})
    tree.add_source(film, "match.mp4")
    code, changes = attempt(tree.layout, tree.write_sidecar([clip("goal", 2, 8)]))
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
            code, _ = attempt(tree.layout, sidecar)
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
