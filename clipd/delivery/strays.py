"""Strays: what killed attempts left behind, staging folders and temporary files that nobody uses any more.

They harm nothing, they only take room, so they are removed late and in small steps. What was to follow when a file left
the inbox is done at once. A temporary file beside a sidecar
may hold somebody's save that was displaced when its writer died: that one is brought back, never just removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

from clipd.delivery import departure, staging
from clipd.delivery.writeback import recover
from clipd.errors import ClipdError
from clipd.files import atomic, lease
from clipd.files.walk import files, look
from clipd.tree import link as links
from clipd.tree.layout import TICKET_SUFFIX, Layout

TEMPORARY = re.compile(r"\.(?P<name>.+)\.(?P<ending>[0-9a-f]{12}|[0-9a-f]{16}-[0-9a-f]{16}(?:-kept)?)\.tmp")
"""The names that `files.atomic.temporary` makes."""
DOWNLOAD_KEPT_SECONDS = 7 * 86400.0
"""How much longer than other strays a part of a download is kept: a pause must not cost what was fetched."""


def sweep(
    layout: Layout,
    claims: lease.Settings,
    *,
    older_than: float,
    settle: Callable[[float], None],
    say: Callable[[str], None],
) -> Iterator[None]:
    """Remove strays, one step at a time.

    Args:
        layout: the tree.
        claims: how claims are held.
        older_than: a moment by the share's clock, in seconds since the epoch; only what is older is removed.
        settle: lets so many seconds pass.
        say: is told what was removed, and what could not be.
    """
    for job in departure.unfinished(layout):
        with suppress(lease.Taken), lease.claimed(layout.claim(job), claims):
            if departure.resume(layout, job):
                say(f"finished what a killed attempt left: the answer of job {job}")
        yield
    for job in links.orphans(layout):
        if not lease.seems_held(layout.claim(job)):
            atomic.remove(layout.link_note(job))
        yield
    for job, folder in staging.abandoned(layout):
        seen = look(folder)
        if seen is not None and seen.mtime_ns / 1e9 <= older_than and not lease.seems_held(layout.claim(job)):
            staging.remove(folder)
            say(f"removed what a killed attempt left: {layout.relative(folder)}")
        yield
    for folder in _downloads(layout):
        seen = look(folder)
        old = seen is not None and seen.mtime_ns / 1e9 <= older_than - DOWNLOAD_KEPT_SECONDS
        if old and not lease.seems_held(layout.claim(folder.name)):
            staging.remove(folder)
            say(f"removed a download that nobody goes on with: {layout.relative(folder)}")
        yield
    for ticket, seen in files(
        layout.all_receipts,
        wanted=lambda name: name.endswith(TICKET_SUFFIX),
        ignore=(),
        unreadable=lambda _folder, _error: None,
    ):
        job = Path(ticket).parent.name
        if seen.mtime_ns / 1e9 <= older_than and not lease.seems_held(layout.claim(job)):
            atomic.remove(Path(ticket))
        yield
    for root in dict.fromkeys((layout.state, layout.sidecars, layout.outputs, layout.inbox, layout.source)):
        for path, seen in files(
            root,
            wanted=lambda name: TEMPORARY.fullmatch(name) is not None,
            ignore=(layout.stagings.name,),
            unreadable=lambda _folder, _error: None,
        ):
            if max(seen.mtime_ns, seen.ctime_ns) / 1e9 <= older_than:
                try:
                    _clear(layout, claims, Path(path), settle)
                except (ClipdError, lease.Taken) as error:
                    say(f"{layout.relative(Path(path))} stays for now: {error}")
            yield


def _downloads(layout: Layout) -> list[Path]:
    with atomic.translated(f"listing {layout.downloads}"):
        return sorted(layout.downloads.iterdir()) if layout.downloads.is_dir() else []


def _clear(layout: Layout, claims: lease.Settings, temp: Path, settle: Callable[[float], None]) -> None:
    match = TEMPORARY.fullmatch(temp.name)
    if match is None or "-" not in match["ending"]:
        atomic.remove(temp)
        return
    sidecar = temp.with_name(match["name"])
    with lease.claimed(layout.sidecar_claim(layout.relative(sidecar)), claims):
        recover(sidecar, settle=settle)
