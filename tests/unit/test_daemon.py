"""The daemon in this process, with a pool of the test's own."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from clipd import daemon as module
from clipd.config import load
from clipd.daemon import Daemon
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.worker.pool import Ended, Pool
from tests.crash.child import clip
from tests.e2e.tree import Tree


class Forgetful(Pool):
    """Ends every job after a moment, and has forgotten it before it tells."""

    submitted: list[str]

    def submit(self, job: Job, *arguments: object) -> None:
        self.submitted.append(job.name)
        outcome = Outcome(Verdict.DEFERRED, "not now", again_in_seconds=60.0)
        threading.Timer(0.2, self._tell, (Ended(job, outcome),)).start()


def test_a_job_is_not_handed_out_again_before_its_end_was_taken_note_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree = Tree.at(tmp_path / "tree")
    tree.write_sidecar([clip("goal", 0, 5)])
    monkeypatch.setattr(Forgetful, "submitted", [], raising=False)
    monkeypatch.setattr(module, "Pool", Forgetful)
    Daemon(load(tree.root, tree.root / "clipd.yaml"), once=True).run()
    assert len(Forgetful.submitted) == 1
