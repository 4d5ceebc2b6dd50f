"""Datasets as kinds of jobs: cutting a table up, working on a piece of it, and putting the results together.

Many pieces are worked on at the same time, here and on other machines. Each row's files are published by the piece as
it goes, and stand in its ledger; the results are published by the last job, like any output.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from clipd.datasets.folder import OutputFolder
from clipd.datasets.record import Record
from clipd.datasets.results import write_stats
from clipd.datasets.stats import ProcessingStats
from clipd.datasets.table import open_table, require_columns
from clipd.errors import ClipdError, Rejected, Superseded
from clipd.files import atomic, jsontext
from clipd.files.arrival import Arriving, still_seconds
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.context import Context
from clipd.jobs.dataset import Order, Tables, recipe_of
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.rows.finish import merge
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.plan import Ended, Plan, ended, make_plan, read_shard, tally, why_lost
from clipd.jobs.rows.recipe import Recipe
from clipd.jobs.rows.run import Dataset, run_shard
from clipd.media.door import Limits
from clipd.model.artifact import Artifact
from clipd.model.job import Job
from clipd.tree.layout import Layout

PLAN_BYTES = 64 << 20
"""Room for the plan of a table, and for what is carried over."""
ROW_BYTES = 2 << 20
"""Room that a row is taken to need: 16 pictures, say."""
RESULT_BYTES = 2 << 10
"""Room that a row is taken to need in the results."""
OWNER_LIMIT_BYTES = 1 << 16
FAILURES_TOLD = 100
"""How many failures the answer lists; all of them stand in the results."""
FAILURES_NAMED = 5
"""How many of them its message names."""
MESSAGE_CHARACTERS = 300


@dataclass(frozen=True)
class Asked:
    """A table as its note describes it."""

    order: Order
    signature: str
    has_note: bool


@dataclass(frozen=True)
class Part:
    """A job of the plan: the rows of one shard; `number` is None for putting all results together."""

    order: Order
    plan: Plan
    number: int | None = None


@dataclass(frozen=True)
class _Work:
    """What a job of any of these kinds runs on."""

    layout: Layout
    table: str
    dataset: Dataset
    folder: str
    """Where outputs go, relative to the outputs tree."""
    asked: Any

    @property
    def root(self) -> Path:
        """The same, absolute."""
        return self.layout.outputs / self.folder


class DatasetKind:
    """Cuts a table up into jobs, once it can be read."""

    def prepare(self, layout: Layout, job: Job, request: Asked, settings: Tables) -> Prepared:
        """See that the table has its columns, and that the folder for the outputs is nobody else's."""
        work = _work(layout, job, request.order, request)
        try:
            require_columns(open_table(work.dataset.path), request.order.video_col, request.order.id_col)
        except Rejected as error:
            young = settings.datasets.note_seconds - still_seconds(work.dataset.path, settings.share_offset)
            if request.has_note or young <= 0:
                raise
            note = work.dataset.path.with_suffix(".yaml").name
            raise Arriving(f"{error}; waiting for {note}, which may say what its columns are", young) from error
        _require_inside(work)
        decides = {"signature": request.signature, "order": request.order.model_dump(mode="json")}
        return Prepared(work, work.dataset.path, job.origin, decides)

    def needed_bytes(self, prepared: Prepared, settings: Tables, limits: Limits, cache: Path | None) -> int:
        """Some megabytes."""
        return PLAN_BYTES

    def run(self, prepared: Prepared, settings: Tables, context: Context) -> Result:
        """Write the plan; what former runs left of rows that did not change is carried over."""
        work: _Work = prepared.request
        asked: Asked = work.asked
        context.checkpoint("reading the table", 0, 0)
        order, dataset = asked.order, work.dataset.pin()
        recipe = recipe_of(order, settings.datasets, _means(context, settings.clips))
        _take_folder(work)

        def keeps(record: Record) -> bool:
            return not order.force and (record.is_ok or not order.retry_failed)

        with _one_table(dataset):
            plan = make_plan(
                work.layout,
                work.table,
                asked.signature,
                dataset,
                recipe,
                OutputFolder(work.root),
                rows_per_job=order.save_interval or settings.datasets.rows_per_job,
                keeps=keeps,
                checkpoint=context.checkpoint,
            )
        return Result((), {}, facts={"rows": plan.rows, "carried": plan.carried})


