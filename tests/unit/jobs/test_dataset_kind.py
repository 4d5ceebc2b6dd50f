"""Datasets as jobs: whose folder it is, when a note is waited for, and what is said of rows that were given up."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clipd.errors import Rejected, Superseded
from clipd.files.arrival import Arriving
from clipd.jobs.context import Context
from clipd.jobs.dataset import Order, Settings, Tables
from clipd.jobs.dataset_kind import Asked, DatasetKind, Part, ResultsKind, RowsKind
from clipd.jobs.kind import Result
from clipd.jobs.rows.plan import mark_ended, mark_lost, read_plan
from clipd.media.door import Limits
from clipd.model.job import Job
from clipd.tree.dataset import read
from clipd.tree.layout import Layout
from tests.footage import make
from tests.place import laid_out

ORDER = Order(video_col="video", process="metadata")
TABLES = Tables(datasets=Settings(rows_per_job=2))


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = laid_out(tmp_path)
    layout.inbox_of("datasets").mkdir(parents=True)
    layout.outputs.mkdir(parents=True)
    return layout


def drop(layout: Layout, name: str = "videos.csv", text: str = "video,n\nfilm.mp4,1\nfilm.mp4,2\nnone.mp4,3\n") -> Job:
    path = layout.inbox_of("datasets") / name
    path.write_text(text)
    now = datetime.now(UTC)
    return Job("job", "dataset", layout.relative(path), "", name, "", "", 0, now)


def run(layout: Layout, job: Job, kind: Any, request: Any, attempt: str = "job.1") -> Result:
    prepared = kind.prepare(layout, job, request, TABLES)
    staging = layout.stagings / attempt
    staging.mkdir(parents=True)
    context = Context(staging, prepared.source, "", None, 1, Limits(), lambda *_: None)
    try:
        result: Result = kind.run(prepared, TABLES, context)
        for artifact in result.artifacts:
            target = layout.output(artifact.folder, artifact.name)
            target.write_bytes((staging / artifact.staged_name).read_bytes())
        return result
    finally:
        shutil.rmtree(staging)


def cut(layout: Layout, job: Job, order: Order = ORDER) -> Result:
    file = read(layout.at(job.origin))
    assert file is not None
    return run(layout, job, DatasetKind(), Asked(order, file.signature, bool(file.notes)))


def part(layout: Layout, job: Job, number: int | None) -> Part:
    plan = read_plan(layout, job.origin)
    assert plan is not None
    return Part(ORDER, plan, number)


def test_a_dataset_is_cut_up_worked_on_and_put_together(layout: Layout, tmp_path: Path) -> None:
    make(tmp_path / "film.mp4", count=12)
    job = drop(layout)
    assert cut(layout, job).facts == {"rows": 3, "carried": 0}
    for number, counts in ((1, {"processed": 0, "failed": 1}), (0, {"processed": 2, "failed": 0})):
        assert run(layout, job, RowsKind(), part(layout, job, number)).facts == counts
    told = run(layout, job, ResultsKind(), part(layout, job, None))
    assert (told.facts["status"], told.facts["processed"], told.facts["failed"]) == ("partial", 2, 1)
    assert told.facts["message"] == "2 of 3 rows have a result; line 4: none.mp4 is not there"
    rows = json.loads((layout.outputs / "datasets/videos/processing_results.json").read_text())
    assert [row.get("result", {}).get("total_frames") for row in rows] == [12, 12, None]


def test_rows_that_were_given_up_with_their_job_are_told(layout: Layout) -> None:
    job = drop(layout)
    cut(layout, job)
    plan = part(layout, job, None).plan
    mark_lost(layout, job.origin, plan.run, 0, "the share has no room")
    mark_ended(layout, job.origin, plan.run, 1, 0, 1)
    run(layout, job, RowsKind(), part(layout, job, 1))
    told = run(layout, job, ResultsKind(), part(layout, job, None))
    assert (told.facts["status"], told.facts["skipped"]) == ("failed", 2)
    assert "rows 1 to 2 were given up: the share has no room" in told.facts["message"]


def test_a_folder_of_outputs_belongs_to_one_table(layout: Layout) -> None:
    order = ORDER.model_copy(update={"output_dir": "lab/Frames"})
    other = ORDER.model_copy(update={"output_dir": "lab/frames"})
    one, two = drop(layout), drop(layout, "others.csv")
    cut(layout, one, order)
    cut(layout, one, order)
    with pytest.raises(Rejected, match=r"holds the outputs of data/inbox/datasets/videos\.csv already"):
        cut(layout, two, other)
    shutil.rmtree(layout.outputs / "lab/Frames")
    cut(layout, two, other)
    with pytest.raises(Rejected, match=r"holds the outputs of data/inbox/datasets/others\.csv already"):
        cut(layout, one, other)


def test_outputs_do_not_leave_their_tree_through_a_link(layout: Layout, tmp_path: Path) -> None:
    (layout.outputs / "out").symlink_to(tmp_path)
    with pytest.raises(Rejected, match="through a link"):
        cut(layout, drop(layout), ORDER.model_copy(update={"output_dir": "out/x"}))


def test_a_table_whose_columns_do_not_fit_waits_for_its_note(layout: Layout) -> None:
    job, order = drop(layout), Order()
    with pytest.raises(Arriving, match=r"no column 'video_path'.*waiting for videos\.yaml"):
        cut(layout, job, order)
    layout.at(job.origin).with_suffix(".yaml").write_text("id_col: null\n")
    with pytest.raises(Rejected, match="no column 'video_path'"):
        cut(layout, job, order)
    layout.at(job.origin).with_suffix(".yaml").unlink()
    later = replace(job)
    tables = TABLES.model_copy(update={"share_offset": 60.0})  # a minute later, by the share's clock
    with pytest.raises(Rejected, match="no column 'video_path'"):
        DatasetKind().prepare(layout, later, Asked(order, "", False), tables)


def test_a_table_that_changed_under_the_work_is_no_failure(layout: Layout) -> None:
    job = drop(layout)
    cut(layout, job)
    asked = part(layout, job, 0)
    layout.at(job.origin).write_text(f"video,n\nfilm.mp4,{time.time()}\n")
    with pytest.raises(Superseded, match="was changed or removed"):
        run(layout, job, RowsKind(), asked)
    with pytest.raises(Superseded, match="was changed or removed"):
        run(layout, job, ResultsKind(), replace(asked, number=None))
