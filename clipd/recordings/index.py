"""The index of recordings: which files each camera has, when they start, and what is known of those once opened.

A scan lists folders and reads names, nothing else; a file is opened only when a request may need it (`measure`), and
what was found is remembered as long as path, size and time of modification stay. All of it lies in one SQLite file in
the local cache, so that the daemon keeps it up to date and every worker process of the machine asks it in milliseconds;
it may be deleted at any time. An `Index` belongs to one thread of one process.

Whatever stands in the recordings folder is never a reason to raise: strange files are named in what is returned. An
index that cannot be read or written raises `Temporary`.
"""

from __future__ import annotations

import difflib
import json
import os
import sqlite3
import statistics
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from clipd.errors import ClipdError, MediaError, Rejected, Temporary
from clipd.files.document import is_encodable
from clipd.files.walk import NOT_THERE_YET, Look, any_of, files, look
from clipd.media import extent
from clipd.media.door import Limits
from clipd.media.extent import Extent
from clipd.media.mtxi import Mtxi
from clipd.media.probe import NotReady
from clipd.model.instant import Period, find_zone
from clipd.recordings.names import SECOND_NS, Named, Names, seconds
from clipd.recordings.settings import Settings

VERSION = 1
"""Part of the cache's fingerprint: raise it whenever the tables or the measuring change."""
BUSY_SECONDS = 10.0
"""How long a writer of this machine is waited for; a first scan of 100,000 files takes a few seconds."""
BITRATE_FACTOR = 2
"""A recording's length is guessed from its size to within this factor, to see whether it must be opened."""
SHOWN_UNNAMED = 5

_TABLES = """
CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT);
CREATE TABLE IF NOT EXISTS recording (
    path BLOB PRIMARY KEY, camera TEXT, start_ns INTEGER, resolution_ns INTEGER, stray INTEGER,
    size INTEGER, mtime_ns INTEGER, closed INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS by_time ON recording (camera, start_ns);
CREATE TABLE IF NOT EXISTS measured (path BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, found TEXT) WITHOUT ROWID;
"""
_INSERT = "INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_SELECT = "SELECT path, camera, start_ns, resolution_ns, stray, size, mtime_ns, closed FROM recording"

