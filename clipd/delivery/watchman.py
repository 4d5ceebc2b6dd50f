"""The watchman of one attempt: reports how far it is, and stops it when the claim is lost or the person's mind changed.

A running job calls `checkpoint` for every frame; about once a second that looks at the claim and at the place where the
wish stands, and leaves a progress note for `clipd status`.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable

from clipd.clock import Clock, stamp
from clipd.delivery.origins import Origin, Wish
from clipd.errors import Superseded, Temporary
from clipd.files.lease import Claim
from clipd.files.walk import Look, look
from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.marker import require_root
from clipd.tree.record import Progress, write_progress

LOOK_SECONDS = 1.0
"""How often claim and wish are looked at: a cancelled clip stops within this time and one frame."""
SPEED_WINDOW = 10
"""Notes over which the speed is averaged."""


class Watchman:
    """Watches over one attempt at `job`."""

    def __init__(self, job: Job, layout: Layout, host: str, claim: Claim, origin: Origin, clock: Clock) -> None:
        self._job, self._layout, self._host = job, layout, host
        self._claim, self._origin, self._clock = claim, origin, clock
        self._still: Callable[[Wish], bool] = lambda wish: wish.due
        self._place = layout.at(job.origin)
        self._seen: Look | None = None
        """How the file looked when the wish in it was last compared; the first look compares, too."""
        self._next = clock.monotonic()
        self._started = stamp(clock.now())
        self._stage = ""
        self._notes: deque[tuple[float, int]] = deque(maxlen=SPEED_WINDOW)

    def guard(self, still: Callable[[Wish], bool]) -> None:
        """From now on, stop the attempt when `still` says that the wish is another one."""
        self._still = still

    def checkpoint(self, stage: str, done: int, total: int) -> None:
        """Say that `done` of `total` steps of `stage` are done.

        Raises:
            ClaimLost: another worker took the job.
            Superseded: the person changed, cancelled or removed the clip.
            Deferred: the share is away.
        """
        now = self._clock.monotonic()
        if now < self._next and stage == self._stage:
            return
        self._next = now + LOOK_SECONDS
        self.check()
        self._note(now, stage, done, total)

    def check(self) -> None:
        """Look at the claim and, when its file changed, at the wish. Raises as `checkpoint` does."""
        self._claim.check()
        seen = look(self._place)
        if seen is not None and seen == self._seen:
            return
        try:
            wish = self._origin.read(self._layout, self._job)
        except Temporary:
            return  # half-written just now: looked at again at the next checkpoint
        if wish is None:
            require_root(self._layout)  # a share that was unmounted looks as if everything had been removed
            raise Superseded("the clip or its sidecar was removed")
        if not wish.due:
            raise Superseded("the clip no longer asks for it")
        if not self._still(wish):
            raise Superseded("the clip was changed")
        self._seen = seen

    def _note(self, now: float, stage: str, done: int, total: int) -> None:
        if stage != self._stage:
            self._stage = stage
            self._notes.clear()
        self._notes.append((now, done))
        (then, before), (_, after) = self._notes[0], self._notes[-1]
        speed = (after - before) / (now - then) if now > then else None
        write_progress(
            self._layout,
            Progress(
                self._job.id,
                stage,
                done,
                total,
                self._started,
                stamp(self._clock.now()),
                self._host,
                os.getpid(),
                speed,
            ),
        )
