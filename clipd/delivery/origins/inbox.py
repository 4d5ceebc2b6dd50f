"""A request in the inbox: its wish is the file, its answer `<name>.status.json` beside it.

A finished request moves into `done/` or `failed/` beside it, with a copy of its answer; one that describes the folder
it lies in is answered beside that folder, and takes it along. The answer itself stays where it was written, because
that is where programs wait for it; whoever has read it may remove it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.delivery.filing import put_away
from clipd.delivery.origins import folder as folders
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected
from clipd.files import atomic
from clipd.files.walk import look
from clipd.model.job import Job
from clipd.tree import record as records
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
    question: Callable[[Any], object]
    """What of a validated request decides its outputs; what stands beside it in its own folder does, too."""
    told: Sequence[str]
    """Keys of the request that its answer repeats."""
    facts: Sequence[str] = ()
    """Keys of the answer that the job's kind fills; null until it has."""
    folder_request: str = ""
    """How the request of a folder is called, without suffix, where a whole folder may be one."""
    still_means: Callable[[Any, Mapping[str, Any], Fraction], bool] = lambda _request, _facts, _before: True
    """Does a validated request, written at that instant, still mean what an answer with these facts shows?"""

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
        if self._belongs_to_another(layout, path):
            return None
        if self._folder(layout, path) is not None:
            found = replace(found, fault=folders.fault(path) or found.fault)
        if (rival := self._rival(layout, path)) is not None:
            unit, is_folder = self._unit(layout, path)
            answer = layout.answer(unit, is_folder=is_folder).name
            found = replace(found, fault=f"{rival} came before, and both answers would be {answer}; rename this one")
        return Wish(
            stand=self._stand(layout, job, found.digest),
            answered=f"{status.st_ino}.{status.st_mtime_ns}" if found.force else "",
            outputs=(),
            saved_at=status.st_mtime,
            due=True,
            request=lambda: self._understood(found),
            repeats="always" if found.force else "never" if found.name and not found.fault else "asked",
            asks=lambda: self._question(layout, path, found),
            means=lambda facts: self.still_means(self._understood(found), facts, Fraction(status.st_mtime)),
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write the answer, then move the request into `done/` or `failed/`."""
        path = layout.at(job.origin)
        seen, folder = videos.signature(path), self._folder(layout, path)
        # What is not known by now came later and is given back; whatever came before must be seen by the looks below.
        known = {} if folder is None else folders.contents(folder)
        moving = path if folder is None or folders.holds_requests(path) else folder
        file, is_rival = self._answer_file(layout, path), self._rival(layout, path) is not None
        if missed := at.missed(self.read(layout, job), "the request"):
            return missed
        content, places = self._final(layout, job, answer, at.now), []

        def announce(place: Path) -> None:
            requests.place_answer(file, layout.answer(place, is_folder=moving != path or is_rival), content)
            places.append(place)

        word = FAILED if answer.error else DONE
        # The move syncs both folders, so it comes last.
        is_moved = put_away(layout, moving, word, seen, at=str(path.relative_to(moving)), announce=announce)
        if is_moved and moving != path:
            folders.give_back(places[-1], moving, known)
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the request stands; nothing while it is to be refused for its name."""
        if self._rival(layout, layout.at(job.origin)) is not None:
            return
        path = self._answer_file(layout, layout.at(job.origin))
        content = {**self._standing(layout, job, standing, now), "message": words}
        if requests.read_answer(path) != content:
            requests.write_answer(path, content, durable=False)

    def _understood(self, found: RequestFile) -> Any:
        if found.fault:
            raise Rejected(found.fault)
        return self.understand(found.content)

    def _question(self, layout: Layout, path: Path, found: RequestFile) -> str:
        """16 hex digits over what the request asks for, the names and sizes of the files in its folder included."""
        beside = [] if self._folder(layout, path) is None else folders.sizes(path)
        canonical = json.dumps([self.question(self._understood(found)), beside], sort_keys=True, default=str)
        return hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def _final(self, layout: Layout, job: Job, answer: Answer, now: datetime) -> dict[str, Any]:
        status = "failed" if answer.error else str(answer.facts.get("status", "done"))
        return {
            **self._standing(layout, job, status, now),
            **{key: value for key, value in answer.facts.items() if key != "status"},
            "path": answer.outputs[0] if answer.outputs else None,
            "message": answer.error or str(answer.facts.get("message", "")),
            "completed_at": stamp(now),
        }

    def _standing(self, layout: Layout, job: Job, status: str, now: datetime) -> dict[str, Any]:
        """An answer that says no more than `status`, in the order in which people read it."""
        known = requests.read_answer(self._answer_file(layout, layout.at(job.origin)))
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

    def _stand(self, layout: Layout, job: Job, digest: str) -> str:
        """What the request says; and when it was dropped, where that was after a failure that nobody was yet told of.

        The request that failed is still to be told, unless it was and is gone; one that says the same and was dropped
        since is to be tried.
        """
        former, dropped = records.read_record(layout, job.id), self._dropped_at(layout, layout.at(job.origin))
        is_untold = former.state == "failed" and not former.failure_told
        if is_untold and dropped > records.recorded_at(layout, job.id):
            return f"{digest}@{dropped}"
        return former.stand if former.stand.partition("@")[0] == digest else digest

    def _dropped_at(self, layout: Layout, path: Path) -> float:
        """When the request was put there, also by renaming, in seconds since the epoch by the share's clock."""
        looks = [look(one) for one in (path, self._folder(layout, path)) if one is not None]
        return max((seen.ctime_ns / 1e9 for seen in looks if seen is not None), default=0.0)

    def _answer_file(self, layout: Layout, path: Path) -> Path:
        """Where the request at `path` is answered; under its whole name where the usual one is another's."""
        unit, is_folder = self._unit(layout, path)
        if self._rival(layout, path) is None:
            return layout.answer(unit, is_folder=is_folder)
        return layout.answer(unit.with_name(f"{unit.name}.{path.name}") if is_folder else path, is_folder=True)

    def _unit(self, layout: Layout, path: Path) -> tuple[Path, bool]:
        """What the request at `path` is answered beside: itself, or its folder; and is that a folder?"""
        folder = self._folder(layout, path)
        return (path, False) if folder is None else (folder, True)

    def _rival(self, layout: Layout, path: Path) -> str | None:
        """The name of an unanswered request that came before this one and is answered under the same name."""
        unit, is_folder = self._unit(layout, path)
        name = unit.name if is_folder else unit.stem
        others = requests.descriptions(unit.parent, name)
        if self.folder_request:
            others += requests.descriptions(unit.parent / name, self.folder_request)
        mine = self._dropped_at(layout, path), str(path)
        others = [one for one in others if self._unit(layout, one)[0] != unit]
        earlier = [one for one in others if (self._dropped_at(layout, one), str(one)) < mine]
        return str(earlier[0].relative_to(unit.parent)) if earlier else None

    def _belongs_to_another(self, layout: Layout, path: Path) -> bool:
        """Is it only a file of a folder that another request describes?"""
        if not self.folder_request or path.stem == self.folder_request:
            return False
        return requests.is_described(path, layout.inbox_of(self.inbox), self.folder_request)

    def _folder(self, layout: Layout, path: Path) -> Path | None:
        """The folder that the request at `path` describes; None for one that stands for itself."""
        is_description = path.stem == self.folder_request and path.parent != layout.inbox_of(self.inbox)
        return path.parent if is_description else None