_Row = tuple[bytes, str, int, int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Recording:
    """A file that a camera system wrote, as far as name and `stat` tell."""

    path: str
    """Relative to the recordings folder, `/`-separated."""
    camera: str
    start_ns: int
    """Its start by its name, in nanoseconds since 1970, the camera's clock put right."""
    resolution_ns: int
    """The true start lies less than this after `start_ns`."""
    is_stray: bool
    """Its name speaks of another camera than its folder."""
    size: int
    mtime_ns: int
    is_closed: bool
    """The kernel reported, for just this size and time, that its writer closed it."""

    @property
    def start(self) -> Fraction:
        """Its start by its name, an instant."""
        return seconds(self.start_ns)

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class Measured:
    """What opening a recording told: its `extent`, or the `fault` for which it has none."""

    extent: Extent | None
    fault: str = ""
    """What is wrong, for a person."""
    is_cut_off: bool = False
    """Is the fault that the file is not complete (rather than no video at all)?"""


@dataclass(frozen=True)
class Scan:
    """What a scan found: the `changed` cameras, folders that could not be read, and files whose names tell nothing."""

    changed: frozenset[str]
    unreadable: tuple[str, ...]
    unnamed: int
    unnamed_examples: tuple[str, ...]


class Index:
    """The recordings of one tree, in the folder `folder`.

    `cache` is the local folder that the index is kept in; None keeps it in memory. `close` it in the end.
    """

    def __init__(self, folder: Path, settings: Settings, limits: Limits, cache: Path | None) -> None:
        self.folder = folder
        self.settings = settings
        self._limits = limits
        self._names = Names(settings.templates, settings.suffixes)
        self._zone = find_zone(settings.time_zone)
        own = {name: camera for name, camera in settings.cameras.items() if camera.time_zone is not None}
        self._zones = {name: find_zone(camera.time_zone) for name, camera in own.items()}
        self._ahead_ns = {
            name: round(Fraction(repr(camera.clock_ahead_seconds)) * SECOND_NS)
            for name, camera in settings.cameras.items()
        }
        self._database = _open(cache, _fingerprint(folder, settings))

    def close(self) -> None:
        """Let go of the cache."""
        self._database.close()

    def zone(self, camera: str) -> tzinfo:
        """The time zone of a camera's clock."""
        return self._zones.get(camera, self._zone)

    def clock_ahead(self, camera: str) -> Fraction:
        """How many seconds a camera's clock is ahead of the right time."""
        return seconds(self._ahead_ns.get(camera, 0))

    def cameras(self) -> tuple[str, ...]:
        """All cameras with recordings, in order."""
        with _translated():
            return tuple(row[0] for row in self._database.execute("SELECT DISTINCT camera FROM recording ORDER BY 1"))

    def require_camera(self, camera: str) -> None:
        """Raise `Rejected`, with the names that come near, where `camera` has no recordings."""
        known = self.cameras()
        if camera in known:
            return
        folded = {name.casefold(): name for name in known}
        near = [folded[name] for name in difflib.get_close_matches(camera.casefold(), list(folded), n=3, cutoff=0.5)]
        if near:
            raise Rejected(f"there is no camera {camera!r}; did you mean {' or '.join(near)}?")
        few = ", ".join(known[:10]) + (" and others" if len(known) > 10 else "")
        raise Rejected(f"there is no camera {camera!r}; {f'there are {few}' if known else 'nothing is recorded yet'}")

    def scanned_at(self) -> float | None:
        """When the last full scan began, in seconds since 1970 as its caller said; None before the first."""
        return self._fact("scanned_at")

    def looked_at(self, camera: str) -> float | None:
        """When the recordings of `camera` were last listed, in that or in a scan of its own; None if never."""
        known = [at for at in (self._fact("scanned_at"), self._fact(f"looked_at {camera}")) if at is not None]
        return max(known, default=None)

    def scan(self, now: float, camera: str | None = None) -> Scan:
        """Make the index what the recordings folder holds at `now`. What cannot be read is left as it was known.

        With `camera`, only its own folder is listed; all of them where it has none.
        """
        own = camera is not None and self._seen_folder(self.folder / camera)
        folder = self.folder / camera if own and camera is not None else self.folder
        unreadable: list[str] = []
        unnamed: list[str] = []
        changed: set[str] = set()
        with _translated():
            query = "SELECT path, size, mtime_ns, camera FROM recording WHERE path >= ? AND path < ?"
            # What begins with `camera/` sorts before `camera0`.
            ends = (os.fsencode(f"{camera}/"), os.fsencode(f"{camera}0")) if own else (b"", b"\xff")
            known = {row[0]: row[1:] for row in self._database.execute(query, ends)}
        fresh = []
        walked = files(
            folder,
            wanted=self._names.is_recording,
            ignore=NOT_THERE_YET,
            unreadable=lambda path, _error: unreadable.append(path),
        )
        at = len(os.fspath(self.folder).rstrip("/")) + 1
        for path, seen in walked:
            below = path[at:]
            key = os.fsencode(below)
            before = known.pop(key, None)
            if before is not None and before[:2] == (seen.size, seen.mtime_ns):
                continue
            named = self._read(below, seen.mtime_ns)
            if named is None:
                unnamed.append(below)
                continue
            changed.add(named.camera)
            fresh.append(self._row(key, named, seen, is_closed=False))
        gone = [key for key in known if not _is_below(os.fsdecode(key), unreadable, self.folder)]
        changed |= {known[key][2] for key in gone}
        with _translated(), self._database:
            self._database.executemany(_INSERT, fresh)
            self._database.executemany("DELETE FROM recording WHERE path = ?", [(key,) for key in gone])
            self._database.executemany("DELETE FROM measured WHERE path = ?", [(key,) for key in gone])
            fact = f"looked_at {camera}" if own else "scanned_at"
            self._database.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (fact, repr(now)))
        return Scan(frozenset(changed), tuple(unreadable), len(unnamed), tuple(unnamed[:SHOWN_UNNAMED]))

    def hint(self, path: Path, *, closed: bool = False) -> str | None:
        """Look at one file now, because an event spoke of it; its camera, or None where it is no recording (any more).

        `closed` says that the kernel reported its writer's closing it, or a rename into place.
        """
        with suppress(ValueError):
            below = path.relative_to(self.folder).as_posix()
            ignored = any_of(NOT_THERE_YET).match
            if self._names.is_recording(path.name) and not any(ignored(part) for part in below.split("/")):
                return self._look(below, closed=closed)
        return None

    def around(self, camera: str, period: Period) -> list[Recording]:
        """The recordings of `camera` that may touch `period`, and one beyond at each side, in order of their starts.

        Those that begin well before it are among them if nothing begins between them and the period, or if their size
        speaks for a length that reaches it. No file is opened.
        """
        first_ns, last_ns = _ns(period.start), _ns(period.end)
        reach_ns = round(Fraction(repr(self.settings.longest_hours)) * 3600 * SECOND_NS)
        # A name tells whole seconds: what begins up to one second before may begin inside as well.
        inside = self._rows("start_ns >= ? AND start_ns < ?", (camera, first_ns - SECOND_NS, last_ns))
        before = self._rows("start_ns < ?", (camera, first_ns - SECOND_NS), "start_ns DESC, path DESC LIMIT 2")[::-1]
        after = self._rows("start_ns >= ?", (camera, last_ns), "start_ns, path LIMIT 1")
        standing = {recording.path for recording in before}
        long = self._longer_ones(camera, first_ns - reach_ns, first_ns)
        return [*(recording for recording in long if recording.path not in standing), *before, *inside, *after]

    def newest(self, camera: str) -> Recording | None:
        """The recording of `camera` that begins last."""
        return next(iter(self._rows("stray = 0", (camera,), "start_ns DESC, path DESC LIMIT 1")), None)

    def oldest(self, camera: str) -> Recording | None:
        """The recording of `camera` that begins first."""
        return next(iter(self._rows("stray = 0", (camera,), "start_ns, path LIMIT 1")), None)

    def totals(self, camera: str) -> tuple[int, int]:
        """How many recordings `camera` has, and their size in bytes together."""
        with _translated():
            query = "SELECT COUNT(*), COALESCE(SUM(size), 0) FROM recording WHERE camera = ?"
            count, size = self._database.execute(query, (camera,)).fetchone()
        return count, size

    def starts(self, camera: str, period: Period) -> list[Recording]:
        """The recordings of `camera` whose names say that they begin in `period`, in order."""
        return self._rows("start_ns >= ? AND start_ns < ?", (camera, _ns(period.start), _ns(period.end)))

    def path(self, recording: Recording) -> Path:
        """Where the recording lies."""
        return self.folder / recording.path

    def measure(self, recording: Recording) -> Measured:
        """What opening the recording tells: remembered, while the file stays as it is."""
        key, path = os.fsencode(recording.path), self.path(recording)
        seen = self._seen(path)
        if seen is None:
            return Measured(None, f"{recording.name} is gone")
        with _translated():
            query = "SELECT size, mtime_ns, found FROM measured WHERE path = ?"
            row = self._database.execute(query, (key,)).fetchone()
        if row is not None and row[:2] == (seen.size, seen.mtime_ns) and (kept := _recalled(row[2])) is not None:
            return kept
        found = self._open(path)
        if self._seen(path) == seen:
            with _translated(), self._database:
                values = (key, seen.size, seen.mtime_ns, json.dumps(_noted(found)))
                self._database.execute("INSERT OR REPLACE INTO measured VALUES (?, ?, ?, ?)", values)
        return found

    def refresh(self, recording: Recording) -> Recording | None:
        """The recording as it stands now; None where it is gone."""
        self._look(recording.path, closed=False)
        return next(iter(self._rows("path = ?", (recording.camera, os.fsencode(recording.path)))), None)

    def _longer_ones(self, camera: str, from_ns: int, to_ns: int) -> list[Recording]:
        """Those that begin in this time and whose size, at the usual bytes a second, speaks for reaching its end."""
        with _translated():
            query = "SELECT start_ns, size FROM recording WHERE camera = ? AND start_ns BETWEEN ? AND ? ORDER BY 1"
            rows = self._database.execute(query, (camera, from_ns, to_ns - SECOND_NS - 1)).fetchall()
        rates = [size / (after - start) for (start, size), (after, _) in pairwise(rows) if after > start]
        if not rates:
            return []
        rate = statistics.median(rates)
        long = {start for start, size in rows if size * BITRATE_FACTOR >= rate * (to_ns - start - SECOND_NS)}
        return [recording for start in sorted(long) for recording in self._rows("start_ns = ?", (camera, start))]

    def _fact(self, name: str) -> float | None:
        with _translated():
            row = self._database.execute("SELECT value FROM fact WHERE name = ?", (name,)).fetchone()
        return None if row is None else float(row[0])

    def _seen_folder(self, folder: Path) -> bool:
        """Is there such a folder, reached through no link and no dots?"""
        try:
            parts = folder.relative_to(self.folder).parts
            return bool(parts) and ".." not in parts and folder.is_dir() and not folder.is_symlink()
        except (OSError, ValueError):
            return False

    def _open(self, path: Path) -> Measured:
        try:
            return Measured(extent.measure(path, self._limits))
        except NotReady as error:
            return Measured(None, str(error), is_cut_off=True)
        except (MediaError, Rejected) as error:
            return Measured(None, str(error))

    def _look(self, below: str, *, closed: bool) -> str | None:
        key, seen = os.fsencode(below), self._seen(self.folder / below)
        if seen is None:
            with _translated(), self._database:
                self._database.execute("DELETE FROM recording WHERE path = ?", (key,))
                self._database.execute("DELETE FROM measured WHERE path = ?", (key,))
            return None
        with _translated():
            query = "SELECT camera, size, mtime_ns, closed FROM recording WHERE path = ?"
            row = self._database.execute(query, (key,)).fetchone()
        if row is not None and row[1:3] == (seen.size, seen.mtime_ns) and (row[3] or not closed):
            return str(row[0])
        named = self._read(below, seen.mtime_ns)
        if named is None:
            return None
        with _translated(), self._database:
            self._database.execute(_INSERT, self._row(key, named, seen, is_closed=closed))
        return named.camera

    def _seen(self, path: Path) -> Look | None:
        """A look at the file, a regular one; None where there is none to be seen."""
        try:
            return look(path) if path.is_file() and not path.is_symlink() else None
        except (ClipdError, OSError):
            return None

    def _read(self, below: str, mtime_ns: int) -> Named | None:
        named = self._names.read(below, self._zones, self._zone, mtime_ns)
        # Nobody can ask for a camera whose name is no text.
        return named if named is not None and is_encodable(named.camera) else None

    def _row(self, key: bytes, named: Named, seen: Look, *, is_closed: bool) -> _Row:
        start_ns = named.start_ns - self._ahead_ns.get(named.camera, 0)
        stray, closed = int(named.is_stray), int(is_closed)
        return key, named.camera, start_ns, named.resolution_ns, stray, seen.size, seen.mtime_ns, closed

    def _rows(self, condition: str, values: tuple[Any, ...], order: str = "start_ns, path") -> list[Recording]:
        """The recordings of a camera (the first of `values`) that meet `condition`, which is ours, as is `order`."""
        with _translated():
            rows = self._database.execute(f"{_SELECT} WHERE camera = ? AND {condition} ORDER BY {order}", values)
            return [_recording(row) for row in rows]


