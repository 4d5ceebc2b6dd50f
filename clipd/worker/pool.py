"""The local pool: a bounded number of worker processes that can be killed without harm.

Workers are started afresh, not forked (the media libraries run threads). Each has a lower priority and a memory limit,
and dies with the daemon. A crash in native code kills one worker, never the daemon; another takes its place when there
is work for it. A worker that has done its share works on until its successor is ready, so that nobody waits for a
start. Nothing here polls: a thread for each worker sleeps until the worker says something or ends.
"""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import Pipe
from multiprocessing.connection import Connection
from typing import Any

from pydantic import ByteSize

from clipd.errors import Deferred
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.model.setting import Section, setting
from clipd.worker.executor import Node
from clipd.worker.process import Began, Raised, Ready, Returned, Terms, command, death

KILL_SECONDS = 3.0
"""How long a worker that was asked to end may take to let go."""
BEGIN_AGAIN_SECONDS = 1.0
"""How soon a job is tried again whose worker did not live to begin it."""


class Settings(Section):
    """The worker processes of this machine."""

    max_workers: int = setting(0, "Clips worked on at the same time; 0 is one for every two cores.", ge=0)
    threads: int = setting(0, "Codec threads of each worker; 0 shares the cores out.", unit="threads", ge=0)
    batch_size: int = setting(0, "Clips taken in one pass, oldest first; 0 is no limit.", unit="clips", ge=0)
    nice: int = setting(10, "How far workers stand back behind other programs.", unit="nice levels", ge=0, le=19)
    memory: ByteSize = setting(
        "4GiB", "Memory one worker may use; a clip that needs more fails and others go on. 0 is no limit.", unit="bytes"
    )
    job_seconds: float = setting(
        6 * 3600.0, "The longest that one attempt at a clip may take; 0 is no limit.", unit="s", ge=0
    )
    no_progress_seconds: float = setting(
        300.0, "An attempt that does not get on for this long is stopped; 0 is never.", unit="s", ge=0
    )
    recycle_after: int = setting(
        200, "Clips after which a fresh worker is started, which takes over when it is ready.", unit="clips", ge=1
    )

    @property
    def worker_count(self) -> int:
        """How many workers there are."""
        return self.max_workers or max(1, cores() // 2)

    @property
    def threads_each(self) -> int:
        """How many codec threads each worker uses: workers x threads <= cores, unless set."""
        return self.threads or max(1, cores() // self.worker_count)


def cores() -> int:
    """The processors that this process may use."""
    return len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Ended:
    """An attempt that ended: with an outcome, or with the words that say how its worker was lost."""

    job: Job
    outcome: Outcome | None
    loss: str = ""


@dataclass(eq=False)
class _Worker:
    """A worker process and what it does; `job` is None while it waits for work."""

    process: subprocess.Popen[bytes]
    channel: Connection[Any, Any]
    calls_left: int
    is_ready: bool = False
    """Has it said that it has all it needs?"""
    successor: _Worker | None = None
    """Who takes over from it, now that it has done its share."""
    job: Job | None = None
    began: bool = False
    """Has it said that it begins `job`?"""
    stopped: str | None = None
    """Why it was asked to end, if it was."""
    leaves: bool = False
    """Is it to be given no further work?"""
    limit: threading.Timer | None = None
    """Ends `job` when its time is over."""


class Pool:
    """Worker processes that run `call(job, *arguments)` and hand back outcomes through `tell`."""

    def __init__(
        self,
        settings: Settings,
        call: Callable[..., Outcome],
        prepare: Callable[..., None],
        prepare_arguments: tuple[Any, ...],
        tell: Callable[[Ended], None],
    ) -> None:
        """Workers start when there is work for them. `prepare` runs once in each; `tell` is called from other threads.

        A worker ends with the thread that submitted its first job: let that be one that lasts.
        """
        self.settings = settings
        self._tell = tell
        self._terms = Terms(settings.nice, int(settings.memory), prepare, prepare_arguments, call)
        self._lock = threading.Lock()
        self._workers: dict[_Worker, threading.Thread] = {}

    @property
    def label(self) -> str:
        """What it is, for the log."""
        return "1 worker" if self.slots == 1 else f"{self.slots} workers"

    @property
    def trouble(self) -> str:
        """Nothing keeps a pool from beginning."""
        return ""

    @property
    def slots(self) -> int:
        """How many jobs can be worked on at the same time."""
        return self.settings.worker_count

    @property
    def nodes(self) -> list[Node]:
        """None but the daemon's own."""
        return []

    def start(self) -> None:
        """Nothing: workers start when there is work for them."""

    @property
    def running(self) -> set[str]:
        """The ids of the jobs that were submitted and have not ended."""
        return {job.id for job in self.running_jobs}

    @property
    def running_jobs(self) -> list[Job]:
        """The jobs that were submitted and have not ended."""
        with self._lock:
            return [worker.job for worker in self._workers if worker.job is not None]

    @property
    def begun_jobs(self) -> list[Job]:
        """Those of them that a worker has begun; one that still starts, on a busy machine, is not standing still."""
        with self._lock:
            return [worker.job for worker in self._workers if worker.job is not None and worker.began]

    @property
    def free(self) -> int:
        """How many more jobs would start at once."""
        return max(0, self.slots - len(self.running_jobs))

    def submit(self, job: Job, *arguments: object) -> None:
        """Run `call(job, *arguments)` in a worker; its end is told.

        Raises:
            Deferred: no worker can be started just now.
        """
        task = pickle.dumps((job, *arguments))
        with self._lock:
            worker = self._give(job, task)
            if worker.calls_left <= 0 and worker.successor is None:
                with suppress(Deferred):  # then this one works on, and the next call tries again
                    worker.successor = self._start()

    def cancel(self, job: str, why: str) -> None:
        """Stop the attempt at `job`: its worker is asked to end, and killed when it does not."""
        with self._lock:
            for worker in self._workers:
                if worker.job is not None and worker.job.id == job:
                    self._stop(worker, why)

    def stop(self, seconds: float) -> None:
        """Let running attempts finish for up to `seconds`, then stop the workers."""
        deadline = time.monotonic() + seconds
        with self._lock:
            followed = dict(self._workers)
            for worker in followed:
                worker.leaves = True
                if worker.job is None:
                    self._stop(worker, "")
        for worker, follower in followed.items():
            follower.join(max(0.0, deadline - time.monotonic()))
            with self._lock:
                if worker.job is not None:
                    self._stop(worker, "clipd was stopped")
        for follower in followed.values():
            follower.join()

    def _start(self) -> _Worker:
        ours, theirs = Pipe()
        try:
            with theirs:
                process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own file
                    command(theirs.fileno()), stdin=subprocess.DEVNULL, pass_fds=(theirs.fileno(),)
                )
        except OSError as error:
            ours.close()
            raise Deferred(f"no worker can be started: {error.strerror}") from error
        worker = _Worker(process, ours, self.settings.recycle_after)
        for first in (sys.path, self._terms):
            self._send(worker, pickle.dumps(first))
        self._workers[worker] = threading.Thread(target=self._follow, args=(worker,), name="clipd-worker", daemon=True)
        self._workers[worker].start()
        return worker

    def _give(self, job: Job, task: bytes) -> _Worker:
        """Have `job` done by a worker that waits, at best by one that is ready; else by a new one."""
        waiting = [worker for worker in self._workers if worker.job is None and not worker.leaves]
        for worker in sorted(waiting, key=lambda worker: not worker.is_ready):
            self._book(worker, job)
            if self._send(worker, task):
                return worker
            self._take(worker)  # it was killed while it waited
            worker.leaves = True
        worker = self._start()
        self._book(worker, job)
        self._send(worker, task)  # where that fails it is dead already, which its follower tells
        return worker

    def _book(self, worker: _Worker, job: Job) -> None:
        worker.job, worker.began, worker.calls_left = job, False, worker.calls_left - 1
        seconds = self.settings.job_seconds
        if seconds:
            words = f"it took longer than {seconds:g} s (workers.job_seconds)"
            worker.limit = threading.Timer(seconds, self.cancel, (job.id, words))
            worker.limit.daemon = True
            worker.limit.start()

    def _take(self, worker: _Worker) -> Job | None:
        job, worker.job = worker.job, None
        if worker.limit is not None:
            worker.limit.cancel()
        return job

    def _stop(self, worker: _Worker, why: str) -> None:
        if worker.stopped is None:
            worker.stopped, worker.leaves = why, True
            worker.process.terminate()
            killer = threading.Timer(KILL_SECONDS, worker.process.kill)
            killer.daemon = True
            killer.start()

    @staticmethod
    def _send(worker: _Worker, message: bytes) -> bool:
        try:
            worker.channel.send_bytes(message)
        except OSError:
            return False
        return True

    # --- in a thread for each worker ----------------------------------------------------------------------------

    def _follow(self, worker: _Worker) -> None:
        """Hear what a worker says, until it ends or has done its share; then see to its end."""
        while self._hear(worker):
            pass
        with self._lock:
            worker.leaves = True
            worker.channel.close()
        code = worker.process.wait()
        with self._lock:
            del self._workers[worker]
            for other in self._workers:
                if other.successor is worker:
                    other.successor = None  # it did not live to take over
            job, began, why = self._take(worker), worker.began, worker.stopped
        if job is None:
            return
        if why is None and not began:
            words = "its worker could not start, or was killed before it began"
            self._tell(Ended(job, Outcome(Verdict.DEFERRED, words, again_in_seconds=BEGIN_AGAIN_SECONDS)))
        else:
            self._tell(Ended(job, None, death("its worker", code) if why is None else why))

    def _take_over(self, worker: _Worker) -> None:
        """A worker is ready: whoever it was started for leaves, after the job in hand."""
        worker.is_ready = True
        for other in self._workers:
            if other.successor is worker:
                other.successor, other.leaves = None, True
                if other.job is None:
                    self._stop(other, "")

    def _hear(self, worker: _Worker) -> bool:
        """Take the next message of a worker; False when no more is expected of it."""
        try:
            message = worker.channel.recv()
        except (EOFError, OSError):
            return False
        if isinstance(message, Ready):
            with self._lock:
                self._take_over(worker)
            return True
        if isinstance(message, Began):
            worker.began = True
            return True
        outcome = message.value if isinstance(message, Returned) else None
        with self._lock:
            job = self._take(worker)
            if worker.stopped is not None or (outcome is not None and outcome.worn):
                worker.leaves = True
        if job is not None:
            loss = f"its worker was lost: {message.words}" if isinstance(message, Raised) else ""
            self._tell(Ended(job, outcome, loss))
        return not worker.leaves
