"""What every function for rows offers; a new one is one file with this shape and one line in `FUNCTIONS`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.datasets.loader import VideoLoader
from clipd.datasets.row import Row
from clipd.jobs.clip import Settings as ClipSettings
from clipd.media.door import Limits
from clipd.model.setting import Section


@dataclass(frozen=True)
class Means:
    """What all rows of a dataset are worked on with."""

    limits: Limits
    clips: ClipSettings
    cache: Path | None
    """A local folder for what only speeds things up."""
    threads: int
    """Codec threads of each process."""


@dataclass(frozen=True)
class Surroundings:
    """What a function may use for one row."""

    row: Row
    folder: Path
    """Empty; every file of the row is made here."""
    below: str
    """What it will be called, below the output folder."""
    means: Means
    checkpoint: Callable[[str, int, int], None]
    """`checkpoint(stage, done, total)`: call it now and then; it raises when the work must stop."""

    def loader(self) -> VideoLoader:
        """The part of the video that the row names, cropped as it says; frame 0 is the first of the part."""
        row, means = self.row, self.means
        return VideoLoader(
            row.path, span=row.span, crop=row.crop, limits=means.limits, cache=means.cache, threads=means.threads
        )


@dataclass(frozen=True)
class RowFunction:
    """A function for rows: `run(surroundings, settings)` returns what goes into the results."""

    name: str
    settings: type[Section]
    run: Callable[[Surroundings, Any], Any]
    uses_clip_settings: bool = False
    version: int = 1
    """Part of what decides a row's result: raise it whenever the same row would give something else."""
