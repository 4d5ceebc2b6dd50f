"""The outbox: what is published and still to be copied to a destination, a note for each, on disk until it is done.

Posted after the receipt and before the answer, so that a crash loses none: whoever answers posts again. A proof beside
the receipt says what was copied. Destinations are known by their label; a note that no machine's settings know waits.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from clipd.errors import Rejected
from clipd.files import atomic
from clipd.tree.layout import FAILED_COPY, Layout

LIMIT_BYTES = 1 << 16
WORDS_CHARACTERS = 600


@dataclass(frozen=True)
class Note:
    """Outputs of one publication that one destination is to get."""

    job: str
    receipt: str
    """The id of the publication's receipt."""
    destination: str
    """Its label."""
    clip: str
    """The name of the job, for people."""
    camera: str
    posted_at: str
    tries: int = 0
    error: str = ""
    """What went wrong in the last try."""


@dataclass(frozen=True)
class Load:
    """What is still to be copied to one destination."""

    destination: str
    pending: int
    failed: int
    """Given up; tried again at the next start."""
    error: str
    """Of one that failed, or else of one that waits."""


def post(layout: Layout, note: Note) -> bool:
    """Leave the note, unless it is there, or what it asks for was copied. Raises what `atomic.create` raises."""
    place = (note.destination, note.job, note.receipt)
    there = (layout.copy_proof(*place), layout.copy_note(*place, failed=True))
    if any(atomic.size_of(path) is not None for path in there):
        return False
    path = layout.copy_note(*place)
    atomic.make_folder(path.parent, layout.state)
    return atomic.create(path, _json(note))


def pending(layout: Layout, destination: str) -> list[Path]:
    """The notes of what a destination is to get, the oldest first. Raises `ClipdError`."""
    return [path for _, path in sorted(_notes(layout.outbox(destination))) if not _is_failed(path)]


def read(path: Path) -> Note | None:
    """The note at `path`; None when it is gone, or no note."""
    try:
        return _READER.validate_json(atomic.read_regular(path, LIMIT_BYTES)[0])
    except (atomic.Missing, Rejected, ValueError):
        return None


def rewrite(path: Path, note: Note) -> None:
    """Keep what was learned in a try; losing it costs nothing. Only the holder of the copy's claim does so."""
    atomic.write(path, _json(note), durable=False)


def close(layout: Layout, path: Path, note: Note, proof: dict[str, Any] | None) -> None:
    """It is done, with `proof` of what was copied, or (None) needless."""
    if proof is not None:
        target = layout.copy_proof(note.destination, note.job, note.receipt)
        atomic.create(target, json.dumps(proof, indent=1).encode())
    atomic.remove(path)


def give_up(layout: Layout, path: Path, note: Note) -> None:
    """Keep the note as one that failed."""
    atomic.write(layout.copy_note(note.destination, note.job, note.receipt, failed=True), _json(note))
    atomic.remove(path)


def take_up(layout: Layout, destination: str) -> int:
    """Let what was given up be tried again; how many that are."""
    failed = [path for _, path in _notes(layout.outbox(destination)) if _is_failed(path)]
    for path in failed:
        atomic.rename(path, path.with_name(path.name.removesuffix(FAILED_COPY) + ".json"))
    return len(failed)


def counts(layout: Layout) -> tuple[int, int]:
    """How many copies are pending, and how many failed, on the whole tree. Raises `ClipdError`."""
    names = [path for folder in _folders(layout) for path in _listed(folder)]
    failed = sum(map(_is_failed, names))
    return len(names) - failed, failed


def loads(layout: Layout) -> Iterator[Load]:
    """What is still to be copied, for each destination that something waits for. Raises `ClipdError`."""
    for folder in _folders(layout):
        found = [path for _, path in sorted(_notes(folder))]
        failed = [path for path in found if _is_failed(path)]
        notes = [note for path in (failed[-1:] + found[:1]) if (note := read(path)) is not None]
        if notes:
            error = next((note.error for note in notes if note.error), "")
            yield Load(notes[0].destination, len(found) - len(failed), len(failed), error)


def is_awaited(layout: Layout, job: str, receipt: str) -> bool:
    """Are outputs of this publication still to be copied somewhere? Raises `ClipdError`."""
    return any(atomic.size_of(folder / f"{job}.{receipt}.json") is not None for folder in _folders(layout))


def _folders(layout: Layout) -> list[Path]:
    with atomic.translated(f"listing {layout.outboxes}"):
        return sorted(layout.outboxes.iterdir()) if layout.outboxes.is_dir() else []


def _listed(folder: Path) -> list[Path]:
    with atomic.translated(f"listing {folder}"):
        if not folder.is_dir():
            return []
        return [path for path in folder.iterdir() if path.name.endswith(".json") and not path.name.startswith(".")]


def _notes(folder: Path) -> Iterator[tuple[float, Path]]:
    for path in _listed(folder):
        try:
            yield path.lstat().st_mtime, path
        except FileNotFoundError:
            continue


def _is_failed(path: Path) -> bool:
    return path.name.endswith(FAILED_COPY)


def _json(note: Note) -> bytes:
    return json.dumps({**asdict(note), "error": note.error[:WORDS_CHARACTERS]}, indent=1).encode()


_READER = TypeAdapter(Note)