class RowsKind:
    """Works on the rows of one shard."""

    def prepare(self, layout: Layout, job: Job, request: Part, settings: Tables) -> Prepared:
        """Nothing of the plan is read yet but its header."""
        work = _work(layout, job, request.order, request)
        decides = {"run": request.plan.run, "shard": request.number}
        return Prepared(work, work.dataset.path, job.origin, decides)

    def needed_bytes(self, prepared: Prepared, settings: Tables, limits: Limits, cache: Path | None) -> int:
        """A guess, on the high side, for all rows of the job."""
        part: Part = prepared.request.asked
        return min(part.plan.rows_per_job, part.plan.rows) * ROW_BYTES

    def run(self, prepared: Prepared, settings: Tables, context: Context) -> Result:
        """Do the rows that no attempt at this job has done."""
        work: _Work = prepared.request
        part: Part = work.asked
        assert part.number is not None  # noqa: S101 - its origin asks for one shard
        plan, dataset = part.plan, replace(work.dataset, pinned=part.plan.pinned)
        shard = read_shard(work.layout, work.table, plan, part.number)
        recipe = recipe_of(part.order, settings.datasets, _means(context, ClipSettings.model_validate(plan.clips)))
        output = OutputFolder(work.root, run=plan.run, scratch=context.staging)
        with _one_table(dataset):
            run_shard(
                dataset,
                shard,
                replace(recipe, fingerprint=plan.fingerprint),
                output,
                context.checkpoint,
                attempt=context.staging.name,
                was_lost=bool(context.last_words),
            )
        processed, failed = tally(output.shard_ledgers(part.number))
        return Result((), {}, facts={"processed": processed, "failed": failed})


class ResultsKind:
    """Puts the results of all shards together."""

    def prepare(self, layout: Layout, job: Job, request: Part, settings: Tables) -> Prepared:
        """Every shard has ended; what their ledgers say decides."""
        work = _work(layout, job, request.order, request)
        return Prepared(work, work.dataset.path, job.origin, {"run": request.plan.run, "folder": work.folder})

    def needed_bytes(self, prepared: Prepared, settings: Tables, limits: Limits, cache: Path | None) -> int:
        """A guess for as many rows."""
        part: Part = prepared.request.asked
        return part.plan.rows * RESULT_BYTES

    def run(self, prepared: Prepared, settings: Tables, context: Context) -> Result:
        """Write results and numbers in the table's order."""
        work: _Work = prepared.request
        part: Part = work.asked
        plan, dataset = part.plan, replace(work.dataset, pinned=part.plan.pinned)
        context.checkpoint("putting the results together", 0, 0)
        staged, output = OutputFolder(context.staging), OutputFolder(work.root, run=plan.run)
        means = _means(context, ClipSettings.model_validate(plan.clips))
        recipe = Recipe(part.order.process, {}, means, part.order.process, plan.fingerprint)
        with _one_table(dataset):
            stats = merge(dataset, recipe, staged, sorted((output.shards / output.run).glob("*.jsonl")))
        stats = replace(stats, resumed=plan.carried)
        write_stats(staged.stats, stats)
        lost = _lost(work, plan, ended(work.layout, work.table, plan.run))
        artifacts = tuple(_artifact(path, work.folder) for path in (staged.results, staged.stats))
        truth = {"process": part.order.process, "arguments": part.order.arguments, "numbers": stats.to_dict()}
        return Result(artifacts, truth, lost, facts=_facts(work, stats, lost), one_sheet=True)


def _work(layout: Layout, job: Job, order: Order, asked: Any) -> _Work:
    table = layout.at(job.origin)
    roots = (table.parent, layout.root, layout.source, layout.recordings)
    folder = order.output_dir or layout.dataset_folder(table)
    return _Work(layout, job.origin, Dataset(table, order.columns, roots=roots), folder, asked)


def _means(context: Context, clips: ClipSettings) -> Means:
    return Means(context.limits, clips, context.cache, context.threads)


