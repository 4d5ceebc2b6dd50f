"""Marking: setting the status of clips in a sidecar on a person's word, as carefully as clipd writes its answers.

The command line and the control files both come here. The write happens under the short lease on the sidecar's name,
so that no daemon writes at the same time, and a person's save in between is not lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipd.clock import Clock, stamp
from clipd.delivery.writeback import WriteBack, edit
from clipd.errors import Rejected, Temporary
from clipd.files import lease
from clipd.files.atomic import read_regular
from clipd.jobs.naming import names_of
from clipd.model.clip import Status
from clipd.model.job import job_id
from clipd.tree import sidecar as sidecars
from clipd.tree.layout import Layout

STOP_SECONDS = 15.0
"""How long a cancelled attempt is waited for."""
LOOK_SECONDS = 0.1


@dataclass(frozen=True)
class Marked:
    """A clip that may be marked: where it stands, and how."""

    job: str
    clip: str
    """`<video> / <clip>`."""
    names: frozenset[str]
    """What people may call it."""
    sidecar: Path
    entry: sidecars.Entry

    @property
    def status(self) -> str:
        """The status word, folded."""
        return (self.entry.status or "").strip().casefold()


def clips_of(layout: Layout, sidecar: Path) -> Iterator[Marked]:
    """The clips of one sidecar that can be told apart. Raises what reading it raises."""
    data, _ = read_regular(sidecar, sidecars.LIMIT_BYTES)
    origin, video = layout.relative(sidecar), layout.place(sidecar).video
    for entry in sidecars.parse(data).entries:
        if entry.problem is None:
            job = job_id(entry.kind, origin, entry.key)
            names = names_of(job, video, entry.name, entry.key)
            yield Marked(job, f"{video} / {entry.name}", names, sidecar, entry)


def mark(
    layout: Layout,
    claims: lease.Settings,
    sidecar: Path,
    keys: Sequence[str],
    status: str,
    clock: Clock,
    *,
    expect: Callable[[sidecars.Entry], bool] = lambda _: True,
) -> WriteBack:
    """Give the clips `keys` of a sidecar the status `status` with one write; those that are not as `expect` says when
    it is written are left alone.

    Raises:
        Rejected: a clip is not there, or there twice.
        Temporary: somebody else is writing the sidecar, or it cannot be written now.
    """
    changes = {"status": word(status), "modified_at": stamp(clock.now())}
    claim = layout.sidecar_claim(layout.relative(sidecar))
    try:
        with lease.claimed(claim, claims, wait_seconds=claims.lease_seconds * 1.5):
            return edit(sidecar, keys, changes, expect=expect, settle=clock.sleep, now=clock.now)
    except lease.Taken as holder:
        raise Temporary(f"{sidecar.name} is being written by {holder}; try again in a moment") from None


def cancel(layout: Layout, claims: lease.Settings, job: str, clip: str, sidecar: Path, key: str, clock: Clock) -> None:
    """Set a clip that asks for work back to Draft, and wait until no attempt at it runs any more.

    Raises:
        Rejected: it does not ask for work any more.
        Temporary: as `mark`, or the attempt has not stopped yet.
    """
    written = mark(layout, claims, sidecar, [key], Status.DRAFT, clock, expect=lambda entry: entry.due)
    if written.result == "already":
        raise Rejected(f"{clip} does not ask for work any more; it ended just now, or somebody changed it")
    deadline = clock.monotonic() + STOP_SECONDS
    while lease.seems_held(layout.claim(job)):
        if clock.monotonic() >= deadline:
            raise Temporary(f"{clip} is Draft now, but {lease.holder(layout.claim(job))} has not stopped yet")
        clock.sleep(LOOK_SECONDS)


def word(status: str) -> str:
    """The word as clipd writes it, where it is one of clipd's own; else as it was given."""
    return next((str(known) for known in Status if known.casefold() == status.strip().casefold()), status)
