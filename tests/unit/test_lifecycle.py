"""The life of a job at its edges: what is published counts, and whatever the system says becomes an outcome."""

from __future__ import annotations

import errno
from dataclasses import replace
from pathlib import Path

import pytest

from clipd.config import load
from clipd.daemon import Daemon
from clipd.delivery.origins import ORIGINS
from clipd.intake.admit import admit
from clipd.jobs import KINDS
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.lifecycle import Workplace, process
from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.model.setting import Section
from clipd.tree import record as records
from tests.crash.child import clip
from tests.e2e.tree import Tree
from tests.fake_clock import FakeClock
from tests.footage import make


class Desk:
    """A tree with one clip to make, and a place to work on it."""

    def __init__(self, root: Path) -> None:
        self.tree = Tree.at(root / "tree", {"clips": {"formats": ["h264"]}})
        self.tree.add_source(make(root / "film.mp4", count=12, size=(64, 48)), "match.mp4")
        self.sidecar = self.tree.write_sidecar([clip("goal", 0, 5)])
        self.clock = FakeClock()
        daemon = Daemon(load(self.tree.root, self.tree.root / "clipd.yaml"))
        self.place: Workplace = replace(daemon.workplace, clock=self.clock)
        (self.job,) = admit(self.tree.layout, self.sidecar).jobs

    def spent(self, job: Job) -> None:
        """The last attempt that is allowed has died before it was closed."""
        record = records.read_record(self.tree.layout, job.id)
        failures = self.place.retry.attempts - 1
        died = replace(
            record, state="running", attempt_by=self.place.daemon, failures=failures, written_back=None, last_error=""
        )
        records.write_record(self.tree.layout, died, self.clock.now())


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_what_the_last_attempt_published_is_never_called_failed(desk: Desk) -> None:
    asked = desk.sidecar.read_bytes()
    assert process(desk.job, desk.place).verdict is Verdict.COMPLETE
    desk.sidecar.write_bytes(asked)
    desk.spent(desk.job)
    assert process(desk.job, desk.place).verdict is Verdict.COMPLETE
    assert desk.tree.clip(desk.sidecar, "goal")["status"] == "Complete"
    (receipt,) = records.read_receipts(desk.tree.layout, desk.job.id)
    assert receipt.camera == "cam1"


def test_what_died_as_often_as_is_allowed_and_published_nothing_has_failed(desk: Desk) -> None:
    desk.spent(replace(desk.job))
    record = records.read_record(desk.tree.layout, desk.job.id)
    wish = ORIGINS["clip"].read(desk.tree.layout, desk.job)
    assert wish is not None
    records.write_record(desk.tree.layout, replace(record, stand=wish.stand), desk.clock.now())
    assert process(desk.job, desk.place).verdict is Verdict.FAILED


def test_trouble_of_the_system_before_the_work_begins_defers_it(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    def stale(*_: object) -> None:
        raise OSError(errno.ESTALE, "Stale file handle")

    monkeypatch.setattr(records, "read_record", stale)
    outcome = process(desk.job, desk.place)
    assert outcome.verdict is Verdict.DEFERRED
    assert "Stale file handle" in outcome.message
    assert outcome.again_in_seconds is not None


def test_a_source_that_is_replaced_by_a_shorter_one_while_it_is_cut_is_tried_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shorter = make(tmp_path / "shorter.mp4", count=3, size=(64, 48)).read_bytes()
    kind = KINDS["clip"]
    run = kind.run

    def replaced(prepared: Prepared, settings: Section, context: Context) -> Result:
        (desk.tree.layout.source / "cam1/s1/match.mp4").write_bytes(shorter)
        return run(prepared, settings, context)

    monkeypatch.setattr(kind, "run", replaced)
    outcome = process(desk.job, desk.place)
    assert outcome.verdict is Verdict.RETRY
    assert "changed while it was being read" in outcome.message
    assert desk.tree.clip(desk.sidecar, "goal")["status"] == "Process"
