"""One piece of work and how it stands, as people are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from clipd.tree.record import Progress

State = Literal["running", "waiting", "failed", "unread", "done", "idle"]
"""`unread` is an entry that nobody can work on as it stands, such as one of two with the same id."""
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Item:
    """One clip, request or video, and how it stands."""

    job: str
    clip: str
    """`<video> / <clip>`."""
    name: str
    key: str
    sidecar: str
    camera: str
    status: str
    state: State
    why: str
    """For what it waits, what went wrong, or what became of it; one line."""
    outputs: tuple[str, ...] = ()
    progress: Progress | None = None
    at: str = ""
    """When it was answered, where that is known."""

    @property
    def fraction(self) -> float | None:
        """How much of the present stage is done, 0 to 1."""
        return None if self.progress is None or not self.progress.total else self.progress.done / self.progress.total

    @property
    def seconds_left(self) -> float | None:
        """How long the present stage will take yet, at the present speed."""
        note = self.progress
        if note is None or not note.speed or not note.total:
            return None
        return max(0.0, (note.total - note.done) / note.speed)
