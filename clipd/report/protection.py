"""Protection: which recordings the open requests of a tree still need, for whoever removes old recordings.

clipd itself removes none. A program that does asks `clipd cameras --protected` first, and leaves those alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from clipd.clock import Clock
from clipd.errors import Rejected
from clipd.files import atomic
from clipd.files.walk import files
from clipd.intake.admit import written_at
from clipd.jobs.request import Settings, asked, understand
from clipd.model.instant import Period, from_datetime
from clipd.recordings.coverage import protected
from clipd.recordings.index import Index
from clipd.tree import request as requests
from clipd.tree.layout import DONE, FAILED, Layout


def needed_recordings(
    layout: Layout, index: Index, settings: Settings, ignore: tuple[str, ...], clock: Clock
) -> list[str]:
    """The recordings, relative to the root, that the requests in the inbox may need.

    `index` is brought up to date first. A request that clipd will refuse needs none.

    Raises:
        Temporary: a request cannot be read at this moment, or the index cannot be used.
    """
    index.scan(clock.now().timestamp())
    needed = protected(index, _periods(layout, index, settings, ignore))
    return sorted(layout.relative(layout.recordings / path) for path in needed)


def _periods(layout: Layout, index: Index, settings: Settings, ignore: tuple[str, ...]) -> Iterator[tuple[str, Period]]:
    walked = files(
        layout.inbox_of("requests"),
        wanted=requests.is_request,
        ignore=(*ignore, DONE, FAILED),
        unreadable=lambda _path, _error: None,
    )
    for path, _ in walked:
        try:
            data, seen = atomic.read_regular(Path(path), requests.LIMIT_BYTES)
            request = understand(requests.parse(data, path, "clip_id").content)
            wanted = asked(request, settings, index.zone(request.camera), from_datetime(written_at(seen)))
        except (Rejected, atomic.Missing):
            continue
        yield request.camera, wanted.period
