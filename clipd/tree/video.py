"""A video to be analysed: how it looks, and what people say about it in `match.yaml` beside `match.mp4` or in the
`segment.yaml` of a folder.

The keys are those of the settings' section `segmentation`; the nearer file wins, key by key.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files import atomic, jsontext, yamltext
from clipd.files.walk import Look, look
from clipd.tree.layout import Layout

LIMIT_BYTES = 1 << 16
FOLDER_NOTE = "segment"
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class Note:
    """What one of the files says."""

    path: Path
    seen: Look
    """How it looked before it was read."""
    overrides: Mapping[str, Any] = field(default_factory=dict)
    fault: str = ""
    """What is wrong with it as a file."""

    @property
    def is_of_folder(self) -> bool:
        """Is it about all videos of its folder?"""
        return self.path.stem == FOLDER_NOTE


@dataclass(frozen=True)
class VideoNote:
    """What the files say together."""

    notes: tuple[Note, ...] = ()
    """The nearest last."""
    digest: str = ""
    """Changes whenever one of the files does."""


def read(layout: Layout, video: Path) -> VideoNote:
    """What is said about the video at `video`, which lies in the inbox or in the source tree. Raises `Temporary`."""
    notes: list[Note] = []
    digest = hashlib.sha256()
    for path in _candidates(layout, video):
        if (seen := look(path)) is None:
            continue
        try:
            data = atomic.read_regular(path, LIMIT_BYTES)[0]
        except atomic.Missing:
            continue
        except Rejected as error:
            notes.append(Note(path, seen, fault=str(error)))
            continue
        digest.update(data)
        notes.append(_note(path, seen, data))
    return VideoNote(tuple(notes), digest.hexdigest()[:16] if notes else "")


def _note(path: Path, seen: Look, data: bytes) -> Note:
    try:
        content = (jsontext if path.suffix == ".json" else yamltext).load(data, LIMIT_BYTES)
    except Rejected as error:
        return Note(path, seen, fault=str(error))
    if content is not None and not isinstance(content, dict):
        return Note(path, seen, fault="line 1: settings are `name: value` lines, such as `mode: v1`")
    return Note(path, seen, content or {})


def signature(path: Path) -> str:
    """How the file at `path` looks: another one, or one that was written since, looks different; "" for none."""
    seen = look(path)
    return "" if seen is None else f"{seen.size}.{seen.mtime_ns}"


def own_files(video: Path) -> tuple[Path, ...]:
    """The names under which a note of this very video may lie beside it."""
    return tuple(video.with_suffix(suffix) for suffix in SUFFIXES)


def _candidates(layout: Layout, video: Path) -> Iterator[Path]:
    """Where something may be said about `video`, the farthest first."""
    inbox = layout.dropped_videos
    root = inbox if video.is_relative_to(inbox) else layout.source
    folders = [folder for folder in video.parents if folder == root or folder.is_relative_to(root)]
    for folder in reversed(folders):
        yield from (folder / f"{FOLDER_NOTE}{suffix}" for suffix in SUFFIXES)
    if video.stem != FOLDER_NOTE:
        yield from own_files(video)
