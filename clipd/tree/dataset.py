"""Datasets as people drop them: a table in the inbox, and what `videos.yaml` beside `videos.csv` says about it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files import atomic, jsontext, yamltext
from clipd.files.walk import look
from clipd.tree.video import signature

LIMIT_BYTES = 1 << 16
TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".pq")
NOTE_SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class DatasetFile:
    """A table that was dropped, as it lies there now."""

    signature: str
    """16 hex digits: another table, one that was written since, or another note, has another."""
    size: int
    mtime_ns: int
    content: Mapping[str, Any]
    """The keys and values of the note; empty without one."""
    notes: Mapping[Path, str]
    """The notes, and how each looked before it was read."""
    fault: str = ""
    """What is wrong with the note, with its name and place."""

    @property
    def look(self) -> str:
        """How the table looked: its signature as a file."""
        return f"{self.size}.{self.mtime_ns}"


def is_table(name: str) -> bool:
    """Is `name` the file name of a table?"""
    return name.lower().endswith(TABLE_SUFFIXES)


def read(table: Path) -> DatasetFile | None:
    """The dataset of the table at `table`; None when it is gone. Raises `Temporary`."""
    seen = look(table)
    if seen is None:
        return None
    digest = hashlib.sha256(f"{seen.size}.{seen.mtime_ns}".encode())
    content: Mapping[str, Any] = {}
    notes: dict[Path, str] = {}
    fault = ""
    for path in (table.with_suffix(suffix) for suffix in NOTE_SUFFIXES):
        try:
            noticed = signature(path)
            data = atomic.read_regular(path, LIMIT_BYTES)[0]
        except atomic.Missing:
            continue
        except Rejected as error:
            fault = f"{path.name}: {error}"
            continue
        notes[path] = noticed
        digest.update(path.name.encode("utf-8", "surrogateescape") + b"\0" + data)
        try:
            content = _parsed(path, data)
        except Rejected as error:
            fault = f"{path.name}: {error}"
    if len(notes) > 1:
        fault = f"{' and '.join(path.name for path in notes)} both describe {table.name}; keep one of them"
    return DatasetFile(digest.hexdigest()[:16], seen.size, seen.mtime_ns, content, notes, fault)


def _parsed(path: Path, data: bytes) -> Mapping[str, Any]:
    content = (jsontext if path.suffix == ".json" else yamltext).load(data, LIMIT_BYTES)
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise Rejected("line 1: a dataset is described by `name: value` lines, such as `process: metadata`")
    return content
