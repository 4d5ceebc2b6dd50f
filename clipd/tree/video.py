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
from clipd.files.walk import look
from clipd.model.setting import over
from clipd.tree.layout import Layout

LIMIT_BYTES = 1 << 16
FOLDER_NOTE = "segment"
SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True)
class VideoNote:
    """What the files say together."""

    overrides: Mapping[str, Any] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    digest: str = ""
    """Changes whenever one of the files does."""
    fault: str = ""
    """What is wrong with one of them, with its name and place."""


def read(layout: Layout, video: Path) -> VideoNote:
    """What is said about the video at `video`, which lies in the inbox or in the source tree. Raises `Temporary`."""
    files: list[Path] = []
    overrides: Mapping[str, Any] = {}
    fault = ""
    digest = hashlib.sha256()
    for path in _candidates(layout, video):
        try:
            data = atomic.read_regular(path, LIMIT_BYTES)[0]
        except atomic.Missing:
            continue
        except Rejected as error:
            fault = f"{path.name}: {error}"
            continue
        files.append(path)
        digest.update(data)
        try:
            content = (jsontext if path.suffix == ".json" else yamltext).load(data, LIMIT_BYTES)
        except Rejected as error:
            fault = f"{path.name}: {error}"
            continue
        if content is None:
            continue
        if not isinstance(content, dict):
            fault = f"{path.name}, line 1: settings are `name: value` lines, such as `mode: v1`"
            continue
        overrides = over(overrides, content)
    return VideoNote(overrides, tuple(files), digest.hexdigest()[:16] if files else "", fault)


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
