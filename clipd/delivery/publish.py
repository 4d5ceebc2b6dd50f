"""Publication: verified files get their final names by renames that are synced: first the sheets, then the rest.

A final name belongs to one job: its truth sheet, published before the video, says which. A file that another clip made
is never replaced (that clip is named); a file that nobody accounts for is moved aside and kept. A name that was found
free is only taken while it is: what comes to it meanwhile is met in the same way.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from pathlib import Path

from clipd.errors import ClaimLost, Rejected
from clipd.files import atomic
from clipd.model.artifact import Artifact
from clipd.tree.layout import Layout
from clipd.tree.record import Output, Receipt

SHEET_BYTES = 64 << 20
"""A larger file is no truth sheet, though it may have the name of one; one over 10,000 files takes some megabytes."""
FOLDER_SHEET = "truth.json"
"""The truth sheet that speaks for every file of its folder, and of the folders in it, that has none of its own."""


def publish(
    layout: Layout, job: str, staging: Path, artifacts: Sequence[Artifact], now: datetime
) -> tuple[tuple[Output, ...], tuple[str, ...]]:
    """Give every artifact in `staging` its final name; the outputs, videos first, and what had to be moved aside.

    Raises:
        Rejected: another clip's output stands under one of the names; the names that were free are free again.
        ClaimLost: the staging folder is gone, because another worker took the job.
        Deferred, Temporary: the filesystem refuses.
    """
    own, kept = _look_and_make_way(layout, job, artifacts, now)
    placing = _Placing(layout, job, own, now)
    try:
        for is_sheet in (True, False):
            some = [artifact for artifact in artifacts if (artifact.role == "annotation") is is_sheet]
            kept += _publish_some(placing, staging, some)
    except Rejected:
        for path in reversed(placing.placed):
            atomic.remove(path)
        raise
    return tuple(
        Output(layout.relative(layout.output(a.folder, a.name)), a.size, a.sha256, a.role) for a in artifacts
    ), tuple(kept)


def make_way(layout: Layout, job: str, artifacts: Sequence[Artifact], now: datetime) -> tuple[str, ...]:
    """Move aside what stands under the final names of `artifacts` and of their sheets, and is nobody's; what was moved.

    `publish` does so too; whoever comes first can tell of it in the truth sheets.

    Raises:
        Rejected: another clip's output stands under one of the names.
    """
    _, kept = _look_and_make_way(layout, job, artifacts, now)
    return tuple(kept)


def withdraw(layout: Layout, former: Sequence[Receipt], present: Sequence[Output]) -> list[str]:
    """Remove outputs of `former` receipts that the present run no longer makes; their paths."""
    stay = {output.path for output in present}
    gone = []
    for output in (output for receipt in former for output in receipt.outputs):
        path = layout.at(output.path)
        if output.path in stay or not _is_the_same(layout, path, output):
            continue
        if owner(path) in (None, former[0].job):
            atomic.remove(path)
            gone.append(output.path)
    return gone


def intact(layout: Layout, receipt: Receipt) -> bool:
    """Does every output of `receipt` still stand with its recorded size?"""
    return all(atomic.size_of(layout.at(output.path)) == output.size for output in receipt.outputs)


def sheet_path(output: Path) -> Path:
    """Where the truth sheet of `output` lies: beside it, `.json`."""
    return output.with_suffix(".json")


def _is_the_same(layout: Layout, path: Path, output: Output) -> bool:
    """Is the file at `path` the very one that was published? Somebody may have put their own there since."""
    if not path.is_relative_to(layout.outputs) or atomic.size_of(path) != output.size:
        return False
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == output.sha256
    except OSError:
        return False


@dataclass(frozen=True)
class _Placing:
    """One publication on its way."""

    layout: Layout
    job: str
    own: frozenset[Path]
    """Names under which a former run's file stands: only those are replaced."""
    now: datetime
    placed: list[Path] = field(default_factory=list)
    """Names that were free and are ours by now."""


