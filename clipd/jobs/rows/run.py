"""Running rows: which are due, one of them done, and a whole shard of them done in this process.

A row is done in staging, its files synced; whoever keeps the ledger then publishes them and appends the record. A crash
at any line leads to that row's running again, with the same result.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from clipd.datasets.folder import OutputFolder, sync_all
from clipd.datasets.ledger import Ledger
from clipd.datasets.record import Begun, Failure, Kind, Lost, Record
from clipd.datasets.register import Register
from clipd.datasets.row import Columns, Row, fingerprint, understand
from clipd.datasets.shard import Shard
from clipd.datasets.table import BEGINNING, Mark, RawRow, Table, open_table, some
from clipd.datasets.values import keep
from clipd.errors import ClipdError, Deferred, Rejected
from clipd.files.atomic import translated
from clipd.jobs.rows.function import Surroundings
from clipd.jobs.rows.own import FunctionFailed
from clipd.jobs.rows.recipe import Recipe

LOSSES = 2
"""How often a row may take its process down, in a shard, before it has failed."""
MESSAGE_CHARACTERS = 2000

Checkpoint = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Dataset:
    """A table and how it is read; it travels."""

    path: Path
    columns: Columns
    beneath: Path | None = None
    """The folder that every video must lie in, or None for anywhere."""
    roots: tuple[Path, ...] = ()
    """In place of it, folders that paths count from: the first that has the video, which must lie in it."""
    pinned: tuple[int, int] | None = None
    """The size and modification time (ns) that the table must have; None for any."""

    def pin(self) -> Dataset:
        """The same, to be read as it is now only: it is read several times, and its lines must stay where they are."""
        return replace(self, pinned=self._look())

    def open(self) -> Table:
        """The table. Raises what `open_table` does, and `Rejected` where it is not what was pinned."""
        table = open_table(self.path)
        if self.pinned not in (None, self._look()):
            raise Rejected(f"{self.path.name} was changed while it was worked on; what is done is kept: run it again")
        return table

    def _look(self) -> tuple[int, int]:
        with translated(f"reading {self.path}"):
            seen = self.path.stat()
        return seen.st_size, seen.st_mtime_ns

    def rows(self, start: Mark = BEGINNING, count: int | None = None) -> Iterator[Row]:
        """`count` rows of it from `start` on; None is all."""
        for raw in some(self.open(), start, count):
            yield self.understand(raw)

    def understand(self, raw: RawRow) -> Row:
        """A row of it, understood."""
        return understand(raw, self.columns, self.path.absolute().parent, self.beneath, self.roots)


@dataclass(frozen=True)
class Work:
    """A row to be done; `fingerprint` is of all that decides its result."""

    row: Row
    fingerprint: str


def told_apart(rows: Iterable[Row], first_line: Callable[[Row], int]) -> Iterator[Row]:
    """The rows, where one that repeats another (as `first_line` knows) is turned into a failure."""
    for row in rows:
        first = first_line(row)
        if first == row.line:
            yield row
            continue
        what = f"the id {row.id!r}" if row.id is not None else "the same row"
        words = f"{what} stands on line {first} already, and again on line {row.line}; nothing is done twice"
        yield replace(row, key=f"line:{row.line}", fault=words, is_repeated=True)


def confirm(rows: Iterable[Row], register: Register, recipe: Recipe) -> int:
    """Mark the records of rows that ended as they are now; how many rows there are."""
    count = 0
    for row in rows:
        count += 1
        done = register.done(row.key)
        if done is not None and done.fingerprint == fingerprint(row, recipe.fingerprint):
            register.confirm(row.key, row.line)
    return count


def due(rows: Iterable[Row], register: Register, recipe: Recipe, *, retry_failed: bool) -> Iterator[Work | Record]:
    """What is to be done: rows that never ended as they are now. One that cannot be done is a record at once.

    With `retry_failed`, just those that ended as failures.
    """
    for row in rows:
        mark = fingerprint(row, recipe.fingerprint)
        done = register.done(row.key)
        has_failed = done is not None and not done.is_ok
        is_known = done is not None and done.fingerprint == mark
        if not has_failed if retry_failed else is_known:
            continue
        work = Work(row, mark)
        if row.fault:
            yield failed(work, Failure("duplicate" if row.is_repeated else "row", row.fault))
        else:
            yield work


def do(work: Work, recipe: Recipe, output: OutputFolder, checkpoint: Checkpoint) -> Record:
    """Do one row; its files are in staging afterwards, synced. Whatever goes wrong with the row is in the record.

    Raises:
        Deferred: the disk or the share cannot take it now; that is no fault of the row. What `checkpoint` raises.
    """
    row = work.row
    begun = time.perf_counter()
    folder = output.begin(row.folder)
    below = f"{output.rows.name}/{row.folder}"
    try:
        if not row.path.exists():
            return failed(work, Failure("missing", f"{row.video} is not there"), begun)
        result = keep(recipe.run(Surroundings(row, folder, below, recipe.means, checkpoint)), folder, below)
        files = tuple(f"{below}/{name}" for name in sync_all(folder))
        record = _record(work, begun)
        return replace(record, result=result.value, files=files, warnings=result.warnings)
    except Deferred:
        raise
    except ClipdError as error:
        return failed(work, _failure(error, folder), begun)
    except MemoryError:
        words = "it needs more memory than a process may use (memory)"
        return failed(work, Failure("crash", words), begun)


def failed(work: Work, failure: Failure, begun: float | None = None) -> Record:
    """The record of a failure; `begun` by `time.perf_counter`, where any work was done."""
    return replace(_record(work, begun), failure=failure)


def enter(
    ended: Iterable[tuple[Work | None, Record]], output: OutputFolder, ledger: Ledger, register: Register
) -> None:
    """Publish what rows left in staging, then make their records durable. Files of a row that fails are not touched."""
    records = []
    for work, record in ended:
        if work is not None:
            (output.publish if record.is_ok else output.discard)(work.row.folder)
        records.append(record)
    for record, offset in zip(records, ledger.append(records), strict=True):
        register.add(ledger.path, offset, record)


def run_shard(
    dataset: Dataset,
    shard: Shard,
    recipe: Recipe,
    output: OutputFolder,
    checkpoint: Checkpoint,
    *,
    attempt: str = "",
    was_lost: bool = False,
) -> None:
    """Do the rows of `shard` that its ledgers do not know, one after the other, in this process.

    A row that takes the process down is given up after `LOSSES` times, when the shard is run again.

    Args:
        dataset: the table.
        shard: which rows of it.
        recipe: what is done with each.
        output: where files go; the ledger is `output.shard_ledger(shard.number, attempt)`.
        checkpoint: called within rows, and with ("rows", done, total) around them; may raise to stop.
        attempt: a name for this attempt; two that overlap need names of their own.
        was_lost: did the former attempt end with its process, by the fault of the row that it was at?

    Raises:
        Rejected: somebody else is at work under this name. Deferred: as `do`.
        ClaimLost: the staging folder is gone, because somebody else works on the shard.
    """
    first_lines = dict(shard.repeated)
    with Ledger(output.shard_ledger(shard.number, attempt)) as ledger, Register() as register:
        for path in output.shard_ledgers(shard.number):
            register.load(path)
        rows = told_apart(dataset.rows(shard.start, shard.count), lambda row: first_lines.get(row.number, row.line))
        for item in due(rows, register, recipe, retry_failed=False):
            if isinstance(item, Record):
                enter([(None, item)], output, ledger, register)
                continue
            done, key, mark = item.row.number - shard.start.number, item.row.key, item.fingerprint
            checkpoint("rows", done, shard.count)
            losses = register.times_lost(key, mark)
            if was_lost and losses is not None:
                ledger.append([Lost(key, mark)])
                losses += 1
            was_lost = False  # only the first row can have been the one
            if (losses or 0) >= LOSSES:
                words = f"its process was lost {LOSSES} times while it was worked on"
                record = failed(item, Failure("crash", words))
            else:
                ledger.append([Begun(key, mark)], durable=False)
                record = do(item, recipe, output, checkpoint)
                checkpoint("rows", done, shard.count)
                output.require(item.row.folder)  # one who was replaced a moment ago does not know it yet
            enter([(item, record)], output, ledger, register)


def _record(work: Work, begun: float | None) -> Record:
    seconds = 0.0 if begun is None else round(time.perf_counter() - begun, 6)
    row = work.row
    return Record(row.key, work.fingerprint, row.line, row.id, row.video, seconds=seconds)


def _failure(error: ClipdError, folder: Path) -> Failure:
    kind: Kind = "media"
    if isinstance(error, FunctionFailed):
        kind = "function"
    elif isinstance(error, Rejected):
        kind = "rejected"
    where = error.where if isinstance(error, FunctionFailed) else ""
    # Where it was made is nobody's concern, and differs from run to run.
    words = str(error).replace(str(folder), "output_dir")
    return Failure(kind, words[:MESSAGE_CHARACTERS], where)
