"""Plans: pieces of a table, marks of those that ended, and what is carried over from former runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipd.datasets.folder import OutputFolder
from clipd.datasets.ledger import HEADER
from clipd.datasets.record import Record
from clipd.datasets.row import Columns
from clipd.errors import Temporary
from clipd.jobs.clip import Settings
from clipd.jobs.rows.finish import merge
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.plan import (
    Plan,
    ended,
    forget,
    forget_former,
    make_plan,
    mark_ended,
    mark_lost,
    read_plan,
    read_shard,
    tally,
    why_lost,
)
from clipd.jobs.rows.recipe import recipe
from clipd.jobs.rows.run import Dataset, run_shard
from clipd.media.door import Limits
from clipd.tree.layout import Directories, Layout

MEANS = Means(Limits(), Settings(), None, 1)
TABLE = "data/inbox/datasets/videos.csv"


def go_on(_stage: str, _done: int, _total: int) -> None:
    """Nobody stops."""


def everything(_: Record) -> bool:
    return True


class Desk:
    """A tree with a table, and what is done with its rows: `calls` holds their ids."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root, Directories())
        self.table = self.layout.at(TABLE)
        self.table.parent.mkdir(parents=True)
        (root / "film.mp4").write_bytes(b"any")
        self.output = root / "out"
        self.output.mkdir()
        self.calls = root / "calls"

        def work(row: dict[str, Any], calls: str) -> str:
            with Path(calls).open("a") as file:
                file.write(row["id"] + " ")
            if row["n"] == "bad":
                raise ValueError
            return str(row["n"])

        self.recipe = recipe(work, {"calls": str(self.calls)}, MEANS)

    def write(self, *rows: str) -> None:
        self.table.write_text("\n".join(["id,video,n", *(f"{row[0]},film.mp4,{row[1:]}" for row in rows)]) + "\n")

    @property
    def dataset(self) -> Dataset:
        return Dataset(self.table, Columns(video="video", id="id"), roots=(self.layout.root,)).pin()

    def plan(self, keeps: Callable[[Record], bool] = everything, rows_per_job: int = 2) -> Plan:
        return make_plan(
            self.layout, TABLE, "0" * 16, self.dataset, self.recipe, OutputFolder(self.output),
            rows_per_job=rows_per_job, keeps=keeps, checkpoint=go_on,
        )  # fmt: skip

    def work(self, plan: Plan) -> str:
        """Do what is due; the ids of the rows that were called."""
        self.calls.write_text("")
        output = OutputFolder(self.output, run=plan.run)
        for number in set(range(plan.jobs)) - ended(self.layout, TABLE, plan.run).jobs:
            shard = read_shard(self.layout, TABLE, plan, number)
            run_shard(self.dataset, shard, self.recipe, output, go_on, attempt="one")
            mark_ended(self.layout, TABLE, plan.run, number, *tally(output.shard_ledgers(number)))
        merge(self.dataset, self.recipe, output, sorted((output.shards / plan.run).glob("*")))
        forget_former(output)
        return self.calls.read_text()


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_plan_holds_every_row_once(desk: Desk) -> None:
    desk.write("a1", "b1", "c1", "a2", "d1")
    plan = desk.plan()
    assert read_plan(desk.layout, TABLE) == plan
    assert (plan.rows, plan.jobs, plan.carried) == (5, 3, 0)
    shards = [read_shard(desk.layout, TABLE, plan, number) for number in range(3)]
    assert [(shard.number, shard.start.number, shard.count) for shard in shards] == [(0, 0, 2), (1, 2, 2), (2, 4, 1)]
    assert shards[1].repeated == ((3, 2),)
    with pytest.raises(Temporary):
        read_shard(desk.layout, TABLE, plan, 3)


def test_rows_that_did_not_change_are_carried_over_wherever_they_stand_now(desk: Desk) -> None:
    desk.write("a1", "b1", "c1", "d1", "ebad")
    assert desk.work(desk.plan()) == "a b c d e "
    desk.write("x1", "d1", "ebad", "c2", "b1", "a1")
    plan = desk.plan()
    assert (plan.carried, sorted(ended(desk.layout, TABLE, plan.run).jobs)) == (4, [2])
    assert sorted(desk.work(plan).split()) == ["c", "x"]
    rows = json.loads(OutputFolder(desk.output).results.read_text())
    assert [row.get("result", "bad") for row in rows] == ["1", "1", "bad", "2", "1", "1"]


def test_failures_are_tried_again_when_asked_and_everything_by_force(desk: Desk) -> None:
    desk.write("a1", "bbad", "c1")
    desk.work(desk.plan())
    assert desk.work(desk.plan()) == ""
    assert desk.work(desk.plan(lambda record: record.is_ok)) == "b "
    assert desk.work(desk.plan(lambda _: False)) == "a b c "


def test_a_run_that_was_broken_off_is_carried_over_too(desk: Desk) -> None:
    desk.write("a1", "b1", "c1", "d1")
    plan = desk.plan()
    run_shard(desk.dataset, read_shard(desk.layout, TABLE, plan, 1), desk.recipe,
              OutputFolder(desk.output, run=plan.run), go_on, attempt="one")  # fmt: skip
    again = desk.plan()
    assert again.carried == 2
    assert not desk.layout.dataset_shards(TABLE, plan.run).exists()
    assert desk.work(again) == "a b "
    assert [path.name for path in OutputFolder(desk.output).shards.iterdir()] == [again.run]


def test_what_was_done_by_hand_in_the_same_folder_is_carried_over(desk: Desk) -> None:
    desk.write("a1", "b1")
    desk.work(desk.plan())
    output = OutputFolder(desk.output)
    lines = [line for path in output.shards.rglob("*.jsonl") for line in path.read_bytes().splitlines()[1:]]
    output.ledger.write_bytes(HEADER + b"\n".join(lines) + b"\n")
    for path in output.shards.rglob("*.jsonl"):
        path.unlink()
    assert desk.work(desk.plan()) == ""


def test_marks_say_how_rows_ended_and_which_jobs_were_given_up(desk: Desk) -> None:
    desk.write("a1")
    plan = desk.plan()
    mark_ended(desk.layout, TABLE, plan.run, 0, 2, 1)
    mark_ended(desk.layout, TABLE, plan.run, 12, 3, 0)
    mark_lost(desk.layout, TABLE, plan.run, 7, "no\nluck")
    (desk.layout.dataset_marks(TABLE, plan.run) / ".x.tmp").write_text("")
    state = ended(desk.layout, TABLE, plan.run)
    assert (state.jobs, state.processed, state.failed, state.lost) == ({0, 7, 12}, 5, 1, (7,))
    assert why_lost(desk.layout, TABLE, plan.run, 7) == "no\nluck"


def test_a_plan_that_cannot_be_believed_is_none(desk: Desk) -> None:
    desk.write("a1")
    desk.plan()
    path = desk.layout.dataset_plan(TABLE)
    known = json.loads(path.read_bytes())
    for wrong in ("{", "[]", json.dumps(known | {"run": "../../../x"}), json.dumps(known | {"rows_per_job": 0})):
        path.write_text(wrong)
        assert read_plan(desk.layout, TABLE) is None
    forget(desk.layout, TABLE, "none")
    assert not desk.layout.dataset(TABLE).exists()
    assert read_plan(desk.layout, TABLE) is None
