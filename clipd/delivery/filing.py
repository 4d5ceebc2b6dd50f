"""Filing: what lies in the inbox gets its place: whole, never over another file, and never what was dropped since.

Whoever reads an answer may drop the next file under the same name at once, before clipd has moved the answered one
away. What was moved is therefore looked at once more where it lies then, and goes back when it is something else.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
from collections.abc import Callable
from itertools import count
from pathlib import Path

from clipd.errors import Superseded, Temporary
from clipd.files import atomic
from clipd.tree import video as videos
from clipd.tree.layout import Layout


def put_away(
    layout: Layout, path: Path, word: str, seen: str, *, at: str = ".", announce: Callable[[Path], None] | None = None
) -> bool:
    """Move `path` into the folder `word` (`done`, `failed`) beside it, under a name that is free there.

    Args:
        layout: The tree.
        path: A file of the inbox, or a folder.
        word: The folder's name.
        seen: The signature of the file that was answered.
        at: Where that file lies in `path`, when `path` is a folder.
        announce: Called with the place that `path` is about to get.

    Returns:
        Was it moved? Not when another file lies there by now: that one stays, or goes back.
    """
    for number in count(1):
        target = layout.finished(path, word, number, is_folder=at != ".")
        with atomic.translated(f"making {target.parent}"):
            target.parent.mkdir(parents=True, exist_ok=True)
        if atomic.size_of(target) is not None:
            continue
        if announce is not None:
            announce(target)
        if videos.signature(path / at) != seen:
            return False
        if atomic.move(path, target):
            if videos.signature(target / at) == seen:
                return True
            atomic.move(target, path)  # unless yet another one lies there, which then is the latest
            return False
    raise AssertionError("numbers end")


def file_video(video: Path, target: Path, seen: str | None = None) -> bool:
    """Move `video` to `target`; False, with nothing moved, when that very content is there already.

    Args:
        video: The video.
        target: Its place.
        seen: The signature of the video that was answered, where others may write there.

    Raises:
        Superseded: another one lies at `video` by now; it is left there.
        Temporary: another video has taken the name meanwhile, or the share failed.
    """
    _require(video, video, seen)
    with atomic.translated(f"making {target.parent}"):
        target.parent.mkdir(parents=True, exist_ok=True)
    try:
        moved = atomic.move(video, target)
    except Temporary as error:
        if not isinstance(error.__cause__, OSError) or error.__cause__.errno != errno.EXDEV:
            raise
        moved = _carry(video, target, seen)
    else:
        if moved and seen not in (None, videos.signature(target)):
            atomic.move(target, video)
            _require(video, video, seen)
    if not moved and not is_same_content(video, target):
        raise Temporary(f"{target} is another video by now; rename {video.name}")
    return moved


def is_same_content(one: Path, other: Path) -> bool:
    """Do two regular files hold the same bytes?"""
    with atomic.translated(f"comparing {one} with {other}"):
        return one.stat().st_size == other.stat().st_size and _digest(one) == _digest(other)


def _carry(video: Path, target: Path, seen: str | None) -> bool:
    """Copy to another filesystem, compare, and only then remove the first copy."""
    temp = atomic.temporary(target)
    try:
        with atomic.translated(f"copying {video} to {target.parent}"):
            shutil.copyfile(video, temp, follow_symlinks=False)
            shutil.copystat(video, temp)
        if not is_same_content(video, temp):
            raise Temporary(f"{video} changed while it was copied to {target.parent}")
        _require(temp, video, seen)
        moved = atomic.publish(temp, target, replace=False)
    finally:
        atomic.remove(temp)
    if moved:
        _remove(video, seen)
    return moved


def _remove(video: Path, seen: str | None) -> None:
    """Remove `video`: taken aside first, so that nothing is removed but what was looked at."""
    aside = atomic.temporary(video)
    atomic.move(video, aside)
    if seen in (None, videos.signature(aside)):
        atomic.remove(aside)
    else:
        atomic.move(aside, video)
        _require(video, video, seen)


def _require(path: Path, video: Path, seen: str | None) -> None:
    """Raise `Superseded` unless the file at `path` is the one that was answered."""
    if seen not in (None, videos.signature(path)):
        raise Superseded(f"{video.name} is another video by now")


def _digest(path: Path) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
