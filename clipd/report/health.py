"""The daemon's signs of life: a note on the share for people and other machines, and systemd's notifications."""

from __future__ import annotations

import json
import os
import socket
from bisect import bisect_left
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from pydantic import TypeAdapter

from clipd.files import atomic
from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.tree.layout import Layout

STALE_SECONDS = 30.0
"""A daemon that has said nothing for this long is taken to be gone."""
JOB_SECONDS = (0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)
"""The steps in which the time that clips took is counted."""
CAMERAS_COUNTED = 50
"""How many cameras are counted by name; further ones together, as `other`."""


@dataclass
class Work:
    """What a daemon has done since it started."""

    ended: dict[str, dict[str, int]] = field(default_factory=dict)
    """Camera -> verdict -> how many attempts ended so; at most `CAMERAS_COUNTED` cameras."""
    took: list[int] = field(default_factory=lambda: [0] * (len(JOB_SECONDS) + 1))
    """How many completed clips took up to each of `JOB_SECONDS` (and more than the one before), and longer."""
    took_seconds: float = 0.0
    """What they took together."""

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
    hooks_failed: int = 0
    """News that a hook did not take in any of its tries."""
    hooks_dropped: int = 0
    """News that a hook was too slow to be told."""

    @property
    def age_seconds(self) -> float:
        """How long ago that was."""
        return (datetime.now(UTC) - _moment(self.at)).total_seconds()


def write_health(path: Path, health: Health) -> None:
    """Leave the note."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(_NOTE.dump_python(health)).encode(), durable=False)


def read_healths(layout: Layout) -> list[Health]:
    """The notes of all daemons that are alive."""
    return [health for health in read_notes(layout) if health.age_seconds < STALE_SECONDS]


def read_notes(layout: Layout) -> list[Health]:
    """The notes of all daemons, also of those that are gone without having said so."""
    found = []
    folder = layout.heartbeat("x").parent
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        with suppress(OSError, ValueError, TypeError):
            health = _NOTE.validate_json(path.read_bytes())
            _moment(health.at)
            found.append(health)
    return found


_NOTE = TypeAdapter(Health)


def _moment(at: str) -> datetime:
    moment = datetime.fromisoformat(at)
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def notify(words: str) -> None:
    """Tell systemd (`READY=1`, `WATCHDOG=1`, ...), when it runs us with Type=notify; else nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(words.encode(), "\0" + address[1:] if address.startswith("@") else address)
