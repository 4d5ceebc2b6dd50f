"""What a source file is: its content's SHA-256, remembered on this machine by (path, size, mtime, inode).

A hash of hours of video is read once; the memory only speeds things up and may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from clipd.errors import ClipdError, Rejected, Temporary
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
        if path.is_symlink():
            raise Rejected(f"{path} is a symbolic link; put the file itself there") from error
        raise as_clipd_error(error, f"opening {path}") from error
    try:
        before = os.fstat(descriptor)
        if not stat.S_ISREG(before.st_mode):
            raise Rejected(f"{path} is not a regular file; put the video itself there")
        seen = Look.of(before)
        note = None if memory is None else memory / f"{_key(path, seen)}.json"
        if note is not None and (known := _recall(note)) is not None:
            return Identity(known, seen)
        sha256 = _hash(descriptor, path, seen, progress)
    finally:
        os.close(descriptor)
    if note is not None:
        _remember(note, path, sha256)
    return Identity(sha256, seen)


def _hash(descriptor: int, path: Path, seen: Look, progress: Callable[[str, int, int], None]) -> str:
    digest, done = hashlib.sha256(), 0
    try:
        while done <= seen.size and (block := os.read(descriptor, CHUNK_BYTES)):
            digest.update(block)
            done += len(block)
            progress("reading the source", done, seen.size)
        after = Look.of(os.fstat(descriptor))
    except OSError as error:
        raise as_clipd_error(error, f"reading {path}") from error
    if after != seen:
        raise Temporary(f"{path} changed while it was read")
    return digest.hexdigest()


def _remember(note: Path, path: Path, sha256: str) -> None:
    """Keep the hash for the next time; a cache that cannot be written costs time, and no job waits for it."""
    with suppress(OSError, ClipdError):
        note.parent.mkdir(parents=True, exist_ok=True)
        write(note, json.dumps({"path": os.fsdecode(path), "sha256": sha256}).encode(), durable=False)


def _key(path: Path, seen: Look) -> str:
    return hashlib.sha256(f"{os.fspath(path)}\0{seen}".encode("utf-8", "surrogateescape")).hexdigest()[:32]


def _recall(note: Path) -> str | None:
    try:
        sha256 = json.loads(note.read_bytes())["sha256"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return sha256 if isinstance(sha256, str) else None
