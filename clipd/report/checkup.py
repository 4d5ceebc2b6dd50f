"""The checkup: is everything right that people wrote? Names file, line, column, clip and the mend; changes nothing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipd.delivery.origins import ORIGINS
from clipd.errors import ClipdError, Deferred
from clipd.files.atomic import read_regular
from clipd.files.walk import files
from clipd.intake.admit import job_of, written_at
from clipd.jobs import clip as clips
from clipd.jobs.clip_kind import ClipKind, Cut
from clipd.media.door import Limits
from clipd.media.probe import probe
from clipd.tree import sidecar
from clipd.tree.layout import Layout


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or worth knowing (`serious` is False then)."""

    where: str
    words: str
    serious: bool = True


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
        if entry.problem is not None:
            yield Finding(where, entry.problem)
            continue
        line, column = entry.position
        place = f"line {line}, column {column}, clip {entry.name!r}"
        try:
            job = job_of(layout, path, entry, written_at(seen))
            wish = ORIGINS["clip"].read(layout, job)
            if wish is None:
                continue
            wish.agree()
            cut: Cut = (prepared := ClipKind().prepare(layout, job, wish.request(), settings)).request
            clips.estimate(cut.clip, cut.renditions, settings, prepared.source, limits, cache)
            for note in (*prepared.notes, *cut.clip.notes):
                yield Finding(where, f"{place}: {note}", serious=False)
        except Deferred as error:
            yield Finding(where, f"{place}: {error}", serious=entry.due)
        except ClipdError as error:
            words = str(error)
            yield Finding(where, words if words.startswith("line ") else f"{place}: {words}")


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
