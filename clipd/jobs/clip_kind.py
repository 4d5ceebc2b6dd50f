"""Clips as a kind of job: from the entry of a sidecar to `clip.run`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from clipd.files.walk import look
from clipd.jobs import clip as clips
from clipd.jobs.clip import Settings
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.rendition import Rendition
from clipd.media.door import Limits
from clipd.model.clip import Clip
from clipd.model.job import Job
from clipd.tree.awaited import Awaiting
from clipd.tree.layout import Layout


@dataclass(frozen=True)
class Cut:
    """A clip and the files it becomes."""

    clip: Clip
    renditions: tuple[Rendition, ...]


class ClipKind:
    """Cuts clips out of source videos."""

    def prepare(self, layout: Layout, job: Job, request: Clip, settings: Settings) -> Prepared:
        """Find the source of the clip and name its outputs."""
        sidecar = layout.at(job.origin)
        source, assumed = layout.find_source(request.source_path, sidecar)
        if not os.path.lexists(source):
            why = f" ({'; '.join(assumed)})" if assumed else ""
            words = f"waiting for its source: {layout.relative(source)} is not there{why}"
            raise missing(layout, sidecar, source, words)
        place = layout.place(sidecar)
        renditions = tuple(
            replace(rendition, folder=layout.output_folder(rendition.format, place))
            for rendition in clips.plan(
                request, settings, camera=place.camera, session=place.session, video_stem=place.video
            )
        )
        decides = {
            "clip": {key: value for key, value in asdict(request).items() if key not in UNDECIDING},
            "source": layout.relative(source),
            "renditions": [asdict(rendition) for rendition in renditions],
            "settings": settings.model_dump(mode="json"),
        }
        return Prepared(Cut(request, renditions), source, layout.relative(source), decides, assumed)

    def needed_bytes(self, prepared: Prepared, settings: Settings, limits: Limits, cache: Path | None) -> int:
        """A rough guess, on the high side, of the bytes the outputs will take."""
        cut: Cut = prepared.request
        planned = clips.estimate(cut.clip, cut.renditions, settings, prepared.source, limits, cache)
        return sum(estimate.size_bytes for estimate in planned)

    def run(self, prepared: Prepared, settings: Settings, context: Context) -> Result:
        """Cut, encode and prove every rendition of the clip."""
        cut: Cut = prepared.request
        made = clips.run(cut.clip, cut.renditions, settings, context)
        truth = made.truth.plain()
        warnings: Sequence[str] = truth.pop("warnings")
        return Result(made.artifacts, truth, tuple(warnings))


def missing(layout: Layout, sidecar: Path, source: Path, words: str) -> Awaiting:
    """What to raise while neither `source` nor another video that an entry of `sidecar` may mean is there."""
    folders = (source.parent, layout.mirrored_folder(sidecar))
    return Awaiting(words, {source: None, **{folder: look(folder) for folder in folders}})


UNDECIDING = ("key", "priority", "modified_at", "notes", "source_path")
"""Fields of a clip that do not change its outputs; `source_path` counts as the file it leads to."""
