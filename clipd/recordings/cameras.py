"""The cameras of a tree at a glance: since when each records, how much there is, and where today is missing.

A day may have twenty thousand recordings, so its gaps are looked for by names: where the next recording begins later
than is usual, the one before it is opened, and its true end tells. A gap shorter than half a recording may be missed;
`coverage` finds every one of a short period.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time
from fractions import Fraction
from itertools import pairwise

from clipd.model.instant import Period, local_at, readings, to_datetime
from clipd.recordings.index import Index, Recording

LATE_FACTOR = Fraction(3, 2)
"""The next recording is late when it begins so many usual distances after the one before."""
SHORTEST_SECONDS = 2
"""Names tell whole seconds: less than this is no sign of a gap."""
OPENED_AT_MOST = 500
"""So many recordings are opened for one camera at most."""


@dataclass(frozen=True)
class Summary:
    """One camera. Instants are in seconds since 1970; `first` and `last` are when recordings begin, by their names."""

    camera: str
    first: Fraction
    last: Fraction
    files: int
    size: int
    """In bytes."""
    gaps: tuple[Period, ...]
    """Of today, by the camera's clock, from the first recording ever to now."""


def summaries(index: Index, now: Fraction) -> list[Summary]:
    """All cameras that have recordings, in order of their names.

    Raises:
        Temporary: the index cannot be used.
    """
    found = []
    for camera in index.cameras():
        oldest, newest = index.oldest(camera), index.newest(camera)
        if oldest is None or newest is None:
            continue
        files, size = index.totals(camera)
        since = max(midnight(index, camera, now), oldest.start)
        gaps = tuple(_gaps(index, camera, Period(since, now))) if since < now else ()
        found.append(Summary(camera, oldest.start, newest.start, files, size, gaps))
    return found


def midnight(index: Index, camera: str, now: Fraction) -> Fraction:
    """The instant at which the camera's day began; where the clocks skip midnight, that of the change."""
    zone = index.zone(camera)
    local = datetime.combine(to_datetime(now, zone).date(), time())
    earlier, later = readings(local, zone)
    return earlier if local_at(earlier, zone) == local else later


def _gaps(index: Index, camera: str, period: Period) -> Iterator[Period]:
    before = [known for known in index.around(camera, Period(period.start, period.start + 1)) if not known.is_stray]
    known = [recording for recording in before if recording.start < period.start][-1:]
    known += [recording for recording in index.starts(camera, period) if not recording.is_stray]
    starts = [recording.start for recording in known]
    late = _late_after(starts)
    opened = 0
    if starts and starts[0] > period.start:
        yield Period(period.start, starts[0])
    for recording, following in zip(known, [*starts[1:], period.end], strict=True):
        if following - recording.start <= late or opened == OPENED_AT_MOST:
            continue
        opened += 1
        end = max(_end(index, recording), period.start)
        if following - end >= SHORTEST_SECONDS:
            yield Period(end, following)
    if not starts:
        yield period


def _late_after(starts: list[Fraction]) -> Fraction:
    """How long after a recording began the next one is late."""
    apart = [after - before for before, after in pairwise(starts)]
    return statistics.median(apart) * LATE_FACTOR if apart else Fraction(0)


def _end(index: Index, recording: Recording) -> Fraction:
    found = index.measure(recording).extent
    return recording.start if found is None else recording.start + found.length
