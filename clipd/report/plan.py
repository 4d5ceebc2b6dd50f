"""The plan of a dry run: what would be made, from what, where, how big, and what would be skipped and why."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from clipd.delivery.origins import ORIGINS
from clipd.errors import ClipdError
from clipd.files.walk import files
from clipd.intake.admit import admit
from clipd.jobs import clip as clips
from clipd.jobs.clip_kind import ClipKind, Cut
from clipd.media.door import Limits
from clipd.model.job import Job
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
    prepared = ClipKind().prepare(layout, job, wish.request(), settings)
    cut: Cut = prepared.request
    for made in clips.estimate(cut.clip, cut.renditions, settings, prepared.source, limits, cache):
        processor = made.rendition.processor
        name = made.rendition.stem + ("" if processor else f".{made.extension}")
        output = layout.output(made.rendition.folder, name)
        yield Planned(
            job.name, prepared.source_name, layout.relative(output), made.width, made.height,
            made.span.count, made.span.first, made.span.last, made.size_bytes, output.exists(), processor,
        )  # fmt: skip
