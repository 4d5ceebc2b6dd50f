"""Filing: a video of the inbox gets its place in the source tree, whole, and never over another file."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from pathlib import Path

from clipd.errors import Temporary
from clipd.files import atomic


def file_video(video: Path, target: Path) -> bool:
    """Move `video` to `target`; False, with nothing moved, when that very content is there already.

    Raises:
        Temporary: another video has taken the name meanwhile, or the share failed.
    """
    with atomic.translated(f"making {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        moved = atomic.move(video, target)
    except Temporary as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EXDEV:
            raise
        moved = _carry(video, target)
    if not moved and not is_same_content(video, target):
        raise Temporary(f"{target} is another video by now; rename {video.name}")
    return moved


def is_same_content(one: Path, other: Path) -> bool:
    """Do two regular files hold the same bytes?"""
    with atomic.translated(f"comparing {one} with {other}"):
        return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _carry(video: Path, target: Path) -> bool:
    """Copy to another filesystem, compare, and only then remove the first copy."""
    temp = atomic.temporary(target)
    try:
        with atomic.translated(f"copying {video} to {target.parent}"):
            shutil.copyfile(video, temp, follow_symlinks=False)
            shutil.copystat(video, temp)
        if not is_same_content(video, temp):
            raise Temporary(f"{video} changed while it was copied to {target.parent}")
        moved = atomic.publish(temp, target, replace=False)
    finally:
        atomic.remove(temp)
    if moved:
        atomic.remove(video)
    return moved


def _digest(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
