"""Compounds as a kind of job: several pieces, of one or several sources, joined into one film."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from clipd.jobs import clip as clips
from clipd.jobs.clip import Settings
from clipd.jobs.clip_kind import UNDECIDING, missing
from clipd.jobs.context import Context
from clipd.jobs.joined import FilmPart, join
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.rendition import Rendition
from clipd.jobs.truth import plain_value
from clipd.media.door import Limits
from clipd.model.clip import Clip
from clipd.model.compound import Compound
from clipd.model.job import Job
from clipd.tree.layout import Layout


@dataclass(frozen=True)
class Film:
    """The parts of a compound, where they are read, and the files they become."""

    compound: Compound
    parts: tuple[FilmPart, ...]
    renditions: tuple[Rendition, ...]


class CompoundKind:
    """Joins clips and pieces of videos."""

    def prepare(self, layout: Layout, job: Job, request: Compound, settings: Settings) -> Prepared:
        """Find the sources of all parts and name the outputs."""
        sidecar = layout.at(job.origin)
        parts, assumed = [], list(request.notes)
        for number, part in enumerate(request.parts, 1):
            clip = part.clip
            source, notes = layout.find_source(clip.source_path, sidecar, elsewhere=part.is_named)
            if not os.path.lexists(source):
                why = f" ({'; '.join(notes)})" if notes else ""
                words = f"waiting for the source of part {number}: {layout.relative(source)} is not there{why}"
                raise missing(layout, sidecar, source, words)
            assumed += [f"part {number}: {note}" for note in notes]
            parts.append(FilmPart(source, clip.name, clip.span, crop=clip.crop))
        place = layout.place(sidecar)
        whole = Clip(request.key, request.name, None, parts[0].span)
        renditions = tuple(
            replace(rendition, folder=layout.output_folder(rendition.format, place))
            for rendition in clips.plan(
                whole, settings, camera=place.camera, session=place.session, video_stem=place.video
            )
            if rendition.variation == "original"
        )
        decides = {
            "parts": [
                {
                    "clip": {key: value for key, value in asdict(part.clip).items() if key not in UNDECIDING},
                    "source": layout.relative(film.path),
                }
                for part, film in zip(request.parts, parts, strict=True)
            ],
            "output_resolution": request.output_resolution,
            "renditions": [asdict(rendition) for rendition in renditions],
            "settings": settings.model_dump(mode="json"),
        }
        sources = tuple(dict.fromkeys(part.path for part in parts))
        film = Film(request, tuple(parts), renditions)
        return Prepared(
            film, sources[0], layout.relative(sources[0]), decides, tuple(assumed), further=sources[1:]
        )  # fmt: skip

    def needed_bytes(self, prepared: Prepared, settings: Settings, limits: Limits, cache: Path | None) -> int:
        """A rough guess, on the high side, of the bytes the outputs will take: what the parts would take one by one."""
        film: Film = prepared.request
        return sum(
            estimate.size_bytes
            for part, read in zip(film.compound.parts, film.parts, strict=True)
            for estimate in clips.estimate(part.clip, film.renditions, settings, read.path, limits, cache)
        )

    def run(self, prepared: Prepared, settings: Settings, context: Context) -> Result:
        """Decode all parts once, join them in step, and prove every output."""
        film: Film = prepared.request
        made = join(film.parts, film.renditions, settings, context, box=film.compound.output_resolution)
        truth: dict[str, Any] = {
            "method": "every part decoded, joined, encoded once",
            "frames": made.frames,
            "seconds": plain_value(made.seconds),
            "parts": plain_value(made.parts),
            "outputs": {name: plain_value(facts) for name, facts in made.outputs.items()},
        }
        return Result(made.artifacts, truth, made.warnings)
