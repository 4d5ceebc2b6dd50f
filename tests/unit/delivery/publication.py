"""A publication to copy: files in the outputs tree, and the receipt of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from clipd.tree import record as records
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish
from clipd.tree.record import Output, Receipt


def a_layout(root: Path) -> Layout:
    layout = Layout(root, Directories())
    root.mkdir(parents=True, exist_ok=True)
    establish(layout)
    return layout


def publish(layout: Layout, *, number: int = 1, job: str = "j1", **files: bytes) -> Receipt:
    """Publish `files`, named by their suffix, below h264/cam1/s1 as the `number`-th revision of `job`."""
    outputs = []
    for suffix, data in files.items():
        path = layout.output("h264/cam1/s1", f"match_{job}.{suffix}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        role = "annotation" if suffix == "json" else "video"
        outputs.append(Output(layout.relative(path), len(data), hashlib.sha256(data).hexdigest(), role))
    receipt = Receipt(
        job, f"rev{number}", 1, f"match / {job}", "s_clips.json", "id:1", "", tuple(outputs), "h", "", "", number=number
    )
    assert records.commit(layout, receipt)
    return receipt
