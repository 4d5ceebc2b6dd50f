"""Steering: what people want of clipd beside clips. Pauses and hours of work, orders, hooks, copies, retention.

It stands apart from the daemon because nothing here is the queue's business but one question: may new work start? What
takes its time is done in threads beside the queue, and only hands back what the queue must know.
"""

from __future__ import annotations

import math
import threading
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from loguru import logger

from clipd.clock import Clock, stamp
from clipd.config import Config
from clipd.delivery import orders, retention
from clipd.delivery.carrier import Carrier
from clipd.delivery.herald import Count, Herald
from clipd.delivery.hooks import News
from clipd.delivery.orders import Carried, Desk
from clipd.errors import ClipdError, Deferred, Rejected
from clipd.files.walk import Look, look
from clipd.intake.gate import Gate, gate_of
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.report.health import read_healths
from clipd.tree import control
from clipd.tree.control import Controls, Order, Verb
from clipd.tree.layout import Layout
from clipd.worker.errand import Errand

LOOK_SECONDS = 2.0
"""How often the control files are looked at, at most; where the tree is polled, by its interval."""
LAY_BACK_SECONDS = 30.0
"""How often the orders of dead daemons are looked for."""
RETENTION_SECONDS = 3600.0
ORDER_TRIES = 3
"""How often an order is tried before it is answered by what went wrong."""
AGAIN_SECONDS = 3.0
"""How soon an order is tried again."""
PARTS = ("dataset", "rows")
"""Kinds of jobs that are a part of some work: that they are complete is no news, only that the whole is."""
PARTING_SECONDS = 5.0
"""How long hooks and errands get when clipd is stopped."""