def _recording(row: _Row) -> Recording:
    path, camera, start_ns, resolution_ns, stray, size, mtime_ns, closed = row
    return Recording(os.fsdecode(path), camera, start_ns, resolution_ns, bool(stray), size, mtime_ns, bool(closed))


def _is_below(path: str, folders: list[str], root: Path) -> bool:
    full = os.path.join(root, path)  # noqa: PTH118 - for every file that is gone
    return any(full == folder or full.startswith(folder.rstrip("/") + "/") for folder in folders)


def _ns(instant: Fraction) -> int:
    return int(instant * SECOND_NS)


def _fingerprint(folder: Path, settings: Settings) -> str:
    reading = settings.model_dump_json(include={"templates", "suffixes", "time_zone", "cameras"})
    return json.dumps([VERSION, os.fspath(folder.absolute()), reading])


def _open(cache: Path | None, fingerprint: str) -> sqlite3.Connection:
    """The database in `cache`, emptied where it was made by other settings; in memory where none can be kept."""
    if cache is not None:
        file = cache / "recordings.sqlite"
        try:
            cache.mkdir(parents=True, exist_ok=True)
            return _ready(sqlite3.connect(file, timeout=BUSY_SECONDS), fingerprint)
        except (OSError, sqlite3.OperationalError):
            # Locked for long, or not writable: whoever holds it keeps it.
            pass
        except sqlite3.DatabaseError:
            # Damaged: it only speeds things up.
            with suppress(OSError, sqlite3.Error):
                for part in ("", "-wal", "-shm"):
                    Path(f"{file}{part}").unlink(missing_ok=True)
                return _ready(sqlite3.connect(file, timeout=BUSY_SECONDS), fingerprint)
    return _ready(sqlite3.connect(":memory:"), fingerprint)


