"""Parquet tables: the only place that knows pyarrow, which comes with `clipd[parquet]`."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from clipd.datasets.table import BEGINNING, Mark, RawRow
from clipd.errors import Rejected
from clipd.files.atomic import translated

BATCH_ROWS = 512
"""Rows decoded at a time."""


class ParquetTable:
    """A Parquet file; its rows have no lines, so that `line` counts rows from 1."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._opened() as file:
            self.columns: tuple[str, ...] | None = tuple(file.schema_arrow.names)

    def rows(self, start: Mark = BEGINNING) -> Iterator[tuple[RawRow, Mark]]:
        """Each row from `start` on; row groups before it are not read."""
        number = 0
        with self._opened() as file:
            sizes = [file.metadata.row_group(group).num_rows for group in range(file.num_row_groups)]
            first = 0
            while first < len(sizes) and number + sizes[first] <= start.number:
                number += sizes[first]
                first += 1
            batches = file.iter_batches(batch_size=BATCH_ROWS, row_groups=list(range(first, len(sizes))))
            for batch in self._read(batches):
                for values in batch.to_pylist():
                    if number >= start.number:
                        yield _row(number, values), Mark(number + 1)
                    number += 1

    def _opened(self) -> Any:
        try:
            import pyarrow
            import pyarrow.parquet
        except ImportError as error:
            raise Rejected(
                f"{self.path.name} is Parquet, and reading that needs pyarrow: pip install 'clipd[parquet]' "
                "(or save the table as CSV)"
            ) from error
        with translated(f"reading {self.path}"):
            try:
                return pyarrow.parquet.ParquetFile(self.path)
            except pyarrow.ArrowException as error:
                raise Rejected(f"{self.path.name} cannot be read as Parquet: {error}") from error

    def _read(self, batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow

        with translated(f"reading {self.path}"):
            try:
                yield from batches
            except pyarrow.ArrowException as error:
                raise Rejected(f"{self.path.name} cannot be read as Parquet: {error}") from error


def _row(number: int, values: dict[str, Any]) -> RawRow:
    try:
        return RawRow(number, number + 1, {name: _plain(value) for name, value in values.items()})
    except ValueError as error:
        return RawRow(number, number + 1, {}, str(error))


def _plain(value: Any) -> Any:
    """`value` as JSON knows it: times and decimals as text, everything not finite as nothing."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if abs(value) < float("inf") else None
        case datetime() | date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return str(value)
        case list():
            return [_plain(item) for item in value]
        case tuple():
            # What a map becomes: pairs.
            return [_plain(item) for item in value]
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
    raise ValueError(f"the row holds a value of type {type(value).__name__}; write text, numbers or lists")
