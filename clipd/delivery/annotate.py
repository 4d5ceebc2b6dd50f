"""The truth sheet: what was asked for, what was delivered, how, from what, and what was met on the way.

It is written into staging before anything is published, so that no output ever stands without its sheet.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd import __version__
from clipd.annotations import ANNOTATIONS
from clipd.clock import stamp
from clipd.delivery.copying import planned
from clipd.delivery.destinations import Destination
from clipd.delivery.publish import FOLDER_SHEET
from clipd.errors import Rejected
from clipd.files.atomic import as_clipd_error
from clipd.files.identity import Identity
from clipd.jobs.kind import Prepared, Result
from clipd.model.artifact import Artifact
from clipd.model.job import Job


@dataclass(frozen=True)
class Circumstances:
    """The circumstances of one run, for its truth sheets."""

    job: Job
    revision: str
    run: int
    host: str
    started: datetime
    finished: datetime
    sources: tuple[Identity, ...]
    """As `Prepared.sources`."""
    destinations: tuple[Destination, ...] = ()
    """Where copies go after publication."""


def annotate(
    staging: Path, prepared: Prepared, result: Result, facts: Circumstances, formats: tuple[str, ...]
) -> tuple[Artifact, ...]:
    """Write a truth sheet for every video of `result` into `staging`, in each of `formats`; the sheets as artifacts.

    JSON is always among them: it says whose output a file is. So a file without a video of its name has one too, unless
    one sheet is to speak for the whole folder.

    Raises:
        Rejected: a file has the name of a sheet.
    """
    sheets: list[Artifact] = []
    if result.one_sheet:
        first = result.artifacts[0]
        sheet = truth_sheet(first, prepared, result, facts)
        sheets.append(_write(staging, replace(first, name=FOLDER_SHEET, staged=""), "json", ANNOTATIONS["json"](sheet)))
        return tuple(sheets)
    for told in _one_of_each_name(result.artifacts):
        sheet = truth_sheet(told, prepared, result, facts)
        for suffix in dict.fromkeys(("json", *formats, *result.sheets)):
            sheets.append(_write(staging, told, suffix, ANNOTATIONS[suffix](sheet)))
    taken = {(artifact.folder, artifact.name) for artifact in result.artifacts}
    for made in sheets:
        if (made.folder, made.name) in taken:
            raise Rejected(f"{made.name} is the name of the truth sheet; give the file another one")
    return tuple(sheets)


def _one_of_each_name(artifacts: Sequence[Artifact]) -> list[Artifact]:
    """Of the files that differ only in their suffix, the video, or the first where there is none."""
    told: dict[tuple[str, str], Artifact] = {}
    for artifact in sorted(artifacts, key=lambda artifact: artifact.role != "video"):
        told.setdefault((artifact.folder, Path(artifact.name).stem), artifact)
    return list(told.values())


def truth_sheet(video: Artifact, prepared: Prepared, result: Result, facts: Circumstances) -> Mapping[str, Any]:
    """The truth sheet of one video (or of a file that stands alone), as plain values in reading order.

    Where the job's part has a `source` that is no mapping of facts, it stands there as it is.
    """
    truth = dict(result.truth)
    per_output = truth.pop("outputs", {})
    tools = truth.pop("tools", {})
    copies = planned(facts.destinations, f"{video.folder}/{video.name}", facts.job.camera)
    source = {"path": prepared.source_name, "size": facts.sources[0].look.size, "sha256": facts.sources[0].sha256}
    if isinstance(known := truth.pop("source", {}), Mapping):
        known = {**source, **known}
    return {
        "clip": facts.job.name,
        "file": f"{video.folder}/{video.name}",
        "size": video.size,
        "sha256": video.sha256,
        "job": facts.job.id,
        "sidecar": facts.job.origin,
        "key": facts.job.key,
        "revision": facts.revision,
        "run": facts.run,
        "source": known,
        **truth,
        "output": {**per_output.get(video.staged_name, {}), **video.facts},
        "files": [
            {"path": f"{a.folder}/{a.name}", "role": a.role, "size": a.size, "sha256": a.sha256}
            for a in result.artifacts
            if a.role != "annotation"
        ],
        **({"copies_to": list(copies)} if copies else {}),
        "warnings": [*prepared.notes, *result.warnings],
        "host": facts.host,
        "started_at": stamp(facts.started),
        "finished_at": stamp(facts.finished),
        "tools": {"clipd": __version__, "python": platform.python_version(), **tools},
    }


def _write(staging: Path, video: Artifact, suffix: str, content: bytes) -> Artifact:
    name, staged = f"{Path(video.name).stem}.{suffix}", f"{video.staged_name}.{suffix}"
    try:
        (staging / staged).write_bytes(content)
    except OSError as error:
        raise as_clipd_error(error, f"writing the truth sheet {name}") from error
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(name, video.folder, "annotation", suffix, len(content), digest, {}, staged)
