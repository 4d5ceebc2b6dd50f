"""Summing up: results and numbers from what the ledgers say, in the table's order; and a table in shards.

The same ledgers give the same results file, byte by byte, whoever wrote them in however many runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from clipd.datasets.folder import OutputFolder
from clipd.datasets.record import Record
from clipd.datasets.register import Register
from clipd.datasets.results import write_results, write_stats
from clipd.datasets.row import Row
from clipd.datasets.shard import Shard, shards
from clipd.datasets.stats import ERRORS_SHOWN, ProcessingStats, RowError
from clipd.datasets.table import Mark
from clipd.jobs.rows.recipe import Recipe
from clipd.jobs.rows.run import Dataset, confirm, told_apart


def known_rows(dataset: Dataset, register: Register) -> Iterator[Row]:
    """The rows of the table; those that repeat an earlier one are failures. Each is seen by the register."""
    return told_apart(dataset.rows(), lambda row: register.first_line(row.key, row.line))


def save_results(dataset: Dataset, register: Register, output: OutputFolder) -> None:
    """Write the results of all rows that ended as they are now."""
    write_results(output.results, _ended(dataset, register))


def sum_up(register: Register, total: int, *, wall_time: float = 0.0) -> ProcessingStats:
    """The numbers of all rows that ended as they are now, of `total` in the table."""
    sums = register.sums()
    return ProcessingStats(
        total_videos=total,
        processed=sums.ok,
        failed=sums.failed,
        skipped=total - sums.ok - sums.failed,
        resumed=sums.resumed,
        total_time=sums.seconds,
        wall_time=wall_time,
        errors=tuple(_error(line, record) for line, record in register.failures(ERRORS_SHOWN)),
    )


def cut_up(dataset: Dataset, rows_per_shard: int) -> Iterator[Shard]:
    """The shards of the table. Raises what opening it does."""

    def rows(register: Register) -> Iterator[tuple[Mark, int | None]]:
        for raw, after in dataset.open().rows():
            row = dataset.understand(raw)
            first = register.first_line(row.key, row.line)
            yield after, None if first == row.line else first

    with Register() as register:
        yield from shards(rows(register), rows_per_shard)


def merge(dataset: Dataset, recipe: Recipe, output: OutputFolder, ledgers: Iterable[Path]) -> ProcessingStats:
    """Write the results and numbers of a table whose shards have left these ledgers; rows without a record are skipped.

    Raises what opening the table does.
    """
    with Register() as register:
        for ledger in ledgers:
            register.load(ledger)
        total = confirm(known_rows(dataset, register), register, recipe)
        save_results(dataset, register, output)
        stats = sum_up(register, total)
        write_stats(output.stats, stats)
        return stats


def _ended(dataset: Dataset, register: Register) -> Iterator[tuple[int, Record]]:
    for row in known_rows(dataset, register):
        record = register.current(row.key)
        if record is not None:
            yield row.line, record


def _error(line: int, record: Record) -> RowError:
    failure = record.failure
    assert failure is not None  # noqa: S101 - only failures are named
    return RowError(line, record.id, failure.kind, failure.message)
