"""What every kind of job offers the lifecycle; a new kind is one file with this shape and one line in `KINDS`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from clipd.jobs.context import Context
from clipd.media.door import Limits
from clipd.model.artifact import Artifact
from clipd.model.job import Job
from clipd.tree.layout import Layout


@dataclass(frozen=True)
class Prepared:
    """A request that was understood: what is read, and all that decides what comes out."""

    request: Any
    source: Path
    source_name: str
    """The source's path relative to the root, for people."""
    decides: Mapping[str, Any]
    """Everything but the source's content that decides the outputs; plain values, hashed into the revision."""
    notes: tuple[str, ...] = ()
    further: tuple[Path, ...] = ()
    """Other files that are read, each of which counts in the revision and must stay as it is."""
    is_settled: bool = False
    """Has `prepare` made sure that nobody writes these files any more?"""

    @property
    def sources(self) -> tuple[Path, ...]:
        """Every file that is read."""
        return (self.source, *self.further)


@dataclass(frozen=True)
class Result:
    """What a job made: files in staging, each verified and hashed, and what there is to say about them."""

    artifacts: tuple[Artifact, ...]
    truth: Mapping[str, Any]
    """The job's part of the truth sheet, plain values; `outputs` in it maps an artifact's name to its own facts."""
    warnings: tuple[str, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the answer says besides the outputs, plain values; kept in the receipt."""
    one_sheet: bool = False
    """Is one truth sheet, `truth.json` in the folder of the first artifact, enough for all of them?"""
    sheets: tuple[str, ...] = ()
    """Formats of the truth sheet that this work always has, besides those of the settings."""


class Kind(Protocol):
    """A kind of job."""

    def prepare(self, layout: Layout, job: Job, request: Any, settings: Any) -> Prepared:
        """Find what the request means on disk. Raises `Rejected`, or `Deferred` while the source is not there."""
        ...

    def needed_bytes(self, prepared: Prepared, settings: Any, limits: Limits, cache: Path | None) -> int:
        """A rough guess, on the high side, of the bytes the outputs will take."""
        ...

    def run(self, prepared: Prepared, settings: Any, context: Context) -> Result:
        """Do the work. Raises the errors of `clipd.errors`."""
        ...