def _publish_some(placing: _Placing, staging: Path, artifacts: Sequence[Artifact]) -> list[str]:
    """Give artifacts their final names; what had to be moved aside.

    Free names are taken first, and by every job in the same order: of two jobs that want some of the same, the one that
    takes the first of them gets them all, and the other is refused before it has replaced anything.
    """
    layout, own = placing.layout, placing.own
    moves = [(staging / artifact.staged_name, layout.output(artifact.folder, artifact.name)) for artifact in artifacts]
    _prepare(moves)
    kept: list[str] = []
    left = sorted(moves, key=lambda move: (move[1] in own, move[1]))
    while left:
        rest = _rename(left, own)
        placing.placed.extend(target for _, target in left[: len(left) - len(rest)] if target not in own)
        if rest:
            kept += _move_aside(layout, placing.job, rest[0][1], placing.now)
        left = rest
    return kept


def _prepare(moves: Sequence[tuple[Path, Path]]) -> None:
    for source, _ in moves:
        if not source.exists():
            raise ClaimLost(f"{source} is gone: another worker took the job over")
    for folder in {target.parent for _, target in moves}:
        with atomic.translated(f"making {folder}"):
            folder.mkdir(parents=True, exist_ok=True)


def _rename(moves: Sequence[tuple[Path, Path]], own: frozenset[Path]) -> list[tuple[Path, Path]]:
    try:
        return atomic.publish_all(moves, own)
    except atomic.Missing as error:
        raise ClaimLost(f"{moves[0][0].parent} is gone: another worker took the job over") from error


def _look_and_make_way(
    layout: Layout, job: str, artifacts: Sequence[Artifact], now: datetime
) -> tuple[frozenset[Path], list[str]]:
    """As `make_way`; with the names under which a former run of `job` left something."""
    targets = [layout.output(artifact.folder, artifact.name) for artifact in artifacts]
    own, kept = set(), []
    for target in dict.fromkeys((*targets, *(sheet_path(target) for target in targets))):
        if atomic.size_of(target) is None:
            continue
        if owner(target) == job:
            own.add(target)
        else:
            kept += _move_aside(layout, job, target, now)
    return frozenset(own), kept


def _move_aside(layout: Layout, job: str, target: Path, now: datetime) -> list[str]:
    """Move aside what stands at `target` and was not put there by `job`, in words; nothing where it is gone by now.

    The sheet beside it may be that of `job` all the same: its name was taken before the video's.

    Raises:
        Rejected: it is another clip's.
    """
    if owner(target) not in (None, job):
        clip = _sheet(target).get("clip")
        raise Rejected(
            f"{layout.relative(target)} is already the output of another clip ({clip}); rename one of the two clips, "
            "or remove that file if the other clip is gone"
        )
    try:
        aside = next(aside for aside in _names_aside(target, now) if atomic.publish(target, aside, replace=False))
    except atomic.Missing:
        return []
    return [f"{layout.relative(target)} was there before and is kept as {aside.name}"]


def _names_aside(target: Path, now: datetime) -> Iterator[Path]:
    for number in count(1):
        which = "" if number == 1 else f"-{number}"
        yield target.with_name(f"{target.stem}.before-clipd-{now:%Y%m%dT%H%M%SZ}{which}{target.suffix}")


def owner(output: Path) -> str | None:
    """The job whose output the file at `output` is, as the truth sheet beside it says; None without one."""
    job = _sheet(output).get("job")
    return job if isinstance(job, str) else None


def _sheet(output: Path) -> dict[str, object]:
    """The sheet of `output`: its own, or the one that speaks for its folder or the folder above."""
    folders = (output.parent / FOLDER_SHEET, output.parent.parent / FOLDER_SHEET)
    sheets = (_read(path) for path in (sheet_path(output), *folders))
    return next((sheet for sheet in sheets if "job" in sheet), {})


def _read(sheet: Path) -> dict[str, object]:
    try:
        if sheet.stat().st_size > SHEET_BYTES:
            return {}
        content = json.loads(sheet.read_bytes())
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}
