"""The note of a removal: which outputs of a job retention took away, when and why, for whoever looks for them."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files import atomic
from clipd.tree.layout import Layout

LIMIT_BYTES = 1 << 20


@dataclass(frozen=True)
class Removal:
    """What was removed of the outputs that one receipt names."""

    job: str
    receipt: str
    """`<revision>.<run>`; a later receipt means that they were made again since."""
    removed_at: str
    why: str
    paths: tuple[str, ...]
    """Videos, relative to the root."""


def read_removal(layout: Layout, job: str) -> Removal | None:
    """The note on a job's outputs, if there is one that can be read."""
    try:
        content: Any = json.loads(atomic.read_regular(layout.removal(job), LIMIT_BYTES)[0])
        return Removal(**{**content, "paths": tuple(content["paths"])})
    except (atomic.Missing, Rejected, ValueError, TypeError, KeyError):
        return None


def note_removal(layout: Layout, removal: Removal) -> None:
    """Leave the note, with what a former one says of the same receipt; written before anything is removed."""
    former = read_removal(layout, removal.job)
    if former is not None and former.receipt == removal.receipt:
        removal = replace(removal, paths=tuple(dict.fromkeys((*former.paths, *removal.paths))))
    path: Path = layout.removal(removal.job)
    atomic.make_folder(path.parent, layout.state)
    atomic.write(path, json.dumps(asdict(removal), indent=1).encode())
