"""The daemon: the one place where objects are built and joined.

One thread does everything: it takes hints, scans in slices, hands the oldest due jobs to the pool, and watches over
what runs. Other threads (file events, the pool) only put messages into its queue.
"""

from __future__ import annotations

import os
import queue
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from loguru import logger

from clipd import __version__, log
from clipd.clock import Clock, SystemClock, stamp
from clipd.config import Config
from clipd.delivery.orders import Carried
from clipd.delivery.strays import sweep
from clipd.dispatch import Dispatch
from clipd.errors import ClipdError, ConfigError, Temporary
from clipd.files.atomic import translated
from clipd.indexing import Indexing, Recorded
from clipd.intake.rounds import SLICE_SECONDS, Rounds
from clipd.intake.scan import Scan
from clipd.intake.scans import Scans
from clipd.intake.settle import Settling
from clipd.intake.sources import SOURCE_TREE, SOURCES
from clipd.intake.watch import Hint, Watch
from clipd.jobs.link_kind import Fetching
from clipd.lifecycle import Workplace, process
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.report.health import Health, notify
from clipd.report.snapshot import Situation
from clipd.showing import Showing
from clipd.steering import LOOK_SECONDS, PARTING_SECONDS, Steering
from clipd.tree.layout import Layout
from clipd.tree.marker import require_root, require_same_share
from clipd.worker.executor import Executor
from clipd.worker.pool import Ended, Pool
from clipd.worker.supervision import Supervision

BEAT_SECONDS = 5.0
"""How often the daemon says on the share that it is alive."""
WATCH_SHARE = 9.0
"""Watching over what runs may take one part of the time and leaves this many, however many jobs of a cluster run."""
SWEEP_SECONDS = 3600.0
"""How often strays are looked for, at the least; more often where they are removed sooner."""
PAUSE_SECONDS = 0.1
"""A pause that lies there longer than this before a job is due holds the job back."""


@dataclass(frozen=True)
class Signal:
    """The administrator asks for something: `stop` or `reload`."""

    name: str


@dataclass
class Tally:
    """What one run of the daemon did, for its closing words and exit code."""

    complete: int = 0
    failed: int = 0


