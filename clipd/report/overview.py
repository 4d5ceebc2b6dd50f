"""What a tree looks like at this moment: what waits (and for what), what runs, what failed, what is done.

Read from the files alone, so that it works on any machine that sees the tree, whether a daemon runs or not.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from clipd.errors import ClipdError, Rejected
from clipd.files import lease
from clipd.files.atomic import read_regular
from clipd.files.walk import files
from clipd.intake import schedule
from clipd.intake.gate import Gate, gate_of
from clipd.jobs.naming import names_of
from clipd.model.clip import Status
from clipd.model.compound import Compound, Part
from clipd.model.job import job_id
from clipd.report.health import Health, read_healths
from clipd.report.inbox import items_of_inbox
from clipd.report.item import Item, State
from clipd.tree import control, outbox, sidecar
from clipd.tree import record as records
from clipd.tree.layout import Layout
from clipd.tree.marker import require_root
from clipd.tree.outbox import Load
from clipd.tree.record import Progress
from clipd.tree.removal import read_removal


@dataclass(frozen=True)
class Overview:
    """A tree at one moment."""

    items: tuple[Item, ...]
    unreadable: tuple[tuple[str, str], ...]
    """Files and folders that cannot be read, and why."""
    daemons: tuple[Health, ...]
    gate: Gate
    """Whether new work may start."""
    cameras: tuple[str, ...] = field(default=())
    copies: tuple[Load, ...] = field(default=())
    """What is still to be copied to destinations."""

    @property
    def paused(self) -> bool:
        """Did a person pause the tree?"""
        return self.gate.paused

    def of(self, state: State) -> tuple[Item, ...]:
        """The clips in one state."""
        return tuple(item for item in self.items if item.state == state)


def overview(
    layout: Layout, ignore: tuple[str, ...], cameras: Sequence[str] = (), hours: schedule.Settings | None = None
) -> Overview:
    """Look at the whole tree; new work waits outside `hours`. Raises `Deferred` when it is not mounted."""
    require_root(layout)
    daemons = tuple(read_healths(layout))
    gate = gate_of(control.pause(layout), hours or schedule.Settings(), datetime.now(UTC))
    items: list[Item] = []
    unreadable: list[tuple[str, str]] = []
    for path, _ in files(
        layout.sidecars,
        wanted=layout.is_sidecar,
        ignore=ignore,
        unreadable=lambda folder, error: unreadable.append((layout.relative(Path(folder)), str(error.strerror))),
    ):
        try:
            items.extend(items_of(layout, Path(path), daemons, gate, cameras))
        except ClipdError as error:
            unreadable.append((layout.relative(Path(path)), str(error)))
    for item in items_of_inbox(layout, ignore, lambda path, why: unreadable.append((layout.relative(Path(path)), why))):
        holds = item.state == "waiting"
        why = _what_holds(item.why, item.job, item.camera, daemons, gate, cameras) if holds else item.why
        items.append(replace(item, why=why))
    return Overview(tuple(items), tuple(unreadable), daemons, gate, tuple(cameras), tuple(outbox.loads(layout)))


def items_of(
    layout: Layout, path: Path, daemons: Sequence[Health], gate: Gate, cameras: Sequence[str]
) -> Iterator[Item]:
    """The clips of one sidecar. Raises what reading it raises."""
    data, _ = read_regular(path, sidecar.LIMIT_BYTES)
    origin, place = layout.relative(path), layout.place(path)
    for entry in sidecar.parse(data).entries:
        job = job_id(entry.kind, origin, entry.key)
        state, why, outputs, progress = _standing(layout, path, entry, job)
        if state == "waiting":
            why = _what_holds(why, job, place.camera, daemons, gate, cameras)
        yield Item(
            job, f"{place.video} / {entry.name}", entry.name, entry.key, origin, place.camera,
            entry.status or "", state, why, outputs, progress,
        )  # fmt: skip


def _standing(
    layout: Layout, path: Path, entry: sidecar.Entry, job: str
) -> tuple[State, str, tuple[str, ...], Progress | None]:
    if entry.problem is not None:
        return "unread", entry.problem, (), None
    if entry.due:
        note = records.read_progress(layout, job)
        if note is not None and lease.seems_held(layout.claim(job)):
            return "running", f"{note.stage} on {note.host}", (), note
        return "waiting", _what_is_missing(layout, path, entry, job), (), None
    word = (entry.status or "").strip()
    if word.casefold() == Status.COMPLETE.casefold():
        return "done", *_what_was_made(layout, job), None
    error = entry.raw.get("error")
    if error and word.casefold() != Status.DRAFT.casefold():
        return "failed", str(error), (), None
    if word.casefold() == Status.FAILED.casefold():
        return "failed", records.read_record(layout, job).last_error or "no reason is recorded", (), None
    return "idle", f"its status is {word or 'missing'}; set it to Process to have it cut", (), None


def _what_is_missing(layout: Layout, path: Path, entry: sidecar.Entry, job: str) -> str:
    """Why a due clip is not done yet, as far as the files tell; "" when nothing is missing."""
    try:
        asked = entry.request()
        for part in asked.parts if isinstance(asked, Compound) else (Part(asked, is_named=True),):
            source, assumed = layout.find_source(part.clip.source_path, path, elsewhere=part.is_named)
            if not os.path.lexists(source):
                why = f" ({'; '.join(assumed)})" if assumed else ""
                return f"waiting for its source: {layout.relative(source)} is not there{why}"
    except Rejected as error:
        return f"it will fail: {error}"
    record = records.read_record(layout, job)
    if record.state == "waiting" and record.last_error:
        again = f"; tried again at {record.next_try_at}" if record.next_try_at else ""
        return f"{record.last_error}{again}"
    return ""


def _what_holds(why: str, job: str, camera: str, daemons: Sequence[Health], gate: Gate, cameras: Sequence[str]) -> str:
    if cameras and camera and camera not in cameras:
        return f"camera {camera} is not served here (cameras: {', '.join(cameras)})"
    if gate.paused:
        return gate.why
    if not daemons:
        return f"no daemon is running (clipd run){'; ' + why if why else ''}"
    if why or gate.shut:
        return why or gate.why
    told = next((health.waiting[job] for health in daemons if job in health.waiting), "")
    return told or "its turn"


def _what_was_made(layout: Layout, job: str) -> tuple[str, tuple[str, ...]]:
    receipts = records.read_receipts(layout, job)
    if not receipts:
        return "marked Complete, but clipd has no receipt for it", ()
    newest = receipts[-1]
    missing = [output.path for output in newest.outputs if not layout.at(output.path).exists()]
    when = f"published {newest.published_at} by {newest.host}"
    standing = tuple(path for path in newest.results if path not in missing)
    if missing:
        removal = read_removal(layout, job)
        if removal is not None and removal.receipt == newest.id:
            went = f"removed by retention on {removal.removed_at} ({removal.why}): {', '.join(removal.paths)}"
            return f"{when}, {went}; set it to Process to make it again", standing
        return f"{when}, but gone since: {', '.join(missing)}; set it to Process to make it again", standing
    count = len(newest.warnings)
    notes = f"; {count} note{'s' if count > 1 else ''} in the truth sheet" if count else ""
    return f"{when}: {', '.join(newest.results)}{notes}", newest.results


def find(found: Overview, words: str) -> list[Item]:
    """The clips that `words` may mean: a job id, a clip's id or name, `<video> / <clip>` or `<video>_<clip>`."""
    wanted = words.strip()
    return [
        item
        for item in found.items
        if wanted in names_of(item.job, item.clip.partition(" / ")[0], item.name, item.key) or wanted == item.clip
    ]
