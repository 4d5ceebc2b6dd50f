"""Counting attempts: on disk, before the work starts, so that a clip that kills its worker ends Failed, not in a loop.

Two counts are kept apart. A *failure* is the clip's own doing: an error, or a worker that died while its daemon lived
on. A *loss* is an attempt that went down with its whole daemon (a power cut, an administrator), which says little about
the clip and is forgiven far more often.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from clipd.clock import stamp
from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.record import Record, write_record
from clipd.worker.retry import Settings, wait_seconds

_NUMBER = re.compile(r"[0-9.]+[KMGTP]?")


def reckon(record: Record, job: Job, stand: str, daemon: str, last_words: str, forgiven: bool = False) -> Record:
    """The record with the former attempt accounted for, and the count begun anew for a changed wish.

    Args:
        record: as it was found on disk.
        job: the job it is about.
        stand: the wish as it stands now.
        daemon: the id of the daemon that runs now.
        last_words: what that daemon saw of the former worker's end.
        forgiven: that daemon stopped the former attempt on purpose; it counts for nothing.
    """
    record = replace(record, name=job.name, origin=job.origin)
    if forgiven and record.attempt_by == daemon:
        record = replace(record, attempt_by=None)
    elif last_words or record.attempt_by == daemon:
        # A worker that the daemon stopped for getting nowhere unwinds in good order; the words alone tell of it then.
        words = last_words or "its worker died"
        record = replace(record, attempt_by=None, failures=record.failures + 1, last_error=words)
    elif record.attempt_by is not None:
        words = record.last_error or "the daemon that worked on it was killed"
        record = replace(record, attempt_by=None, losses=record.losses + 1, last_error=words)
    if record.stand != stand or record.closed:
        record = replace(record, failures=0, losses=0, last_error="", next_try_at=None, state="waiting")
    if record.state == "running":
        record = replace(record, state="waiting")
    return replace(record, stand=stand)


def begin(layout: Layout, record: Record, daemon: str, host: str, now: datetime) -> Record:
    """Count the attempt on disk before it starts."""
    return write_record(layout, replace(record, state="running", attempt_by=daemon, host=host, next_try_at=None), now)


def end(layout: Layout, record: Record, now: datetime, **changes: Any) -> Record:
    """The attempt ended in an orderly way: it is no longer under way, and `changes` say what became of it."""
    state = "waiting" if record.state == "running" else record.state
    return write_record(layout, replace(record, **{"attempt_by": None, "state": state, **changes}), now)


def failed(layout: Layout, record: Record, now: datetime, words: str, settings: Settings) -> tuple[Record, float]:
    """Count a failure; the record, and the seconds to wait before the next attempt."""
    wait = wait_seconds(record.failures + 1, settings)
    again = stamp(now + timedelta(seconds=wait))
    return end(layout, record, now, failures=record.failures + 1, last_error=words, next_try_at=again), wait


def waited(former: Record, record: Record) -> bool:
    """Did the `former` attempt at the same wish only find that it has to wait? `record` was reckoned from it."""
    return bool(record.last_error) and record.next_try_at is None and former.attempt_by is None


def is_same_reason(former: str, words: str) -> bool:
    """Are these the same reason to wait? How many bytes or seconds are missing may change all the time."""
    return _NUMBER.sub("", former) == _NUMBER.sub("", words)


def hopeless(record: Record, settings: Settings, spare: int = 0) -> bool:
    """Has the limit of attempts, with so many to spare, been reached?"""
    return record.failures >= settings.attempts + spare or record.losses >= settings.losses + spare


def too_soon(record: Record, now: datetime, settings: Settings) -> float:
    """Seconds until the next attempt may start; 0 when it may.

    A time further off than the longest wait comes from a clock that was set, and is ignored; so is what is no time.
    """
    try:
        wait = (datetime.fromisoformat(record.next_try_at or "") - now).total_seconds()
    except (ValueError, TypeError):
        return 0.0
    return wait if 0 < wait <= settings.longest_wait_seconds else 0.0