def _ready(database: sqlite3.Connection, fingerprint: str) -> sqlite3.Connection:
    try:
        # Lost with the machine's power at worst: then it is made anew.
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = OFF")
        if database.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError("the database is damaged")
        with database:
            database.executescript(_TABLES)
            row = database.execute("SELECT value FROM fact WHERE name = 'fingerprint'").fetchone()
            if row is None or row[0] != fingerprint:
                database.executescript("DELETE FROM fact; DELETE FROM recording; DELETE FROM measured;")
                database.execute("INSERT INTO fact VALUES ('fingerprint', ?)", (fingerprint,))
    except sqlite3.Error:
        database.close()
        raise
    return database


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise Temporary(f"the index of recordings in the local cache cannot be used: {error}") from error


def _noted(found: Measured) -> dict[str, Any]:
    """`found` as JSON can keep it."""
    reach = found.extent
    if reach is None:
        return {"fault": found.fault, "is_cut_off": found.is_cut_off}
    texts = {name: str(getattr(reach, name)) for name in ("start", "end", "frame")}
    place = reach.mtxi and [reach.mtxi.stream, reach.mtxi.number, reach.mtxi.dts_ns, reach.mtxi.ntp_ns]
    plain = {name: getattr(reach, name) for name in ("container", "codec", "width", "height", "damage", "appends")}
    holes = [[str(begin), str(end)] for begin, end in reach.holes]
    return {**texts, **plain, "holes": holes, "mtxi": place}


def _recalled(text: str) -> Measured | None:
    """What `_noted` wrote down; None where it was something else."""
    try:
        noted = json.loads(text)
        if "fault" in noted:
            return Measured(None, str(noted["fault"]), bool(noted["is_cut_off"]))
        for name in ("start", "end", "frame"):
            noted[name] = Fraction(noted[name])
        noted["holes"] = tuple((Fraction(begin), Fraction(end)) for begin, end in noted["holes"])
        noted["mtxi"] = noted["mtxi"] and Mtxi(*noted["mtxi"])
        return Measured(Extent(**noted))
    except (ValueError, TypeError, KeyError, ZeroDivisionError):
        return None
