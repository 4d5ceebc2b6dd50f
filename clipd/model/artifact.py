"""Artifacts: files that a job made, first in staging, then under their final names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Role = Literal["video", "thumbnail", "annotation", "data"]


@dataclass(frozen=True)
class Artifact:
    """One file of a job's result.

    `name` is its file name in staging and under its final folder alike, `folder` that final folder relative to the
    outputs root (`h264/cam1/s1`). `facts` is what a verifier measured of it, for the truth sheet.
    """

    name: str
    folder: str
    role: Role
    format: str
    size: int
    sha256: str
    facts: dict[str, Any]
