"""What a source file is: its content's SHA-256, remembered on this machine by (path, size, mtime, inode).

A hash of hours of video is read once; the memory only speeds things up and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipd.errors import Rejected, Temporary
from clipd.files.atomic import as_clipd_error, write
from clipd.files.walk import Look

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Identity:
    """A source's content (`sha256`, hex) and the look it had when that was computed."""

    sha256: str
    look: Look


def identify(path: Path, memory: Path | None, progress: Callable[[str, int, int], None]) -> Identity:
    """The identity of the file at `path`; `memory` is the local folder that remembers hashes (None: do not remember).

    Raises:
        Rejected: it is not a regular file.
        Temporary: it could not be read, or changed while it was.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise as_clipd_error(error, f"opening {path}") from error
    with open(descriptor, "rb", buffering=0) as file:  # noqa: PTH123 - the descriptor was opened without following links
        before = os.fstat(file.fileno())
        if not stat.S_ISREG(before.st_mode):
            raise Rejected(f"{path} is not a regular file")
        seen = Look.of(before)
        note = None if memory is None else memory / f"{_key(path, seen)}.json"
        if note is not None and (known := _recall(note)) is not None:
            return Identity(known, seen)
        digest = hashlib.sha256()
        while block := file.read(CHUNK_BYTES):
            digest.update(block)
            progress("reading the source", file.tell(), seen.size)
        if Look.of(os.fstat(file.fileno())) != seen:
            raise Temporary(f"{path} changed while it was read")
    if note is not None:
        note.parent.mkdir(parents=True, exist_ok=True)
        write(note, json.dumps({"path": os.fsdecode(path), "sha256": digest.hexdigest()}).encode(), durable=False)
    return Identity(digest.hexdigest(), seen)


def _key(path: Path, seen: Look) -> str:
    return hashlib.sha256(f"{os.fspath(path)}\0{seen}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _recall(note: Path) -> str | None:
    try:
        sha256 = json.loads(note.read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return sha256 if isinstance(sha256, str) else None
