"""The bench: the local pool of a machine that works for a cluster.

It outlives the connection to the scheduler. Attempts that are under way when that breaks go on and are published, as
the files are the truth; only nobody here waits for their end any more. Whoever asks for a job that is in hand already
waits for the end of that same attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from clipd.errors import ClipdError
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.worker.pool import Ended, Pool

AGAIN_SECONDS = 1.0
"""How soon a job is handed out again that did not get its turn here."""


class Bench:
    """Works on jobs for others, `slots` at a time."""

    def __init__(
        self,
        share: str,
        pool: Callable[[Callable[[Ended], None]], Pool],
        at_home: Callable[[tuple[Any, ...]], tuple[Any, ...]],
    ) -> None:
        """Nothing starts before the first job.

        Args:
            share: the id of the share that this machine works on.
            pool: makes the pool, given whom it is to tell of ends.
            at_home: a job's arguments as they are on this machine, from those that its daemon sent.
        """
        self.share = share
        self._at_home = at_home
        self._changed = threading.Condition()
        self._pool = pool(self._take_end)
        self._queued: dict[str, tuple[Job, tuple[Any, ...]]] = {}
        self._ends: dict[str, Future[Ended]] = {}
        self._stop_seconds: float | None = None
        # The pool's workers end with the thread that submitted to it: a thread of our own, which lasts.
        self._feeder = threading.Thread(target=self._feed, name="clipd-bench", daemon=True)
        self._feeder.start()

    @property
    def slots(self) -> int:
        """How many jobs it works on at the same time."""
        return self._pool.slots

    @property
    def waiting(self) -> int:
        """How many jobs wait for their turn."""
        return len(self._queued)

    def do(self, job: Job, arguments: tuple[Any, ...]) -> Ended:
        """Work on `job`, when its turn comes; returns at its end."""
        with self._changed:
            if self._stop_seconds is not None:
                return deferral(job, "its worker is being stopped")
            end = self._ends.get(job.id)
            if end is None:
                end = self._ends[job.id] = Future()
                if job.id not in self._pool.running:
                    self._queued[job.id] = job, arguments
                    self._changed.notify()
        return end.result()

    def cancel(self, job: str, why: str) -> None:
        """Stop the attempt at `job`, or do not begin it."""
        with self._changed:
            queued = self._queued.pop(job, None)
            end = self._ends.pop(job) if queued is not None else None
        if queued is not None and end is not None:
            end.set_result(deferral(queued[0], why))
        self._pool.cancel(job, why)

    def let_go(self) -> None:
        """Nobody waits for our answers any more: forget what is queued; what runs goes on."""
        with self._changed:
            ends, self._ends = self._ends, {}
            self._queued.clear()
        for job, end in ends.items():
            end.set_exception(ConnectionError(f"the connection to the cluster was lost while job {job} ran"))

    def stop(self, seconds: float) -> None:
        """Take no further jobs, let those that run finish for up to `seconds`, then stop them."""
        with self._changed:
            self._stop_seconds = seconds
            queued, self._queued = self._queued, {}
            ends = [(job, self._ends.pop(job.id)) for job, _ in queued.values()]
            self._changed.notify()
        for job, end in ends:
            end.set_result(deferral(job, "its worker is being stopped"))
        self._feeder.join()

    def _feed(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(self._has_something_to_do)
                if self._stop_seconds is not None:
                    break
                job, arguments = self._queued.pop(next(iter(self._queued)))
            try:
                self._pool.submit(job, *self._at_home(arguments))
            except ClipdError as error:
                self._take_end(deferral(job, str(error)))
        self._pool.stop(self._stop_seconds)

    def _has_something_to_do(self) -> bool:
        return self._stop_seconds is not None or bool(self._queued and self._pool.free)

    def _take_end(self, ended: Ended) -> None:
        with self._changed:
            end = self._ends.pop(ended.job.id, None)
            if ended.outcome is None and self._stop_seconds is not None:
                ended = deferral(ended.job, "its worker was stopped")  # which says nothing about the clip
            self._changed.notify()
        if end is not None:
            end.set_result(ended)


def deferral(job: Job, why: str, again_in_seconds: float = AGAIN_SECONDS) -> Ended:
    """The end of an attempt that came to nothing, through no fault of the job."""
    return Ended(job, Outcome(Verdict.DEFERRED, why, again_in_seconds=again_in_seconds))
