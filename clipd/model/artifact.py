"""Artifacts: files that a job made, first in staging, then under their final names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["video", "thumbnail", "annotation", "data", "detail"]
"""`video` and `data` are what was asked for; `detail` is what only goes deeper."""


@dataclass(frozen=True)
class Artifact:
    """One file of a job's result.

    `name` is its file name under its final `folder`, which is relative to the outputs root (`h264/cam1/s1`). In
    staging, a flat folder, it is called `staged`, or `name` where that is empty. `facts` is what a verifier measured.
    """

    name: str
    folder: str
    role: Role
    format: str
    size: int
    sha256: str
    facts: dict[str, Any]
    staged: str = ""

    @property
    def staged_name(self) -> str:
        """Its file name in staging: unlike `name`, unique among the files of a job with several formats."""
        return self.staged or self.name
