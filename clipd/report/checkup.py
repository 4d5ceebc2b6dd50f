"""The checkup: is everything right that people wrote? Names file, line, column, clip and the mend; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from difflib import get_close_matches
from pathlib import Path

from clipd.delivery.origins import ORIGINS
from clipd.errors import ClipdError, Deferred
from clipd.files.atomic import read_regular
from clipd.files.walk import files
from clipd.intake.admit import job_of, written_at
from clipd.jobs import KINDS
from clipd.jobs import clip as clips
from clipd.media.door import Limits
from clipd.media.probe import probe
from clipd.model.clip import Status
from clipd.model.job import Job
from clipd.report.doctor.finding import Level
from clipd.tree import sidecar
from clipd.tree.layout import Layout

ALIKE = 0.8
"""How alike a word and a status are, of 1, for the one to be taken for a slip of the other."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, doubtful or worth knowing."""

    where: str
    words: str
    level: Level = Level.WRONG


def check_sidecar(
    layout: Layout, path: Path, settings: clips.Settings, limits: Limits, cache: Path | None
) -> Iterator[Finding]:
    """What is wrong with one sidecar, its clips and their sources."""
    where = layout.relative(path)
    try:
        data, seen = read_regular(path, sidecar.LIMIT_BYTES)
        entries = sidecar.parse(data).entries
    except ClipdError as error:
        yield Finding(where, str(error))
        return
    if not path.is_relative_to(layout.sidecars):
        yield Finding(
            where, f"it lies outside the sidecar folder {layout.relative(layout.sidecars)}, nobody looks there"
        )
        return
    for entry in entries:
        yield from _check_entry(layout, path, entry, written_at(seen), settings, limits, cache)


def _check_entry(
    layout: Layout, path: Path, entry: sidecar.Entry, written: datetime, settings: clips.Settings, limits: Limits,
    cache: Path | None,
) -> Iterator[Finding]:  # fmt: skip
    where = layout.relative(path)
    if entry.problem is not None:
        yield Finding(where, entry.problem)
        return
    line, column = entry.position
    place = f"line {line}, column {column}, {entry.kind} {entry.name!r}"
    if (meant := status_meant(entry.status or "")) is not None:
        words = f"{place}: status {entry.status!r} is a word of your own, so it is left alone; is {meant} meant?"
        yield Finding(where, words, Level.WARNING)
    try:
        for note in _notes(layout, job_of(layout, path, entry, written), settings, limits, cache):
            yield Finding(where, f"{place}: {note}", Level.NOTE)
    except Deferred as error:
        yield Finding(where, f"{place}: {error}", Level.WRONG if entry.due else Level.NOTE)
    except ClipdError as error:
        words = str(error)
        yield Finding(where, words if words.startswith("line ") else f"{place}: {words}")


def _notes(layout: Layout, job: Job, settings: clips.Settings, limits: Limits, cache: Path | None) -> Sequence[str]:
    """What is assumed to do `job`, up to the moment at which it would run. Raises what stands in its way."""
    wish = ORIGINS[job.kind].read(layout, job)
    if wish is None:
        return ()
    wish.agree()
    asked, kind = wish.request(), KINDS[job.kind]
    prepared = kind.prepare(layout, job, asked, settings)
    kind.needed_bytes(prepared, settings, limits, cache)
    return tuple(dict.fromkeys((*prepared.notes, *asked.notes)))


def status_meant(word: str) -> Status | None:
    """The status that `word`, which is none, was probably meant to be."""
    known = {status.casefold(): status for status in Status}
    folded = word.strip().casefold()
    near = [] if folded in known else get_close_matches(folded, known, n=1, cutoff=ALIKE)
    return known[near[0]] if near else None


def check_tree(
    layout: Layout, paths: Sequence[Path], ignore: tuple[str, ...], settings: clips.Settings, limits: Limits,
    cache: Path | None,
) -> Iterator[Finding]:  # fmt: skip
    """What is wrong with `paths` (sidecars, videos or folders), or with all sidecars of the tree."""
    unlisted: list[Finding] = []

    def unlistable(folder: str, error: OSError) -> None:
        unlisted.append(Finding(layout.relative(Path(folder)), str(error.strerror)))

    for path in (Path(os.path.abspath(path)) for path in paths or (layout.sidecars,)):  # noqa: PTH100 - without `..`
        if path.is_dir():
            for found, _ in files(path, wanted=layout.is_sidecar, ignore=ignore, unreadable=unlistable):
                yield from check_sidecar(layout, Path(found), settings, limits, cache)
        elif layout.is_sidecar(path.name):
            yield from check_sidecar(layout, path, settings, limits, cache)
        else:
            try:
                probe(path, limits)
            except ClipdError as error:
                yield Finding(layout.relative(path), str(error))
    yield from unlisted
