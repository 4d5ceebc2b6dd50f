"""The dispatch: which of the jobs that are asked for go to a worker now, which wait, and why.

It keeps its own list of what it handed out: an executor forgets a job some moments before its end is told, and a job
that was handed out twice would be claimed twice.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from loguru import logger

from clipd.clock import Clock
from clipd.config import Config
from clipd.delivery.origins import ORIGINS
from clipd.errors import ClipdError
from clipd.files import lease
from clipd.indexing import Waiters
from clipd.intake.rounds import SLICE_SECONDS
from clipd.intake.scans import Scans
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.tree import awaited
from clipd.tree.layout import Layout
from clipd.worker.pool import Ended

PENDING_SECONDS = 1.0
"""Whose request is not begun within this time is told that it is pending."""
UNTOLD = ("clip", "compound", "rows", "results")
"""Kinds of jobs whose people are not told that they wait: a sidecar is written once, and a dataset is told by row."""
AWAITED_SECONDS = 300.0
"""How often a job that waits for files is looked at, though none of them stirs."""
AGAIN_SECONDS = 0.5
"""How soon a job is looked at again whose outcome says nothing of it."""

Submit = Callable[[Job, str, float, bool], None]
"""Gives a job to a worker: the job, the last words of the attempt before, the patience with its claim, in seconds, and
whether that attempt was stopped by us. Raises `Deferred` when no worker can be had just now."""


@dataclass
class Held:
    """A job that waits: why, and until when (monotonic seconds)."""

    job: str
    why: str
    until: float
    settled: bool = False
    """Is there nothing that a single pass could wait for?"""
    sighting: lease.Heartbeat | None = None
    since: float = 0.0
    awaits: awaited.Marks = ()
    """It waits for one of these to change."""


class Dispatch:
    """Hands the oldest due jobs to workers, and knows of all others why they wait."""

    def __init__(self, scan: Scans, layout: Layout, config: Config, clock: Clock, submit: Submit) -> None:
        """Nothing is handed out before `hand_out`."""
        self.config = config
        self.taken = 0
        """How many jobs were handed out; whoever counts batches sets it back."""
        self.out: set[str] = set()
        """Jobs that were handed out and whose end was not taken note of."""
        self._scan, self._layout, self._clock, self._submit = scan, layout, clock, submit
        self._lost: set[str] = set()
        """Those of them that the executor did not know any more at the last `tidy`."""
        self._held: dict[tuple[str, str, str], Held] = {}
        """By the wish as it was when it had to wait: what somebody changed meanwhile does not wait for the old one."""
        self._due_at, self._handed_at = 0.0, -1
        self._last_words: dict[str, str] = {}
        self._halted: set[str] = set()
        """Jobs whose attempt was stopped because of a pause or the schedule."""
        self._waiters = Waiters()
        self._pending: set[str] = set()
        """Requests that were told that they are pending."""
        self._pending_as_of: object = None
        self._next_pending = 0.0

    @property
    def due_at(self) -> float:
        """Until when nothing can be handed out (monotonic seconds), unless the tree changes."""
        return self._due_at

    @property
    def held(self) -> int:
        """How many jobs wait for something of their own, not just for their turn."""
        return len(self._held)

    @property
    def is_through(self) -> bool:
        """Does every job wait for something that a single pass cannot wait for?"""
        ours = (job.wish for job in self._scan.jobs if self.is_ours(job))
        return all(wish in self._held and self._held[wish].settled for wish in ours)

    def is_ours(self, job: Job) -> bool:
        """Does this daemon serve the camera of `job`?"""
        return not self.config.cameras or not job.camera or job.camera in self.config.cameras

    def renew(self, config: Config) -> None:
        """Other settings from now on."""
        self.config = config
        self._due_at = 0.0

    def hand_out(self, room: int, room_now: Callable[[], int]) -> None:
        """Give the oldest due jobs to free workers.

        Args:
            room: how many may be begun, as far as is known.
            room_now: the same, looked at closely; only asked when something is due.
        """
        now = self._clock.monotonic()
        if room <= 0 or (now < self._due_at and self._scan.changes == self._handed_at):
            return
        self._handed_at = self._scan.changes
        due: list[Job] = []
        until = [math.inf]
        for job in self._scan.jobs:
            if job.id not in self.out and self.is_ours(job):
                held = self._held.get(job.wish)
                if held is None or (held.until <= now and not self._awaits(held, now)):
                    due.append(job)
                else:
                    until.append(held.until)
        self._due_at = 0.0 if due else min(until)
        for job in heapq.nsmallest(room_now() if due else 0, due, key=lambda job: job.order):
            try:
                self._start(job, now)
            except ClipdError as error:
                wait = self.config.retry.deferred_wait_seconds
                self._held[job.wish] = Held(job.id, str(error), now + wait, settled=True)

    def halt(self, job: Job) -> None:
        """Its attempt is stopped by us, and counts for nothing."""
        self._halted.add(job.id)

    def ended(self, ended: Ended, *, is_root_there: Callable[[], bool]) -> Outcome:
        """Take note of an end; what it amounts to."""
        job, now = ended.job, self._clock.monotonic()
        self.out.discard(job.id)
        if ended.outcome is None and job.id in self._halted:
            logger.bind(job=job.id).info("{}: stopped, and begun again later: {}", job.name, ended.loss)
            outcome = Outcome(Verdict.DEFERRED, ended.loss, again_in_seconds=0.0)
        elif ended.outcome is None:
            logger.bind(job=job.id).warning("{}: {}", job.name, ended.loss)
            self._last_words[job.id] = ended.loss
            outcome = Outcome(Verdict.RETRY, ended.loss, again_in_seconds=1.0)
        else:
            outcome = ended.outcome
            self._halted.discard(job.id)
            if outcome.verdict is Verdict.DEFERRED and not is_root_there():
                self._halted.add(job.id)  # its end could not be written down, and must count for nothing
        wait = AGAIN_SECONDS if outcome.again_in_seconds is None else outcome.again_in_seconds
        if outcome.verdict is Verdict.DEFERRED and self._waiters.has_news(job):
            wait = 0.0
        passing = outcome.verdict in (Verdict.DEFERRED, Verdict.BUSY)
        self._held[job.wish] = Held(
            job.id, outcome.message, now + wait, settled=passing, since=now, awaits=outcome.awaits
        )
        self._due_at = 0.0
        return outcome

    def recorded(self, cameras: frozenset[str]) -> None:
        """There is something new of these cameras: whoever waits for it may go on."""
        self.let_go(self._waiters.recorded(cameras))

    def let_go(self, jobs: Iterable[str]) -> None:
        """These need not wait any more."""
        free = set(jobs)
        self._held = {wish: held for wish, held in self._held.items() if held.job not in free}
        self._due_at = 0.0

    def tidy(self, running: set[str]) -> None:
        """Forget what nobody asks for any more; `running` is what the executor knows of."""
        # An end that was never told must not keep a job back for ever.
        if still_lost := self._lost & self.out - running:
            self.out -= still_lost
            self._due_at = 0.0
        self._lost = self.out - running
        wishes = {job.wish for job in self._scan.jobs}
        wanted = {job for job, *_ in wishes}
        self._held = {wish: held for wish, held in self._held.items() if wish in wishes}
        self._pending &= wanted
        self._waiters.forget(wanted | self.out)

    def why_waiting(self, job: Job, gate: str, trouble: str) -> tuple[str, float | None]:
        """Why `job` waits, and for how many seconds, if that is known.

        Args:
            job: one that is not handed out.
            gate: why nothing may start, or "".
            trouble: why the executor can begin nothing, or "".
        """
        held, now = self._held.get(job.wish), self._clock.monotonic()
        if held is None or (gate and held.until <= now):
            return gate or trouble, None
        return held.why, max(0.0, held.until - now)

    def tell_pending(self, gate: str, share_offset: float) -> None:
        """Tell those whose requests have to wait for their turn so.

        Args:
            gate: why nothing may start, or "".
            share_offset: the share's clock minus ours, in seconds.
        """
        now, token = self._clock.monotonic(), (self._scan.changes, gate)
        if now < self._next_pending or token == self._pending_as_of:
            return
        self._next_pending = now + PENDING_SECONDS
        wall, is_through = self._clock.now(), True
        for job in self._scan.jobs:
            if job.kind in UNTOLD or job.id in self._pending or job.id in self.out or job.wish in self._held:
                continue
            if not self.is_ours(job):
                continue
            if self._clock.monotonic() >= now + SLICE_SECONDS:
                is_through = False
                break
            if (wall - job.requested_at).total_seconds() + share_offset < PENDING_SECONDS:
                is_through = False
            elif not lease.seems_held(self._layout.claim(job.id)):
                self._tell_one_pending(job, gate)
        if is_through:
            self._pending_as_of = token

    def _awaits(self, held: Held, now: float) -> bool:
        """Does it wait on, because no file that it waits for has stirred?"""
        if held.awaits and self._clock.monotonic() >= now + SLICE_SECONDS:
            return True  # the next look begins with it: very many may wait, on a slow share
        if not held.awaits or now >= held.since + AWAITED_SECONDS or awaited.stirred(self._layout, held.awaits):
            return False
        held.until = now + self.config.retry.deferred_wait_seconds
        return True

    def _start(self, job: Job, now: float) -> None:
        claim = self._layout.claim(job.id)
        patience = lease.TAKE_OVER_PATIENCE_SECONDS
        if lease.seems_held(claim):
            held = self._held.get(job.wish)
            sighting = lease.heartbeat(claim)
            silence = lease.silence_seconds(claim, self.config.claims)
            if held is None or held.sighting != sighting:
                self._held[job.wish] = self._held_elsewhere(job, silence, sighting, now, is_news=held is None)
                return
            if now - held.since < silence:
                held.until = now + 1.0
                return
            patience = silence * 1.5
        self._waiters.begun(job)
        # May raise: then nothing was begun, and all that is known of the former attempt still counts.
        self._submit(job, self._last_words.get(job.id, ""), patience, job.id in self._halted)
        self.out.add(job.id)
        self.taken += 1
        self._held.pop(job.wish, None)
        self._pending.discard(job.id)
        self._halted.discard(job.id)
        self._last_words.pop(job.id, None)

    def _held_elsewhere(
        self, job: Job, silence: float, sighting: lease.Heartbeat | None, now: float, *, is_news: bool
    ) -> Held:
        """Somebody else's claim shows a sign of life: the job waits until there is none for `silence` seconds."""
        why = f"worked on by {lease.holder(self._layout.claim(job.id)) or 'somebody'}"
        if silence > self.config.claims.lease_seconds:
            why += f", whose claims.lease_seconds is longer: should it be gone, that shows after {silence:g} s"
            if is_news:
                logger.bind(job=job.id).warning("{}: {}", job.name, why)
        return Held(job.id, why, now + 1.0, settled=True, sighting=sighting, since=now)

    def _tell_one_pending(self, job: Job, gate: str) -> None:
        self._pending.add(job.id)
        try:
            # Under its claim: whoever answers it holds that, and a final answer must not be called pending.
            with lease.claimed(self._layout.claim(job.id), self.config.claims, wait_seconds=0.0):
                if ORIGINS[job.kind].read(self._layout, job) is not None:
                    words = gate or "waiting for its turn"
                    ORIGINS[job.kind].tell(self._layout, job, "pending", words, self._clock.now())
        except lease.Taken:
            self._pending.discard(job.id)
        except ClipdError as error:
            logger.bind(job=job.id).debug("{}: not told that it is pending: {}", job.name, error)
