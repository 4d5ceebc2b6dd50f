"""Carrying out orders: what `RETRY-...` and `CANCEL-...` ask for, done in the sidecars, the inbox and the records.

It may look at every sidecar and wait for leases, so the daemon has it done beside its queue. Every step may be done
twice without harm: an order whose daemon died is carried out again by the next.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from clipd.clock import Clock
from clipd.delivery.marking import Marked, cancel, clips_of, mark
from clipd.delivery.recall import dropped, recall
from clipd.errors import ClipdError, Deferred, Rejected, Temporary
from clipd.files import lease
from clipd.files.walk import files
from clipd.model.clip import Status
from clipd.tree import record as records
from clipd.tree.control import Order, Verb
from clipd.tree.layout import FAILED, Layout
from clipd.tree.sidecar import Entry

SHOWN = 5
"""How many clips an answer names."""


@dataclass(frozen=True)
class Carried:
    """What an order came to."""

    words: str
    jobs: frozenset[str] = frozenset()
    """The jobs that need not wait any longer."""
    sidecars: tuple[str, ...] = ()
    """The sidecars that were written."""


@dataclass(frozen=True)
class Desk:
    """What carrying out an order needs to know."""

    layout: Layout
    claims: lease.Settings
    ignore: tuple[str, ...]
    failed_status: str
    clock: Clock


def carry_out(order: Order, desk: Desk) -> Carried:
    """Do what `order` asks for.

    Raises:
        Rejected: it means no clip, or none that it can be done for; the words are for the person.
        Temporary: it cannot be done now.
    """
    unread: list[str] = []
    if order.everything:
        found = [clip for clip in _clips(desk, unread.append) if clip.entry.due or _failed(clip.entry, desk)]
    else:
        found = _named(order, desk, unread.append)
    if not found and not order.everything:
        return _of_inbox(order, desk, unread)
    return _retry(order, found, desk) if order.verb is Verb.RETRY else _cancel(order, found, desk)


def _clips(desk: Desk, unread: Callable[[str], None]) -> Iterator[Marked]:
    layout = desk.layout
    listing = files(
        layout.sidecars, wanted=layout.is_sidecar, ignore=desk.ignore, unreadable=lambda folder, _: unread(folder)
    )
    for path, _ in listing:
        try:
            yield from clips_of(layout, Path(path))
        except Deferred:
            raise
        except ClipdError as error:
            unread(f"{path}: {error}")


def _named(order: Order, desk: Desk, unread: Callable[[str], None]) -> list[Marked]:
    """The clips that the order's likeliest name means."""
    names = [unicodedata.normalize("NFC", name) for name in order.names]
    found: dict[str, list[Marked]] = {name: [] for name in names}
    for clip in _clips(desk, unread):
        known = {unicodedata.normalize("NFC", name) for name in clip.names}
        for name in names:
            if name in known:
                found[name].append(clip)
    return next((clips for clips in found.values() if clips), [])


def _of_inbox(order: Order, desk: Desk, unread: list[str]) -> Carried:
    """Carry out an order that names no clip, and so perhaps something that was dropped into the inbox."""
    wanted = {unicodedata.normalize("NFC", name) for name in order.names}
    found = [
        one
        for one in dropped(desk.layout, desk.ignore, unread.append)
        if wanted & {unicodedata.normalize("NFC", name) for name in one.names}
    ]
    if not found:
        left_out = f"; {len(unread)} file{'s' if len(unread) > 1 else ''} cannot be read" if unread else ""
        raise Rejected(f"no clip is called {order.words!r}, and nothing that waits in the inbox{left_out}")
    named = ", ".join(desk.layout.relative(one.path) for one in found[:SHOWN])
    if order.verb is Verb.RETRY:
        raise Rejected(f"{named} is in the inbox and tried again by itself; only clips of sidecars are retried")
    if len(found) > 1:
        raise Rejected(f"{order.words!r} may mean {len(found)} files of the inbox: {named}; move one of them out of it")
    recall(desk.layout, desk.claims, found[0], order.path.name, desk.clock)
    return Carried(f"{named}: stopped, moved to {FAILED}/", frozenset((found[0].job,)))


def _retry(order: Order, found: list[Marked], desk: Desk) -> Carried:
    again = [clip for clip in found if _failed(clip.entry, desk)]
    waiting = [clip for clip in found if clip.entry.due]
    if not again and not waiting and not order.everything:
        raise Rejected(f"only failed and waiting clips are tried again, but {_standing(found)}")
    written, refused = [], []
    for sidecar, clips in groupby(again, key=lambda clip: clip.sidecar):
        keys = [clip.entry.key for clip in clips]
        try:
            mark(
                desk.layout, desk.claims, sidecar, keys, Status.PROCESS, desk.clock, expect=partial(_failed, desk=desk)
            )
            written.append(str(sidecar))
        except (Rejected, Temporary) as error:
            refused.append(error)
    if refused:
        raise Temporary(f"{len(refused)} of the sidecars could not be written: {refused[0]}") from refused[0]
    for clip in waiting:
        _forget_wait(clip, desk)
    return Carried(
        f"{len(again)} failed set back to {Status.PROCESS}, {len(waiting)} waiting tried at once",
        frozenset(clip.job for clip in (*again, *waiting)),
        tuple(written),
    )


def _failed(entry: Entry, desk: Desk) -> bool:
    word = (entry.status or "").strip().casefold()
    return word in (Status.FAILED.casefold(), desk.failed_status.strip().casefold())


def _forget_wait(clip: Marked, desk: Desk) -> None:
    """Let the next attempt begin at once; the count of attempts stands."""
    record = records.read_record(desk.layout, clip.job)
    if record.next_try_at is None:
        return
    try:
        with lease.claimed(desk.layout.claim(clip.job), desk.claims):
            record = records.read_record(desk.layout, clip.job)
            records.write_record(desk.layout, replace(record, next_try_at=None), desk.clock.now())
    except lease.Taken:
        return  # an attempt runs: that is what was wanted


def _cancel(order: Order, found: list[Marked], desk: Desk) -> Carried:
    asking = [clip for clip in found if clip.entry.due]
    if not asking:
        raise Rejected(f"only running and waiting clips can be cancelled, but {_standing(found)}")
    if len(asking) > 1:
        named = ", ".join(f"{clip.clip} ({order.verb.value}-{clip.job})" for clip in asking[:SHOWN])
        raise Rejected(f"{order.words!r} may mean {len(asking)} clips; name one of them by its job: {named}")
    (clip,) = asking
    cancel(desk.layout, desk.claims, clip.job, clip.clip, clip.sidecar, clip.entry.key, desk.clock)
    return Carried(f"{clip.clip}: stopped, {Status.DRAFT}", frozenset((clip.job,)), (str(clip.sidecar),))


def _standing(found: list[Marked]) -> str:
    more = f" and {len(found) - SHOWN} more" if len(found) > SHOWN else ""
    return ", ".join(f"{clip.clip} is {clip.entry.status or 'without a status'}" for clip in found[:SHOWN]) + more
