"""The register: what ledgers say of each row, and which rows a table holds, found by key.

It is an SQLite file in this machine's temporary folder, made anew from ledgers and table in each run and gone with it:
a million rows cost disk, not memory.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

from clipd.datasets.ledger import records
from clipd.datasets.record import Begun, Lost, Record, read
from clipd.files.atomic import translated

_SCHEMA = """
PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA locking_mode = EXCLUSIVE;
CREATE TABLE done (
    key TEXT PRIMARY KEY, fingerprint TEXT, ok INTEGER, ledger INTEGER, offset INTEGER, seconds REAL, current INTEGER,
    line INTEGER
) WITHOUT ROWID;
CREATE TABLE begun (key TEXT, fingerprint TEXT, lost INTEGER, PRIMARY KEY (key, fingerprint)) WITHOUT ROWID;
CREATE TABLE seen (key TEXT PRIMARY KEY, line INTEGER) WITHOUT ROWID;
"""

_UNKNOWN, _OLD, _NEW = 0, 1, 2
"""Is a record current? Not known yet; yes, and an earlier run left it; yes, and it is of this run."""


@dataclass(frozen=True)
class Done:
    """What is known of a row that ended; `current`: it ended so with its present fingerprint."""

    fingerprint: str
    is_ok: bool
    ledger: Path
    offset: int
    current: bool


@dataclass(frozen=True)
class Sums:
    """The current records, added up."""

    ok: int
    failed: int
    resumed: int
    """Of these, how many records an earlier run left."""
    seconds: float


class Register:
    """Use it in a `with` block: it goes at the end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="clipd-register-")
        # Not kept open for writing by another thread: one run uses it from one thread.
        self._base = sqlite3.connect(Path(self._folder.name) / "register.sqlite", isolation_level=None)
        self._base.executescript(_SCHEMA)
        # Never committed: nobody else reads it, and what does not fit into the cache goes to the file all the same.
        self._base.execute("BEGIN")
        self._ledgers: list[Path] = []
        self._places: dict[Path, int] = {}
        self._ok = self._failed = self._resumed = 0
        self._seconds = 0.0
        self._open: tuple[Path, BinaryIO] | None = None

    def __enter__(self) -> Register:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Forget everything."""
        self._shut()
        self._base.close()
        self._folder.cleanup()

    def load(self, ledger: Path) -> None:
        """Take in what stands in a ledger; of several records of a row the last counts."""
        for offset, record in records(ledger):
            if isinstance(record, Record):
                self.add(ledger, offset, record, is_new=False)
            else:
                self.note(record)

    def note(self, event: Begun | Lost) -> None:
        """Take in that a row was begun, or took its process down."""
        self._base.execute(
            "INSERT INTO begun VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET lost = lost + excluded.lost",
            (event.key, event.fingerprint, isinstance(event, Lost)),
        )

    def add(self, ledger: Path, offset: int, record: Record, *, is_new: bool = True) -> None:
        """Take in a record that stands in `ledger` at `offset`; a new one is current."""
        self._forget(record.key)
        place = self._places.setdefault(ledger, len(self._ledgers))
        if place == len(self._ledgers):
            self._ledgers.append(ledger)
        current = _NEW if is_new else _UNKNOWN
        values = (record.key, record.fingerprint, record.is_ok, place, offset, record.seconds, current, record.line)
        self._base.execute("INSERT INTO done VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values)
        self._base.execute("DELETE FROM begun WHERE key = ?", (record.key,))
        self._count(record.is_ok, record.seconds, current, 1)

    def _forget(self, key: str) -> None:
        query = "DELETE FROM done WHERE key = ? RETURNING ok, seconds, current"
        for is_ok, seconds, current in self._base.execute(query, (key,)).fetchall():
            self._count(bool(is_ok), seconds, current, -1)

    def _count(self, is_ok: bool, seconds: float, current: int, step: int) -> None:
        if current == _UNKNOWN:
            return
        self._ok += step * is_ok
        self._failed += step * (not is_ok)
        self._resumed += step * (current == _OLD)
        self._seconds += step * seconds

    def done(self, key: str) -> Done | None:
        """What is known of the row, if it ended."""
        found = self._base.execute(
            "SELECT fingerprint, ok, ledger, offset, current FROM done WHERE key = ?", (key,)
        ).fetchone()
        if found is None:
            return None
        fingerprint, is_ok, ledger, offset, current = found
        return Done(fingerprint, bool(is_ok), self._ledgers[ledger], offset, bool(current))

    def current(self, key: str) -> Record | None:
        """The record of the row, if it is current."""
        done = self.done(key)
        return self._fetch(done.ledger, done.offset) if done is not None and done.current else None

    def confirm(self, key: str, line: int) -> None:
        """What is known of the row, from an earlier run, is current; it stands on `line` now."""
        query = "UPDATE done SET current = ?, line = ? WHERE key = ? AND current = ? RETURNING ok, seconds"
        for is_ok, seconds in self._base.execute(query, (_OLD, line, key, _UNKNOWN)).fetchall():
            self._count(bool(is_ok), seconds, _OLD, 1)

    def times_lost(self, key: str, fingerprint: str) -> int | None:
        """How often the row, as it is now, took its process down; None where it was never begun, or has ended."""
        query = "SELECT lost FROM begun WHERE key = ? AND fingerprint = ?"
        found = self._base.execute(query, (key, fingerprint)).fetchone()
        return None if found is None else int(found[0])

    def first_line(self, key: str, line: int) -> int:
        """The line on which a row of this key was seen first: `line` itself, unless there was one before."""
        self._base.execute("INSERT OR IGNORE INTO seen VALUES (?, ?)", (key, line))
        return int(self._base.execute("SELECT line FROM seen WHERE key = ?", (key,)).fetchone()[0])

    def sums(self) -> Sums:
        """How many rows ended how, and the seconds they took."""
        return Sums(self._ok, self._failed, self._resumed, max(0.0, self._seconds))

    def failures(self, most: int) -> Iterable[tuple[int, Record]]:
        """The first `most` failures, by the line that each stands on now."""
        query = "SELECT line, ledger, offset FROM done WHERE current AND NOT ok ORDER BY line LIMIT ?"
        for line, ledger, offset in self._base.execute(query, (most,)).fetchall():
            yield line, self._fetch(self._ledgers[ledger], offset)

    def _fetch(self, ledger: Path, offset: int) -> Record:
        """The record that stands in `ledger` at `offset`; the ledger stays open for the next one."""
        with translated(f"reading {ledger}"):
            if self._open is None or self._open[0] != ledger:
                self._shut()
                self._open = (ledger, ledger.open("rb"))
            self._open[1].seek(offset)
            record = read(self._open[1].readline())
        assert isinstance(record, Record)  # noqa: S101 - only these are registered
        return record

    def _shut(self) -> None:
        if self._open is not None:
            self._open[1].close()
            self._open = None
