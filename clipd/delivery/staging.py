"""Staging: where an attempt writes before anything is published, on the outputs' own filesystem.

Each attempt has its own folder, named after job and claim token. Whoever takes a job removes the folders of other
tokens first: a worker that was frozen past its lease finds its files gone and cannot publish. One that had published,
but not committed, finds its ticket gone and cannot commit: its receipt would speak of files that are replaced by now.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipd.files.atomic import as_clipd_error
from clipd.tree.layout import Layout
from clipd.tree.record import tear_tickets


def sweep(layout: Layout, job: str) -> None:
    """Remove every staging folder of `job`, whoever made it, and then the tickets.

    In this order: tickets are made before anything is published, so that whoever made one after they were removed here
    has nothing to publish any more.
    """
    for folder in _folders(layout):
        if folder.name.split(".", 1)[0] == job:
            _remove(folder)
    tear_tickets(layout, job)


@contextmanager
def staging(layout: Layout, job: str, token: str) -> Iterator[Path]:
    """An empty folder for one attempt; gone afterwards, however the block ends."""
    folder = layout.staging(job, token)
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise as_clipd_error(error, f"making {folder}") from error
    try:
        yield folder
    finally:
        # What cannot be removed now (NFS keeps the name of an open file) goes when the job is next swept.
        shutil.rmtree(folder, ignore_errors=True)


def abandoned(layout: Layout) -> Iterator[tuple[str, Path]]:
    """Every staging folder there is, as (job, folder)."""
    return ((folder.name.split(".", 1)[0], folder) for folder in _folders(layout))


def remove(folder: Path) -> None:
    """Remove one abandoned staging folder."""
    _remove(folder)


def _folders(layout: Layout) -> list[Path]:
    try:
        return sorted(folder for folder in layout.stagings.iterdir() if folder.is_dir() and not folder.is_symlink())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise as_clipd_error(error, f"listing {layout.stagings}") from error


def _remove(folder: Path) -> None:
    try:
        shutil.rmtree(folder)
    except FileNotFoundError:
        return
    except OSError as error:
        raise as_clipd_error(error, f"removing {folder}") from error
