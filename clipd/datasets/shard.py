"""Shards: a table in pieces that are worked on apart, each with a ledger of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from clipd.datasets.table import BEGINNING, Mark


@dataclass(frozen=True)
class Shard:
    """`count` rows of a table from `start` on; it travels."""

    number: int
    start: Mark
    count: int
    repeated: tuple[tuple[int, int], ...] = ()
    """Rows that repeat an earlier one of the table: (the row's number, the line of the first one)."""


def shards(rows: Iterable[tuple[Mark, int | None]], rows_per_shard: int) -> Iterator[Shard]:
    """The pieces of a table, in order.

    Args:
        rows: for each row the mark after it, and the line of the row that it repeats, or None.
        rows_per_shard: how many rows a piece has; the last one may have fewer.
    """
    number, start, count, repeated = 0, BEGINNING, 0, []
    for after, first_line in rows:
        if first_line is not None:
            repeated.append((start.number + count, first_line))
        count += 1
        if count == rows_per_shard:
            yield Shard(number, start, count, tuple(repeated))
            number, start, count, repeated = number + 1, after, 0, []
    if count:
        yield Shard(number, start, count, tuple(repeated))
