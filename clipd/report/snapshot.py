"""A tree at this moment, as the daemon knows it without looking at the tree again: what the page, `status.json` and the
metrics show.

`status.json` is a `Snapshot` as JSON: its keys are the fields below, in their order. Lists are bounded; a `count`
beside them says how many there are. Times are ISO 8601 in UTC, paths are relative to the root with `/`.
"""

from __future__ import annotations

import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import chain
from pathlib import Path

from clipd import __version__
from clipd.clock import stamp
from clipd.errors import ClipdError
from clipd.files import space
from clipd.intake.admit import FAILED, Failure
from clipd.intake.scans import Scans
from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.report.health import ASKED, STALE_SECONDS, Health, Work, read_notes
from clipd.report.history import Ending, History
from clipd.report.inbox import Refusals
from clipd.report.item import Item
from clipd.tree import outbox
from clipd.tree import record as records
from clipd.tree.layout import Layout
from clipd.worker.executor import Node

GONE_SHOWN_SECONDS = 24 * 3600.0
"""How long a daemon that fell silent is still shown."""
LISTED = 30
"""How many entries of each list are given."""
STATES = ("waiting", "running", "complete", "failed", "draft", "other")


@dataclass(frozen=True)
class Running:
    """A clip that is being worked on, by any machine."""

    job: str
    clip: str
    sidecar: str
    camera: str
    host: str
    stage: str
    done: int
    total: int
    """Steps (frames, mostly) of the stage; 0 where the number is not known."""
    fraction: float | None
    speed: float | None
    """Steps per second."""
    seconds_left: float | None
    """Until the end of this stage, at this speed."""
    started_at: str


@dataclass(frozen=True)
class Waiting:
    """A clip that is due and not being worked on."""

    job: str
    clip: str
    sidecar: str
    camera: str
    requested_at: str
    why: str
    """What it waits for; `its turn` when for nothing but a free worker."""
    again_in_seconds: float | None
    """When it is looked at again, where that is known."""


@dataclass(frozen=True)
class Queue:
    """What is due: the clips that wait for something by name, and those that only wait for their turn, next first."""

    count: int
    held_count: int
    oldest_at: str
    """When the clip that waits longest was asked for; "" where none waits."""
    held: tuple[Waiting, ...]
    next: tuple[Waiting, ...]
    asked_count: int = 0
    """How many of them were asked for in the inbox."""


@dataclass(frozen=True)
class Failed:
    """A clip that clipd gave up on, or something of the inbox."""

    clip: str
    sidecar: str
    """The file that says so: the sidecar, or the answer in the inbox."""
    error: str
    at: str


@dataclass(frozen=True)
class Failures:
    """All failures of one kind; the newest are listed."""

    count: int
    listed: tuple[Failed, ...]


@dataclass(frozen=True)
class Unread:
    """A sidecar, or an entry of one, that nobody can work on as it stands."""

    path: str
    why: str


@dataclass(frozen=True)
class Unreadable:
    """All such sidecars and entries."""

    count: int
    listed: tuple[Unread, ...]


@dataclass(frozen=True)
class Machine:
    """A daemon on this tree, by its last sign of life."""

    host: str
    pid: int
    version: str
    at: str
    age_seconds: float
    alive: bool
    workers: int
    running: int
    events: bool
    """Do file events tell it of changes? Else it looks at the tree every few seconds."""
    cameras: tuple[str, ...]
    started_at: str
    scanned_at: str
    scan_seconds: float
    work: Work
    hooks: Mapping[str, int]
    """What became of the news for its hooks: how many were `delivered`, `failed`, `dropped`."""
    cluster: str = ""
    """The cluster that does its work; "" when it does so itself."""
    nodes: tuple[Node, ...] = ()
    """The workers of that cluster."""


@dataclass(frozen=True)
class Disk:
    """The filesystem of the outputs; below `reserve` new work waits."""

    free: int
    total: int
    reserve: int


@dataclass(frozen=True)
class Hour:
    """What all machines finished in one hour."""

    complete: int
    failed: int


