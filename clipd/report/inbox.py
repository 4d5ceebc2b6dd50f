"""What lies in the inbox, as `clipd status` and `clipd why` tell it: videos, requests and how they were answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clipd.errors import ClipdError
from clipd.files import lease
from clipd.files.walk import files
from clipd.intake.sources import SOURCES, Source
from clipd.model.job import Job
from clipd.report.item import Item, Unreadable
from clipd.tree import record as records
from clipd.tree import request as requests
from clipd.tree.layout import ANSWER_SUFFIX, DONE, FAILED, Layout


def items_of_inbox(layout: Layout, ignore: tuple[str, ...], unreadable: Unreadable) -> Iterator[Item]:
    """What waits or is worked on in the inbox, and what was answered."""
    for source in SOURCES:
        folder = source.folder(layout)
        if folder.is_relative_to(layout.inbox) and folder.exists():
            yield from _asked(layout, source, ignore, unreadable)
            yield from _answered(layout, source, ignore, unreadable)


def _asked(layout: Layout, source: Source, ignore: tuple[str, ...], unreadable: Unreadable) -> Iterator[Item]:
    for path, _ in files(
        source.folder(layout),
        wanted=lambda name: source.wants(layout, name),
        ignore=(*ignore, *source.ignore),
        unreadable=unreadable,
    ):
        try:
            jobs: Sequence[Job] = source.admit(layout, Path(path)).jobs
        except ClipdError as error:
            jobs = source.refused(layout, Path(path), error).jobs
        for job in jobs:
            note = records.read_progress(layout, job.id)
            running = note is not None and lease.seems_held(layout.claim(job.id))
            why = f"{note.stage} on {note.host}" if running and note else records.read_record(layout, job.id).last_error
            yield Item(
                job.id, job.name, Path(job.origin).stem, job.key, job.origin, job.camera, "Process",
                "running" if running else "waiting", why, (), note if running else None,
            )  # fmt: skip


def _answered(layout: Layout, source: Source, ignore: tuple[str, ...], unreadable: Unreadable) -> Iterator[Item]:
    for path, _ in files(
        source.folder(layout),
        wanted=lambda name: name.endswith(ANSWER_SUFFIX),
        ignore=(*ignore, DONE, FAILED),
        unreadable=unreadable,
    ):
        answer = requests.read_answer(Path(path))
        if answer.get("completed_at") is None:
            continue
        name = Path(path).name.removesuffix(ANSWER_SUFFIX)
        failed = answer.get("status") == "failed"
        outputs = (str(answer["path"]),) if answer.get("path") else ()
        told = str(answer.get("message") or "")
        yield Item(
            str(answer.get("job", "")), name, name, str(answer.get("clip_id", "")), layout.relative(Path(path)),
            str(answer.get("camera_id") or ""), str(answer.get("status")), "failed" if failed else "done",
            told or f"{answer.get('status')} at {answer['completed_at']}: {', '.join(outputs)}", outputs,
        )  # fmt: skip
