"""A clip: one entry of a sidecar, validated, as the rest of clipd sees it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from clipd.model.crop import CropPath
from clipd.model.timespan import Span


class Status(StrEnum):
    """The status words clipd acts on; any other word is a person's own and is left alone."""

    DRAFT = "Draft"
    PROCESS = "Process"
    COMPLETE = "Complete"
    FAILED = "Failed"


def is_due(status: str | None) -> bool:
    """Does this status word ask for work? Case and surrounding blanks do not matter."""
    return status is not None and status.strip().casefold() == Status.PROCESS.casefold()


@dataclass(frozen=True)
class Clip:
    """One entry of a sidecar that asks for a piece of a video.

    `key` is how it is found again: `id:<id>`, or `name:<name>` where it has no id.
    """

    key: str
    name: str
    source_path: str | None
    span: Span
    crop: CropPath | None = None
    output_resolution: tuple[int, int] | None = None
    upscale: bool = False
    priority: int = 0
    modified_at: str | None = None
    notes: tuple[str, ...] = ()
    """What had to be read generously (a fractional crop rounded, say); goes to the truth sheet."""
