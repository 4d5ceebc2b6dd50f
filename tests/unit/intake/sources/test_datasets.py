"""What a table of the inbox asks for next: a plan, its pieces, the results; without ever reading the table."""

from __future__ import annotations

import json
import os
from dataclasses import asdict
from pathlib import Path

import pytest

from clipd.errors import Rejected
from clipd.intake.sources.datasets import AHEAD, Datasets
from clipd.jobs.rows.plan import Plan, mark_ended, mark_lost
from clipd.model.job import Job
from clipd.tree.dataset import read
from clipd.tree.layout import Directories, Layout

RUN = "0123456789abcdef"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, Directories())


@pytest.fixture
def table(layout: Layout) -> Path:
    path = Datasets().folder(layout) / "videos.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xfe this is no CSV")
    return path


def jobs(layout: Layout, table: Path) -> tuple[Job, ...]:
    return Datasets().admit(layout, table).jobs


def plan(layout: Layout, table: Path, rows: int, rows_per_job: int = 10) -> str:
    origin, file = layout.relative(table), read(table)
    assert file is not None
    layout.dataset_marks(origin, RUN).mkdir(parents=True)
    made = Plan(RUN, file.signature, (file.size, file.mtime_ns), rows, rows_per_job, 0, "", {})
    layout.dataset_plan(origin).write_text(json.dumps(asdict(made)))
    return origin


def test_a_new_table_is_cut_up_first_after_all_clips_and_requests(layout: Layout, table: Path) -> None:
    (job,) = jobs(layout, table)
    assert (job.kind, job.name, job.priority) == ("dataset", "dataset videos", -1)
    table.with_suffix(".yaml").write_text("priority: 3\n")
    (changed,) = jobs(layout, table)
    assert (changed.id, changed.priority) == (job.id, 3)
    assert changed.key != job.key


def test_then_every_piece_that_has_not_ended_then_the_results(layout: Layout, table: Path) -> None:
    origin = plan(layout, table, 25)
    assert [job.name for job in jobs(layout, table)] == [
        "dataset videos / rows 1 to 10", "dataset videos / rows 11 to 20", "dataset videos / rows 21 to 25"
    ]  # fmt: skip
    mark_ended(layout, origin, RUN, 1, 10, 0)
    assert [job.key for job in jobs(layout, table)] == [f"{RUN}:0", f"{RUN}:2"]
    mark_ended(layout, origin, RUN, 0, 10, 0)
    mark_lost(layout, origin, RUN, 2, "why")
    assert [(job.kind, job.key) for job in jobs(layout, table)] == [("results", RUN)]


def test_a_table_without_rows_has_results_too(layout: Layout, table: Path) -> None:
    plan(layout, table, 0)
    assert [job.kind for job in jobs(layout, table)] == ["results"]


def test_a_table_that_changed_is_cut_up_anew(layout: Layout, table: Path) -> None:
    plan(layout, table, 25)
    table.write_text("other")
    assert [job.kind for job in jobs(layout, table)] == ["dataset"]


def test_of_millions_of_pieces_only_the_next_stand_in_the_queue(layout: Layout, table: Path) -> None:
    origin = plan(layout, table, 10**7, 1)
    mark_ended(layout, origin, RUN, 3, 1, 0)
    found = jobs(layout, table)
    assert len({job.id for job in found}) == AHEAD
    assert found[-1].key == f"{RUN}:{AHEAD}"


def test_a_name_that_cannot_be_written_down_is_told(layout: Layout, table: Path) -> None:
    odd = Path(os.fsdecode(os.fsencode(table.parent) + b"/\xff.csv"))
    with pytest.raises(Rejected, match="UTF-8"):
        Datasets().admit(layout, odd)


def test_what_is_gone_asks_for_nothing(layout: Layout, table: Path) -> None:
    table.unlink()
    assert jobs(layout, table) == ()
