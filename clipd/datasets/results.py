"""`processing_results.json` and `processing_stats.json`: written whole, from ledger and table, a row at a time.

The results are a JSON array with a row on each line, in the table's order. Nothing in them depends on time or on how
often a run was stopped: the same table, function and videos give the same bytes.
"""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, overload

from clipd.datasets.record import Record
from clipd.datasets.stats import ProcessingStats
from clipd.files.atomic import publish, remove, temporary, translated, write

BUFFER_BYTES = 1 << 20


class Results(Sequence[dict[str, Any]]):
    """The rows of a results file, read when they are asked for; a few bytes a row are held in memory.

    Each is `{"line", "id", "video", "status": "ok", "result", "files"}` or, failed, `{..., "status": "failed",
    "error": {"kind", "message"}}`.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offsets = array("Q")
        offset = 0
        with translated(f"reading {path}"), path.open("rb") as file:
            for line in file:
                if line.startswith(b"{"):
                    self._offsets.append(offset)
                offset += len(line)

    def __len__(self) -> int:
        return len(self._offsets)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        with translated(f"reading {self.path}"), self.path.open("rb") as file:
            for line in file:
                if line.startswith(b"{"):
                    yield _parsed(line)

    @overload
    def __getitem__(self, at: int) -> dict[str, Any]: ...
    @overload
    def __getitem__(self, at: slice) -> list[dict[str, Any]]: ...
    def __getitem__(self, at: int | slice) -> dict[str, Any] | list[dict[str, Any]]:
        if isinstance(at, slice):
            return [self[number] for number in range(*at.indices(len(self)))]
        with translated(f"reading {self.path}"), self.path.open("rb") as file:
            file.seek(self._offsets[at])
            return _parsed(file.readline())

    def __repr__(self) -> str:
        return f"Results({str(self.path)!r}, {len(self)} rows)"


def write_results(path: Path, rows: Iterable[tuple[int, Record]]) -> None:
    """Write the results of `rows` (the line each stands on, and its record) to `path`, whole or not at all."""
    temp = temporary(path)
    try:
        with translated(f"writing {path}"), temp.open("wb", buffering=BUFFER_BYTES) as file:
            before = b"[\n"
            for line, record in rows:
                text = json.dumps(record.of_results(line), ensure_ascii=False, allow_nan=False)
                file.write(before + text.encode())
                before = b",\n"
            file.write(b"\n]\n" if before != b"[\n" else b"[]\n")
        publish(temp, path)
    finally:
        remove(temp)


def write_stats(path: Path, stats: ProcessingStats) -> None:
    """Write the numbers to `path`, whole or not at all."""
    write(path, (json.dumps(stats.to_dict(), ensure_ascii=False, indent=2) + "\n").encode())


def _parsed(line: bytes) -> dict[str, Any]:
    row: dict[str, Any] = json.loads(line.rstrip(b",\n"))
    return row
