"""A request in the inbox: its wish is the file, its answer `<name>.status.json` beside it.

A finished request moves into `done/` or `failed/`, with a copy of its answer. The answer itself stays where the
request lay, because that is where programs wait for it; whoever has read it may remove it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.delivery.filing import put_away
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected
from clipd.files import atomic
from clipd.files.walk import look
from clipd.model.job import Job
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import DONE, FAILED, Layout
from clipd.tree.request import RequestFile


@dataclass(frozen=True)
class InboxOrigin:
    """Reads and answers requests of one kind."""

    inbox: str
    """The name of their folder in the inbox."""
    name_key: str
    """The key under which a request may name itself."""
    understand: Callable[[Mapping[str, Any]], Any]
    """Validates the keys and values of a request; raises `Rejected`."""
    told: Sequence[str]
    """Keys of the request that its answer repeats."""
    facts: Sequence[str] = ()
    """Keys of the answer that the job's kind fills; null until it has."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The request as it stands; None when it is gone, or another one by now."""
        path = layout.at(job.origin)
        seen = look(path)
        if seen is None:
            return None
        try:
            data, status = atomic.read_regular(path, requests.LIMIT_BYTES)
            found = requests.parse(data, path.name, self.name_key)
        except atomic.Missing:
            return None
        except Rejected as error:
            found, status = RequestFile.unreadable(seen, str(error)), path.lstat()
        if found.key != job.key:
            return None
        return Wish(
            stand=found.digest,
            answered=f"{status.st_ino}.{status.st_mtime_ns}" if found.force else "",
            outputs=(),
            saved_at=status.st_mtime,
            due=True,
            request=lambda: self._understood(found),
            repeats="always" if found.force else "never" if found.name else "asked",
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write the answer, then move the request into `done/` or `failed/`."""
        file, path = layout.at(job.origin), self._unit(layout, job)
        seen = videos.signature(file)
        if missed := at.missed(self.read(layout, job), "the request"):
            return missed
        content = {
            **self._standing(
                layout, job, "failed" if answer.error else str(answer.facts.get("status", "done")), at.now
            ),
            **{key: value for key, value in answer.facts.items() if key != "status"},
            "path": answer.outputs[0] if answer.outputs else None,
            "message": answer.error or str(answer.facts.get("message", "")),
            "completed_at": stamp(at.now),
        }
        put_away(
            layout,
            path,
            FAILED if answer.error else DONE,
            seen,
            at=str(file.relative_to(path)),
            # The move syncs both folders, so it comes last.
            announce=lambda place: requests.place_answer(layout.answer(path), layout.answer(place), content),
        )
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the request stands."""
        path = layout.answer(self._unit(layout, job))
        content = {**self._standing(layout, job, standing, now), "message": words}
        if requests.read_answer(path) != content:
            requests.write_answer(path, content, durable=False)

    def _understood(self, found: RequestFile) -> Any:
        if found.fault:
            raise Rejected(found.fault)
        return self.understand(found.content)

    def _standing(self, layout: Layout, job: Job, status: str, now: datetime) -> dict[str, Any]:
        """An answer that says no more than `status`, in the order in which people read it."""
        known = requests.read_answer(layout.answer(self._unit(layout, job)))
        is_same = known.get("job") == job.id and known.get("completed_at") is None
        try:
            content = requests.parse(
                atomic.read_regular(layout.at(job.origin), requests.LIMIT_BYTES)[0], job.origin, self.name_key
            ).content
        except Rejected:
            content = {}
        return {
            self.name_key: job.key.removeprefix("id:") if job.key.startswith("id:") else job.id,
            "status": status,
            **{key: content.get(key) for key in self.told},
            **dict.fromkeys(self.facts),
            "path": None,
            "message": "",
            "created_at": known["created_at"] if is_same and "created_at" in known else stamp(now),
            "completed_at": None,
            "job": job.id,
        }

    def _unit(self, layout: Layout, job: Job) -> Path:
        """What moves when it is finished: the request, or the folder that it describes."""
        path = layout.at(job.origin)
        return path if path.parent == layout.inbox_of(self.inbox) else path.parent
