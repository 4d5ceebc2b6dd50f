"""The oracle: what must be true of a tree after anything has happened to it."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from clipd.files.walk import files
from clipd.tree import sidecar
from clipd.tree.layout import Layout
from clipd.tree.record import Receipt, read_receipts


def violations(layout: Layout) -> list[str]:
    """Every broken promise, in words; empty when all is well."""
    return [*_sidecars(layout), *_receipts(layout), *_strays(layout)]


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
    ]


def _sidecars(layout: Layout) -> Iterator[str]:
    newest = {receipt.job: receipt for receipt in all_receipts(layout)}
    by_clip = {(receipt.origin, receipt.key): receipt for receipt in newest.values()}
    for path in sidecars(layout):
        entries = sidecar.parse(path.read_bytes()).entries
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


def _strays(layout: Layout) -> Iterator[str]:
    for path in layout.root.rglob("*"):
        if ".clipd-staging" in path.parts[:-1]:
            yield f"left in staging: {path.relative_to(layout.root)}"
        elif path.name.startswith(".") and path.name.endswith(".tmp"):
            yield f"left temporary file: {path.relative_to(layout.root)}"


def load(path: Path) -> list[dict[str, object]]:
    """The entries of a sidecar."""
    content = json.loads(path.read_text())
    return content["clips"] if isinstance(content, dict) else content
