"""A worker that stops dead at any step (a suspended machine, a hung share) and wakes up past its lease is fenced.

Another worker has taken its job by then and published; what the sleeper still does must change nothing of that.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from clipd.tree.layout import Layout
from tests.crash import oracle
from tests.crash.child import attempt, clip, start, swept
from tests.e2e.tree import Tree
from tests.footage import make

STRIDE = int(os.environ.get("CLIPD_TEST_STRIDE", "3"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def freeze() -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def expire_claims(layout: Layout) -> None:
    """What a lease time without a heartbeat lets the next one do; waiting for it would take seconds each time."""
    for claim in (layout.state / "claims").glob("*.lock"):
        claim.unlink()


def test_a_worker_frozen_before_any_change_on_disk_publishes_nothing_when_it_wakes(tmp_path: Path, film: Path) -> None:
    tree = Tree.at(tmp_path / "whole", {"clips": {"formats": ["h264"]}})
    tree.add_source(film, "match.mp4")
    _, changes = attempt(tree.layout, tree.write_sidecar([clip("goal", 2, 8)]))
    broken = {}
    for at in range(1, changes + 1, STRIDE):
        tree = Tree.at(tmp_path / f"frozen-{at}", {"clips": {"formats": ["h264"]}})
        tree.add_source(film, "match.mp4")
        sidecar = tree.write_sidecar([clip("goal", 2, 8)])
        sleeper, reader = start(tree.layout, sidecar, at, freeze)
        _, status = os.waitpid(sleeper, os.WUNTRACED)
        assert os.WIFSTOPPED(status), f"it did not freeze before change {at}"
        expire_claims(tree.layout)
        if oracle.load(sidecar)[0]["status"] == "Process":
            code, _ = attempt(tree.layout, sidecar)
            assert code == 0, f"frozen before change {at}, the next worker did not complete"
        os.kill(sleeper, signal.SIGCONT)
        os.waitpid(sleeper, 0)
        os.close(reader)
        wrong = oracle.violations(swept(tree.layout))
        receipts = [receipt.run for receipt in oracle.all_receipts(tree.layout)]
        if wrong or receipts != [1] or oracle.load(sidecar)[0]["status"] != "Complete":
            broken[at] = (receipts, wrong)
    assert broken == {}
