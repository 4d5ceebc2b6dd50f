"""The daemon's signs of life: a note on the share for people and other machines, and systemd's notifications."""

from __future__ import annotations

import json
import os
import socket
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from clipd.files import atomic
from clipd.tree.layout import Layout

STALE_SECONDS = 30.0
"""A daemon that has said nothing for this long is taken to be gone."""


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

    @property
    def age_seconds(self) -> float:
        """How long ago that was."""
        return (datetime.now(UTC) - datetime.fromisoformat(self.at)).total_seconds()


def write_health(path: Path, health: Health) -> None:
    """Leave the note."""
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, json.dumps(asdict(health), indent=1).encode(), durable=False)


def read_healths(layout: Layout) -> list[Health]:
    """The notes of all daemons that are alive."""
    found = []
    folder = layout.heartbeat("x").parent
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else ():
        with suppress(OSError, ValueError, TypeError):
            health = Health(**json.loads(path.read_bytes()))
            if health.age_seconds < STALE_SECONDS:
                found.append(health)
    return found


def notify(words: str) -> None:
    """Tell systemd (`READY=1`, `WATCHDOG=1`, ...), when it runs us with Type=notify; else nothing happens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        channel.sendto(words.encode(), "\0" + address[1:] if address.startswith("@") else address)
