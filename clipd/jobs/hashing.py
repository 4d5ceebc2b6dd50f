"""Hashing: a finished file in staging becomes an artifact, known by its size and SHA-256."""

from __future__ import annotations

import hashlib
from pathlib import Path

from clipd.jobs.context import Context
from clipd.media.encode import writing
from clipd.model.artifact import Artifact, Role


def hashed(path: Path, folder: str, role: Role, format: str, context: Context, *, name: str = "") -> Artifact:
    """The file at `path` as an artifact of `folder`, called `name` there (else as in staging).

    Raises:
        Deferred, Temporary: it cannot be read.
    """
    context.checkpoint(f"hashing {path.name}", 0, 0)
    with writing(path), path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        size = file.tell()
    return Artifact(name or path.name, folder, role, format, size, digest, {}, path.name)
