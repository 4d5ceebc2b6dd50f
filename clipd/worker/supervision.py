"""Supervision: which running attempts must be stopped, because they do not get on or because nobody asks for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.record import read_progress

CANCEL_PATIENCE_SECONDS = 5.0
"""How long a worker gets to notice by itself that its clip was cancelled."""


@dataclass
class Supervision:
    """Remembers how far each running attempt was when it was last looked at."""

    layout: Layout
    refused: Callable[[Job], bool]
    """Does nobody ask for this job any more?"""
    _progress: dict[str, tuple[object, float]] = field(default_factory=dict)
    _unasked: dict[str, float] = field(default_factory=dict)

    def to_stop(self, running: Sequence[Job], now: float, no_progress_seconds: float) -> list[tuple[Job, str]]:
        """The attempts to stop, each with the words that say why.

        Args:
            running: the jobs under way on this machine.
            now: our monotonic clock, in seconds.
            no_progress_seconds: how long an attempt may stand still; 0 is for ever.
        """
        at_work = {job.id for job in running}
        self._progress = {job: state for job, state in self._progress.items() if job in at_work}
        self._unasked = {job: since for job, since in self._unasked.items() if job in at_work}
        stop = []
        for job in running:
            if self.refused(job):
                if now - self._unasked.setdefault(job.id, now) > CANCEL_PATIENCE_SECONDS:
                    stop.append((job, "the clip no longer asks for it"))
                continue
            self._unasked.pop(job.id, None)
            if self._stands_still(job, now, no_progress_seconds):
                words = f"it did not get on for {no_progress_seconds:g} s (workers.no_progress_seconds)"
                stop.append((job, words))
        return stop

    def _stands_still(self, job: Job, now: float, limit: float) -> bool:
        note = read_progress(self.layout, job.id)
        state = None if note is None else (note.stage, note.done, note.pid)
        known, since = self._progress.get(job.id, (object(), now))
        if known != state:
            self._progress[job.id] = (state, now)
            return False
        return bool(limit) and now - since > limit
