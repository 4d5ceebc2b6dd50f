"""Analyses as a kind of job: from a video to suggested clips and the report about them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files import atomic, jsontext
from clipd.files.identity import identify
from clipd.files.walk import look
from clipd.jobs import analysis
from clipd.jobs.analysis import Settings, Written, overlaid
from clipd.jobs.context import Context
from clipd.jobs.footage import cut_off
from clipd.jobs.hashing import hashed
from clipd.jobs.kind import Prepared, Result
from clipd.media.door import Limits
from clipd.media.probe import NotReady, NoVideo, probe
from clipd.model.artifact import Artifact, Role
from clipd.model.job import Job
from clipd.tree.awaited import Awaiting
from clipd.tree.layout import Layout, Place
from clipd.tree.video import VideoNote

NOTE_LIMIT_BYTES = 1 << 16


@dataclass(frozen=True)
class Film:
    """A video to be analysed, where it will lie, and how it is analysed."""

    layout: Layout
    place: Place
    filed: Path
    settings: Settings


class SegmentKind:
    """Finds the moments of a video that are worth keeping."""

    def prepare(self, layout: Layout, job: Job, request: VideoNote, settings: Settings) -> Prepared:
        """Join what people said about the video with the settings, and see that its name is free."""
        video = layout.at(job.origin)
        chosen = _chosen(layout, settings, request)
        filed = layout.filed(video)
        decides = {"settings": chosen.model_dump(mode="json"), "filed": layout.relative(filed)}
        return Prepared(Film(layout, layout.source_place(video), filed, chosen), video, layout.relative(video), decides)

    def needed_bytes(self, prepared: Prepared, settings: Settings, limits: Limits, cache: Path | None) -> int:
        """Pictures, curves and the page: some megabytes."""
        return 16 << 20

    def run(self, prepared: Prepared, settings: Settings, context: Context) -> Result:
        """Analyse, unless the very same video was filed before."""
        film: Film = prepared.request
        sha256 = identify(context.source, context.cache, context.checkpoint).sha256
        if (same := _known(film, sha256, context)) is not None:
            words = f"the same video is there already: {same}; nothing was done again"
            return Result((), {}, facts={"message": words, "there": same})
        if film.filed != context.source:
            _require_whole(context)
        found = analysis.analyse(
            context.source, film.settings, context.limits, context.cache, context.threads, context.checkpoint
        )
        name = film.filed.relative_to(film.layout.source).as_posix()
        clips = analysis.entries(found, name, datetime.now(UTC))
        place = context.staging.joinpath
        written = analysis.write(found, name, clips, lambda path: place(_staged(path)), context.checkpoint)
        folder = f"segments/{film.place.folder}/{film.place.video}"
        _claim_content(film, sha256)
        artifacts = tuple(_artifact(one, folder, context) for one in written)
        paths = {one.name: film.layout.relative(film.layout.output(one.folder, one.name)) for one in artifacts}
        return Result(
            artifacts,
            analysis.facts(found),
            found.warnings,
            facts={
                "message": _words(found),
                "clips": paths[f"{film.settings.mode}_clips.json"],
                "report": paths["report.html"],
            },
            one_sheet=True,
        )


def _chosen(layout: Layout, settings: Settings, request: VideoNote) -> Settings:
    """`settings` with what the notes say laid over them.

    Raises:
        Rejected: the video's own note is wrong.
        Awaiting: that of a folder is, and one mend lets all its videos go on.
    """
    for note in request.notes:
        where = layout.relative(note.path)
        try:
            if note.fault:
                raise Rejected(f"{where}: {note.fault}")
            settings = overlaid(settings, note.overrides, where)
        except Rejected as error:
            if not note.is_of_folder:
                raise
            raise Awaiting(f"waiting for a note of its folder to be mended: {error}", {note.path: note.seen}) from None
    return settings


def _words(found: analysis.Analysis) -> str:
    count = len(found.found.suggestions)
    return f"{count} clip{'' if count == 1 else 's'} suggested" + "".join(f"; {word}" for word in found.warnings)


def _known(film: Film, sha256: str, context: Context) -> str | None:
    """Where the same content lies in the source tree already; None where it does not.

    Raises:
        Rejected: the name that the video is to have there is another video's.
    """
    if film.filed != context.source and look(film.filed) is not None:
        if identify(film.filed, context.cache, context.checkpoint).sha256 == sha256:
            return film.layout.relative(film.filed)
        raise Rejected(_taken(film.layout.relative(film.filed)))
    try:
        content: Any = jsontext.load(atomic.read_regular(film.layout.content(sha256), NOTE_LIMIT_BYTES)[0])
    except (atomic.Missing, Rejected):
        return None
    path = content.get("path") if isinstance(content, dict) else None
    if not isinstance(path, str) or film.layout.at(path) == film.filed:
        return None
    there = film.layout.at(path)
    if not there.is_relative_to(film.layout.source) or look(there) is None:
        return None
    return path if identify(there, context.cache, context.checkpoint).sha256 == sha256 else None


def _require_whole(context: Context) -> None:
    """A video that is filed is done with: nobody would copy the rest of it over what lies in the source tree.

    Raises:
        NotReady: it does not hold all that it promises.
    """
    try:
        info = probe(context.source, context.limits)
    except NoVideo:
        return
    if info.missing_bytes:
        raise NotReady(f"{context.source.name} {cut_off(info)}; copy it into the inbox again")


def _taken(path: str) -> str:
    return f"{path} is there already and is another video; give this one another name and drop it again"


def _claim_content(film: Film, sha256: str) -> None:
    note = film.layout.content(sha256)
    atomic.make_folder(note.parent, film.layout.state)
    atomic.write(note, json.dumps({"path": film.layout.relative(film.filed)}).encode())


def _artifact(one: Written, folder: str, context: Context) -> Artifact:
    below, _, name = one.name.rpartition("/")
    role: Role = "thumbnail" if one.format == "jpg" else "detail" if below else "data"
    return hashed(one.path, f"{folder}/{below}" if below else folder, role, one.format, context, name=name)


def _staged(name: str) -> str:
    """The name in staging, which is flat."""
    return name.replace("/", "--")