class Daemon:
    """Serves one tree until it is told to stop, or (`once`) until everything that is due has been done."""

    def __init__(
        self,
        config: Config,
        *,
        once: bool = False,
        reload: Callable[[], Config] | None = None,
        clock: Clock | None = None,
        told: Callable[[Job, Outcome], None] | None = None,
    ) -> None:
        """Join the parts; nothing is touched before `run`.

        Args:
            config: the settings.
            once: one pass over everything that is due, then end.
            reload: reads the settings again, on SIGHUP.
            clock: where time comes from.
            told: is told of every outcome, in the daemon's thread.
        """
        self.config = config
        self.layout = Layout(config.root, config.directories)
        self.clock = clock or SystemClock()
        self.tally = Tally()
        self.id = uuid.uuid4().hex
        self.host = socket.gethostname()
        self._once, self._reload, self._told = once, reload, told
        self._messages: queue.SimpleQueue[Hint | Ended | Signal | Carried | Recorded] = queue.SimpleQueue()
        self._steering = Steering(
            self.layout, config, self.clock, daemon=self.id, host=self.host, tell=self._messages.put
        )
        self._share_offset = 0.0
        self.scan = self._new_scans()
        self._roots = frozenset(map(str, self.scan.folders))
        self._dispatch = Dispatch(self.scan, self.layout, config, self.clock, self._submit)
        self._has_new = False
        """Was something completed since the last look began? What it brought may be work, which events tell late."""
        self._rounds = Rounds(self.scan, config.watch, self.clock)
        self._sweep: Iterator[None] | None = None
        self._next_beat = self._next_sweep = self._next_watch = 0.0
        self._root_trouble = ""
        self._stopping = False
        self._pool = self._new_pool(config)
        self._next_pool: Executor | None = None
        """What is to replace the workers, once the former ones have finished, because their settings changed."""
        self._watch: Watch | None = None
        self._indexing: Indexing | None = None
        self._started_at = stamp(self.clock.now())
        self._scanned_at = ""
        self._showing = Showing(self.layout, config.pages, self.host, self.clock)
        self._supervision = Supervision(self.layout, self.scan.refuses)

    def run(self) -> int:
        """Work; the exit code: 0 all well, 1 when something failed."""
        require_same_share(self.layout)
        for folder in (self.layout.source, self.layout.outputs, *self.scan.folders):
            with translated(f"making {folder}"):
                folder.mkdir(parents=True, exist_ok=True)
        signal.signal(signal.SIGTERM, lambda *_: self._messages.put(Signal("stop")))
        signal.signal(signal.SIGINT, lambda *_: self._messages.put(Signal("stop")))
        if self._reload is not None:
            signal.signal(signal.SIGHUP, lambda *_: self._messages.put(Signal("reload")))
        logger.info("clipd {} serves {} with {}", __version__, self.layout.root, self._pool.label)
        self._pool.start()
        self._watch = Watch(self.scan.folders, self.config.watch, self._messages.put)
        stop_serving = self._showing.serve(self.config.pages.metrics_port)
        self._beat()  # first of all: it tells the share's clock, by which files settle
        self._index_recordings()
        try:
            while not self._stopping:
                self._turn()
                if self._once and self._done:
                    if not self._has_new:
                        break
                    self._has_new = False
                    self._rounds.soon()
            return self._finish()
        finally:
            self._watch.stop()
            if self._indexing is not None:
                self._indexing.stop()
            with suppress(OSError):
                self.layout.heartbeat(self._beat_name).unlink(missing_ok=True)
            if self._root_is_there():
                self._showing.page_now(self._situation())
            stop_serving()

    # --- one turn -----------------------------------------------------------------------------------------------

    def _turn(self) -> None:
        self._take_messages()
        if not self._root_is_there():
            return
        self.scan.look_again(SLICE_SECONDS)
        self._walk_on()
        self._steering.look(LOOK_SECONDS if self._trusted else self.config.watch.interval_seconds)
        self._hand_out()
        self._dispatch.tell_pending(self._steering.gate.why, self._share_offset)
        self._watch_over()
        self._beat()
        self._steering.obey(self._share_offset)
        token = (self.scan.changes, self._dispatch.held, self._pool.running, self._steering.gate.why)
        self._showing.page(self._situation, token, busy=bool(self._pool.running))
        self._sweep_on()

    def _take_messages(self) -> None:
        """Wait for a message or for the next thing that is due, then take those there are, for a while."""
        with suppress(queue.Empty):
            message = self._messages.get(timeout=self._idle_seconds())
            deadline = self.clock.monotonic() + SLICE_SECONDS
            while True:
                self._take(message)
                if self.clock.monotonic() >= deadline:
                    return
                message = self._messages.get_nowait()

    def _take(self, message: Hint | Ended | Signal | Carried | Recorded) -> None:
        match message:
            case Hint(path) if path in self._roots:
                self._rounds.soon()
            case Hint(path, closed):
                self.scan.hint(path, closed=closed)
            case Ended():
                self._take_end(message)
            case Recorded(cameras):
                self._dispatch.recorded(cameras)
            case Carried():
                self._dispatch.let_go(message.jobs)
                for sidecar in message.sidecars:
                    self.scan.hint(sidecar, closed=True)
            case Signal("stop"):
                if self._stopping:
                    logger.warning("told again to stop: abandoning what runs")
                    os._exit(1)
                self._stopping = True
            case Signal("reload"):
                self._take_settings()

    def _idle_seconds(self) -> float:
        if self._root_trouble:
            return LOOK_SECONDS
        if self._rounds.in_haste or self._sweep is not None or self.scan.busy:
            return 0.0
        now = self.clock.monotonic()
        due = [self._rounds.due, self._next_beat, self._next_sweep, *self.scan.unsettled.values()]
        if self._room() > 0:
            due.append(self._dispatch.due_at)
        if self._pool.running:
            due.append(now + 1.0)
        return min(max(0.01, min(due) - now), LOOK_SECONDS)

    def _root_is_there(self) -> bool:
        try:
            require_root(self.layout)
        except Temporary as error:
            if not self._root_trouble:
                logger.warning("waiting: {}", error)
                notify(f"STATUS=waiting: {error}")
            self._root_trouble = str(error)
            notify("WATCHDOG=1")
            return False
        if self._root_trouble:
            logger.info("the share is back: {}", self.layout.root)
            self._root_trouble = ""
            self._rounds.soon()
            self._watch_anew()  # what is mounted now may be another filesystem than what was watched
        return True

    def _watch_anew(self) -> None:
        if self._watch is not None:
            self._watch.stop()
            self._watch = Watch(self.scan.folders, self.config.watch, self._messages.put)

    # --- noticing -----------------------------------------------------------------------------------------------

    def _walk_on(self) -> None:
        """Take another slice of the full look at the tree, when one is due or under way."""
        passes = self._rounds.begun
        is_through = self._rounds.go_on(trusted=self._trusted)
        if self._rounds.begun > passes and not self._once:
            self._dispatch.taken = 0
        if not is_through:
            return
        if self._watch is not None:
            self._watch.check_room()
        if self._watch is not None and self._watch.lost:
            logger.warning("file events were lost: watching anew")
            self._watch_anew()
        if not self._scanned_at:
            notify("READY=1")
        self._scanned_at = stamp(self.clock.now())

    # --- handing out --------------------------------------------------------------------------------------------

    def _hand_out(self) -> None:
        """Give the oldest due jobs to free workers."""
        if self._next_pool is not None and not self._pool.running:
            self._pool.stop(0)
            self._pool, self._next_pool = self._next_pool, None
            self._pool.start()
        self._dispatch.hand_out(self._room(), self._room_now)

    def _submit(self, job: Job, last_words: str, patience: float, forgiven: bool) -> None:
        self._showing.begun(job)
        self._pool.submit(job, self.workplace, last_words, patience, forgiven)

    def _room_now(self) -> int:
        """How many jobs may be begun, a pause that was only just asked for included."""
        self._steering.look(PAUSE_SECONDS)
        return self._room()

    def _room(self) -> int:
        """How many jobs may be begun now."""
        if self._next_pool is not None or self._steering.gate.shut:
            return 0
        return min(self._pool.free, self._batch_room())

    def _batch_room(self) -> int:
        size = self.config.workers.batch_size
        return max(0, size - self._dispatch.taken) if size else 1 << 30

    @property
    def _trusted(self) -> bool:
        """Do file events tell of everything?"""
        return self._watch is not None and self._watch.trusted

    # --- watching over ------------------------------------------------------------------------------------------

    def _take_end(self, ended: Ended) -> None:
        job = ended.job
        outcome = self._dispatch.ended(ended, is_root_there=self._root_is_there)
        if outcome.verdict is Verdict.COMPLETE:
            self.tally.complete += 1
            self._has_new = True
        elif outcome.verdict is Verdict.FAILED:
            self.tally.failed += 1
        self._showing.ended(job, outcome)
        self._steering.told(job, outcome)
        if self._told is not None:
            self._told(job, outcome)
        self.scan.read_again(str(self.layout.at(job.origin)))

    def _watch_over(self) -> None:
        """Stop attempts that do not get on, that nobody asks for any more, or that a pause forbids."""
        if self._steering.gate.stop:
            for job in self._pool.running_jobs:
                self._dispatch.halt(job)
                self._pool.cancel(job.id, self._steering.gate.why)
            return
        now = self.clock.monotonic()
        if now < self._next_watch:
            return
        limit = self.config.workers.no_progress_seconds
        for job, why in self._supervision.to_stop(self._pool.begun_jobs, now, limit):
            self._pool.cancel(job.id, why)
        ended = self.clock.monotonic()
        self._next_watch = ended + WATCH_SHARE * (ended - now)

    def _beat(self) -> None:
        """Say on the share that this daemon is alive and what it waits for; learn the share's clock from it."""
        now = self.clock.monotonic()
        if now < self._next_beat:
            return
        self._next_beat = now + BEAT_SECONDS
        notify("WATCHDOG=1")
        self._dispatch.tidy(self._pool.running)
        offset = self._showing.beat(self.layout.heartbeat(self._beat_name), self._health())
        self._share_offset = self._share_offset if offset is None else offset

    def _situation(self) -> Situation:
        return Situation(
            scan=self.scan,
            running=self._pool.running_jobs,
            why_waiting=self._why_waiting,
            is_ours=self._dispatch.is_ours,
            paused=self._steering.gate.paused,
            host=self.host,
            reserve=self.config.space.reserve,
            held_back=self._steering.gate.why,
            share_offset=self._share_offset,
        )

    def _why_waiting(self, job: Job) -> tuple[str, float | None]:
        return self._dispatch.why_waiting(job, self._steering.gate.why, self._pool.trouble)

    def _sweep_on(self) -> None:
        """Take another slice of the search for what killed attempts left behind."""
        now = self.clock.monotonic()
        grace = self.config.space.stray_seconds
        if self._sweep is None:
            if now < self._next_sweep:
                return
            self._next_sweep = now + max(BEAT_SECONDS, min(SWEEP_SECONDS, grace))
            self._showing.forget_gone(self._share_offset)
            self._sweep = sweep(
                self.layout,
                self.config.claims,
                older_than=time.time() + self._share_offset - grace,
                settle=self.clock.sleep,
                say=logger.info,
            )
        try:
            for _ in self._sweep:
                if self.clock.monotonic() >= now + SLICE_SECONDS:
                    return
        except ClipdError as error:
            logger.warning("looking for strays: {}", error)
        self._sweep = None

    # --- settings and ends --------------------------------------------------------------------------------------

    def _take_settings(self) -> None:
        assert self._reload is not None  # noqa: S101 - the signal is only handled when there is one
        try:
            config = self._reload()
            if (config.root, config.directories) != (self.config.root, self.config.directories):
                raise ConfigError("root and directories cannot change while clipd runs; restart it")
            if any(getattr(config, part) != getattr(self.config, part) for part in ("workers", "log", "executor")):
                self._next_pool = self._new_pool(config)
        except ConfigError as error:
            logger.error("the settings were not taken, everything stays as it was: {}", error)
            return
        former, self.config = self.config, config
        self._dispatch.renew(config)
        self.scan.renew(config.watch.ignore, config.watch.settle_seconds)
        self._rounds.settings = config.watch
        self._showing.renew(config.pages)
        self._steering.renew(config)
        if self._indexing is not None:
            self._index_recordings()
        if config.watch.mode != former.watch.mode:
            self._watch_anew()
        log.start(config.log, self.layout.root)
        self._rounds.soon()
        logger.info("the settings were read again")

    @property
    def _done(self) -> bool:
        """Has a single pass done all it can do?"""
        if not self._scanned_at or self._rounds.under_way or self._sweep is not None:
            return False
        if self.scan.unsettled or self.scan.busy or self._dispatch.out:
            return False
        if not self._messages.empty() or self._steering.busy:
            return False
        if self._steering.gate.shut or not self._batch_room() or self._pool.trouble:
            return True
        return self._dispatch.is_through

    def _finish(self) -> int:
        notify("STOPPING=1")
        if self._pool.running:
            logger.info(
                "stopping: {} clips may finish within {:g} s", len(self._pool.running), self.config.stop_seconds
            )
        self._pool.stop(self.config.stop_seconds)
        with suppress(queue.Empty):
            while True:
                message = self._messages.get_nowait()
                if isinstance(message, Ended):
                    self._take_end(message)
        # A single pass has nobody who waits for its end.
        self._steering.stop(self.config.stop_seconds if self._once else PARTING_SECONDS)
        logger.info("stopped: {} complete, {} failed", self.tally.complete, self.tally.failed)
        return 1 if self._once and (self.tally.failed or self.unreadable) else 0

    @property
    def waiting(self) -> list[tuple[Job, str]]:
        """The jobs that wait, and why."""
        running = self._pool.running
        return [
            (job, self._why_waiting(job)[0] or "its turn")
            for job in sorted(self.scan.jobs, key=lambda job: job.order)
            if self._dispatch.is_ours(job) and job.id not in running
        ]

    @property
    def unreadable(self) -> dict[str, str]:
        """Files and folders that cannot be read, or not all of them (path relative to the root), and why."""
        found = {path: "; ".join(problems) for path, problems in self.scan.refused.items()} | dict(self.scan.unreadable)
        return {self.layout.relative(self.layout.root / path): why for path, why in found.items()}

    # --- parts --------------------------------------------------------------------------------------------------

    @property
    def _beat_name(self) -> str:
        return f"{self.host}.{os.getpid()}"

    @property
    def workplace(self) -> Workplace:
        """What a worker is told besides its job."""
        config = self.config
        return Workplace(
            layout=self.layout,
            host=self.host,
            daemon=self.id,
            cache=config.cache_folder,
            threads=config.workers.threads_each,
            claims=config.claims,
            retry=config.retry,
            space=config.space,
            arrival=config.sources,
            limits=config.media,
            kinds={
                "clip": config.clips,
                "compound": config.clips,
                "event": config.events,
                "link": Fetching(links=config.links, space=config.space),
                "segment": config.segmentation,
                "request": config.archive(self._share_offset),
                **dict.fromkeys(("dataset", "rows", "results"), config.tables(self._share_offset)),
            },
            annotations=config.annotations,
            failed_status=config.failed_status,
            destinations=config.destinations,
            share_offset=self._share_offset,
            clock=self.clock,
        )

    def _index_recordings(self) -> None:
        """Keep the index of recordings from now on, by the settings as they are; a single pass has no use for it."""
        if self._once:
            return
        if self._indexing is not None:
            self._indexing.stop()
        self._indexing = Indexing(
            self.layout,
            self.config.archive(),
            self.config.watch,
            lambda: time.time() + self._share_offset,
            self._messages.put,
        )
        self._indexing.start()

    def _new_pool(self, config: Config) -> Executor:
        if config.executor.kind == "dask":
            from clipd.worker.dask.cluster import Cluster

            return Cluster(config.executor, config.claims, self.layout, self._messages.put)
        prepare = (config.log, self.layout.root, False)
        return Pool(config.workers, process, log.start, prepare, self._messages.put)

    def _new_scans(self) -> Scans:
        return Scans(
            Scan(
                layout=self.layout,
                source=source,
                clock=self.clock,
                ignore=self.config.watch.ignore,
                settling=Settling(self.config.watch.settle_seconds),
                share_offset=lambda: self._share_offset,
                report=lambda path, words: logger.warning("{}: {}", path, words),
            )
            for source in (*SOURCES, *((SOURCE_TREE,) if self.config.segmentation.source_tree else ()))
        )

    def _health(self) -> Health:
        waiting = self.waiting[:1000]
        return Health(
            host=self.host,
            pid=os.getpid(),
            daemon=self.id,
            version=__version__,
            at=stamp(datetime.now(UTC)),
            workers=self._pool.slots,
            running=sorted(self._pool.running),
            waiting={job.id: why for job, why in waiting},
            unreadable=dict(list(self.unreadable.items())[:1000]),
            events=self._trusted,
            paused=self._steering.gate.paused,
            cameras=list(self.config.cameras),
            started_at=self._started_at,
            scanned_at=self._scanned_at,
            scan_seconds=self._rounds.seconds,
            work=self._showing.work,
            cluster=self._pool.label if self.config.executor.kind == "dask" else "",
            nodes=self._pool.nodes,
            hooks_delivered=self._steering.hooks.delivered,
            hooks_failed=self._steering.hooks.failed,
            hooks_dropped=self._steering.hooks.dropped,
        )
