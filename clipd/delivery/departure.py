"""Departures: what follows when an answered file has left the inbox, noted before it leaves.

A video is told to be done only when it lies safe in its place, for whoever reads that may drop the next one over it.
But once it has left, no job asks for it any more: so its sidecar, its answer and what becomes of the notes beside it
are written down first, and whoever comes by finishes them where a worker died in between.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from clipd.delivery.filing import put_away
from clipd.delivery.suggesting import suggest
from clipd.files import atomic
from clipd.tree import request as requests
from clipd.tree import video as videos
from clipd.tree.layout import Layout

LIMIT_BYTES = 1 << 24


@dataclass(frozen=True)
class Departure:
    """A file that leaves the inbox, and what is to be done then. Paths are relative to the root."""

    job: str
    origin: str
    seen: str
    """The signature of the file that was answered."""
    word: str
    """The folder that its notes go into: `done` or `failed`."""
    notes: Mapping[str, str]
    """What was said of it beside it, and how that looked."""
    place: str = ""
    """Where it goes."""
    answer_file: str = ""
    answer: Mapping[str, Any] | None = None
    clips: str = ""
    """The file of the clips to suggest."""
    sidecar: str = ""

    def to(self, layout: Layout, place: Path) -> Departure:
        """The same, to `place`."""
        return replace(self, place=layout.relative(place))


def note(layout: Layout, departure: Departure) -> None:
    """Write it down, before the file is moved."""
    path = layout.departure(departure.job)
    atomic.make_folder(path.parent, layout.state)
    atomic.write(path, _DEPARTURE.dump_json(departure))


def conclude(layout: Layout, departure: Departure) -> None:
    """Do all that follows; doing it twice does no harm."""
    answer = dict(departure.answer or {})
    if departure.clips:
        words = suggest(layout, layout.at(departure.sidecar), layout.at(departure.clips))
        answer["message"] = "; ".join(filter(None, (answer.get("message"), words)))
    if answer:
        file = layout.at(departure.answer_file)
        with atomic.translated(f"making {file.parent}"):
            file.parent.mkdir(parents=True, exist_ok=True)
        requests.write_answer(file, answer)
    for path, seen in departure.notes.items():
        put_away(layout, layout.at(path), departure.word, seen)
    forget(layout, departure.job)


def forget(layout: Layout, job: str) -> None:
    """Nothing follows: the file stayed."""
    atomic.remove(layout.departure(job))


def resume(layout: Layout, job: str) -> bool:
    """Under the claim of `job`: finish what a worker left that died. Was there anything to finish?"""
    try:
        known: Departure = _DEPARTURE.validate_json(atomic.read_regular(layout.departure(job), LIMIT_BYTES)[0])
    except atomic.Missing:
        return False
    except ValidationError:
        forget(layout, job)
        return False
    if known.place and videos.signature(layout.at(known.place)) == known.seen:
        conclude(layout, known)
        return True
    if videos.signature(layout.at(known.origin)) != known.seen:
        forget(layout, job)
    return False


def unfinished(layout: Layout) -> list[str]:
    """The jobs whose departures are not concluded."""
    folder = layout.departures
    with atomic.translated(f"listing {folder}"):
        return sorted(path.stem for path in folder.glob("*.json")) if folder.is_dir() else []


_DEPARTURE: TypeAdapter[Departure] = TypeAdapter(Departure)
