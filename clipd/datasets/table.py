"""Tables of videos: CSV, JSON Lines and Parquet, read row by row, each row with the line it stands on.

What is wrong with one row (a quote that does not end, bytes that are no UTF-8, a cell too many) is told with that row
and does not end the reading. Memory does not grow with the number of rows.

Raises `Rejected` for a table that cannot be read at all: unknown suffix, no header, a column that is not there.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from clipd.errors import Rejected
from clipd.files import jsontext
from clipd.files.atomic import translated
from clipd.files.document import BOM, NotADocument, is_encodable

LINE_BYTES = 1 << 20
"""The longest line that is read; a row names a video and a few words."""
ROW_LINES = 64
"""The most lines that a quoted cell may run over; a quote that does not end must not swallow the table."""
DELIMITERS = ",;\t|"
"""What may stand between the cells of a CSV: the one that the header has most of."""


@dataclass(frozen=True)
class RawRow:
    """A row as it stands in the table; `fault` says why it cannot be used.

    `number` counts rows from 0; `line` counts lines from 1, in Parquet rows from 1.
    """

    number: int
    line: int
    values: dict[str, Any]
    fault: str = ""


@dataclass(frozen=True)
class Mark:
    """A place to go on reading from: before row `number`; `offset` is in bytes, and 0 in formats without one."""

    number: int = 0
    offset: int = 0
    line: int = 0


BEGINNING = Mark()


class Table(Protocol):
    """A table that can be read from any mark of it."""

    path: Path
    columns: tuple[str, ...] | None
    """The names in its header; None where each row brings its own."""

    def rows(self, start: Mark = BEGINNING) -> Iterator[tuple[RawRow, Mark]]:
        """Each row from `start` on, and the mark after it."""
        ...


def open_table(path: Path) -> Table:
    """The table at `path`; its suffix says what it is.

    Raises:
        Rejected: it is no table that clipd reads. Missing: there is no such file.
    """
    with translated(f"reading {path}"):
        path.stat()
    if not path.is_file():
        raise Rejected(f"{path} is not a regular file")
    match path.suffix.lower():
        case ".csv" | ".tsv" | ".txt":
            return CsvTable(path)
        case ".jsonl" | ".ndjson":
            return JsonLinesTable(path)
        case ".parquet" | ".pq":
            from clipd.datasets.parquet import ParquetTable

            return ParquetTable(path)
    raise Rejected(f"{path.name} is no table that clipd reads; give a .csv, .jsonl or .parquet file")


def require_columns(table: Table, *names: str | None) -> None:
    """Raise `Rejected` unless the table has the columns `names` (None asks for nothing)."""
    missing = [name for name in names if name is not None and table.columns is not None and name not in table.columns]
    if missing:
        there = ", ".join(repr(name) for name in table.columns or ())
        raise Rejected(f"{table.path.name} has no column {missing[0]!r}; it has {there}")


def some(table: Table, start: Mark, count: int | None) -> Iterator[RawRow]:
    """`count` rows of the table from `start` on; None is all."""
    return (row for row, _ in islice(table.rows(start), count))


class _Lines:
    """The lines of a file as text, a row's worth at a time; `offset` and `number` are where it stands."""

    def __init__(self, file: BinaryIO, start: Mark) -> None:
        self._file = file
        self.offset = start.offset
        self.number = start.line
        self.begin_row()
        file.seek(start.offset)

    def begin_row(self) -> None:
        """What is read next begins a row."""
        self._lines_of_row = 0
        self._after_first = (self.offset, self.number)
        self.is_cut = False
        """Was a line of this row too long, and cut?"""

    def back_after_first(self) -> None:
        """Stand after the first line of this row again: what follows it is read as rows of its own."""
        self.offset, self.number = self._after_first
        self._file.seek(self.offset)

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._lines_of_row == ROW_LINES:
            raise StopIteration
        data = self._file.readline(LINE_BYTES)
        if not data:
            raise StopIteration
        is_first = not self.offset
        self.offset += len(data)
        if not data.endswith(b"\n"):
            self._pass_over_rest()
        self.number += 1
        self._lines_of_row += 1
        if self._lines_of_row == 1:
            self._after_first = (self.offset, self.number)
        text = data.decode("utf-8", "surrogateescape")
        return text.removeprefix(BOM) if is_first else text

    def _pass_over_rest(self) -> None:
        while rest := self._file.readline(LINE_BYTES):
            self.is_cut = True
            self.offset += len(rest)
            if rest.endswith(b"\n"):
                return


