"""Recalling: a request of the inbox is taken back on a person's word, as cancelling does with a clip of a sidecar.

Its file moves into `failed/` beside it, which is what makes an attempt at it stop; it is answered once no attempt holds
its claim any more. Where we stop in between, it lies in `failed/` with its answer beside it, and nobody works on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.clock import Clock, stamp
from clipd.delivery.filing import put_away
from clipd.delivery.marking import STOP_SECONDS
from clipd.delivery.origins import ORIGINS
from clipd.delivery.origins.inbox import InboxOrigin
from clipd.errors import ClipdError, Rejected, Temporary
from clipd.files import atomic, lease
from clipd.files.walk import files
from clipd.jobs.naming import names_of
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import ANSWER_SUFFIX, DONE, FAILED, Layout


@dataclass(frozen=True)
class Dropped:
    """Something that lies in the inbox and is not answered yet."""

    path: Path
    names: frozenset[str]
    """What people may call it."""
    job: str = ""
    """The id of its job; "" where it is no request of a file of its own."""

    @classmethod
    def at(cls, layout: Layout, path: Path) -> Dropped:
        """What lies at `path`. Raises what reading it raises."""
        for kind, origin in ORIGINS.items():
            if isinstance(origin, InboxOrigin) and _is_request_of(layout, path, origin):
                data, _ = atomic.read_regular(path, requests.LIMIT_BYTES)
                request = requests.parse(data, path.name, origin.name_key)
                job, called = request.job(kind, layout.relative(path)), request.name or path.stem
                return cls(path, names_of(job, path.stem, called, request.key) | {path.name, path.stem}, job)
        return cls(path, frozenset({path.name, path.stem}))


def dropped(layout: Layout, ignore: tuple[str, ...], unread: Callable[[str], None]) -> Iterator[Dropped]:
    """Everything that lies in the inbox unanswered; `unread` is told of folders and files that cannot be read."""
    listing = files(
        layout.inbox,
        wanted=lambda name: not name.endswith(ANSWER_SUFFIX),
        ignore=(*ignore, DONE, FAILED),
        unreadable=lambda folder, _: unread(folder) if layout.inbox.exists() else None,
    )
    for path in (Path(found) for found, _ in listing):
        try:
            yield Dropped.at(layout, path)
        except ClipdError as error:
            unread(f"{path}: {error}")


def recall(layout: Layout, claims: lease.Settings, found: Dropped, by: str, clock: Clock) -> None:
    """Take `found` back and answer it as cancelled; `by` says on whose word, such as `clipd cancel`.

    Raises:
        Rejected: it is no request of a file of its own, or was answered just now.
        Temporary: the attempt at it has not stopped yet, or the share failed.
    """
    path, name = found.path, layout.relative(found.path)
    if not found.job:
        raise Rejected(f"{name} is no clip of a sidecar and no request: move it out of the inbox, and work on it stops")
    seen, places = videos.signature(path), []
    content = _cancelled(layout, found, by, clock)

    def announce(place: Path) -> None:
        requests.write_answer(layout.answer(place), content)
        places.append(place)

    if not seen or not put_away(layout, path, FAILED, seen, announce=announce):
        for place in places:
            atomic.remove(layout.answer(place))
        raise Rejected(f"{name} does not ask for work any more; it was answered or changed just now")
    try:
        with lease.claimed(layout.claim(found.job), claims, wait_seconds=max(STOP_SECONDS, 1.5 * claims.lease_seconds)):
            if not videos.signature(path):  # else it was dropped anew, and that one is answered
                requests.write_answer(layout.answer(path), content)
    except lease.Taken as holder:
        raise Temporary(f"{name} is taken out of the inbox, but {holder} has not stopped yet") from None


def _is_request_of(layout: Layout, path: Path, origin: InboxOrigin) -> bool:
    """Is `path` a request of that inbox, and certainly no part of a folder that is one?"""
    inbox = layout.inbox_of(origin.inbox)
    is_alone = path.parent == inbox or (not origin.folder_request and path.is_relative_to(inbox))
    return is_alone and requests.is_request(path.name)


def _cancelled(layout: Layout, found: Dropped, by: str, clock: Clock) -> dict[str, Any]:
    now = stamp(clock.now())
    former = requests.read_answer(layout.answer(found.path))
    known = former if former.get("job") == found.job and former.get("completed_at") is None else {}
    return {
        **known,
        "status": "failed",
        "path": None,
        "message": f"cancelled by {by}; drop it again to have it made after all",
        "created_at": known.get("created_at", now),
        "completed_at": now,
        "job": found.job,
    }
