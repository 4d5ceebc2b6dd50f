"""The daemon's side: an executor that hands jobs to a scheduler, and keeps asking what became of them."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import time
import uuid
from asyncio import wait_for
from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from distributed import Client, Future
from loguru import logger

from clipd import __version__
from clipd.errors import ClipdError, Deferred
from clipd.files import lease
from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.marker import require_same_share
from clipd.worker.bench import deferral
from clipd.worker.dask.connection import AGAIN_SECONDS, security, words
from clipd.worker.dask.task import is_awake, stop_attempt, work
from clipd.worker.executor import Node, Settings
from clipd.worker.pool import Ended

LOOK_SECONDS = 0.5
"""How often the connection and the cluster are looked at."""
SILENCE_LOOK_SECONDS = 2.0
"""How often the claims of running jobs are looked at."""
ANSWER_SECONDS = 10.0
"""How long the scheduler or a worker may take to answer."""


@dataclass
class _Errand:
    """A job that was submitted."""

    job: Job
    arguments: tuple[object, ...]
    since: float
    """When it was submitted or, once begun, when its claim was last seen to change (monotonic seconds)."""
    future: Future[Any] | None = None
    worker: str = ""
    """The address of the worker that began it."""
    sighting: lease.Heartbeat | None = None
    stopping: bool = False


@dataclass
class _Workers:
    """The workers that the scheduler knows, by address."""

    threads: Mapping[str, int] = field(default_factory=dict)
    slots: dict[str, int] = field(default_factory=dict)
    names: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    """Those that do not answer; they get no jobs until they do."""

    @property
    def fit(self) -> list[str]:
        """Those that may get jobs."""
        return [address for address in self.slots if address not in self.silent]


class Cluster:
    """The executor that hands jobs to a Dask scheduler. A thread of its own talks to that, and comes back to it."""

    def __init__(
        self, settings: Settings, claims: lease.Settings, layout: Layout, tell: Callable[[Ended], None]
    ) -> None:
        """Nothing is connected before `start`. `tell` is called from another thread."""
        self._settings, self._claims, self._layout, self._tell = settings, claims, layout, tell
        self._security = security(settings, settings.scheduler)
        self._share = ""
        self._topic = f"clipd-{uuid.uuid4().hex}"
        self._lock = threading.Lock()
        self._errands: dict[str, _Errand] = {}
        self._workers = _Workers()
        self._slots = 0
        self._trouble = ""
        self._client: Client | None = None
        self._connected_at = 0.0
        self._loop = asyncio.new_event_loop()
        self._ending = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="clipd-dask", daemon=True)
        self._tasks: set[asyncio.Task[None]] = set()

    # --- for the daemon's thread --------------------------------------------------------------------------------

    @property
    def label(self) -> str:
        """What it is, for the log."""
        return f"the Dask cluster of {self._settings.scheduler}"

    @property
    def trouble(self) -> str:
        """Why nothing can be begun."""
        return self._trouble

    @property
    def slots(self) -> int:
        """How many jobs the workers that are there can do at the same time."""
        return self._slots

    @property
    def nodes(self) -> list[Node]:
        """Which worker does what."""
        workers, jobs = self._workers, defaultdict[str, list[str]](list)
        with self._lock:
            for errand in self._errands.values():
                if errand.worker:
                    jobs[errand.worker].append(errand.job.name)
        return [
            Node(workers.names.get(worker, worker), slots, tuple(jobs[worker]), worker not in workers.silent)
            for worker, slots in sorted(workers.slots.items())
        ]

    @property
    def free(self) -> int:
        """How many more jobs may be submitted."""
        if self._client is None or (self._trouble and not self._settings.ahead):
            return 0
        return max(0, self._slots + self._settings.ahead - len(self._errands))

    @property
    def running(self) -> set[str]:
        """The ids of the jobs that were submitted and have not ended."""
        with self._lock:
            return set(self._errands)

    @property
    def running_jobs(self) -> list[Job]:
        """The jobs that were submitted and have not ended."""
        with self._lock:
            return [errand.job for errand in self._errands.values()]

    @property
    def begun_jobs(self) -> list[Job]:
        """Those of them that a worker has in hand."""
        with self._lock:
            return [errand.job for errand in self._errands.values() if errand.worker]

    def start(self) -> None:
        """Begin to look for the scheduler."""
        self._share = require_same_share(self._layout)
        if not self._settings.scheduler.startswith("tls://"):
            logger.warning("{} is not protected: whoever reaches it can run programs here", self._settings.scheduler)
        self._thread.start()

    def submit(self, job: Job, *arguments: object) -> None:
        """Send `job` to the scheduler; its end is told.

        Raises:
            Deferred: the scheduler is away.
        """
        if self._client is None:
            raise Deferred(self._trouble or "the connection to the scheduler was lost just now", AGAIN_SECONDS)
        errand = _Errand(job, arguments, time.monotonic())
        with self._lock:
            self._errands[job.id] = errand
        self._loop.call_soon_threadsafe(self._spawn, errand)

    def cancel(self, job: str, why: str) -> None:
        """Stop the attempt at `job`: its worker is asked to end it, and given up when it does not answer."""
        with self._lock:
            errand = self._errands.get(job)
        if errand is not None and not errand.stopping:
            errand.stopping = True
            self._loop.call_soon_threadsafe(self._keep, self._cancel(errand, why))

    def stop(self, seconds: float) -> None:
        """Wait for ends for up to `seconds`, then leave: what has begun goes on at its worker, nothing else begins."""
        if not self._thread.is_alive():
            return
        deadline = time.monotonic() + seconds
        while self.running and self._client is not None and time.monotonic() < deadline:
            time.sleep(0.05)
        if left := len(self.begun_jobs):
            logger.info("{} go on at their workers", "1 clip" if left == 1 else f"{left} clips")
        self._loop.call_soon_threadsafe(self._ending.set)
        self._thread.join()

    # --- in the thread that talks to the scheduler --------------------------------------------------------------

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        # Dask tells of broken connections by tracebacks; what matters of them is told here, in words.
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        while not self._ending.is_set():
            try:
                async with Client(
                    self._settings.scheduler,
                    asynchronous=True,
                    security=self._security,
                    timeout=self._settings.connect_seconds,
                    set_as_default=False,
                    name="clipd",
                ) as client:
                    await self._attend(client)
            except (OSError, TimeoutError, RuntimeError, ValueError) as error:
                self._say(f"the Dask scheduler {self._settings.scheduler} does not answer: {words(error)}")
            finally:
                self._client = None
            self._forget_all("the connection to the Dask scheduler was lost")
            await self._pause(AGAIN_SECONDS)

    async def _attend(self, client: Client) -> None:
        """Look after one connection, until it breaks or is no longer wanted."""
        client.subscribe_topic(self._topic, self._began)
        self._client, self._connected_at = client, time.monotonic()
        silence_due = time.monotonic() + SILENCE_LOOK_SECONDS
        while not self._ending.is_set():
            if client.status != "running":
                self._say(f"the connection to the Dask scheduler {self._settings.scheduler} was lost")
                return
            await self._count(client)
            if time.monotonic() >= silence_due:
                await self._give_up_the_silent(client)
                silence_due = time.monotonic() + SILENCE_LOOK_SECONDS
            await self._pause(LOOK_SECONDS)

    async def _count(self, client: Client) -> None:
        """Find out how many jobs the workers can take."""
        workers = self._workers
        threads = await wait_for(client.scheduler.ncores_running(), ANSWER_SECONDS)
        if threads != workers.threads:
            known = await wait_for(client.scheduler.identity(n_workers=-1), ANSWER_SECONDS)
            have = {address: worker["resources"] for address, worker in known["workers"].items()}
            workers.threads = threads
            workers.names = {address: str(worker["name"]) for address, worker in known["workers"].items()}
            workers.slots = {
                address: self._slots_of(count, have.get(address, {})) for address, count in threads.items()
            }
            workers.silent &= threads.keys()
        slots = sum(workers.slots[address] for address in workers.fit)
        if slots != self._slots:
            logger.info("{}: {} slots on {} workers", self.label, slots, len(workers.fit))
        self._slots = slots
        if slots:
            self._say("")
        elif time.monotonic() - self._connected_at > self._settings.connect_seconds:
            self._say(f"no worker answers at {self._settings.scheduler}; start some with: clipd worker ADDRESS")

    def _slots_of(self, threads: int, have: Mapping[str, float]) -> int:
        return min([threads, *(int(have.get(name, 0) // amount) for name, amount in self._settings.needs.items())])

    def _spawn(self, errand: _Errand) -> None:
        self._keep(self._follow(errand))

    def _keep(self, coroutine: Any) -> None:
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _follow(self, errand: _Errand) -> None:
        """Submit a job and see it through to its end."""
        client, job = self._client, errand.job
        if client is None:
            self._end(errand, deferral(job, "the connection to the Dask scheduler was lost"))
        if client is None or self._errands.get(job.id) is not errand:
            return
        packed = pickle.dumps((job, errand.arguments))
        errand.future = client.submit(
            work, self._share, __version__, packed, self._topic,
            key=f"clipd-{job.kind}-{job.id}-{uuid.uuid4().hex[:8]}", pure=False, retries=0,
            resources=self._settings.needs, workers=self._workers.fit if self._workers.silent else None,
        )  # fmt: skip
        try:
            ended = pickle.loads(await errand.future.result())  # noqa: S301 - from our worker
        except asyncio.CancelledError:  # of the future: whoever cancelled it has told, or the connection is lost
            return
        except Exception as error:  # noqa: BLE001 - whatever went wrong on the way is told, and the job is handed out again
            ended = deferral(job, f"the cluster lost it: {words(error)}")
        self._end(errand, ended)

    def _began(self, event: tuple[float, dict[str, str]]) -> None:
        told = event[1]
        with self._lock:
            errand = self._errands.get(told["job"])
            if errand is not None:
                errand.worker, errand.since = told["worker"], time.monotonic()

    async def _cancel(self, errand: _Errand, why: str) -> None:
        client = self._client
        if client is None:
            return
        if not errand.worker:
            self._drop(errand, why)
            return
        with suppress(OSError, TimeoutError):
            await wait_for(
                client.run(stop_attempt, errand.job.id, why, workers=[errand.worker], on_error="ignore"), ANSWER_SECONDS
            )
        await self._pause(ANSWER_SECONDS, until=lambda: errand.job.id not in self._errands)
        if errand.job.id in self._errands:
            self._workers.silent.add(errand.worker)
            self._drop(errand, f"its worker {errand.worker} does not answer; it was to stop because: {why}")

    async def _give_up_the_silent(self, client: Client) -> None:
        """Give up jobs whose worker shows no sign of life, and take back those that none begins."""
        await asyncio.gather(*(self._ask(client, worker) for worker in list(self._workers.silent)))
        now = time.monotonic()
        with self._lock:
            errands = list(self._errands.values())
        begun = [errand for errand in errands if errand.worker]
        sightings = await asyncio.to_thread(self._look, [errand.job for errand in begun])
        for errand, (sighting, silence) in zip(begun, sightings, strict=True):
            if sighting != errand.sighting or sighting is None:
                errand.sighting, errand.since = sighting, now
            elif now - errand.since > silence:
                self._workers.silent.add(errand.worker)
                self._drop(errand, f"its worker {errand.worker} gave no sign of life for {silence:g} s")
        if len(begun) < self._slots:
            late = [
                errand for errand in errands if not errand.worker and now - errand.since > self._settings.begin_seconds
            ]
            await self._take_back(client, late)

    async def _take_back(self, client: Client, errands: list[_Errand]) -> None:
        """Take jobs back from workers that were sent them and did not begin."""
        if not errands:
            return
        sent = await wait_for(client.scheduler.processing(workers=None), ANSWER_SECONDS)
        keys = {errand.future.key for errand in errands if errand.future is not None}
        self._workers.silent |= {worker for worker, tasks in sent.items() if keys.intersection(tasks)}
        for errand in errands:
            self._drop(errand, f"no worker began it within {self._settings.begin_seconds:g} s")

    async def _ask(self, client: Client, worker: str) -> None:
        """Ask a silent worker whether it is back."""
        with suppress(OSError, TimeoutError):
            await wait_for(client.run(is_awake, workers=[worker]), LOOK_SECONDS)
            self._workers.silent.discard(worker)

    def _look(self, jobs: list[Job]) -> list[tuple[lease.Heartbeat | None, float]]:
        """The sighting of each job's claim, and how long it may stay the same."""
        found: list[tuple[lease.Heartbeat | None, float]] = []
        for job in jobs:
            claim = self._layout.claim(job.id)
            try:
                found.append((lease.heartbeat(claim), lease.silence_seconds(claim, self._claims)))
            except ClipdError:
                found.append((None, 0.0))  # the share is away: no sign of death either
        return found

    def _drop(self, errand: _Errand, why: str) -> None:
        """Wait no longer for the end of a job."""
        if self._end(errand, deferral(errand.job, why)):
            logger.bind(job=errand.job.id).warning("{}: handed out again: {}", errand.job.name, why)
            if errand.future is not None:
                self._keep(_cancelled(errand.future))

    def _end(self, errand: _Errand, ended: Ended) -> bool:
        with self._lock:
            if self._errands.get(errand.job.id) is not errand:
                return False
            del self._errands[errand.job.id]
        self._tell(ended)
        return True

    def _forget_all(self, why: str) -> None:
        self._workers, self._slots = _Workers(), 0
        with self._lock:
            errands, self._errands = self._errands, {}
        for errand in errands.values():
            self._tell(deferral(errand.job, why))

    def _say(self, trouble: str) -> None:
        if trouble and trouble != self._trouble:
            logger.warning("waiting: {}", trouble)
        elif self._trouble and not trouble:
            logger.info("the Dask cluster is there: {}", self._settings.scheduler)
        self._trouble = trouble

    async def _pause(self, seconds: float, until: Callable[[], bool] = lambda: False) -> None:
        deadline = time.monotonic() + seconds
        while not until() and (left := deadline - time.monotonic()) > 0:
            with suppress(TimeoutError):
                await wait_for(self._ending.wait(), min(left, LOOK_SECONDS))
                return


async def _cancelled(future: Future[Any]) -> None:
    with suppress(OSError, TimeoutError, asyncio.CancelledError):
        await wait_for(future.cancel(), ANSWER_SECONDS)
