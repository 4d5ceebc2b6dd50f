"""The truth sheet: what was asked for, what was delivered, how, from what, and what was met on the way.

It is written into staging before anything is published, so that no output ever stands without its sheet.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from clipd import __version__
from clipd.annotations import ANNOTATIONS
from clipd.clock import stamp
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
    source: Identity


def annotate(
    staging: Path, prepared: Prepared, result: Result, facts: Circumstances, formats: tuple[str, ...]
) -> tuple[Artifact, ...]:
    """Write a truth sheet for every video of `result` into `staging`, in each of `formats`; the sheets as artifacts.

    JSON is always among them: it says whose output a file is.
    """
    sheets = []
    for video in (artifact for artifact in result.artifacts if artifact.role == "video"):
        sheet = truth_sheet(video, prepared, result, facts)
        for suffix in dict.fromkeys(("json", *formats)):
            sheets.append(_write(staging, video, suffix, ANNOTATIONS[suffix](sheet)))
    return tuple(sheets)


def truth_sheet(video: Artifact, prepared: Prepared, result: Result, facts: Circumstances) -> Mapping[str, Any]:
    """The truth sheet of one video, as plain values in reading order."""
    truth = dict(result.truth)
    per_output = truth.pop("outputs", {})
    tools = truth.pop("tools", {})
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
        "source": {
            "path": prepared.source_name,
            "size": facts.source.look.size,
            "sha256": facts.source.sha256,
            **truth.pop("source", {}),
        },
        **truth,
        "output": {**per_output.get(video.staged_name, {}), **video.facts},
        "files": [
            {"path": f"{a.folder}/{a.name}", "role": a.role, "size": a.size, "sha256": a.sha256}
            for a in result.artifacts
            if a.role != "annotation"
        ],
        "warnings": [*prepared.notes, *result.warnings],
        "host": facts.host,
        "started_at": stamp(facts.started),
        "finished_at": stamp(facts.finished),
        "tools": {"clipd": __version__, "python": platform.python_version(), **tools},
    }


def _write(staging: Path, video: Artifact, suffix: str, content: bytes) -> Artifact:
    name, staged = f"{Path(video.name).stem}.{suffix}", f"{video.name}.{suffix}"
    try:
        (staging / staged).write_bytes(content)
    except OSError as error:
        raise as_clipd_error(error, f"writing the truth sheet {name}") from error
    digest = hashlib.sha256(content).hexdigest()
    return Artifact(name, video.folder, "annotation", suffix, len(content), digest, {}, staged)
