"""The plan of a dry run: what would be made, from what, where, how big, and what would be skipped and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from clipd.delivery.origins import ORIGINS
from clipd.errors import ClipdError
from clipd.files.walk import files
from clipd.intake.admit import admit
from clipd.jobs import KINDS
from clipd.jobs import clip as clips
from clipd.jobs.clip import Estimate
from clipd.jobs.clip_kind import Cut
from clipd.jobs.compound_kind import Film
from clipd.jobs.kind import Prepared
from clipd.media.door import Limits
from clipd.model.job import Job
from clipd.model.timespan import FrameSpan
from clipd.tree.layout import Layout


@dataclass(frozen=True)
class Planned:
    """One file that would be made."""

    clip: str
    source: str
    output: str
    """Relative to the root."""
    width: int
    height: int
    frames: int
    """Of a compound: those of all its parts; where their rates differ, it may become some more or less."""
    first_frame: int
    last_frame: int
    size_bytes: int
    """A rough guess, on the high side."""
    replaces: bool
    """Does a file of this name stand there already?"""
    processor: str | None = None
    """The operator's function that makes files whose names begin with `output`, instead of clipd."""


@dataclass(frozen=True)
class Skipped:
    """Something that would not be done, and why."""

    what: str
    why: str


def plan(
    layout: Layout, ignore: tuple[str, ...], cameras: Sequence[str], settings: clips.Settings, limits: Limits,
    cache: Path | None,
) -> Iterator[Planned | Skipped]:  # fmt: skip
    """Everything that is due, oldest first, and what would become of it."""
    jobs: list[Job] = []
    unlisted: list[Skipped] = []
    for path, _ in files(
        layout.sidecars,
        wanted=layout.is_sidecar,
        ignore=ignore,
        unreadable=lambda folder, error: unlisted.append(Skipped(layout.relative(Path(folder)), str(error.strerror))),
    ):
        try:
            admission = admit(layout, Path(path))
        except ClipdError as error:
            yield Skipped(layout.relative(Path(path)), str(error))
            continue
        jobs.extend(admission.jobs)
        yield from (Skipped(layout.relative(Path(path)), problem) for problem in admission.problems)
    yield from unlisted
    for job in sorted(jobs, key=lambda job: job.order):
        if cameras and job.camera not in cameras:
            yield Skipped(job.name, f"camera {job.camera} is not served here (cameras: {', '.join(cameras)})")
            continue
        try:
            yield from _planned(layout, job, settings, limits, cache)
        except ClipdError as error:
            yield Skipped(job.name, str(error))


def _planned(
    layout: Layout, job: Job, settings: clips.Settings, limits: Limits, cache: Path | None
) -> Iterator[Planned]:
    wish = ORIGINS[job.kind].read(layout, job)
    if wish is None:
        return
    wish.agree()
    prepared = KINDS[job.kind].prepare(layout, job, wish.request(), settings)
    sources = ", ".join(layout.relative(path) for path in prepared.sources)
    for made in _estimates(prepared, settings, limits, cache):
        processor = made.rendition.processor
        name = made.rendition.stem + ("" if processor else f".{made.extension}")
        output = layout.output(made.rendition.folder, name)
        yield Planned(
            job.name, sources, layout.relative(output), made.width, made.height,
            made.span.count, made.span.first, made.span.last, made.size_bytes, output.exists(), processor,
        )  # fmt: skip


def _estimates(prepared: Prepared, settings: clips.Settings, limits: Limits, cache: Path | None) -> Iterator[Estimate]:
    """What each file of a clip or of a compound would be."""
    asked: Cut | Film = prepared.request
    if isinstance(asked, Cut):
        yield from clips.estimate(asked.clip, asked.renditions, settings, prepared.source, limits, cache)
        return
    parts = [
        clips.estimate(replace(part.clip, output_resolution=None), asked.renditions, settings, read.path, limits, cache)
        for part, read in zip(asked.compound.parts, asked.parts, strict=True)
    ]
    for alike in zip(*parts, strict=True):
        yield _joined(alike, asked.compound.output_resolution)


def _joined(parts: Sequence[Estimate], box: tuple[int, int] | None) -> Estimate:
    """One file out of all `parts`: as large as the largest of them, or as `box`."""
    largest = max(parts, key=lambda part: part.width * part.height)
    width, height = box or (largest.width, largest.height)
    frames = FrameSpan(0, sum(part.span.count for part in parts) - 1)
    size = sum(part.size_bytes for part in parts)
    return replace(largest, width=width, height=height, span=frames, size_bytes=size)
