"""The local pool: a bounded number of worker processes that can be killed without harm.

Workers are spawned, not forked (the media libraries run threads). Each has a lower priority and a memory limit, and
dies with its parent. A crash in native code kills one worker, never the daemon; where all of them died, new ones start.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Future
from concurrent.futures import TimeoutError as TookTooLong
from dataclasses import dataclass
from typing import Any

from pebble import ProcessExpired, ProcessPool
from pydantic import ByteSize

from clipd.model.job import Job
from clipd.model.outcome import Outcome
from clipd.model.setting import Section, setting

PR_SET_PDEATHSIG = 1
ASKED_TO_END = 128 + signal.SIGTERM
"""Exit code of a worker that ended on SIGTERM. Not 0: the pool would wait for the result of its job for ever."""
UNWIND_SECONDS = 5.0
"""How long a worker whose parent is gone may take to let go of its claim."""


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
    recycle_after: int = setting(200, "Clips after which a worker is replaced by a fresh one.", unit="clips", ge=1)

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
        """Workers start with the first job. `prepare` runs once in each; `tell` is called from another thread."""
        self.settings = settings
        self._call = call
        self._tell = tell
        self._prepare = (prepare, prepare_arguments)
        self._running: dict[str, tuple[Job, Future[Outcome]]] = {}
        self._stopped: dict[str, str] = {}
        self._pool = self._start()

    @property
    def running(self) -> set[str]:
        """The ids of the jobs that were submitted and have not ended."""
        return set(self._running)

    @property
    def running_jobs(self) -> list[Job]:
        """The jobs that were submitted and have not ended."""
        return [job for job, _ in list(self._running.values())]

    @property
    def free(self) -> int:
        """How many more jobs would start at once."""
        return max(0, self.settings.worker_count - len(self._running))

    def submit(self, job: Job, *arguments: object) -> None:
        """Run `call(job, *arguments)` in a worker; its end is told."""
        try:
            future = self._schedule(job, arguments)
        except RuntimeError:
            # Killed while none of them had work, all workers were gone at once: the library gives up, we begin anew.
            self._pool.stop()
            self._pool.join()
            self._pool = self._start()
            future = self._schedule(job, arguments)
        self._running[job.id] = (job, future)
        timer = self._time_limit(job)
        future.add_done_callback(lambda ended: self._ended(job, ended, timer))

    def cancel(self, job: str, why: str) -> None:
        """Stop the attempt at `job`: its worker is asked to end, and killed when it does not."""
        _, future = self._running.get(job, (None, None))
        if future is not None:
            self._stopped[job] = why
            future.cancel()

    def stop(self, seconds: float) -> None:
        """Let running attempts finish for up to `seconds`, then stop the workers."""
        self._pool.close()
        try:
            self._pool.join(timeout=seconds)
        except TookTooLong:
            self._pool.stop()
            self._pool.join()

    def _time_limit(self, job: Job) -> threading.Timer | None:
        """Stops the job when its time is over. The library's own limit goes by the wall clock, which may be set."""
        seconds = self.settings.job_seconds
        if not seconds:
            return None
        words = f"it took longer than {seconds:g} s (workers.job_seconds)"
        timer = threading.Timer(seconds, self.cancel, (job.id, words))
        timer.daemon = True
        timer.start()
        return timer

    def _ended(self, job: Job, future: Future[Outcome], timer: threading.Timer | None) -> None:
        if timer is not None:
            timer.cancel()
        self._running.pop(job.id, None)
        why = self._stopped.pop(job.id, "")
        loss = self._loss(future, why)
        self._tell(Ended(job, future.result()) if loss is None else Ended(job, None, loss))

    def _loss(self, future: Future[Outcome], why: str) -> str | None:
        """How the worker was lost; None when there is an outcome."""
        try:
            error = future.exception()
        except CancelledError:
            return why or "it was cancelled"
        match error:
            case None:
                return None
            case ProcessExpired():
                return _death(error.exitcode)
            case BrokenExecutor():
                return "its worker could not start, or was killed before it began"
            case _:
                return f"its worker was lost: {type(error).__name__}: {error}"

    def _start(self) -> ProcessPool:
        return ProcessPool(
            max_workers=self.settings.worker_count,
            max_tasks=self.settings.recycle_after,
            initializer=_start_worker,
            initargs=(os.getpid(), self.settings, *self._prepare),
            context=multiprocessing.get_context("spawn"),
        )

    def _schedule(self, job: Job, arguments: tuple[object, ...]) -> Future[Outcome]:
        future: Future[Outcome] = self._pool.schedule(_stoppable, args=(self._call, job, *arguments))
        return future


class Stopped(BaseException):
    """This worker was asked to end; not an `Exception`, so that no job code can swallow it."""


def _start_worker(
    parent: int, settings: Settings, prepare: Callable[..., None], prepare_arguments: tuple[Any, ...]
) -> None:
    # Sent when the thread that made us ends, and that is one of the pool: SIGKILL would leave claims and staging behind
    # each time the pool stops.
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:
        os._exit(1)
    threading.Thread(target=_end_with, args=(parent,), name="clipd-orphan", daemon=True).start()
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), settings.nice))
    if settings.memory:
        # Data, not address space: the media libraries reserve far more addresses than they use.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        soft = settings.memory if hard == resource.RLIM_INFINITY else min(settings.memory, hard)
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))
    prepare(*prepare_arguments)


def _end_with(parent: int) -> None:
    """End this process when its parent has ended and it has not let go by itself (native code may hang)."""
    while os.getppid() == parent:
        time.sleep(1.0)
    time.sleep(UNWIND_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _stoppable(call: Callable[..., Outcome], *arguments: object) -> Outcome:
    """Run `call` so that SIGTERM unwinds it (claims are released, staging is removed) and then ends the worker."""
    try:
        former = signal.signal(signal.SIGTERM, _raise_stopped)
        try:
            return call(*arguments)
        finally:
            signal.signal(signal.SIGTERM, former)
    except Stopped:
        os._exit(ASKED_TO_END)


def _raise_stopped(_signal: int, _frame: object) -> None:
    # Once: a second signal must not break off the letting go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _death(code: int | None) -> str:
    if code is None:
        return "its worker vanished"
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"its worker was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return "its worker was told to end" if code == ASKED_TO_END else f"its worker ended with exit code {code}"
