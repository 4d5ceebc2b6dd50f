"""The carrier: brings copies of what is published to the destinations, each in a thread of its own.

What is to be brought stands in the outbox on disk, so that nothing is lost with a daemon that is killed, and any daemon
on the tree may bring it: the claim of a copy decides which. A destination that is away holds up neither the queue nor
another destination; it is tried again, ever more rarely, until its patience is at an end.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loguru import logger

from clipd.clock import Clock, stamp
from clipd.delivery.copying import copy, wanted
from clipd.delivery.destinations import STORES, Destination, Open, Store
from clipd.errors import ClaimLost, ClipdError, Rejected, Temporary
from clipd.files import lease
from clipd.files.atomic import size_of
from clipd.tree import outbox
from clipd.tree import record as records
from clipd.tree.layout import Layout
from clipd.tree.marker import require_root
from clipd.tree.outbox import Note
from clipd.tree.record import Receipt

LOOK_SECONDS = 15.0
"""How often the outbox is looked at without being asked: a machine that died may have left something."""
FIRST_WAIT_SECONDS = 2.0
LONGEST_WAIT_SECONDS = 900.0
IN_VAIN = 3
"""After so many failures in a row the destination itself is taken to be away."""


def post(
    layout: Layout, receipt: Receipt, destinations: Sequence[Destination], camera: str, now: datetime
) -> tuple[str, ...]:
    """Ask for copies of a publication, unless that was done; where to. Raises `Temporary` as writing does."""
    asked = []
    for destination in destinations:
        if wanted(layout, receipt, destination, camera):
            note = Note(receipt.job, receipt.id, destination.label, receipt.name, camera, stamp(now))
            if outbox.post(layout, note):
                asked.append(destination.label)
    return tuple(asked)


class Carrier:
    """Brings copies; one courier for each destination."""

    def __init__(
        self,
        layout: Layout,
        destinations: Sequence[Destination],
        claims: lease.Settings,
        clock: Clock,
        stores: Mapping[str, Open] = STORES,
    ) -> None:
        """Threads start with `look`."""
        self._layout, self._clock, self._stores = layout, clock, stores
        self._couriers: list[_Courier] = []
        self._retired: list[_Courier] = []
        self.renew(destinations, claims)

    def renew(self, destinations: Sequence[Destination], claims: lease.Settings) -> None:
        """Other destinations from now on; what was given up is tried again."""
        for courier in self._couriers:
            courier.close()
        self._retired = [courier for courier in (*self._retired, *self._couriers) if courier.busy]
        self._couriers = [
            _Courier(self._layout, destination, claims, self._clock, self._stores[destination.way])
            for destination in destinations
        ]

    def look(self, *, held: bool = False) -> None:
        """Begin, if that was not done; while `held` nothing new is begun. Never waits."""
        for courier in self._couriers:
            courier.held = held
            courier.start()

    def wake(self) -> None:
        """Something was published: look into the outbox soon. Never waits."""
        for courier in self._couriers:
            courier.wake()

    @property
    def busy(self) -> bool:
        """Is there something that was not tried since it was asked for?"""
        return any(courier.busy and not courier.held for courier in self._couriers)

    def stop(self, seconds: float) -> None:
        """Let each end within `seconds`; what is not done stays in the outbox."""
        couriers = (*self._couriers, *self._retired)
        for courier in couriers:
            courier.close()
        deadline = self._clock.monotonic() + seconds
        for courier in couriers:
            courier.join(max(0.0, deadline - self._clock.monotonic()))


class _Stopped(ClipdError):
    """clipd ends, or other destinations were named."""


class _Courier:
    """Brings copies to one destination, one at a time."""

    def __init__(
        self, layout: Layout, destination: Destination, claims: lease.Settings, clock: Clock, open_store: Open
    ) -> None:
        self.held = False
        self._layout, self._destination, self._claims, self._clock = layout, destination, claims, clock
        self._label, self._open = destination.label, open_store
        self._store: Store | None = None
        self._thread: threading.Thread | None = None
        self._wake, self._closed = threading.Event(), threading.Event()
        self._asked, self._served = 1, 0
        self._again: dict[str, float] = {}
        """When a copy that failed is tried again (monotonic), by the name of its note."""
        self._sightings: dict[Path, tuple[lease.Heartbeat | None, float]] = {}
        """Claims that others seem to hold: how they looked, and since when (monotonic)."""
        self._away_until, self._away_times = 0.0, 0

    @property
    def busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive() and self._asked != self._served

    def start(self) -> None:
        if not self._closed.is_set() and (self._thread is None or not self._thread.is_alive()):
            self._thread = threading.Thread(target=self._work, name=f"copies to {self._label}", daemon=True)
            self._thread.start()

    def wake(self) -> None:
        self._asked += 1
        self._wake.set()

    def close(self) -> None:
        self._closed.set()
        self._wake.set()

    def join(self, seconds: float) -> None:
        if self._thread is not None:
            self._thread.join(seconds)

    def _work(self) -> None:
        is_new = True
        while not self._closed.is_set():
            self._wake.clear()
            asked, trouble, wait = self._asked, "", LOOK_SECONDS
            try:
                if is_new:
                    self._take_up()
                    is_new = False
                wait = self._round()
            except (ClipdError, OSError) as error:
                trouble = str(error)
            if trouble:
                logger.warning("copies to {} wait: {}", self._label, trouble)
            self._served = asked
            self._wake.wait(wait)

    def _take_up(self) -> None:
        require_root(self._layout)
        if count := outbox.take_up(self._layout, self._label):
            logger.info("copies to {}: {} that were given up are tried again", self._label, count)

    def _round(self) -> float:
        """Try everything that is due; in how many seconds there may be more."""
        if self.held:
            return 1.0
        now = self._clock.monotonic()
        if now < self._away_until:
            return self._away_until - now
        require_root(self._layout)
        notes = outbox.pending(self._layout, self._label)
        self._again = {path.name: self._again[path.name] for path in notes if path.name in self._again}
        in_vain = 0
        for path in notes:
            if self._closed.is_set() or self.held:
                return 1.0
            if self._again.get(path.name, 0.0) > self._clock.monotonic():
                continue
            in_vain = 0 if self._try(path) else in_vain + 1
            if in_vain == IN_VAIN:
                self._away_times += 1
                pause = _pause_seconds(self._away_times)
                self._away_until = self._clock.monotonic() + pause
                logger.warning("copies to {} rest for {:g} s", self._label, pause)
                return pause
        if not in_vain:
            self._away_times = 0
        due = [at - self._clock.monotonic() for at in self._again.values()]
        return max(0.05, min([LOOK_SECONDS, *due]))

    def _try(self, path: Path) -> bool:
        """Bring one copy; False when the destination may be at fault."""
        note = outbox.read(path)
        if note is None or note.destination != self._label:
            logger.warning("{} is no note of a copy and is passed over", path)
            self._again[path.name] = self._clock.monotonic() + LONGEST_WAIT_SECONDS
            return True
        log = logger.bind(job=note.job)
        claim_path = self._layout.copy_claim(self._label, note.job)
        patience = self._patience_seconds(claim_path)
        if patience is None:
            self._again[path.name] = self._clock.monotonic() + self._claims.lease_seconds / 3
            return True
        try:
            with lease.claimed(claim_path, self._claims, wait_seconds=patience) as claim:
                if size_of(path) is not None:
                    self._bring(path, note, claim)
        except (lease.Taken, ClaimLost, _Stopped):
            self._again[path.name] = self._clock.monotonic() + self._claims.lease_seconds / 3
            return True
        except ClipdError as error:
            log.warning("copy of {} to {}: {}", note.clip, self._label, error)
            self._again[path.name] = self._clock.monotonic() + _pause_seconds(note.tries + 1)
            return False
        return True

    def _patience_seconds(self, claim: Path) -> float | None:
        """How long to wait for a claim; None where somebody seems to be at it. A machine that died falls silent."""
        if not lease.seems_held(claim):
            self._sightings.pop(claim, None)
            return lease.TAKE_OVER_PATIENCE_SECONDS
        now, sighting = self._clock.monotonic(), lease.heartbeat(claim)
        former, since = self._sightings.get(claim, (None, now))
        if former != sighting:
            self._sightings[claim] = (sighting, now)
            return None
        silence = lease.silence_seconds(claim, self._claims)
        return silence * 1.5 if now - since >= silence else None

    def _bring(self, path: Path, note: Note, claim: lease.Claim) -> None:
        """Copy what the note asks for, and close it. Raises `Temporary` when it is to be tried again."""

        def alive() -> None:
            claim.check()
            if self._closed.is_set():
                raise _Stopped

        log = logger.bind(job=note.job)
        receipts = records.read_receipts(self._layout, note.job)
        if not receipts or receipts[-1].id != note.receipt:
            outbox.close(self._layout, path, note, None)
            log.info("copy of {} to {}: needless, it was made again since", note.clip, self._label)
            return
        try:
            if self._store is None:
                self._store = self._open(self._destination, self._layout.root)
            copied = copy(self._layout, receipts, self._destination, note.camera, self._store, alive)
        except Rejected as error:
            self._give_up(path, note, str(error))
            return
        except Temporary as error:
            self._store = None
            note = replace(note, tries=note.tries + 1, error=str(error))
            if self._clock.now() - _moment(note.posted_at) > timedelta(hours=self._destination.patience_hours):
                self._give_up(path, note, f"{error}; tried for {self._destination.patience_hours:g} hours")
                return
            outbox.rewrite(path, note)
            raise
        outbox.close(self._layout, path, note, self._proof(copied))
        log.info("copied to {}: {}", self._label, ", ".join(output.path for output in copied))

    def _give_up(self, path: Path, note: Note, words: str) -> None:
        logger.bind(job=note.job).error("copy of {} to {}: given up: {}", note.clip, self._label, words)
        outbox.give_up(self._layout, path, replace(note, error=words))

    def _proof(self, copied: Sequence[records.Output]) -> dict[str, object]:
        files = [{"path": output.path, "size": output.size, "sha256": output.sha256} for output in copied]
        return {"destination": self._label, "copied_at": stamp(self._clock.now()), "files": files}


def _pause_seconds(times: int) -> float:
    return min(FIRST_WAIT_SECONDS * 2.0 ** min(times - 1, 32), LONGEST_WAIT_SECONDS)


def _moment(text: str) -> datetime:
    """When a note was posted; one that does not say so was posted in the beginning of time."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        return datetime.min.replace(tzinfo=UTC)
