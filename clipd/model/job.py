"""A job: one piece of work, known by a stable id that every machine computes alike."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True)
class Job:
    """Work that somebody asked for, small enough to travel to a worker on any machine that sees the tree.

    `origin` names where the wish stands (a path relative to the root, `/`-separated) and `key` which entry of it.
    """

    id: str
    kind: str
    origin: str
    key: str
    name: str
    camera: str
    session: str
    priority: int
    requested_at: datetime
    position: int = 0
    """Its place among the wishes of its origin."""
    stand: str = ""
    """A hash of the wish as it stood when it was read; "" where the key says all of it."""

    @property
    def wish(self) -> tuple[str, str, str]:
        """What is asked for: another one when somebody changes it, where the id stays."""
        return self.id, self.key, self.stand

    @property
    def order(self) -> tuple[int, datetime, str, int]:
        """Sorts a queue: higher priority first, then the oldest wish, then as they stand in the file."""
        return (-self.priority, self.requested_at, self.origin, self.position)


def job_id(kind: str, origin: str, key: str) -> str:
    """The id of a job: 20 hex digits of a SHA-256 over kind, origin and key, the same on every machine."""
    return hashlib.sha256("\0".join((kind, origin, key)).encode("utf-8", "surrogateescape")).hexdigest()[:20]
