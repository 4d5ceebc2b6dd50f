"""A video to be analysed: its wish is the file itself, its answer a sidecar with the clips that were found.

A video of the inbox is filed into the source tree with its answer, and `<name>.status.json` beside where it lay tells
where it went. One that lies in the source tree has its answer file beside its sidecar's place. A sidecar that exists is
never touched here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd.clock import stamp
from clipd.delivery.filing import file_video, put_away
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.suggesting import remember
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected, Superseded
from clipd.files import atomic
from clipd.files.walk import look
from clipd.model.job import Job
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import DONE, FAILED, Layout
from clipd.tree.video import VideoNote

CLIPS_LIMIT_BYTES = 64 << 20


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
            request=lambda: _understood(note),
        )

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write the sidecar, then the answer file, and last move the video to where it belongs."""
        path = layout.at(job.origin)
        seen, notes = videos.signature(path), {note: videos.signature(note) for note in videos.own_files(path)}
        if missed := at.missed(self.read(layout, job), "the video or a note beside it"):
            return missed
        ended = stamp(at.now)
        if answer.error is not None:
            self._tell(layout, job, {"status": "failed", "message": answer.error, "completed_at": ended}, at.now)
            if _is_dropped(layout, path):
                put_away(layout, path, FAILED, seen)
            return WriteBack("written", "")
        message = str(answer.facts.get("message", ""))
        if "clips" in answer.facts:
            message += f"; {self._suggest(layout, path, answer.facts)}"
        target = layout.filed(path)
        told = {key: answer.facts.get(key) for key in ("clips", "report")}
        self._tell(
            layout, job,
            {"status": "done", "path": layout.relative(target), **told, "message": message, "completed_at": ended},
            at.now,
        )  # fmt: skip
        if not _is_dropped(layout, path):
            return WriteBack("written", "")
        try:
            filed = "clips" in answer.facts and file_video(path, target, seen)
        except Superseded as words:
            return WriteBack("superseded", str(words))
        if not filed:
            put_away(layout, path, DONE, seen)
            return WriteBack("written", f"{layout.relative(target)} is the same video; the new copy lies in {DONE}/")
        for note, looked in notes.items():
            if looked:
                put_away(layout, note, DONE, looked)
        return WriteBack("written", "")

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Say in the answer file how the analysis stands."""
        self._tell(layout, job, {"status": standing, "message": words}, now, durable=False)

    def _suggest(self, layout: Layout, path: Path, facts: Mapping[str, Any]) -> str:
        """Write the sidecar, if there is none; what became of it, in words."""
        data = atomic.read_regular(layout.at(str(facts["clips"])), CLIPS_LIMIT_BYTES)[0]
        clips = json.loads(data)["clips"]
        sidecar = _sidecar(layout, path)
        with atomic.translated(f"making {sidecar.parent}"):
            sidecar.parent.mkdir(parents=True, exist_ok=True)
        remember(layout, sidecar, clips)
        if atomic.create(sidecar, (json.dumps(clips, indent=2, ensure_ascii=False) + "\n").encode()):
            return f"{len(clips)} clips in {layout.relative(sidecar)}"
        return f"{layout.relative(sidecar)} was there already and stays as it is (clipd analyze --into-sidecar adds)"

    def _tell(self, layout: Layout, job: Job, says: Mapping[str, Any], now: datetime, *, durable: bool = True) -> None:
        path = layout.at(job.origin)
        file = _answer_file(layout, path)
        known = requests.read_answer(file)
        signature = videos.signature(path)
        is_same = known.get("video") == signature and known.get("completed_at") is None
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
            content["video"] = signature
        with atomic.translated(f"making {file.parent}"):
            file.parent.mkdir(parents=True, exist_ok=True)
        if known != content:
            requests.write_answer(file, content, durable=durable)


def _understood(note: VideoNote) -> VideoNote:
    if note.fault:
        raise Rejected(note.fault)
    return note


def _is_dropped(layout: Layout, path: Path) -> bool:
    return path.is_relative_to(layout.dropped_videos)


def _sidecar(layout: Layout, path: Path) -> Path:
    return layout.sidecar_of(layout.source_place(path))


def _answer_file(layout: Layout, path: Path) -> Path:
    return layout.answer(path if _is_dropped(layout, path) else _sidecar(layout, path))