@dataclass(frozen=True)
class Snapshot:
    """All of it."""

    at: str
    tree: str
    """The name of the root folder."""
    written_by: str
    version: str
    paused: bool
    """Does the file PAUSE lie in the state folder?"""
    held_back: str
    """Why no new clip is begun at all (a pause, the hours of work); "" when clips are begun."""
    clips: Mapping[str, int]
    """How many clips stand how; the keys are `STATES`."""
    running: tuple[Running, ...]
    queue: Queue
    failures: Failures
    """The clips of sidecars; setting the status of one back to Process tries it again."""
    unreadable: Unreadable
    recent: tuple[Ending, ...]
    """What was finished last, the newest first."""
    machines: tuple[Machine, ...]
    disk: Disk | None
    last_24_hours: tuple[Hour, ...]
    """The oldest first; the last one ends now."""
    copies: Mapping[str, int] = field(default_factory=lambda: {"pending": 0, "failed": 0})
    """How many publications are still to be copied to a destination, and how many could not be."""
    inbox_failures: Failures = field(default_factory=lambda: Failures(0, ()))
    """What was dropped into the inbox; dropping it again, mended, tries it again."""

    @property
    def failed_count(self) -> int:
        """How much failed, clips and what was dropped into the inbox together."""
        return self.failures.count + self.inbox_failures.count


@dataclass(frozen=True)
class Situation:
    """What only the daemon that looks knows."""

    scan: Scans
    running: Iterable[Job]
    """What its own workers do."""
    why_waiting: Callable[[Job], tuple[str, float | None]]
    """What a job waits for ("" for nothing), and in how many seconds it is looked at again."""
    is_ours: Callable[[Job], bool]
    paused: bool
    host: str
    reserve: int
    held_back: str = ""
    """Why no new clip is begun at all; a job that waits for this alone waits for its turn."""
    share_offset: float = 0.0
    """The share's clock minus ours, in seconds."""


@dataclass(frozen=True)
class _Census:
    changes: int
    counts: Counter[str] = field(default_factory=Counter)
    failures: tuple[Failed, ...] = ()
    unreadable: Unreadable = field(default_factory=lambda: Unreadable(0, ()))


class Observer:
    """Takes snapshots of one tree; remembers what need not be counted again."""

    def __init__(self, layout: Layout, history: History, results: int) -> None:
        """`results` is how many finished clips a snapshot shows."""
        self._layout, self._history, self.results = layout, history, results
        self._census = _Census(-1)
        self._refusals = Refusals(layout)

    def look(self, there: Situation, now: datetime) -> Snapshot:
        """The tree as it stands. Raises `ClipdError` or `OSError` when the state folder cannot be read."""
        layout, scan = self._layout, there.scan
        if self._census.changes != scan.changes:
            self._census = _count(layout, scan)
        census = self._census
        self._history.refresh(now)
        notes = read_notes(layout, there.share_offset)
        machines = _machines(notes, now)
        alive = [note for note in notes if note.alive]
        at_work = {job.id for job in there.running}.union(*(note.running for note in alive))
        running_jobs = sorted((job for job in scan.jobs if job.id in at_work), key=lambda job: job.order)
        queue = _queue(there, at_work, alive)
        pending, failed = outbox.counts(layout)
        now_due = {"waiting": queue.count, "running": len(running_jobs)}
        return Snapshot(
            at=stamp(now),
            tree=layout.root.name,
            written_by=there.host,
            version=__version__,
            paused=there.paused,
            held_back=there.held_back,
            clips={state: census.counts[state] for state in STATES} | now_due,
            running=tuple(_running(layout, job) for job in running_jobs[: 2 * LISTED]),
            queue=queue,
            failures=Failures(census.counts[FAILED], census.failures),
            unreadable=census.unreadable,
            recent=self._history.recent(Verdict.COMPLETE, self.results),
            machines=machines,
            disk=_disk(layout, there.reserve),
            last_24_hours=tuple(Hour(*each) for each in self._history.per_hour(now)),
            copies={"pending": pending, "failed": failed},
            inbox_failures=_inbox_failures(self._refusals.items(scan.changes, now)),
        )