def _require_inside(work: _Work) -> None:
    if not Path(os.path.realpath(work.root)).is_relative_to(os.path.realpath(work.layout.outputs)):
        raise Rejected(f"output_dir: {work.folder} leads out of the outputs tree through a link; name another folder")


def _take_folder(work: _Work) -> None:
    """Make the folder for the outputs, and write down whose it is: rows of two tables must never meet in it.

    Raises:
        Rejected: it is another table's.
    """
    note, mine = work.layout.dataset_owner(work.folder), {"table": work.table, "folder": work.folder}
    former = _owner(note)
    _refuse_if_taken(work, former)
    with atomic.translated(f"making {work.root}"):
        work.root.mkdir(parents=True, exist_ok=True)
    atomic.make_folder(note.parent, work.layout.state)
    data = json.dumps(mine).encode()
    if former is not None:
        atomic.write(note, data)
    elif not atomic.create(note, data):
        _refuse_if_taken(work, _owner(note))


def _owner(note: Path) -> dict[str, Any] | None:
    """What a note says of a folder; None where there is none that can be read."""
    try:
        known = jsontext.load(atomic.read_regular(note, OWNER_LIMIT_BYTES)[0], OWNER_LIMIT_BYTES)
    except (atomic.Missing, Rejected):
        return None
    return known if isinstance(known, dict) else {}


def _refuse_if_taken(work: _Work, owner: dict[str, Any] | None) -> None:
    if owner is None or owner.get("table") in (None, work.table):
        return
    # By the name that its owner knows it by: on some shares upper and lower case are the same.
    if (work.layout.outputs / str(owner.get("folder"))).exists():
        raise Rejected(
            f"{work.folder} holds the outputs of {owner['table']} already; name another output_dir, or remove that"
        )


@contextmanager
def _one_table(dataset: Dataset) -> Iterator[None]:
    """Whatever fails because the table was changed meanwhile is no failure: the changed one is another run."""
    try:
        yield
    except ClipdError as error:
        try:
            is_same = dataset.pin().pinned == dataset.pinned
        except ClipdError:
            is_same = False
        if is_same:
            raise
        raise Superseded(f"{dataset.path.name} was changed or removed while it was worked on") from error


def _lost(work: _Work, plan: Plan, state: Ended) -> tuple[str, ...]:
    """Which rows were given up together with their job, and why."""
    words = []
    for number in state.lost:
        first = number * plan.rows_per_job + 1
        last = min(first + plan.rows_per_job - 1, plan.rows)
        words.append(f"rows {first} to {last} were given up: {why_lost(work.layout, work.table, plan.run, number)}")
    return tuple(words)


def _facts(work: _Work, stats: ProcessingStats, lost: tuple[str, ...]) -> dict[str, Any]:
    """What the answer says."""
    status = "done" if stats.processed == stats.total_videos else "partial" if stats.processed else "failed"
    errors = [
        {**error, "message": str(error["message"])[:MESSAGE_CHARACTERS]}
        for error in stats.to_dict()["errors"][:FAILURES_TOLD]
    ]
    return {
        "status": status,
        "message": "; ".join((*_words(stats, errors), *(word[:MESSAGE_CHARACTERS] for word in lost[:FAILURES_NAMED]))),
        "rows": stats.total_videos,
        "processed": stats.processed,
        "failed": stats.failed,
        "skipped": stats.skipped,
        "resumed": stats.resumed,
        "failures": errors,
        "output_dir": work.layout.relative(work.root),
    }


def _words(stats: ProcessingStats, errors: list[dict[str, Any]]) -> Iterator[str]:
    if not stats.total_videos:
        yield "the table has no rows"
        return
    yield f"{stats.processed} of {stats.total_videos} rows have a result"
    yield from (f"line {error['line']}: {error['message']}" for error in errors[:FAILURES_NAMED])
    if stats.failed > FAILURES_NAMED:
        yield f"{stats.failed - FAILURES_NAMED} more failed, all named in the results"
    if stats.skipped:
        yield f"{stats.skipped} rows have neither result nor failure; drop the table again, and only they run"


def _artifact(path: Path, folder: str) -> Artifact:
    with atomic.translated(f"reading {path}"), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Artifact(path.name, folder, "data", "json", path.stat().st_size, digest, {})