class CsvTable:
    """A CSV file in UTF-8 with a header; cells are separated by comma, semicolon, tab or bar, and quoted with `"`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with translated(f"reading {path}"), path.open("rb") as file:
            head = file.readline(LINE_BYTES)
        if b"\0" in head or not head.strip():
            raise Rejected(f"{path.name} has no header; the first line names the columns, in UTF-8")
        first = head.decode("utf-8", "surrogateescape").removeprefix(BOM)
        self._delimiter = max(DELIMITERS, key=_unquoted(first).count)
        with translated(f"reading {path}"), path.open("rb") as file:
            lines = _Lines(file, Mark())
            header = self._next(csv.reader(lines, delimiter=self._delimiter, strict=True), lines)
            self._body = Mark(0, lines.offset, lines.number)
        if isinstance(header, str) or not header:
            raise Rejected(f"{path.name}: the header cannot be read: {header or 'it is empty'}")
        self.columns: tuple[str, ...] | None = tuple(name.strip() for name in header)
        doubled = [name for name in self.columns if self.columns.count(name) > 1]
        if doubled:
            raise Rejected(f"{path.name}: two columns are named {doubled[0]!r}; each needs a name of its own")
        if not all(map(is_encodable, self.columns)):
            raise Rejected(f"{path.name}: the header is not UTF-8; save the file as UTF-8")

    def rows(self, start: Mark = BEGINNING) -> Iterator[tuple[RawRow, Mark]]:
        """Each row from `start` on; empty lines are passed over."""
        begin = start if start.offset else self._body
        with translated(f"reading {self.path}"), self.path.open("rb") as file:
            lines = _Lines(file, begin)
            reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            number = begin.number
            while True:
                line = lines.number + 1
                cells = self._next(reader, lines)
                if cells is None:
                    return
                if not cells:
                    continue
                row = self._row(number, line, cells, lines.is_cut)
                number += 1
                yield row, Mark(number, lines.offset, lines.number)

    def _row(self, number: int, line: int, cells: list[str] | str, is_cut: bool) -> RawRow:
        columns = self.columns or ()
        if is_cut:
            return RawRow(number, line, {}, f"the line is longer than {LINE_BYTES:,} bytes")
        if isinstance(cells, str):
            return RawRow(number, line, {}, f"the line cannot be read as CSV: {cells}")
        fault = ""
        if len(cells) > len(columns):
            fault = f"the row has {len(cells)} cells, but the header names {len(columns)}"
        elif not all(map(is_encodable, cells)):
            fault = "the row is not UTF-8; save the file as UTF-8"
        cells = [cell if is_encodable(cell) else ascii(cell)[1:-1] for cell in cells[: len(columns)]]
        return RawRow(number, line, dict(zip(columns, cells + [""] * (len(columns) - len(cells)), strict=True)), fault)

    def _next(self, reader: Any, lines: _Lines) -> list[str] | str | None:
        """The next cells, None at the end, or what is wrong with them: then the next line begins a new row."""
        lines.begin_row()
        try:
            cells: list[str] = next(reader)
        except StopIteration:
            return None
        except csv.Error as error:
            lines.back_after_first()
            return str(error)
        return cells


class JsonLinesTable:
    """A file with a JSON object on each line."""

    columns: tuple[str, ...] | None = None

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, start: Mark = BEGINNING) -> Iterator[tuple[RawRow, Mark]]:
        """Each row from `start` on; empty lines are passed over."""
        with translated(f"reading {self.path}"), self.path.open("rb") as file:
            lines = _Lines(file, start)
            number = start.number
            while True:
                lines.begin_row()
                text = next(lines, None)
                if text is None:
                    return
                if text.strip():
                    row = _from_json(number, lines.number, text, lines.is_cut)
                    number += 1
                    yield row, Mark(number, lines.offset, lines.number)


def _from_json(number: int, line: int, text: str, is_cut: bool) -> RawRow:
    if is_cut:
        return RawRow(number, line, {}, f"the line is longer than {LINE_BYTES:,} bytes")
    if not is_encodable(text):
        return RawRow(number, line, {}, "the row is not UTF-8; save the file as UTF-8")
    try:
        values = jsontext.parse(text)
    except NotADocument as error:
        return RawRow(number, line, {}, f"the line is no JSON: {str(error).partition(': ')[2]}")
    if not isinstance(values, dict):
        return RawRow(number, line, {}, 'the line is no JSON object; write {"video": "a.mp4"}')
    return RawRow(number, line, values)


def _unquoted(text: str) -> str:
    """`text` without what stands in quotes."""
    return "".join(text.split('"')[::2])