def _count(layout: Layout, scan: Scans) -> _Census:
    counts: Counter[str] = Counter()
    failed: list[tuple[Failure, str]] = []
    problems: list[tuple[str, str]] = list(scan.unreadable.items())
    for path, seen in scan.seen.items():
        for word, count in seen.admission.counts:
            counts[word] += count
        failed += [(failure, path) for failure in seen.admission.failures]
        problems += [(path, problem) for problem in seen.admission.problems]
    newest = heapq.nlargest(LISTED, failed, key=lambda each: (each[0].at, each[0].name))
    return _Census(
        scan.changes,
        counts,
        tuple(Failed(each.name, layout.relative(Path(path)), each.error, each.at) for each, path in newest),
        Unreadable(len(problems), tuple(Unread(layout.relative(Path(path)), why) for path, why in problems[:LISTED])),
    )


def _inbox_failures(items: list[Item]) -> Failures:
    return Failures(len(items), tuple(Failed(item.clip, item.sidecar, item.why, item.at) for item in items[:LISTED]))


def _queue(there: Situation, at_work: set[str], alive: list[Health]) -> Queue:
    count, oldest = 0, None
    held: list[Job] = []
    free: list[Job] = []
    for job in there.scan.jobs:
        if job.id in at_work:
            continue
        count += 1
        oldest = job.requested_at if oldest is None else min(oldest, job.requested_at)
        in_line = there.is_ours(job) and there.why_waiting(job)[0] in ("", there.held_back)
        (free if in_line else held).append(job)
    held_first = heapq.nsmallest(LISTED, held, key=lambda job: job.order)
    next_first = heapq.nsmallest(LISTED, free, key=lambda job: job.order)
    return Queue(
        count,
        len(held),
        "" if oldest is None else stamp(oldest),
        tuple(_waiting(there, job, alive) for job in held_first),
        tuple(_waiting(there, job, alive) for job in next_first),
        sum(job.kind in ASKED for job in chain(held, free)),
    )


def _waiting(there: Situation, job: Job, alive: list[Health]) -> Waiting:
    why, again = there.why_waiting(job)
    if not there.is_ours(job):
        told = next((note.waiting[job.id] for note in alive if job.id in note.waiting), "")
        served = any(not note.cameras or job.camera in note.cameras for note in alive)
        why, again = told if served else f"no running daemon serves camera {job.camera}", None
    return Waiting(
        job.id, job.name, job.origin, job.camera, stamp(job.requested_at), why or "its turn", again if why else None
    )


def _running(layout: Layout, job: Job) -> Running:
    try:
        note = records.read_progress(layout, job.id)
    except ClipdError:
        note = None
    if note is None:
        return Running(job.id, job.name, job.origin, job.camera, "", "starting", 0, 0, None, None, None, "")
    known = note.total > 0
    return Running(
        job.id, job.name, job.origin, job.camera, note.host, note.stage, note.done, note.total,
        min(1.0, max(0.0, note.done / note.total)) if known else None,
        note.speed,
        max(0.0, (note.total - note.done) / note.speed) if known and note.speed else None,
        note.started_at,
    )  # fmt: skip


def _machines(notes: list[Health], now: datetime) -> tuple[Machine, ...]:
    """The daemons, without those that are gone since long or were started anew on the same machine."""
    alive = {note.host for note in notes if note.alive}
    return tuple(
        _machine(note, now)
        for note in notes
        if note.age_seconds < (STALE_SECONDS if note.host in alive else GONE_SHOWN_SECONDS)
    )


def _machine(note: Health, now: datetime) -> Machine:
    heard = stamp(now - timedelta(seconds=note.age_seconds))
    return Machine(
        note.host, note.pid, note.version, heard, round(note.age_seconds, 1), note.alive, note.workers,
        len(note.running), note.events, tuple(note.cameras), note.started_at, note.scanned_at, note.scan_seconds,
        note.work,
        {"delivered": note.hooks_delivered, "failed": note.hooks_failed, "dropped": note.hooks_dropped},
        note.cluster, tuple(note.nodes),
    )  # fmt: skip


def _disk(layout: Layout, reserve: int) -> Disk | None:
    try:
        return Disk(space.free_bytes(layout.outputs), space.total_bytes(layout.outputs), reserve)
    except OSError:
        return None
