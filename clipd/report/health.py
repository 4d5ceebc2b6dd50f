"""The daemon's signs of life: a note on the share for people and other machines, and systemd's notifications."""

from __future__ import annotations

import json
import os
import socket
import time
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from pydantic import TypeAdapter

from clipd.files import atomic
from clipd.files.ability import try_folder
from clipd.files.atomic import translated
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.tree.layout import Layout
from clipd.worker.executor import Node

STALE_SECONDS = 30.0
"""A daemon that has said nothing for this long is taken to be gone."""
SLACK_SECONDS = 5.0
"""How far in the future a fresh note may be stamped before the clocks are in doubt."""
FORMER_SECONDS = 600.0
"""How long the note of a daemon that was killed is kept where another one has taken its place on the same machine."""
GONE_SECONDS = 7 * 86400.0
"""How long it is kept where none has: so long people see that a machine fell silent."""
JOB_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""The steps in which the time that clips took is counted."""
ANSWER_SECONDS = (0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""The same for clips that were asked for in the inbox: from the request to the answer."""
ASKED = ("request", "event")
"""The kinds of jobs that are asked for in the inbox and answered there with a clip."""
CAMERAS_COUNTED = 50
"""How many cameras are counted by name; further ones together, as `other`."""


@dataclass
class Answers:
    """What a daemon answered in the inbox since it started."""

    statuses: dict[str, dict[str, int]] = field(default_factory=dict)
    """Camera -> `done`, `partial` or `failed` -> how many; at most `CAMERAS_COUNTED` cameras."""
    took: list[int] = field(default_factory=lambda: [0] * (len(ANSWER_SECONDS) + 1))
    """How many clips were there up to each of `ANSWER_SECONDS` after they were asked for (as in `Work.took`)."""
    took_seconds: float = 0.0
    """What they took together."""
    errors: dict[str, int] = field(default_factory=dict)
    """Class of the error -> how many failed with it."""

    def count(self, job: Job, outcome: Outcome, seconds: float) -> None:
        """`job` came to its end so many `seconds` after it was asked for."""
        failed = outcome.verdict is Verdict.FAILED
        camera = job.camera if job.camera in self.statuses or len(self.statuses) < CAMERAS_COUNTED else "other"
        statuses = self.statuses.setdefault(camera, {})
        status = "failed" if failed else outcome.status or "done"
        statuses[status] = statuses.get(status, 0) + 1
        if failed:
            error = outcome.error or "WorkerLost"
            self.errors[error] = self.errors.get(error, 0) + 1
        else:
            self.took[bisect_left(ANSWER_SECONDS, seconds)] += 1
            self.took_seconds += seconds


@dataclass
class Work:
    """What a daemon has done since it started."""

    ended: dict[str, dict[str, int]] = field(default_factory=dict)
    """Camera -> verdict -> how many attempts ended so; at most `CAMERAS_COUNTED` cameras."""
    took: list[int] = field(default_factory=lambda: [0] * (len(JOB_SECONDS) + 1))
    """How many completed clips took up to each of `JOB_SECONDS` (and more than the one before), and longer."""
    took_seconds: float = 0.0
    """What they took together."""
    answers: Answers = field(default_factory=Answers)

    def count(self, job: Job, verdict: Verdict, seconds: float | None) -> None:
        """An attempt at `job` ended."""
        camera = job.camera if job.camera in self.ended or len(self.ended) < CAMERAS_COUNTED else "other"
        verdicts = self.ended.setdefault(camera, {})
        verdicts[verdict] = verdicts.get(verdict, 0) + 1
        if verdict is Verdict.COMPLETE and seconds is not None:
            self.took[bisect_left(JOB_SECONDS, seconds)] += 1
            self.took_seconds += seconds


@dataclass(frozen=True)
class Health:
    """What a daemon says of itself every few seconds."""

    host: str
    pid: int
    daemon: str
    version: str
    at: str
    """When it said so, by its own clock."""
    workers: int
    running: list[str]
    waiting: dict[str, str]
    """Job id -> why it waits."""
    unreadable: dict[str, str]
    events: bool
    paused: bool
    cameras: list[str] = field(default_factory=list)
    """The cameras that it serves; empty is all."""
    started_at: str = ""
    scanned_at: str = ""
    """When it last came to the end of a full look at the tree; "" before the first."""
    scan_seconds: float = 0.0
    """How long that look took."""
    work: Work = field(default_factory=lambda: Work())
    hooks_delivered: int = 0
    """News that a hook took."""
    hooks_failed: int = 0
    """News that a hook did not take in any of its tries."""
    hooks_dropped: int = 0
    """News that a hook was too slow to be told."""

    cluster: str = ""
    """The cluster that does its work; "" when this machine does."""
    nodes: list[Node] = field(default_factory=list)
    """The workers of that cluster, and what they do."""

    age_seconds: float = 0.0
    """How long ago that was by the share's own clock, as `read_notes` found out; the writer's clock may be off."""

    @property
    def alive(self) -> bool:
        """Has it said something lately?"""
        return self.age_seconds < STALE_SECONDS


def write_health(path: Path, health: Health) -> None:
    """Leave the note."""
    atomic.make_folder(path.parent, path.parent.parent)
    atomic.write(path, json.dumps(_NOTE.dump_python(health)).encode(), durable=False)


def read_healths(layout: Layout, share_offset: float | None = None) -> list[Health]:
    """The notes of all daemons that are alive; the arguments are those of `read_notes`."""
    return [health for health in read_notes(layout, share_offset) if health.alive]


def read_notes(layout: Layout, share_offset: float | None = None) -> list[Health]:
    """The notes of all daemons, also of those that are gone without having said so.

    Args:
        layout: the tree.
        share_offset: the share's clock minus ours, in seconds. None where it is not known: then a file is made on the
            share to learn it, but only when the stamp of a note leaves a doubt whether its writer is alive.
    """
    found = []
    for path in _notes(layout):
        with suppress(OSError, ValueError, TypeError):
            age = time.time() - path.stat().st_mtime
            health = _NOTE.validate_json(path.read_bytes())
            datetime.fromisoformat(health.at)
            found.append((age, health))
    if share_offset is None:
        in_doubt = any(not -SLACK_SECONDS < age < STALE_SECONDS for age, _ in found)
        share_offset = try_folder(layout.state).clock_offset if in_doubt else 0.0
    return [replace(health, age_seconds=max(0.0, age + share_offset)) for age, health in found]


def forget_gone(layout: Layout, share_offset: float, host: str) -> None:
    """Remove the notes of daemons that are long gone, and of former ones on `host`, where one runs that is alive.

    Raises:
        ClipdError: the share does not let us.
    """
    for path in _notes(layout):
        with translated(f"looking at {path}"):
            silent = time.time() + share_offset - path.stat().st_mtime
        of_this_host = path.name.startswith(f"{host}.") and path.name.count(".") == host.count(".") + 2
        if silent > (FORMER_SECONDS if of_this_host else GONE_SECONDS):
            atomic.remove(path)


def _notes(layout: Layout) -> list[Path]:
    folder = layout.heartbeat("x").parent
    return sorted(folder.glob("*.json")) if folder.is_dir() else []


_NOTE = TypeAdapter(Health)


def notify(words: str) -> None:
    """Tell systemd (`READY=1`, `WATCHDOG=1`, ...), when it runs us with Type=notify; else nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(words.encode(), "\0" + address[1:] if address.startswith("@") else address)
