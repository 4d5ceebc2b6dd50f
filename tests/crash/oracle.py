"""The oracle: what must be true of a tree after anything has happened to it."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from clipd.files.walk import files
from clipd.report.health import read_healths
from clipd.tree import sidecar
from clipd.tree.layout import Layout
from clipd.tree.record import Receipt, read_receipts

ENDS = {"complete", "failed"}
ORPHAN_SECONDS = 2.0
"""How long a worker may outlive its daemon."""
START_SECONDS = 2.0
"""How long a worker may take to its first line, on a busy machine; only then can it see that its daemon is gone."""


def violations(layout: Layout, *, grace_seconds: float = 0.0) -> list[str]:
    """Every broken promise, in words; empty when all is well. Strays may be as old as `grace_seconds`."""
    return [*_sidecars(layout), *_receipts(layout), *_strays(layout, grace_seconds)]


def broken_promises(layout: Layout) -> list[str]:
    """The violations that hold at any moment, while daemons work: what is Complete stands as its receipt says."""
    return [*_sidecars(layout), *_receipts(layout)]


def lost_edits(layout: Layout, wanted: Mapping[tuple[str, str, str], set[Any]]) -> list[str]:
    """Fields that people set, as (sidecar relative to the root, key of the clip, field) -> the values that may stand;
    those that stand neither in the sidecar nor in one of its conflict copies."""
    lost = []
    for (name, key, field), values in wanted.items():
        path = layout.root / name
        copies = path.parent.glob(f"{path.stem[:120]}.conflict-*")
        found = [_value(place, key, field) for place in (path, *sorted(copies)) if place.exists()]
        if not values.intersection(found):
            lost.append(f"{name} {key}: {field} is {found}, and nowhere one of {sorted(map(str, values))}")
    return lost


def unaccounted(layout: Layout) -> list[str]:
    """Clips that still ask for work although no daemon says why they wait."""
    told = {job for health in read_healths(layout) for job in (*health.waiting, *health.running)}
    left = []
    for path in sidecars(layout):
        entries = sidecar.parse(path.read_bytes()).entries
        for entry in entries:
            job = hashlib.sha256("\0".join(("clip", layout.relative(path), entry.key)).encode()).hexdigest()[:20]
            if entry.due and job not in told:
                left.append(f"{path.name} {entry.name}: asks for work, and no daemon says why it waits")
    return left


def unfinished(layout: Layout) -> list[str]:
    """Clips that ask for work still."""
    return [
        f"{path.name} {entry.name}: {entry.status}"
        for path in sidecars(layout)
        for entry in sidecar.parse(path.read_bytes()).entries
        if entry.due
    ]


class Orphans:
    """Watches the processes that carry a mark in their environment: none may outlive its daemon for long."""

    def __init__(self, mark: str) -> None:
        self.mark = mark.encode()
        self._since: dict[int, float] = {}

    def workers(self) -> dict[int, int]:
        """Every marked process that was spawned by another, and its parent."""
        found = {}
        for entry in Path("/proc").iterdir():
            if not entry.name.isdigit():
                continue
            try:
                if (
                    self.mark in (entry / "environ").read_bytes()
                    and b"worker/process.py" in (entry / "cmdline").read_bytes()
                ):
                    found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
        return found

    def look(self, frozen: frozenset[int] = frozenset()) -> list[str]:
        """Workers that have been without their daemon for too long; those that are `frozen` cannot help it."""
        now, workers = time.monotonic(), self.workers()
        orphans = {
            pid
            for pid, parent in workers.items()
            if pid not in frozen and not self._is_marked(parent) and _age_seconds(pid) > START_SECONDS
        }
        self._since = {pid: self._since.get(pid, now) for pid in orphans}
        return [
            f"worker {pid} lives {now - since:.1f} s after its daemon"
            for pid, since in self._since.items()
            if now - since > ORPHAN_SECONDS
        ]

    def _is_marked(self, pid: int) -> bool:
        try:
            return self.mark in Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False


def _age_seconds(pid: int) -> float:
    """How long ago the process was started; 0 when it is gone."""
    try:
        started = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
    except (OSError, IndexError):
        return 0.0
    return float(Path("/proc/uptime").read_text().split()[0]) - started / os.sysconf("SC_CLK_TCK")


def all_receipts(layout: Layout) -> list[Receipt]:
    """The receipts of every job."""
    folder = layout.state / "results"
    return (
        [receipt for job in sorted(folder.iterdir()) for receipt in read_receipts(layout, job.name)]
        if folder.is_dir()
        else []
    )


def sidecars(layout: Layout) -> list[Path]:
    """Every sidecar."""
    return [
        Path(path)
        for path, _ in files(layout.sidecars, wanted=layout.is_sidecar, ignore=(".*",), unreadable=lambda *_: None)
        if ".conflict-" not in path
    ]


def _sidecars(layout: Layout) -> Iterator[str]:
    newest = {receipt.job: receipt for receipt in all_receipts(layout)}
    by_clip = {(receipt.origin, receipt.key): receipt for receipt in newest.values()}
    for path in sidecars(layout):
        try:
            entries = sidecar.parse(path.read_bytes()).entries
        except sidecar.NotADocument as error:
            yield f"{path.name} does not parse: {error}"
            continue
        for entry in entries:
            if (entry.status or "").casefold() != "complete":
                continue
            receipt = by_clip.get((layout.relative(path), entry.key))
            if receipt is None:
                yield f"{path.name} {entry.name}: Complete without a receipt"
                continue
            if list(receipt.results) != entry.raw.get("export_path"):
                yield f"{path.name} {entry.name}: export_path is not what the receipt lists"
            yield from _outputs(layout, receipt)


def _outputs(layout: Layout, receipt: Receipt) -> Iterator[str]:
    for output in receipt.outputs:
        path = layout.root / output.path
        if not path.is_file():
            yield f"{output.path}: listed by a Complete clip, but not there"
        elif path.stat().st_size != output.size:
            yield f"{output.path}: {path.stat().st_size} bytes, its receipt says {output.size}"
        elif hashlib.sha256(path.read_bytes()).hexdigest() != output.sha256:
            yield f"{output.path}: another content than its receipt says"


def _receipts(layout: Layout) -> Iterator[str]:
    runs = Counter((receipt.job, receipt.revision, receipt.run) for receipt in all_receipts(layout))
    yield from (f"{run}: {count} receipts" for run, count in runs.items() if count > 1)


def _strays(layout: Layout, grace_seconds: float) -> Iterator[str]:
    for root in dict.fromkeys((layout.root, layout.sidecars, layout.outputs)):
        for path in root.rglob("*"):
            in_staging = ".clipd-staging" in path.parts[:-1]
            if not in_staging and not (path.name.startswith(".") and path.suffix in (".tmp", ".ticket")):
                continue
            try:
                seen = os.lstat(path)
            except FileNotFoundError:
                continue
            if time.time() - max(seen.st_mtime, seen.st_ctime) >= grace_seconds:
                yield f"left in staging: {path}" if in_staging else f"left temporary file: {path}"


def _value(path: Path, key: str, field: str) -> Any:
    try:
        entry = sidecar.parse(path.read_bytes()).find(key)
    except sidecar.NotADocument:
        return None
    return None if entry is None else entry.raw.get(field)


def load(path: Path) -> list[dict[str, object]]:
    """The entries of a sidecar."""
    content = json.loads(path.read_text())
    return content["clips"] if isinstance(content, dict) else content
