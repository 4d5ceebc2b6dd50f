"""A video to be analysed: its wish is the file itself, its answer a sidecar with the clips that were found.

A video of the inbox is filed into the source tree first, and then `<name>.status.json` beside where it lay tells where
it went. One that lies in the source tree has its answer file beside its sidecar's place. A sidecar that exists is
never touched here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.delivery import departure
from clipd.delivery.departure import Departure
from clipd.delivery.filing import file_video, put_away
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Superseded
from clipd.files import atomic
from clipd.files.walk import look
from clipd.model.job import Job
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import DONE, FAILED, Layout


@dataclass(frozen=True)
class VideoOrigin:
    """Reads and answers videos."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The video as it lies there; None when it is gone, or filed already."""
        path = layout.at(job.origin)
        seen = look(path)
        if seen is None:
            return None
        note = videos.read(layout, path)
        stand = f"{videos.signature(path)}.{note.digest}"
        told = requests.read_answer(_answer_file(layout, path))
        dropped = _is_dropped(layout, path)
        return Wish(
            stand=stand,
            answered="",
            outputs=(),
            saved_at=seen.mtime_ns / 1e9,
            due=dropped or (look(_sidecar(layout, path)) is None and told.get("video") != videos.signature(path)),
            request=lambda: note,
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Move the video to where it belongs, then write the sidecar, then the answer file."""
        path = layout.at(job.origin)
        seen, notes = videos.signature(path), [(note, videos.signature(note)) for note in videos.own_files(path)]
        departure.resume(layout, job.id)
        if missed := at.missed(self.read(layout, job), "the video or a note beside it"):
            return missed
        has_clips = answer.error is None and "clips" in answer.facts
        leaving = Departure(
            job.id,
            job.origin,
            seen,
            DONE if answer.error is None else FAILED,
            {layout.relative(note): looked for note, looked in notes if looked},
            answer_file=layout.relative(_answer_file(layout, path)),
            answer=_content(
                layout, job, seen, {**_ending(layout, path, answer), "completed_at": stamp(at.now)}, at.now
            ),
            clips=str(answer.facts["clips"]) if has_clips else "",
            sidecar=layout.relative(_sidecar(layout, path)),
        )
        if not _is_dropped(layout, path):
            departure.conclude(layout, replace(leaving, notes={}))
            return WriteBack("written", "")
        return _depart(layout, path, leaving)

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the analysis stands."""
        path = layout.at(job.origin)
        file = _answer_file(layout, path)
        content = _content(layout, job, videos.signature(path), {"status": standing, "message": words}, now)
        with atomic.translated(f"making {file.parent}"):
            file.parent.mkdir(parents=True, exist_ok=True)
        if requests.read_answer(file) != content:
            requests.write_answer(file, content, durable=False)


def _ending(layout: Layout, path: Path, answer: Answer) -> dict[str, Any]:
    if answer.error is not None:
        return {"status": "failed", "message": answer.error}
    return {
        "status": "done",
        "path": answer.facts.get("there") or layout.relative(layout.filed(path)),
        **{key: answer.facts.get(key) for key in ("clips", "report")},
        "message": str(answer.facts.get("message", "")),
    }


def _depart(layout: Layout, path: Path, leaving: Departure) -> WriteBack:
    """Move a video of the inbox into the source tree, or out of the way, with all that follows."""
    target, words = layout.filed(path), ""
    if leaving.clips:
        departure.note(layout, leaving.to(layout, target))
        try:
            if file_video(path, target, leaving.seen):
                departure.conclude(layout, leaving)
                return WriteBack("written", "")
        except Superseded as error:
            departure.forget(layout, leaving.job)
            return WriteBack("superseded", str(error))
        words = f"{layout.relative(target)} is the same video; the new copy lies in {DONE}/"
    if not put_away(
        layout, path, leaving.word, leaving.seen,
        announce=lambda place: departure.note(layout, leaving.to(layout, place)),
    ):  # fmt: skip
        departure.forget(layout, leaving.job)
        return WriteBack("superseded", f"{path.name} is another video by now")
    departure.conclude(layout, leaving)
    return WriteBack("written", words)


def _content(layout: Layout, job: Job, seen: str, says: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    path = layout.at(job.origin)
    known = requests.read_answer(_answer_file(layout, path))
    is_same = known.get("video") == seen and known.get("completed_at") is None
    content = {
        "status": "pending",
        "path": None,
        "message": "",
        "created_at": known["created_at"] if is_same and "created_at" in known else stamp(now),
        "completed_at": None,
        "job": job.id,
        **says,
    }
    if "completed_at" in says or _is_dropped(layout, path):
        content["video"] = seen
    return content


def _is_dropped(layout: Layout, path: Path) -> bool:
    return path.is_relative_to(layout.dropped_videos)


def _sidecar(layout: Layout, path: Path) -> Path:
    return layout.sidecar_of(layout.source_place(path))


def _answer_file(layout: Layout, path: Path) -> Path:
    return layout.answer(path if _is_dropped(layout, path) else _sidecar(layout, path))
