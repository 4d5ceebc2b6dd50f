"""Admission: what a settled sidecar asks for, as jobs with stable ids.

Only what is needed to queue a job is read here; the clip itself is validated under the claim, where a rejection can be
written back. Entries that cannot even be told apart (no name, an id used twice) are problems of the file.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from clipd.errors import Rejected
from clipd.files.atomic import read_regular
from clipd.model.clip import Status
from clipd.model.job import Job, job_id
from clipd.tree import sidecar
from clipd.tree.layout import Layout

FAILURES_KEPT = 8
"""How many failed clips of one sidecar are kept by name; of the others only the number."""
ERROR_CHARACTERS = 600
FAILED = Status.FAILED.casefold()
OTHER = "other"
"""Stands for the status words that are people's own."""


@dataclass(frozen=True)
class Failure:
    """A clip that clipd gave up on, as its sidecar tells it."""

    key: str
    name: str
    """`<video> / <clip>`."""
    error: str
    at: str
    """The clip's `modified_at`, as written; "" without one."""


@dataclass(frozen=True)
class Admission:
    """What one sidecar asks for, what is wrong with it, and how its other clips stand."""

    jobs: tuple[Job, ...]
    problems: tuple[str, ...] = ()
    counts: tuple[tuple[str, int], ...] = ()
    """How many clips have which status: clipd's own words in lower case, `failed` also for a clip with an error under a
    word of its own, and `other`."""
    failures: tuple[Failure, ...] = ()
    """The last failed clips of the file, at most `FAILURES_KEPT`."""


def admit(layout: Layout, path: Path) -> Admission:
    """The jobs that the sidecar at `path` asks for.

    Raises:
        Rejected: it is no regular file, too large, or does not parse (with line and column).
        Temporary: it changed while it was read, or the share failed.
    """
    origin = layout.relative(path)
    try:
        origin.encode()
    except UnicodeEncodeError:
        raise Rejected("its path is not valid UTF-8 and cannot be written down; rename the file or folder") from None
    data, seen = read_regular(path, sidecar.LIMIT_BYTES)
    entries = sidecar.parse(data).entries
    written = written_at(seen)
    jobs = tuple(job_of(layout, path, entry, written) for entry in entries if entry.due and entry.problem is None)
    problems = tuple(entry.problem for entry in entries if entry.problem is not None)
    counts = Counter(_standing(entry) for entry in entries if entry.problem is None)
    return Admission(jobs, problems, tuple(sorted(counts.items())), _failures(layout.place(path).video, entries))


def job_of(layout: Layout, path: Path, entry: sidecar.Entry, written: datetime) -> Job:
    """The job that an entry of the sidecar at `path`, last `written` then, amounts to."""
    origin, place = layout.relative(path), layout.place(path)
    return Job(
        id=job_id(entry.kind, origin, entry.key),
        kind=entry.kind,
        origin=origin,
        key=entry.key,
        name=f"{place.video} / {entry.name}",
        camera=place.camera,
        session=place.session,
        priority=_priority(entry),
        requested_at=_requested_at(entry, written),
        position=entry.index,
        stand=sidecar.stand(entry),
    )


def _standing(entry: sidecar.Entry) -> str:
    word = _OUR_WORDS.get((entry.status or "").strip().casefold(), OTHER)
    return FAILED if word == OTHER and entry.raw.get("error") else word


def _failures(video: str, entries: Iterable[sidecar.Entry]) -> tuple[Failure, ...]:
    failed = [entry for entry in entries if entry.problem is None and _standing(entry) == FAILED]
    return tuple(
        Failure(
            entry.key,
            f"{video} / {entry.name}",
            str(entry.raw.get("error") or "no reason is recorded")[:ERROR_CHARACTERS],
            str(entry.raw.get("modified_at") or ""),
        )
        for entry in failed[-FAILURES_KEPT:]
    )


def _priority(entry: sidecar.Entry) -> int:
    value = entry.raw.get("priority")
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return 0
    return int(value)


def _requested_at(entry: sidecar.Entry, written: datetime) -> datetime:
    """When the person asked: the clip's `modified_at` where it is a time not later than the file's own."""
    value = entry.raw.get("modified_at")
    if not isinstance(value, str):
        return written
    try:
        # The first and the last days of the calendar have no time in other zones, nor with our own.
        return min(datetime.fromisoformat(value).astimezone(UTC), written)
    except (ValueError, OverflowError, OSError):
        return written


def written_at(seen: os.stat_result) -> datetime:
    """When a file was last written, as it says; the end of all time for a stamp (anybody may set it) beyond that."""
    try:
        return datetime.fromtimestamp(seen.st_mtime, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.max.replace(tzinfo=UTC)


_OUR_WORDS = {status.casefold(): status.casefold() for status in Status}
