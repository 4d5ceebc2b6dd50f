"""Answers to tables: a note never outlives its table, and one table's end never takes the plan of the next."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from clipd.datasets.folder import OutputFolder
from clipd.datasets.row import Columns
from clipd.delivery import departure
from clipd.delivery.origins import Answer, Occasion
from clipd.delivery.origins.dataset import ResultsOrigin, RowsOrigin
from clipd.files import lease
from clipd.intake.sources.datasets import Datasets
from clipd.jobs.clip import Settings
from clipd.jobs.rows import plan as plans
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.plan import Plan, make_plan
from clipd.jobs.rows.recipe import recipe
from clipd.jobs.rows.run import Dataset
from clipd.media.door import Limits
from clipd.model.job import Job
from clipd.tree import dataset as datasets
from clipd.tree import request as requests
from clipd.tree.layout import Layout
from tests.crash.child import swept
from tests.fake_clock import NOON
from tests.unit.delivery.publication import a_layout

AT = Occasion(still=lambda _: True, claims=lease.Settings(), now=NOON, settle=lambda _: None)


class Stop(BaseException):
    """The process is killed here."""


class Box:
    """An inbox with a table of one row, its note and its plan."""

    def __init__(self, root: Path) -> None:
        self.layout: Layout = a_layout(root)
        self.table = self.layout.inbox_of("datasets") / "videos.csv"
        self.note = self.table.with_suffix(".yaml")
        self.drop("a.mp4")
        self.note.write_text("process: metadata\n")
        self.plan = self.planned()

    def end_rows(self) -> None:
        plans.mark_ended(self.layout, self.origin, self.plan.run, 0, 1, 0)

    @property
    def origin(self) -> str:
        return self.layout.relative(self.table)

    def drop(self, video: str) -> None:
        self.table.parent.mkdir(parents=True, exist_ok=True)
        temp = self.table.with_name(".videos.csv.tmp")
        temp.write_text(f"video_path\n{video}\n")
        temp.rename(self.table)

    def planned(self) -> Plan:
        """A plan of the table as it lies there."""
        file = datasets.read(self.table)
        assert file is not None
        dataset = Dataset(self.table, Columns(video="video_path"), roots=(self.layout.root,)).pin()
        output = OutputFolder(self.layout.outputs / self.layout.dataset_folder(self.table))
        return make_plan(
            self.layout, self.origin, file.signature, dataset,
            recipe("metadata", {}, Means(Limits(), Settings(), None, 1)), output,
            rows_per_job=1, keeps=lambda _: True, checkpoint=lambda *_: None,
        )  # fmt: skip

    @property
    def job(self) -> Job:
        (job,) = Datasets().admit(self.layout, self.table).jobs
        return job

    def answer(self) -> None:
        self.end_rows()
        assert self.job.kind == "results"
        ResultsOrigin().answer(self.layout, self.job, Answer(facts={"status": "done"}), AT)

    @property
    def said(self) -> dict[str, Any]:
        return requests.read_answer(self.layout.answer(self.table))


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "tree")


def test_its_note_goes_with_it(box: Box) -> None:
    box.answer()
    names = sorted(path.name for path in (box.table.parent / "done").iterdir())
    assert names == ["videos.csv", "videos.status.json", "videos.yaml"]
    assert plans.read_plan(box.layout, box.origin) is None


def test_the_note_that_a_kill_left_behind_does_not_describe_the_next_table(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> None:
        raise Stop

    monkeypatch.setattr(departure, "conclude", killed)
    with pytest.raises(Stop):
        box.answer()
    monkeypatch.undo()
    assert not box.table.exists()
    swept(box.layout)
    assert not box.note.exists()
    box.drop("b.mp4")
    file = datasets.read(box.table)
    assert file is not None
    assert file.content == {}


def test_the_plan_of_the_next_table_stays(box: Box) -> None:
    box.end_rows()
    former, job = box.plan, box.job
    box.drop("b.mp4")
    later = box.planned()
    plans.forget(box.layout, job.origin, former.run)
    assert plans.read_plan(box.layout, box.origin) == later
    plans.forget(box.layout, job.origin, later.run)
    assert plans.read_plan(box.layout, box.origin) is None


def test_a_count_never_comes_after_the_results(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    write, job = requests.write_answer, box.job
    assert job.kind == "rows"

    def late(path: Path, content: Mapping[str, Any], *, durable: bool = True) -> None:
        monkeypatch.undo()
        if not Datasets().admit(box.layout, box.table).jobs or box.job.kind == "results":
            box.answer()
        write(path, content, durable=durable)

    monkeypatch.setattr(requests, "write_answer", late)
    RowsOrigin().answer(box.layout, job, Answer(facts={"processed": 1, "failed": 0}), AT)
    assert (box.said["processed"], box.said["completed_at"]) == (1, None)
    box.answer()
    assert box.said["completed_at"] is not None
