"""The plan of a dataset: how its table is cut up into jobs, and which of them ended.

It lies in the state folder of the tree, small and for all machines: a header, a line for each shard, and a mark for
each job that ended. The header is written last, so that a plan that is there is whole. Each cutting up is a run of its
own; rows that did not change keep what former runs made of them.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clipd.datasets.folder import OutputFolder, remove
from clipd.datasets.ledger import HEADER, records
from clipd.datasets.record import Record
from clipd.datasets.register import Register
from clipd.datasets.row import Row, fingerprint
from clipd.datasets.shard import Shard, shards
from clipd.datasets.table import Mark as Place
from clipd.errors import Temporary
from clipd.files import atomic
from clipd.jobs.rows.recipe import Recipe
from clipd.jobs.rows.run import Dataset
from clipd.tree.layout import Layout

HEADER_LIMIT_BYTES = 1 << 20
LOST_LIMIT_BYTES = 1 << 16
LOST = "lost"

_MARK = re.compile(r"(?P<number>\d{1,9})\.(?:(?P<ok>\d{1,9})\.(?P<failed>\d{1,9})|lost)", re.ASCII)
_RUN = re.compile(r"[0-9a-f]{16}", re.ASCII)


@dataclass(frozen=True)
class Plan:
    """How a table is cut up; `signature` tells which table, as it was, and with which note."""

    run: str
    signature: str
    pinned: tuple[int, int]
    """The size and modification time (ns) of the table."""
    rows: int
    rows_per_job: int
    carried: int
    """Rows that former runs finished."""
    fingerprint: str
    """The recipe's: the run is one piece, whatever becomes of settings meanwhile."""
    clips: dict[str, Any]
    """The settings of clips, as they were."""

    @property
    def jobs(self) -> int:
        """How many jobs the rows are."""
        return -(-self.rows // self.rows_per_job)


@dataclass(frozen=True)
class Ended:
    """The jobs that ended, and the rows in them."""

    jobs: frozenset[int]
    processed: int
    failed: int
    lost: tuple[int, ...]
    """Jobs that were given up."""


def read_plan(layout: Layout, table: str) -> Plan | None:
    """The plan of the table at `table` (relative to the root); None where there is none that can be believed."""
    path = layout.dataset_plan(table)
    try:
        plan: Plan = _PLAN.validate_json(atomic.read_regular(path, HEADER_LIMIT_BYTES)[0])
    except (atomic.Missing, ValidationError):
        return None
    is_sound = _RUN.fullmatch(plan.run) and plan.rows_per_job > 0 and plan.rows >= 0
    return plan if is_sound else None


def read_shard(layout: Layout, table: str, plan: Plan, number: int) -> Shard:
    """Which rows the job of this number works on. Raises `Temporary` where that cannot be read."""
    path = layout.dataset_shards(table, plan.run)
    with atomic.translated(f"reading {path}"), path.open("rb") as file:
        line = next(islice(file, number, None), b"")
    try:
        shard: Shard = _SHARD.validate_json(line)
    except ValidationError as error:
        raise Temporary(f"{layout.relative(path)} is damaged: {error}") from error
    return shard


def mark_ended(layout: Layout, table: str, run: str, number: int, processed: int, failed: int) -> None:
    """Note that a job ended, and how its rows did. Losing the note costs nothing: the job's receipt says so too."""
    name = f"{number:06d}.{processed}.{failed}"
    atomic.write(layout.dataset_marks(table, run) / name, b"", durable=False)


def mark_lost(layout: Layout, table: str, run: str, number: int, words: str) -> None:
    """Note that a job was given up, and why."""
    path = layout.dataset_marks(table, run) / f"{number:06d}.{LOST}"
    atomic.write(path, words.encode("utf-8", "backslashreplace")[:LOST_LIMIT_BYTES], durable=False)


def ended(layout: Layout, table: str, run: str) -> Ended:
    """The jobs of a run that ended."""
    folder = layout.dataset_marks(table, run)
    with atomic.translated(f"reading {folder}"):
        found = [mark for mark in (_MARK.fullmatch(path.name) for path in folder.iterdir()) if mark is not None]
    sums = {int(mark["number"]): (int(mark["ok"] or 0), int(mark["failed"] or 0)) for mark in found}
    lost = tuple(sorted(int(mark["number"]) for mark in found if mark["ok"] is None))
    return Ended(frozenset(sums), sum(ok for ok, _ in sums.values()), sum(bad for _, bad in sums.values()), lost)


def why_lost(layout: Layout, table: str, run: str, number: int) -> str:
    """Why a job was given up."""
    path = layout.dataset_marks(table, run) / f"{number:06d}.{LOST}"
    return atomic.read_regular(path, LOST_LIMIT_BYTES)[0].decode("utf-8", "replace")


def tally(ledgers: list[Path]) -> tuple[int, int]:
    """How many rows have a result, and how many failed, by the ledgers of one shard."""
    ok = {record.key: record.is_ok for path in ledgers for _, record in records(path) if isinstance(record, Record)}
    return sum(ok.values()), len(ok) - sum(ok.values())


def make_plan(
    layout: Layout,
    table: str,
    signature: str,
    dataset: Dataset,
    recipe: Recipe,
    output: OutputFolder,
    *,
    rows_per_job: int,
    keeps: Callable[[Record], bool],
    checkpoint: Callable[[str, int, int], None],
) -> Plan:
    """Cut the table up, and carry over what former runs left in `output`; the new plan stands at the end.

    Args:
        layout: the tree.
        table: the table, relative to the root.
        signature: of the table and its note.
        dataset: the table, pinned.
        recipe: what is done with each row.
        output: where everything goes.
        rows_per_job: how many rows a job has.
        keeps: is what a former run made of an unchanged row still good?
        checkpoint: called for every row; may raise to stop.
    """
    assert dataset.pinned is not None  # noqa: S101 - its lines must stay where they are
    run = secrets.token_hex(8)
    output = OutputFolder(output.root, run=run)
    path, marks = layout.dataset_shards(table, run), layout.dataset_marks(table, run)
    with atomic.translated(f"making {marks}"):
        marks.mkdir(parents=True)
        output.shard_ledger(0).parent.mkdir(parents=True)
    count = carried = 0
    with Register() as register, atomic.translated(f"writing {path}"), path.open("xb") as file:
        for ledger in _former_ledgers(output):
            register.load(ledger)
        known: list[Record] = []
        for shard in shards(_rows(dataset, recipe, register, keeps, known.append, checkpoint), rows_per_job):
            file.write(json.dumps(asdict(shard), separators=(",", ":")).encode() + b"\n")
            if known:
                lines = b"".join(record.line_of_ledger() for record in known)
                atomic.write(output.shard_ledger(shard.number, "carried"), HEADER + lines, durable=False)
            if len(known) == shard.count:
                good = sum(record.is_ok for record in known)
                mark_ended(layout, table, run, shard.number, good, len(known) - good)
            count, carried = count + shard.count, carried + len(known)
            known.clear()
    atomic.sync(path)
    atomic.fsync_directory(path.parent)
    clips = recipe.means.clips.model_dump(mode="json")
    plan = Plan(run, signature, dataset.pinned, count, rows_per_job, carried, recipe.fingerprint, clips)
    atomic.write(layout.dataset_plan(table), _PLAN.dump_json(plan))
    for other in _others(layout.dataset(table), run):
        with suppress(OSError):  # they cost only room
            shutil.rmtree(other)
    return plan


def forget(layout: Layout, table: str, run: str) -> None:
    """The dataset is finished: its plan goes, unless the next table of its name has one by now."""
    known = read_plan(layout, table)
    if known is not None and known.run != run:
        return
    atomic.remove(layout.dataset_plan(table))
    remove(layout.dataset(table))


def forget_former(output: OutputFolder) -> None:
    """The results are out: of the ledgers only those of the present run are kept, for the next one to go on from."""
    for other in _others(output.shards, output.run):
        remove(other)


def _rows(
    dataset: Dataset,
    recipe: Recipe,
    register: Register,
    keeps: Callable[[Record], bool],
    carry: Callable[[Record], None],
    checkpoint: Callable[[str, int, int], None],
) -> Iterator[tuple[Place, int | None]]:
    """For each row the place after it, and the line of the row that it repeats; what is known of it is carried over."""
    for raw, after in dataset.open().rows():
        checkpoint("reading the table", raw.number, 0)
        row = dataset.understand(raw)
        first = register.first_line(row.key, row.line)
        if first == row.line and (record := _known(row, recipe, register)) is not None and keeps(record):
            carry(record)
        yield after, None if first == row.line else first


def _known(row: Row, recipe: Recipe, register: Register) -> Record | None:
    done = register.done(row.key)
    if done is None or done.fingerprint != fingerprint(row, recipe.fingerprint):
        return None
    register.confirm(row.key, row.line)
    return register.current(row.key)


def _former_ledgers(output: OutputFolder) -> list[Path]:
    """Those of runs by hand, then those of the inbox, the latest last: of several records of a row the last counts."""
    with atomic.translated(f"reading {output.shards}"):
        ledgers = sorted((path.stat().st_mtime_ns, path) for path in output.shards.glob("*/*.jsonl"))
    return [output.ledger, *(path for _, path in ledgers)]


def _others(folder: Path, run: str) -> list[Path]:
    with atomic.translated(f"reading {folder}"):
        return [path for path in folder.iterdir() if path.name != run and path.is_dir() and not path.is_symlink()]


_PLAN: TypeAdapter[Plan] = TypeAdapter(Plan)
_SHARD: TypeAdapter[Shard] = TypeAdapter(Shard)
