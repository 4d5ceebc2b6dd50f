"""What lies in the inbox, as page and `clipd status` tell it: what is asked for, and what was answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from clipd.errors import ClipdError
from clipd.files import lease
from clipd.files.walk import NOT_THERE_YET, Look, files
from clipd.intake.sources import SOURCES, Source
from clipd.model.job import Job
from clipd.report.item import Item
from clipd.tree import record as records
from clipd.tree import request as requests
from clipd.tree.layout import ANSWER_SUFFIX, DONE, FAILED, Layout

Unreadable = Callable[[str, str], None]
"""Told (path, words) of every file and folder of the inbox that cannot be read."""
ANSWERS_SECONDS = 60.0
"""How long the failures are taken to be as they were where nothing else has changed: people remove answers by hand."""


def items_of_inbox(layout: Layout, ignore: tuple[str, ...], unreadable: Unreadable) -> Iterator[Item]:
    """What waits or is worked on in the inbox, and what was answered."""
    for source in _sources(layout):
        yield from _asked(layout, source, ignore, unreadable)
        for path, _ in _answers(layout, source, ignore, unreadable):
            if (item := _answered(layout, Path(path))) is not None:
                yield item


class Refusals:
    """What of the inbox failed, for whoever asks often: an answer is read again only when it looks different."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._known: dict[str, tuple[bytes, Item | None]] = {}
        self._token: object = None
        self._looked_at: datetime | None = None

    def items(self, token: object, now: datetime) -> list[Item]:
        """The failures, the newest first; looked for when `token` differs from last time, or that was long ago."""
        is_fresh = self._looked_at is not None and now - self._looked_at < timedelta(seconds=ANSWERS_SECONDS)
        if token != self._token or not is_fresh:
            self._known = dict(self._look())
            self._token, self._looked_at = token, now
        found = [item for _, item in self._known.values() if item is not None]
        return sorted(found, key=lambda item: (item.at, item.clip), reverse=True)

    def _look(self) -> Iterator[tuple[str, tuple[bytes, Item | None]]]:
        for source in _sources(self._layout):
            for path, seen in _answers(self._layout, source, NOT_THERE_YET, lambda _path, _words: None):
                known = self._known.get(path)
                if known is None or known[0] != seen.packed:
                    item = _answered(self._layout, Path(path))
                    known = seen.packed, item if item is not None and item.state == "failed" else None
                yield path, known


def _sources(layout: Layout) -> Iterator[Source]:
    """The sources that lie in the inbox."""
    for source in SOURCES:
        folder = source.folder(layout)
        if folder.is_relative_to(layout.inbox) and folder.exists():
            yield source


def _asked(layout: Layout, source: Source, ignore: tuple[str, ...], unreadable: Unreadable) -> Iterator[Item]:
    for path, _ in files(
        source.folder(layout),
        wanted=lambda name: source.wants(layout, name),
        ignore=(*ignore, *source.ignore),
        unreadable=lambda place, error: unreadable(place, str(error.strerror)),
    ):
        try:
            jobs: Sequence[Job] = source.admit(layout, Path(path)).jobs
        except ClipdError as error:
            unreadable(path, str(error))
            jobs = source.refused(layout, Path(path), error).jobs
        for job in jobs:
            note = records.read_progress(layout, job.id)
            running = note is not None and lease.seems_held(layout.claim(job.id))
            why = f"{note.stage} on {note.host}" if running and note else records.read_record(layout, job.id).last_error
            yield Item(
                job.id, job.name, Path(job.origin).stem, job.key, job.origin, job.camera, "Process",
                "running" if running else "waiting", why, (), note if running else None,
            )  # fmt: skip


def _answers(
    layout: Layout, source: Source, ignore: tuple[str, ...], unreadable: Unreadable
) -> Iterator[tuple[str, Look]]:
    return files(
        source.folder(layout),
        wanted=lambda name: name.endswith(ANSWER_SUFFIX),
        ignore=(*ignore, DONE, FAILED),
        unreadable=lambda place, error: unreadable(place, str(error.strerror)),
    )


def _answered(layout: Layout, path: Path) -> Item | None:
    """What an answer file tells; None while it is not the last word."""
    answer = requests.read_answer(path)
    if answer.get("completed_at") is None:
        return None
    name = path.name.removesuffix(ANSWER_SUFFIX)
    outputs = (str(answer["path"]),) if answer.get("path") else ()
    told = str(answer.get("message") or "")
    return Item(
        str(answer.get("job", "")), name, name, str(answer.get("clip_id", "")), layout.relative(path),
        str(answer.get("camera_id") or ""), str(answer.get("status")),
        "failed" if answer.get("status") == "failed" else "done",
        told or f"{answer.get('status')} at {answer['completed_at']}: {', '.join(outputs)}", outputs,
        at=str(answer["completed_at"]),
    )  # fmt: skip
