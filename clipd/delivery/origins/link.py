"""A link in a file of the inbox: its answer is a line in `<name>.status.json`, and the video, filed last.

The links of a file are jobs of their own, which several workers may answer at once: the answer is written under a short
lease. Where a video goes is noted before it goes there, so that a crash in between is mended by answering again. When
all are answered, the file moves into `done/`, or into `failed/` where none could be fetched.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import count
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.delivery.filing import file_video, is_same_content, put_away
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected, Temporary
from clipd.files import atomic, lease
from clipd.files.walk import look
from clipd.jobs.link import Link, understood
from clipd.model.job import Job
from clipd.tree import link as links
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import DONE, FAILED, UNNAMED, Layout
from clipd.tree.link import LinkEntry


@dataclass(frozen=True)
class LinkOrigin:
    """Reads and answers links."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The link as it stands; None when it is gone from its file, or the file is."""
        path = layout.at(job.origin)
        seen = look(path)
        entries = links.entries(layout, path)
        found = next((entry for entry in entries if entry.key == job.key), None)
        if found is None or seen is None:
            return None
        return Wish(
            stand=found.key,
            answered=f"{seen.inode}.{seen.mtime_ns}",
            outputs=(),
            saved_at=seen.mtime_ns / 1e9,
            due=not links.is_answered(layout, job.id) or _is_to_be_closed(layout, job, entries),
            request=lambda: _understood(found),
            repeats="always",
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Say what became of the link, file its video, and move the file when that was its last link."""
        if missed := at.missed(self.read(layout, job), "the link"):
            return missed
        path = layout.at(job.origin)
        try:
            with lease.claimed(layout.sidecar_claim(job.origin), at.claims, wait_seconds=at.claims.lease_seconds * 1.5):
                if answer.error is not None:
                    says: dict[str, Any] = {"status": "failed", "message": answer.error}
                else:
                    says = _file(layout, path, job, answer.facts)
                links.write_note(layout, job.origin, job.id, {**says, "completed_at": stamp(at.now)})
                _close(layout, path, job, at.now)
        except lease.Taken as holder:
            raise Temporary(f"{job.origin} is being answered by {holder}") from None
        shutil.rmtree(layout.download(job.id), ignore_errors=True)  # what stays is a stray
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the link stands."""
        path = layout.at(job.origin)
        content = _content(layout, path, job, {"status": standing, "message": words}, now)
        if content["links"] and content != requests.read_answer(layout.answer(path)):
            requests.write_answer(layout.answer(path), content, durable=False)


def _is_to_be_closed(layout: Layout, job: Job, entries: Sequence[LinkEntry]) -> bool:
    """Is this the last link of a file whose links are all answered, but that did not move?"""
    jobs = [entry.job(job.origin) for entry in entries]
    return jobs[-1] == job.id and all(links.is_answered(layout, one) for one in jobs)


def _understood(entry: LinkEntry) -> Link:
    if entry.fault:
        raise Rejected(entry.fault)
    return understood(entry.content)


def _file(layout: Layout, path: Path, job: Job, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Give the fetched video its name; what to say of it. Where it goes is noted first, for whoever does it again."""
    fetched, noted = layout.at(str(facts["file"])), links.read_note(layout, job.id)
    if noted.get("completed_at") is not None:
        return noted
    if look(fetched) is None:
        noted = noted or dict(_lines(layout, path).get(job.key, {}))
        if noted.get("path"):
            return {"status": "done", "path": noted["path"], "message": noted.get("message", "")}
        return {"status": "failed", "message": "its video was removed before it was filed; drop the link again"}
    told = [str(facts["message"])] if facts.get("message") else []
    target = next(_free(layout, fetched, facts))
    filed = layout.filed(target)
    if there := [one for one in (target, filed) if look(one) is not None]:
        told.append("the same video is there already")
        return {"status": "done", "path": layout.relative(there[-1]), "message": "; ".join(told)}
    if target != filed:
        told.append(f"to be segmented; see {layout.relative(layout.answer(target))}")
    says = {"status": "done", "path": layout.relative(filed), "message": "; ".join(told)}
    links.write_note(layout, job.origin, job.id, says)
    file_video(fetched, target)
    return says


def _free(layout: Layout, fetched: Path, facts: Mapping[str, Any]) -> Iterator[Path]:
    """Names for the video where nothing stands, or that very video."""
    camera, session = str(facts.get("camera") or ""), str(facts.get("session") or "")
    name = Path(str(facts["name"]))
    if facts.get("segment"):
        folder = layout.dropped_videos / (camera or (UNNAMED if session else "")) / session
    else:
        folder = layout.source / (camera or UNNAMED) / (session or UNNAMED)
    for number in count(1):
        target = folder / (name.name if number == 1 else f"{name.stem}-{number}{name.suffix}")
        there = [one for one in (target, layout.filed(target)) if look(one) is not None]
        if all(one.is_file() and is_same_content(one, fetched) for one in there):
            yield target


def _close(layout: Layout, path: Path, job: Job, now: datetime) -> None:
    """Write the answer file; when every link has its answer, move the file. Notes go before: a file is dropped anew."""
    content = _content(layout, path, job, {}, now)
    requests.write_answer(layout.answer(path), content)
    if content["completed_at"] is not None:
        for line in content["links"]:
            atomic.remove(layout.link_note(line["job"]))
        word = FAILED if content["status"] == "failed" else DONE
        put_away(
            layout, path, word, content["file"],
            announce=lambda place: requests.write_answer(layout.answer(place), content),
        )  # fmt: skip


def _content(layout: Layout, path: Path, job: Job, says: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """The answer file: a line for each link that stands in the file, with what `says` of this one."""
    seen, known = videos.signature(path), requests.read_answer(layout.answer(path))
    origin, former, lines = layout.relative(path), _lines(layout, path), []
    for entry in links.entries(layout, path):
        line = {
            "url": entry.url, "status": "pending", "path": None, "message": "", "completed_at": None,
            **former.get(entry.key, {}), **links.read_note(layout, entry.job(origin)),
            "key": entry.key, "job": entry.job(origin),
        }  # fmt: skip
        lines.append({**line, **says} if entry.key == job.key else line)
    status, message = _together(lines)
    paths = [line["path"] for line in lines if line["path"]]
    is_open = known.get("completed_at") is None and "created_at" in known
    return {
        "status": status,
        "path": paths[0] if paths else None,
        "message": message,
        "links": lines,
        "created_at": known["created_at"] if is_open else stamp(now),
        "completed_at": stamp(now) if all(line["completed_at"] is not None for line in lines) else None,
        "job": job.id,
        "file": seen,
    }


def _lines(layout: Layout, path: Path) -> dict[str, Mapping[str, Any]]:
    """By key, what the answer file says of the links of this very file, which nobody has touched since."""
    known = requests.read_answer(layout.answer(path))
    lines = known.get("links")
    if not isinstance(lines, list) or known.get("file") != videos.signature(path):
        return {}
    return {str(line.get("key")): line for line in lines if isinstance(line, Mapping)}


def _together(lines: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """What the links of a file amount to: in a word, and in words."""
    if len(lines) == 1:
        return str(lines[0]["status"]), str(lines[0]["message"])
    words = [str(line["status"]) for line in lines]
    told = ", ".join(f"{words.count(word)} {word}" for word in dict.fromkeys(words))
    for word in ("processing", "waiting", "pending"):
        if word in words:
            return word, told
    failed = [line for line in lines if line["status"] == "failed"]
    if not failed:
        return "done", told
    first = f"{told}; {failed[0]['url']}: {failed[0]['message']}"
    return ("failed" if len(failed) == len(lines) else "partial"), first
