"""The daemon in this process, with a pool of the test's own."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest

from clipd import daemon as module
from clipd.config import load
from clipd.daemon import Daemon, Signal
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.worker.pool import Ended, Pool
from tests.crash.child import clip
from tests.e2e.tree import Tree


class Forgetful(Pool):
    """Ends every job after a moment, and has forgotten it before it tells; the first `untold` it never tells."""

    submitted: ClassVar[list[str]] = []
    untold: ClassVar[int] = 0
    verdict: ClassVar[Verdict] = Verdict.DEFERRED

    def submit(self, job: Job, *arguments: object) -> None:
        self.submitted.append(job.name)
        if len(self.submitted) > self.untold:
            outcome = Outcome(self.verdict, "not now", again_in_seconds=60.0)
            threading.Timer(0.2, self._tell, (Ended(job, outcome),)).start()


@pytest.fixture
def daemon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Daemon:
    """One pass over a tree with one clip to do."""
    tree = Tree.at(tmp_path / "tree")
    tree.write_sidecar([clip("goal", 0, 5)])
    monkeypatch.setattr(Forgetful, "submitted", [])
    monkeypatch.setattr(module, "Pool", Forgetful)
    return Daemon(load(tree.root, tree.root / "clipd.yaml"), once=True)


def test_a_job_is_not_handed_out_again_before_its_end_was_taken_note_of(daemon: Daemon) -> None:
    daemon.run()
    assert len(Forgetful.submitted) == 1


def test_a_job_whose_end_is_never_told_is_handed_out_again(daemon: Daemon, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Forgetful, "untold", 1)
    monkeypatch.setattr(module, "BEAT_SECONDS", 0.5)
    daemon.run()
    assert len(Forgetful.submitted) == 2


def test_a_pause_holds_back_what_is_due_right_after_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = Tree.at(tmp_path / "tree")
    monkeypatch.setattr(Forgetful, "submitted", [])
    monkeypatch.setattr(module, "Pool", Forgetful)
    monkeypatch.setattr(module, "LOOK_SECONDS", 3600.0)
    daemon = Daemon(load(tree.root, tree.root / "clipd.yaml"))

    def drop() -> None:
        tree.layout.control("PAUSE").touch()
        time.sleep(module.PAUSE_SECONDS)
        tree.write_sidecar([clip("goal", 0, 5)])

    threading.Timer(1.0, drop).start()
    threading.Timer(4.0, daemon._messages.put, (Signal("stop"),)).start()
    daemon.run()
    assert [(job.name, "PAUSE" in why) for job, why in daemon.waiting] == [("match / goal", True)]
    assert Forgetful.submitted == []


def test_a_single_pass_looks_again_at_what_its_work_brought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No event tells of it, as on NFS."""
    tree = Tree.at(tmp_path / "tree", {"watch": {"mode": "polling", "interval_seconds": 3600}})
    sidecar = tree.write_sidecar([clip("goal", 0, 5)])
    monkeypatch.setattr(Forgetful, "submitted", [])
    monkeypatch.setattr(Forgetful, "verdict", Verdict.COMPLETE)
    monkeypatch.setattr(module, "Pool", Forgetful)

    def bring(job: Job, _outcome: Outcome) -> None:
        if job.name == "match / goal":
            tree.write_sidecar([clip("later", 0, 5)], video="later")
            sidecar.unlink()
        else:
            sidecar.with_name("later_clips.json").unlink()

    Daemon(load(tree.root, tree.root / "clipd.yaml"), once=True, told=bring).run()
    assert Forgetful.submitted == ["match / goal", "later / later"]


def test_workers_whose_settings_changed_are_replaced_however_often_the_settings_are_read(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {"workers": {"max_workers": 1}})
    config = load(tree.root, tree.root / "clipd.yaml")
    more = config.model_copy(update={"workers": config.workers.model_copy(update={"max_workers": 3})})
    daemon = Daemon(config, reload=lambda: more)
    daemon._take_settings()
    daemon._take_settings()
    assert daemon._room() == 0
    daemon._hand_out()
    assert daemon._room() == 3
    daemon._pool.stop(0)


def test_settings_of_a_cluster_that_cannot_be_reached_with_them_change_nothing(tmp_path: Path) -> None:
    pytest.importorskip("distributed", reason="the extra clipd[dask] is not installed")
    tree = Tree.at(tmp_path / "tree")
    config = load(tree.root, tree.root / "clipd.yaml")
    lost = {
        "kind": "dask",
        "scheduler": "tls://node1:8786",
        "ca_file": "/none",
        "cert_file": "/none",
        "key_file": "/none",
    }
    daemon = Daemon(config, reload=lambda: load(tree.root, tree.root / "clipd.yaml", {"executor": lost}))
    daemon._take_settings()
    assert daemon.config is config
    daemon._hand_out()
    assert daemon._room() == 2
