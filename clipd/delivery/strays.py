"""Strays: what killed attempts left behind, staging folders and temporary files that nobody uses any more.

They harm nothing, they only take room, so they are removed late and in small steps. What was to follow when a file left
the inbox is done at once. A temporary file beside a sidecar may hold somebody's save that was displaced when its writer
died: that one is brought back, never just removed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
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
    yield from _departures(layout, claims, say)
    yield from _link_notes(layout)
    yield from _stagings(layout, older_than, say)
    yield from _downloads(layout, older_than - DOWNLOAD_KEPT_SECONDS, say)
    yield from _tickets(layout, older_than)
    yield from _temporaries(layout, claims, older_than, settle, say)


def _departures(layout: Layout, claims: lease.Settings, say: Callable[[str], None]) -> Iterator[None]:
    for job in departure.unfinished(layout):
        try:
            with lease.claimed(layout.claim(job), claims):
                if departure.resume(layout, job):
                    say(f"finished what a killed attempt left: the answer of job {job}")
        except lease.Taken:
            pass  # whoever holds it is at it
        except ClipdError as error:
            say(f"the answer of job {job} stays unfinished for now: {error}")
        yield


def _link_notes(layout: Layout) -> Iterator[None]:
    for job in links.orphans(layout):
        if not lease.seems_held(layout.claim(job)):
            atomic.remove(layout.link_note(job))
        yield


def _stagings(layout: Layout, older_than: float, say: Callable[[str], None]) -> Iterator[None]:
    for job, folder in staging.abandoned(layout):
        if _is_older(folder, older_than) and not lease.seems_held(layout.claim(job)):
            staging.remove(folder)
            say(f"removed what a killed attempt left: {layout.relative(folder)}")
        yield


def _downloads(layout: Layout, older_than: float, say: Callable[[str], None]) -> Iterator[None]:
    with atomic.translated(f"listing {layout.downloads}"):
        folders = sorted(layout.downloads.iterdir()) if layout.downloads.is_dir() else []
    for folder in folders:
        if _is_older(folder, older_than) and not lease.seems_held(layout.claim(folder.name)):
            staging.remove(folder)
            say(f"removed a download that nobody goes on with: {layout.relative(folder)}")
        yield


def _tickets(layout: Layout, older_than: float) -> Iterator[None]:
    for ticket in _named(layout.all_receipts, lambda name: name.endswith(TICKET_SUFFIX)):
        if _is_older(ticket, older_than) and not lease.seems_held(layout.claim(ticket.parent.name)):
            atomic.remove(ticket)
        yield


def _temporaries(
    layout: Layout,
    claims: lease.Settings,
    older_than: float,
    settle: Callable[[float], None],
    say: Callable[[str], None],
) -> Iterator[None]:
    for root in dict.fromkeys((layout.state, layout.sidecars, layout.outputs, layout.inbox, layout.source)):
        for path in _named(root, lambda name: TEMPORARY.fullmatch(name) is not None, (layout.stagings.name,)):
            if _is_older(path, older_than, renamed=True):
                try:
                    _clear(layout, claims, path, settle)
                except (ClipdError, lease.Taken) as error:
                    say(f"{layout.relative(path)} stays for now: {error}")
            yield


def _named(root: Path, wanted: Callable[[str], bool], ignore: tuple[str, ...] = ()) -> Iterator[Path]:
    found = files(root, wanted=wanted, ignore=ignore, unreadable=lambda _folder, _error: None)
    return (Path(path) for path, _ in found)


def _is_older(path: Path, moment: float, *, renamed: bool = False) -> bool:
    """Is it there, and was it written (or `renamed`) before `moment`?"""
    seen = look(path)
    return seen is not None and max(seen.mtime_ns, seen.ctime_ns if renamed else 0) / 1e9 <= moment


def _clear(layout: Layout, claims: lease.Settings, temp: Path, settle: Callable[[float], None]) -> None:
    match = TEMPORARY.fullmatch(temp.name)
    if match is None or "-" not in match["ending"]:
        atomic.remove(temp)
        return
    sidecar = temp.with_name(match["name"])
    with lease.claimed(layout.sidecar_claim(layout.relative(sidecar)), claims):
        recover(sidecar, settle=settle)