class Steering:
    """What the daemon asks whether it may start work, and tells how work ended."""

    def __init__(
        self,
        layout: Layout,
        config: Config,
        clock: Clock,
        *,
        daemon: str,
        host: str,
        tell: Callable[[Carried], None],
    ) -> None:
        """Nothing is touched before `look`.

        Args:
            layout: the tree.
            config: the settings.
            clock: where time comes from.
            daemon: the id of this daemon.
            host: the name of this machine.
            tell: is told of every order that was carried out, from another thread.
        """
        self.gate = Gate()
        self._layout, self._config, self._clock = layout, config, clock
        self._daemon, self._host, self._tell = daemon, host, tell
        self._controls = Controls()
        self._looked_at = -math.inf
        self._next_lay_back = self._next_try = self._next_retention = 0.0
        self._seen: tuple[Order, ...] = ()
        self._retried: Look | None = None
        self._tried: dict[str, int] = {}
        self._trouble = ""
        self._herald = Herald(config.hooks, clock)
        self._carrier = Carrier(layout, config.destinations, config.claims, clock)
        self._stopping = threading.Event()
        self._clerk = Errand("orders", self._carry_out)
        self._keeper = Errand("retention", self._retain)

    def look(self, seconds: float) -> None:
        """See what people want now, unless that was done less than `seconds` ago; orders wait for `obey`."""
        now = self._clock.monotonic()
        if now >= self._looked_at + seconds:
            self._looked_at = now
            try:
                self._controls = control.look(self._layout, self._config.watch.ignore)
                self._hear_of_retries()
                self._trouble = ""
            except ClipdError as error:
                if self._trouble != str(error):
                    logger.warning("control files cannot be looked for, the former ones stand: {}", error)
                self._trouble = str(error)
        former = self.gate
        self.gate = gate_of(self._controls.pause, self._config.schedule, self._clock.now())
        self._carrier.look(held=self.gate.paused)
        if (former.shut, former.stop) != (self.gate.shut, self.gate.stop):
            logger.info("new work waits: {}", self.gate.why) if self.gate.shut else logger.info("new work starts again")

    def _hear_of_retries(self) -> None:
        """Another daemon may have carried out an order about a clip that waits in this one's memory."""
        seen = look(self._layout.retried)
        if seen != self._retried:
            self._retried = seen
            self._tell(Carried("", frozenset(control.retried(self._layout))))

    def obey(self, share_offset: float) -> None:
        """Have orders carried out and outputs that are too old removed, beside the queue.

        Args:
            share_offset: the share's clock minus ours, in seconds.
        """
        now = self._clock.monotonic()
        if now >= self._next_lay_back:
            self._next_lay_back = now + LAY_BACK_SECONDS
            self._lay_back(share_offset)
        if not self._clerk.busy and (self._controls.orders or (self._tried and now >= self._next_try)):
            self._next_try = now + AGAIN_SECONDS
            self._seen, self._controls = self._controls.orders, replace(self._controls, orders=())
            self._clerk.start()
        if now >= self._next_retention and self._config.retention.rules and not self._config.retention.dry_run:
            self._next_retention = now + RETENTION_SECONDS
            self._keeper.start()

    def told(self, job: Job, outcome: Outcome) -> None:
        """Tell the hooks how an attempt ended, if the person has just been told so too; never waits.

        What was published is brought to the destinations.
        """
        if outcome.outputs:
            self._carrier.wake()
        is_part = job.kind in PARTS and outcome.verdict is Verdict.COMPLETE
        if outcome.verdict in (Verdict.COMPLETE, Verdict.FAILED) and not outcome.known and not is_part:
            self._herald.tell(
                News(
                    id=uuid.uuid4().hex,
                    status=outcome.verdict.value,
                    clip=job.name,
                    job=job.id,
                    camera=job.camera,
                    session=job.session,
                    sidecar=job.origin,
                    key=job.key,
                    outputs=outcome.outputs,
                    message=outcome.message,
                    warnings=outcome.warnings,
                    host=self._host,
                    at=stamp(self._clock.now()),
                    root=self._layout.root,
                )
            )

    def renew(self, config: Config) -> None:
        """Other settings from now on."""
        self._config = config
        self._herald.renew(config.hooks)
        self._carrier.renew(config.destinations, config.claims)
        self._looked_at = -math.inf
        self._next_retention = 0.0

    @property
    def busy(self) -> bool:
        """Is an order waiting or being carried out, are outputs being removed, or copies to be tried?"""
        errands = self._clerk.busy or self._keeper.busy or self._carrier.busy
        return bool(self._controls.orders) or errands or any(self._tried.values())

    @property
    def hooks(self) -> Count:
        """What became of the news for hooks."""
        return self._herald.count

    def stop(self, seconds: float = PARTING_SECONDS) -> None:
        """Let hooks end within `seconds`, and errands; an order that is not done is left to the next daemon."""
        self._stopping.set()
        self._carrier.stop(0.0)
        self._herald.stop(seconds)
        for errand in (self._clerk, self._keeper):
            errand.stop(PARTING_SECONDS)
        if not self._clerk.busy:
            with suppress(ClipdError):  # else the next daemon finds out by itself
                control.give_back(self._layout, self._daemon)
        count = self._herald.count
        if count.failed or count.dropped:
            logger.warning("hooks: {} delivered, {} failed, {} dropped", count.delivered, count.failed, count.dropped)

    # --- orders, in the clerk's thread --------------------------------------------------------------------------

    def _carry_out(self) -> None:
        try:
            for order in self._seen:
                control.take(self._layout, order, self._daemon)
            for order in control.taken(self._layout, self._daemon):
                if self._stopping.is_set():
                    return
                self._obey_one(order)
        except ClipdError as error:
            logger.warning("orders wait: {}", error)

    def _obey_one(self, order: Order) -> None:
        name = order.path.name
        config = self._config
        desk = Desk(self._layout, config.claims, config.watch.ignore, config.failed_status, self._clock)
        try:
            carried = orders.carry_out(order, desk)
        except Deferred:
            self._tried.setdefault(name, 0)
            raise
        except Rejected as error:
            logger.warning("order {}: {}", name, error)
            control.close(self._layout, order, str(error))
        except ClipdError as error:
            self._tried[name] = self._tried.get(name, 0) + 1
            logger.warning("order {}: {} (try {} of {})", name, error, self._tried[name], ORDER_TRIES)
            if self._tried[name] < ORDER_TRIES:
                return
            control.close(self._layout, order, f"it could not be carried out: {error}")
        else:
            logger.info("order {}: {}", name, carried.words)
            if order.verb is Verb.RETRY and carried.jobs:
                control.tell_retried(self._layout, carried.jobs)
            control.close(self._layout, order)
            self._tell(carried)
        self._tried.pop(name, None)

    def _lay_back(self, share_offset: float) -> None:
        try:
            alive = {self._daemon, *(health.daemon for health in read_healths(self._layout, share_offset))}
            control.lay_back(self._layout, alive)
        except ClipdError as error:
            logger.warning("orders of other daemons cannot be looked for: {}", error)

    # --- retention, in the keeper's thread ----------------------------------------------------------------------

    def _retain(self) -> None:
        config = self._config
        try:
            for _ in retention.sweep(self._layout, config.retention, config.claims, self._clock, logger.info):
                if self._stopping.is_set():
                    return
        except (ClipdError, OSError) as error:
            logger.warning("retention waits for the next hour: {}", error)
