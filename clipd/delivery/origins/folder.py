"""A folder that a request in it describes, such as pictures with their `event.json`: it moves with that request, whole.

Two things never move with it: another request, which is owed an answer of its own, and what was put there after the
answer could be read, which is meant for the next one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from clipd.files import atomic
from clipd.files.walk import NOT_THERE_YET, Look, files, look
from clipd.tree.layout import DONE, FAILED
from clipd.tree.request import is_request

Contents = Mapping[Path, Look]
"""How everything in a folder looks, by its path relative to it."""


def fault(description: Path) -> str:
    """Why the folder around `description` cannot be made with it, in words for the person; "" where it can."""
    folder = description.parent
    found = _requests_in(folder, description.stem)
    if below := [path.relative_to(folder) for path in found if path.parent != folder]:
        return (
            f"{below[0]} in {folder.name} is a request of its own; put its folder beside {folder.name}, then put "
            f"{description.name} back into it"
        )
    if len(found) > 1:
        names = " and by ".join(path.name for path in found)
        return f"{folder.name} is described by {names}; keep the one that is meant, then drop the folder again"
    return ""


def holds_requests(description: Path) -> bool:
    """Are there unanswered requests in folders of the folder around `description`?"""
    folder = description.parent
    return any(path.parent != folder for path in _requests_in(folder, description.stem))


def sizes(description: Path) -> list[tuple[str, int]]:
    """The path and the size in bytes of every file that has arrived in the folder around `description`, in order."""
    folder = description.parent
    found = files(folder, wanted=lambda _: True, ignore=NOT_THERE_YET, unreadable=lambda _folder, _error: None)
    arrived = [(os.path.relpath(path, folder), seen.size) for path, seen in found if path != str(description)]
    return sorted(arrived)


def contents(folder: Path) -> Contents:
    """How everything in `folder` looks at this moment. Raises `Temporary` where it cannot be listed."""
    with atomic.translated(f"listing {folder}"):
        found = {path.relative_to(folder): look(path) for path in folder.rglob("*")}
    return {path: seen for path, seen in found.items() if seen is not None}


def give_back(place: Path, folder: Path, known: Contents) -> None:
    """Put back into `folder`, which moved to `place`, all that is not as it was `known` before.

    A file of that name that lies in `folder` by now stays. Raises what `atomic.move` raises.
    """
    _give_back(place, folder, known, Path())


def _give_back(place: Path, folder: Path, known: Contents, below: Path) -> None:
    with atomic.translated(f"listing {place / below}"):
        names = sorted(path.relative_to(place) for path in (place / below).iterdir())
    for name in names:
        seen = look(place / name)
        if seen is None:
            continue
        if not _is_known(place / name, seen, known.get(name)):
            atomic.make_folder((folder / name).parent, folder.parent)
            atomic.move(place / name, folder / name)
        elif _is_folder(place / name):
            _give_back(place, folder, known, name)


def _is_known(path: Path, seen: Look, former: Look | None) -> bool:
    """A folder is the same whatever came into it."""
    if former is None:
        return False
    return seen.inode == former.inode if _is_folder(path) else seen.has_content_of(former)


def _is_folder(path: Path) -> bool:
    return path.is_dir() and not path.is_symlink()


def _requests_in(folder: Path, name: str) -> list[Path]:
    """The unanswered requests of this name, without suffix, in `folder` and below it.

    Folders that cannot be listed are for the scan to tell of.
    """
    found = files(
        folder,
        wanted=lambda one: is_request(one) and Path(one).stem == name,
        ignore=(*NOT_THERE_YET, DONE, FAILED),
        unreadable=lambda _folder, _error: None,
    )
    return [Path(path) for path, _ in found]
