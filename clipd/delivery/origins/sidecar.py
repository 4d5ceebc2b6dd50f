"""An entry of a sidecar, clip or compound: its answer is written into its `status`, `export_path` and `error`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from clipd.clock import stamp
from clipd.delivery.origins.wish import Answer, Occasion, Standing, Wish
from clipd.delivery.writeback import WriteBack, write_back
from clipd.errors import Rejected, Temporary
from clipd.files import lease
from clipd.files.atomic import read_regular
from clipd.files.walk import look
from clipd.jobs.naming import output_stem
from clipd.model.clip import Status
from clipd.model.job import Job
from clipd.tree import sidecar
from clipd.tree.layout import Layout


class SidecarOrigin:
    """Reads and answers entries of sidecars."""

    def read(self, layout: Layout, job: Job) -> Wish | None:
        """The clip as it stands in its sidecar; None when sidecar or clip is gone."""
        path = layout.at(job.origin)
        if look(path) is None:
            return None
        try:
            data, seen = read_regular(path, sidecar.LIMIT_BYTES)
            entries = sidecar.parse(data).entries
        except Rejected as error:
            raise Temporary(f"{job.origin} cannot be read just now: {error}") from error
        found = [entry for entry in entries if entry.key == job.key and entry.problem is None]
        return _wish(layout, path, found[0], seen.st_mtime, entries) if found else None

    def answer(self, layout: Layout, job: Job, answer: Answer, at: Occasion) -> WriteBack:
        """Write status, export_path and error into the entry; two daemons may finish two clips of one file."""
        path = layout.at(job.origin)
        changes: dict[str, object] = {"status": answer.status, "modified_at": stamp(at.now)}
        if answer.error is None:
            changes["export_path"] = list(answer.outputs)
        else:
            changes["error"] = answer.error
        try:
            with lease.claimed(layout.sidecar_claim(job.origin), at.claims, wait_seconds=at.claims.lease_seconds * 1.5):
                return write_back(
                    path,
                    job.key,
                    expect=lambda entry: at.still(_wish(layout, path, entry, 0.0)),
                    changes=changes,
                    remove=("error",) if answer.error is None else (),
                    settle=at.settle,
                )
        except lease.Taken as holder:
            raise Temporary(f"{job.origin} is being written by {holder}") from None

    def tell(self, layout: Layout, job: Job, standing: Standing, words: str, now: datetime) -> None:
        """Nothing: a sidecar is written once, with the answer."""


def _wish(
    layout: Layout, path: Path, entry: sidecar.Entry, saved_at: float, entries: tuple[sidecar.Entry, ...] = ()
) -> Wish:
    named = entry.raw.get("export_path")
    return Wish(
        stand=sidecar.stand(entry),
        answered=sidecar.answered(entry),
        outputs=tuple(map(str, named)) if isinstance(named, list) else (),
        saved_at=saved_at,
        due=entry.due,
        request=entry.request,
        agree=lambda: _refuse_rivals(layout, path, entry, entries),
    )


def _refuse_rivals(layout: Layout, path: Path, entry: sidecar.Entry, entries: tuple[sidecar.Entry, ...]) -> None:
    """Two clips of one sidecar that would write the same file are both refused, each with the other's name."""
    video = layout.place(path).video
    mine = output_stem(video, entry.name).casefold()
    for other in entries:
        same = other.key != entry.key and output_stem(video, other.name or "").casefold() == mine
        if same and (other.status or "").strip().casefold() != Status.DRAFT.casefold():
            raise Rejected(
                f"the clips {entry.name!r} and {other.name!r} (line {other.line}) would both be written to "
                f"{output_stem(video, entry.name)}; give one of them another name"
            )
