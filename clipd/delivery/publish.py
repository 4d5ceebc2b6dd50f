"""Publication: verified files get their final names by renames that are synced: first the sheets, then the rest.

A final name belongs to one job: its truth sheet, published before the video, says which. A file that another clip made
is never replaced (that clip is named); a file that nobody accounts for is moved aside and kept.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Sequence
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
        Rejected: another clip's output stands under one of the names.
        ClaimLost: the staging folder is gone, because another worker took the job.
        Deferred, Temporary: the filesystem refuses.
    """
    kept = make_way(layout, job, artifacts, now)
    for is_sheet in (True, False):
        _publish_some(
            layout, staging, [artifact for artifact in artifacts if (artifact.role == "annotation") is is_sheet]
        )
    return tuple(
        Output(layout.relative(layout.output(a.folder, a.name)), a.size, a.sha256, a.role) for a in artifacts
    ), kept


def make_way(layout: Layout, job: str, artifacts: Sequence[Artifact], now: datetime) -> tuple[str, ...]:
    """Move aside what stands under the final names of `artifacts` and of their sheets, and is nobody's; what was moved.

    `publish` does so too; whoever comes first can tell of it in the truth sheets.

    Raises:
        Rejected: another clip's output stands under one of the names.
    """
    targets = [layout.output(artifact.folder, artifact.name) for artifact in artifacts]
    kept = []
    for target in dict.fromkeys((*targets, *(sheet_path(target) for target in targets))):
        if (aside := _make_way(layout, job, target, now)) is not None:
            kept.append(f"{layout.relative(target)} was there before and is kept as {aside.name}")
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


def _publish_some(layout: Layout, staging: Path, artifacts: Sequence[Artifact]) -> None:
    moves = [(staging / artifact.staged_name, layout.output(artifact.folder, artifact.name)) for artifact in artifacts]
    for source, _ in moves:
        if not source.exists():
            raise ClaimLost(f"{source} is gone: another worker took the job over")
    for folder in {target.parent for _, target in moves}:
        with atomic.translated(f"making {folder}"):
            folder.mkdir(parents=True, exist_ok=True)
    try:
        atomic.publish_all(moves)
    except atomic.Missing as error:
        raise ClaimLost(f"{staging} is gone: another worker took the job over") from error


def _make_way(layout: Layout, job: str, target: Path, now: datetime) -> Path | None:
    if atomic.size_of(target) is None:
        return None
    by = owner(target)
    if by == job:
        return None
    if by is not None:
        clip = _sheet(target).get("clip")
        raise Rejected(
            f"{layout.relative(target)} is already the output of another clip ({clip}); rename one of the two clips, "
            "or remove that file if the other clip is gone"
        )
    return next(aside for aside in _names_aside(target, now) if atomic.publish(target, aside, replace=False))


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
