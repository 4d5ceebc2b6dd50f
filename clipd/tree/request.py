"""Requests: a JSON or YAML file in the inbox, and the answer file that clipd writes beside it.

A request that names itself (`clip_id`, `event_id`) is the same work wherever it lies; one without a name is known by
its content, so that a file name used twice for two moments is two clips.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.errors import ClipdError, Rejected
from clipd.files import atomic, jsontext, yamltext
from clipd.files.document import JSON
from clipd.files.walk import Look, look
from clipd.model.job import job_id
from clipd.tree.layout import ANSWER_SUFFIX

LIMIT_BYTES = 1 << 20
"""A larger request is refused: one takes some hundred bytes, one that lists 10,000 pictures about 500 kB."""
SUFFIXES = (".json", ".yaml", ".yml")


@dataclass(frozen=True)
class RequestFile:
    """A request as it stands in its file."""

    content: Mapping[str, Any]
    """The keys and values of the file; empty where it cannot be read."""
    digest: str
    """16 hex digits of the SHA-256 of its bytes."""
    name: str = ""
    """What it calls itself; "" for a request without a name of its own."""
    fault: str = ""
    """Why it is no request."""

    @classmethod
    def unreadable(cls, seen: Look, fault: str) -> RequestFile:
        """What stands for a file that cannot be opened as a request, and so is known by how it looks."""
        return cls({}, f"unreadable:{seen.size}.{seen.mtime_ns}", fault=fault)

    @property
    def key(self) -> str:
        """Tells it from other requests of the same file name."""
        return f"id:{self.name}" if self.name else self.digest

    @property
    def force(self) -> bool:
        """Is it to be done again, though it has been done?"""
        return self.content.get("force") is True

    def job(self, kind: str, origin: str) -> str:
        """The id of its job."""
        return job_id(kind, "" if self.name else origin, self.key)


def is_request(name: str) -> bool:
    """Is `name` the file name of a request, and not of an answer?"""
    return name.lower().endswith(SUFFIXES) and not name.endswith(ANSWER_SUFFIX)


def descriptions(folder: Path, name: str) -> list[Path]:
    """The requests in `folder` that are called `name`, apart from their suffix."""
    return [path for suffix in SUFFIXES if look(path := folder / f"{name}{suffix}") is not None]


def is_described(path: Path, inbox: Path, name: str) -> bool:
    """Does a request called `name` describe the folder of `path`, or one around it, below `inbox`?"""
    folders = [folder for folder in path.parents if folder != inbox and folder.is_relative_to(inbox)]
    return any(descriptions(folder, name) for folder in folders)


def parse(data: bytes, file_name: str, name_key: str) -> RequestFile:
    """The request in `data`, whatever it holds; what makes it none is its `fault`.

    Args:
        data: the bytes of the file.
        file_name: its name: the suffix says whether it is JSON or YAML.
        name_key: the key under which this kind of request may name itself.
    """
    digest = hashlib.sha256(data).hexdigest()[:16]
    try:
        content = _load(data, file_name)
    except Rejected as error:
        return RequestFile({}, digest, fault=str(error))
    if not isinstance(content, dict):
        return RequestFile({}, digest, fault="line 1: a request is an object of keys and values, such as "
                           '{"camera_id": "camera1", "timestamp": "2025-08-29T14:30:15"}')  # fmt: skip
    named = content.get(name_key)
    name = str(named) if isinstance(named, str | int) and not isinstance(named, bool) else ""
    return RequestFile(content, digest, name.strip())


def _load(data: bytes, file_name: str) -> JSON:
    load = jsontext.load if file_name.lower().endswith(".json") else yamltext.load
    return load(data, LIMIT_BYTES)


def read_answer(path: Path) -> dict[str, Any]:
    """What the answer file at `path` says; nothing where there is none, or where it cannot be read."""
    try:
        content = jsontext.load(atomic.read_regular(path, LIMIT_BYTES)[0], LIMIT_BYTES)
    except (Rejected, atomic.Missing):
        return {}
    return content if isinstance(content, dict) else {}


def write_answer(path: Path, answer: Mapping[str, Any], *, durable: bool = True) -> None:
    """Write an answer file, whole or not at all. Raises what `atomic.write` raises."""
    atomic.write(path, _as_bytes(answer), durable=durable)


def place_answer(path: Path, copy: Path, answer: Mapping[str, Any]) -> None:
    """Write an answer file at `path` and a copy of it at `copy`; their folders are left for the caller to sync.

    Raises what `atomic.write` raises.
    """
    atomic.rename(atomic.stage(path, _as_bytes(answer)), path)
    atomic.remove(copy)
    try:
        atomic.link(path, copy)
    except ClipdError:
        # No links here, or the answer was read and removed at once.
        atomic.rename(atomic.stage(copy, _as_bytes(answer)), copy)


def _as_bytes(answer: Mapping[str, Any]) -> bytes:
    return (json.dumps(answer, indent=2, ensure_ascii=False) + "\n").encode("utf-8", "backslashreplace")
