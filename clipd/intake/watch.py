"""Watching: the kernel's file events, as hints where to look.

Events may be lost (queue overflow, watch limit, a folder recreated) and never come for what another machine writes to
a network share. So they only ever say "look here now"; the scan finds everything without them.
"""

from __future__ import annotations

import ctypes
import errno
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Literal

from loguru import logger
from watchdog.events import (
    EVENT_TYPE_CLOSED,
    EVENT_TYPE_CREATED,
    EVENT_TYPE_MOVED,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers import Observer

from clipd.files.mounts import filesystem_type, is_remote
from clipd.files.openers import nobody_writes
from clipd.files.walk import NOT_THERE_YET
from clipd.model.setting import Section, setting

HEARD: list[type[FileSystemEvent]] = [
    FileCreatedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirMovedEvent,
    DirDeletedEvent,
]
"""All that the kernel is asked for. Not opening and reading: our own walk of a big tree would overflow its queue."""
PAIRING_SECONDS = 0.05
"""How long the first half of a rename may wait for the second. The library holds back all later events meanwhile, and
goes on doing so when the second half is there (watchdog.utils.delayed_queue); its own half a second would show."""
PAIRING = (("inotify_move_event_grouper", "InotifyMoveEventGrouper"), ("inotify_buffer", "InotifyBuffer"))
"""What keeps that time, in watchdog 7 and in watchdog 6."""


LONGEST_ROUND = 10
"""How many times as long as `rescan_seconds` a full look may take because it costs much."""
_IN_DELETE_SELF = 0x400


class Settings(Section):
    """How new work is noticed."""

    mode: Literal["auto", "events", "polling"] = setting(
        "auto", "How changes are noticed; auto polls where the filesystem type cannot be trusted with events."
    )
    interval_seconds: float = setting(
        5.0, "How often the tree is looked at where events cannot be had.", unit="s", gt=0
    )
    rescan_seconds: float = setting(
        60.0, "How often the whole tree is looked at even where events work, because events get lost.", unit="s", gt=0
    )
    rescan_percent: float = setting(
        0.15,
        "What these looks may take of a core where events work: they are spread over the time, and a big tree on a "
        "slow disk takes longer than rescan_seconds, up to about ten times as long; 100 is no limit.",
        unit="%",
        gt=0,
        le=100,
    )
    settle_seconds: float = setting(
        1.0, "How long a file must hold still before it counts, unless the kernel said it is closed.", unit="s", ge=0
    )
    ignore: tuple[str, ...] = setting(
        NOT_THERE_YET, "Shell patterns of file and folder names that are not there yet, or not people's files."
    )


@dataclass(frozen=True)
class Hint:
    """Something happened at `path`; `closed` when its writer closed it or renamed it into place."""

    path: str
    closed: bool


class Watch:
    """The kernel's events below some folders, or nothing where they cannot be had."""

    def __init__(self, folders: tuple[Path, ...], settings: Settings, tell: Callable[[Hint], None]) -> None:
        """Start watching `folders`; `tell` is called from another thread for every event."""
        _pair_quickly()
        self._observer = Observer()
        self._overflow = _Overflow(folders, tell)
        _library_log().addHandler(self._overflow)
        self._watched = []
        handler = _Teller(tell)
        for folder in folders:
            if not _worth_watching(folder, settings):
                continue
            try:
                self._watched.append(self._observer.schedule(handler, str(folder), recursive=True, event_filter=HEARD))
            except OSError as error:
                logger.warning(_no_watch_words(folder, error, settings))
        try:
            self._observer.start()
        except OSError as error:
            self._watched.clear()
            logger.warning(_no_watch_words(folders[0], error, settings))
        self._all = len(self._watched) == len(folders)
        self._folders, self._settings = folders, settings
        self._short = self._again = False
        self.check_room()

    @property
    def trusted(self) -> bool:
        """Do events come from every folder, and is every watching thread alive? One ends with its folder."""
        return self._all and not self._short and self._alive

    @property
    def lost(self) -> bool:
        """Is it time to watch anew: did events come once, and do they come no more (the folder was made anew)?"""
        return bool(self._watched) and (self._again or not self._alive)

    @property
    def _alive(self) -> bool:
        return all(thread.is_alive() for thread in (self._observer, *self._observer.emitters))

    def check_room(self) -> None:
        """Find out whether the kernel's watches are used up: then folders are passed over, and nobody says so."""
        if not self._watched:
            return
        error = _refusal(self._folders[0])
        if error is not None and not self._short:
            logger.warning(_no_watch_words(self._folders[0], error, self._settings))
        self._again = self._short and error is None
        self._short = error is not None

    def stop(self) -> None:
        """Stop watching."""
        if self._observer.is_alive():
            self._observer.stop()
            self._observer.join(timeout=5)
        _library_log().removeHandler(self._overflow)


class _Overflow(logging.Handler):
    """Hears the library say that the kernel dropped events, and has everything looked at."""

    def __init__(self, folders: tuple[Path, ...], tell: Callable[[Hint], None]) -> None:
        super().__init__(logging.WARNING)
        self._folders, self._tell = folders, tell

    def emit(self, record: logging.LogRecord) -> None:
        words = record.getMessage()
        if "overflow" not in words:
            logger.debug("file events: {}", words)
            return
        logger.warning("file events: {}", words)
        for folder in self._folders:
            self._tell(Hint(str(folder), closed=False))


class _Teller(FileSystemEventHandler):
    def __init__(self, tell: Callable[[Hint], None]) -> None:
        self._tell = tell

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type == EVENT_TYPE_MOVED:
            self._tell(Hint(os.fsdecode(event.src_path), closed=False))
            self._tell(Hint(os.fsdecode(event.dest_path), closed=True))
            return
        path = os.fsdecode(event.src_path)
        is_closed = event.event_type == EVENT_TYPE_CLOSED
        if event.event_type == EVENT_TYPE_CREATED and not event.is_directory:
            # One renamed into the tree from outside shows as created as well, and has no writer.
            is_closed = nobody_writes(Path(path)) is True
        self._tell(Hint(path, closed=is_closed))


def _pair_quickly() -> None:
    for module, name in PAIRING:
        with suppress(ImportError):
            getattr(import_module(f"watchdog.observers.{module}"), name).delay = PAIRING_SECONDS


def _library_log() -> logging.Logger:
    log = logging.getLogger("watchdog")
    log.propagate = False
    if not log.handlers:
        log.addHandler(logging.NullHandler())  # else the standard library prints what nobody handles
    return log


def _refusal(folder: Path) -> OSError | None:
    """Why the kernel would not watch one folder more; None where it would."""
    libc = ctypes.CDLL(None, use_errno=True)
    descriptor = libc.inotify_init1(os.O_CLOEXEC)
    if descriptor < 0:
        return None  # no more instances: that says nothing about the one that we have
    try:
        if libc.inotify_add_watch(descriptor, os.fsencode(folder), _IN_DELETE_SELF) >= 0:
            return None
        number = ctypes.get_errno()
    finally:
        os.close(descriptor)
    return OSError(number, os.strerror(number)) if number == errno.ENOSPC else None


def _worth_watching(folder: Path, settings: Settings) -> bool:
    if settings.mode == "polling" or not folder.is_dir():
        return False
    if settings.mode == "auto" and is_remote(folder):
        logger.info(
            "{} is on {}, where events of other machines do not arrive: looking every {:g} s",
            folder, filesystem_type(folder), settings.interval_seconds,
        )  # fmt: skip
        return False
    return True


def _no_watch_words(folder: Path, error: OSError, settings: Settings) -> str:
    reason = "the limit fs.inotify.max_user_watches is reached" if error.errno == errno.ENOSPC else error.strerror
    if error.errno == errno.EMFILE:
        reason = "the limit fs.inotify.max_user_instances is reached"
    return f"no file events for {folder} ({reason}): looking every {settings.interval_seconds:g} s instead"
