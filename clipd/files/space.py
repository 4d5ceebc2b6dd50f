"""Room on a filesystem: work that would fill a disk waits, it does not fail."""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ByteSize

from clipd.errors import Deferred
from clipd.files.atomic import as_clipd_error
from clipd.model.setting import Section, setting


class Settings(Section):
    """How full the disks may get."""

    reserve: ByteSize = setting(
        "1GiB", "Space that stays free where outputs are written; below it new work waits.", unit="bytes"
    )
    stray_seconds: float = setting(
        3600.0,
        "Age at which staging and temporary files that a killed attempt left behind are removed.",
        unit="s",
        ge=0,
    )


def free_bytes(folder: Path) -> int:
    """Bytes that an ordinary user may still write below `folder`, or below its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    seen = os.statvfs(folder)
    return seen.f_bavail * seen.f_frsize


def total_bytes(folder: Path) -> int:
    """The size of the filesystem of `folder`, or of its nearest parent that exists."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    seen = os.statvfs(folder)
    return seen.f_blocks * seen.f_frsize


def require(folder: Path, needed: int, settings: Settings) -> None:
    """Raise `Deferred` when writing `needed` bytes below `folder` would eat into the reserve."""
    try:
        free = free_bytes(folder)
    except OSError as error:
        raise as_clipd_error(error, f"asking for the free space of {folder}") from error
    if free - needed < settings.reserve:
        raise Deferred(
            f"disk full: {ByteSize(free).human_readable()} free at {folder}, about "
            f"{ByteSize(needed).human_readable()} needed and {settings.reserve.human_readable()} kept in reserve"
        )
