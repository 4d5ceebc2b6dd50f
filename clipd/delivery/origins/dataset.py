"""A table in the inbox: its wish is the table with the note beside it, its answer `<name>.status.json` beside both.

Three kinds of jobs ask here one after the other: cutting the table up, its pieces, and putting the results together.
Only the last one ends the wish: the table then moves into `done/` or `failed/`, with a copy of the answer, and its
note after it.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.datasets.folder import OutputFolder
from clipd.datasets.ledger import records
from clipd.datasets.record import Record
from clipd.delivery import departure
from clipd.delivery.departure import Departure
from clipd.delivery.filing import put_away
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected
from clipd.jobs.dataset import Order, understood
from clipd.jobs.dataset_kind import Asked, Part
from clipd.jobs.rows.plan import Plan, ended, forget, forget_former, mark_ended, mark_lost, read_plan
from clipd.model.job import Job
from clipd.tree import dataset as datasets
from clipd.tree import request as requests
from clipd.tree.dataset import DatasetFile
from clipd.tree.layout import DONE, FAILED, Layout

CHANGED = WriteBack("superseded", "the table or its note was changed")


class DatasetOrigin:
    """The wish that a table be cut up."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The table as it lies there, due until there is a plan of it; None when it is gone or another one by now."""
        file = datasets.read(layout.at(job.origin))
        if file is None or file.signature != job.key:
            return None
        plan = read_plan(layout, job.origin)
        return Wish(
            stand=file.signature,
            answered=uuid.uuid4().hex,  # a plan that is missing is made, whatever a receipt says
            outputs=(),
            saved_at=file.mtime_ns / 1e9,
            due=plan is None or plan.signature != file.signature,
            request=lambda: Asked(_order(file), file.signature, bool(file.notes)),
            repeats="always",
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Nothing: the jobs of the plan tell how they do. Or that there is no work in it, and move the table away."""
        file, wish = datasets.read(layout.at(job.origin)), self.read(layout, job)
        if file is None or wish is None:
            return _vanished(layout, job)
        if answer.error is None:
            return WriteBack("written", "")
        if not at.still(wish):
            return CHANGED
        says = {"status": "failed", "message": answer.error, "completed_at": stamp(at.now)}
        _finish(layout, job, file, FAILED, says, at.now)
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the dataset stands."""
        if self.read(layout, job) is not None:
            _tell(layout, job, {"status": standing, "message": words}, now)


class RowsOrigin:
    """The wish that the rows of one shard be worked on."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The shard, due until it ended; None when there is another plan by now, or none."""
        found = _planned(layout, job)
        if found is None:
            return None
        file, plan, number = found
        return Wish(
            # Attempts are counted anew for each row that has ended since.
            stand=f"{job.key}.{_rows_ended(layout, job, file, plan, number)}",
            answered="",
            outputs=(),
            saved_at=file.mtime_ns / 1e9,
            due=number not in ended(layout, job.origin, plan.run).jobs,
            request=lambda: Part(_order(file), plan, number),
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Mark the shard as ended, and say how many rows are."""
        found, wish = _planned(layout, job), self.read(layout, job)
        if found is None or wish is None:
            return _vanished(layout, job)
        if not at.still(wish):
            return CHANGED
        _, plan, number = found
        # Told before it is marked: once the last shard is, another worker may put the results together and say so.
        if answer.error is None:
            processed, failed = int(answer.facts["processed"]), int(answer.facts["failed"])
            _tell_counts(layout, job, at.now, more=(processed, failed))
            mark_ended(layout, job.origin, plan.run, number, processed, failed)
        else:
            _tell_counts(layout, job, at.now)
            mark_lost(layout, job.origin, plan.run, number, answer.error)
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how many rows have ended, or why this shard waits."""
        if standing != "pending" and _planned(layout, job) is not None:
            _tell_counts(layout, job, now, standing, words)


class ResultsOrigin:
    """The wish that the results be put together."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The dataset, due when all its shards have ended; None when there is another plan by now, or none."""
        found = _planned(layout, job)
        if found is None:
            return None
        file, plan, _ = found
        return Wish(
            stand=job.key,
            answered="",
            outputs=(),
            saved_at=file.mtime_ns / 1e9,
            due=len(ended(layout, job.origin, plan.run).jobs) >= plan.jobs,
            request=lambda: Part(_order(file), plan),
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write the answer and move the table away; then nothing of the plan is needed any more."""
        found, wish = _planned(layout, job), self.read(layout, job)
        if found is None or wish is None:
            return _vanished(layout, job)
        if not at.still(wish):
            return CHANGED
        file, plan, _ = found
        if answer.error is None:
            says = {
                **answer.facts,
                "path": answer.outputs[0] if answer.outputs else None,
                "completed_at": stamp(at.now),
            }
            forget_former(_output(layout, job, file, plan))
        else:
            says = {"status": "failed", "message": answer.error, "completed_at": stamp(at.now)}
        _finish(layout, job, file, FAILED if says["status"] == "failed" else DONE, says, at.now)
        forget(layout, job.origin, plan.run)
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file that all rows have ended, or why the results wait."""
        if standing != "pending" and _planned(layout, job) is not None:
            _tell_counts(layout, job, now, standing, words or "putting the results together")


def _planned(layout: Layout, job: Job) -> tuple[DatasetFile, Plan, int] | None:
    """The table, its plan and the number of the shard that `job` is of; None where it is of no plan that holds."""
    file, plan = datasets.read(layout.at(job.origin)), read_plan(layout, job.origin)
    if file is None or plan is None or plan.signature != file.signature:
        return None
    run, _, number = job.key.partition(":")
    return (file, plan, int(number or 0)) if run == plan.run else None


def _order(file: DatasetFile) -> Order:
    if file.fault:
        raise Rejected(file.fault)
    try:
        return understood(file.content)
    except Rejected as error:
        raise Rejected(f"{next(iter(file.notes)).name}: {error}") from None


def _output(layout: Layout, job: Job, file: DatasetFile, plan: Plan) -> OutputFolder:
    folder = _order(file).output_dir or layout.dataset_folder(layout.at(job.origin))
    return OutputFolder(layout.outputs / folder, run=plan.run)


def _rows_ended(layout: Layout, job: Job, file: DatasetFile, plan: Plan, number: int) -> int:
    ledgers = _output(layout, job, file, plan).shard_ledgers(number)
    return sum(isinstance(record, Record) for path in ledgers for _, record in records(path))


def _vanished(layout: Layout, job: Job) -> WriteBack:
    if datasets.read(layout.at(job.origin)) is None:
        return WriteBack("gone", "the table was removed; nothing was answered")
    return CHANGED


def _tell_counts(
    layout: Layout,
    job: Job,
    now: datetime,
    standing: Standing = "processing",
    words: str = "",
    more: tuple[int, int] = (0, 0),
) -> None:
    """Say how many rows have ended, with `more` that are not marked yet: processed and failed ones."""
    plan = read_plan(layout, job.origin)
    if plan is None:
        return
    state = ended(layout, job.origin, plan.run)
    processed, failed = state.processed + more[0], state.failed + more[1]
    says = {
        "status": standing,
        "message": words or f"{processed + failed} of {plan.rows} rows have ended",
        "rows": plan.rows,
        "processed": processed,
        "failed": failed,
    }
    _tell(layout, job, says, now)


def _tell(layout: Layout, job: Job, says: Mapping[str, Any], now: datetime) -> None:
    file = layout.answer(layout.at(job.origin))
    content = _content(layout, job, says, now)
    if requests.read_answer(file) != content:
        requests.write_answer(file, content, durable=False)


def _content(layout: Layout, job: Job, says: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    table = layout.at(job.origin)
    known = requests.read_answer(layout.answer(table))
    is_same = known.get("dataset") == table.name and known.get("completed_at") is None
    return {
        "dataset": table.name,
        "status": "pending",
        "rows": None,
        "processed": 0,
        "failed": 0,
        "skipped": 0,
        "resumed": 0,
        "failures": [],
        "path": None,
        "output_dir": None,
        "message": "",
        "created_at": known["created_at"] if is_same and "created_at" in known else stamp(now),
        "completed_at": None,
        **says,
    }


def _finish(layout: Layout, job: Job, file: DatasetFile, word: str, says: Mapping[str, Any], now: datetime) -> None:
    """Write the answer and its copy, then move the table, and last its note, without which it would be another."""
    table, content = layout.at(job.origin), _content(layout, job, says, now)
    notes = {layout.relative(note): seen for note, seen in file.notes.items()}
    leaving = Departure(job.id, job.origin, file.look, word, notes)

    def announce(place: Path) -> None:
        departure.note(layout, leaving.to(layout, place))
        requests.place_answer(layout.answer(table), layout.answer(place), content)

    if put_away(layout, table, word, file.look, announce=announce):
        departure.conclude(layout, leaving)
    else:
        departure.forget(layout, job.id)
