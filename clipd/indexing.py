"""Indexing: the daemon's own thread that keeps the index of recordings up to date, and says which cameras have news.

It stands apart from the daemon's turns because a first scan may take seconds, and a recorder that writes hundreds of
files a minute must not keep anybody waiting. What it misses is found by whoever answers a request: before a gap is
told, the camera's folder is listed anew.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from loguru import logger

from clipd.errors import ClipdError
from clipd.intake.watch import Hint, Watch
from clipd.intake.watch import Settings as WatchSettings
from clipd.jobs.request_kind import Archive, open_index
from clipd.model.job import Job
from clipd.recordings.index import Index
from clipd.tree.layout import Layout

REQUEST = "request"
"""The kind of jobs that wait for recordings."""
TROUBLE_SECONDS = 10.0
"""How long the thread rests when the index cannot be used."""


@dataclass(frozen=True)
class Recorded:
    """There is something new of these cameras."""

    cameras: frozenset[str]


class Waiters:
    """The requests that were looked at and may wait for a recording of their camera."""

    def __init__(self) -> None:
        self._cameras: dict[str, str] = {}
        self._stirred: set[str] = set()

    def begun(self, job: Job) -> None:
        """Somebody looks at `job` now: from here on, every recording is news to it."""
        if job.kind == REQUEST:
            self._cameras[job.id] = job.camera
            self._stirred.discard(job.id)

    def has_news(self, job: Job) -> bool:
        """Was something recorded since `job` was looked at?"""
        return job.id in self._stirred

    def recorded(self, cameras: frozenset[str]) -> list[str]:
        """The jobs that may go on, now that something of `cameras` was recorded."""
        stirred = [job for job, camera in self._cameras.items() if camera in cameras]
        self._stirred.update(stirred)
        return stirred

    def forget(self, wanted: set[str]) -> None:
        """Keep nothing of jobs that are not `wanted` any more."""
        self._cameras = {job: camera for job, camera in self._cameras.items() if job in wanted}
        self._stirred &= wanted


class Indexing:
    """The thread. `tell` is called from it; `now` is the share's clock, in seconds since 1970."""

    def __init__(
        self,
        layout: Layout,
        archive: Archive,
        watch: WatchSettings,
        now: Callable[[], float],
        tell: Callable[[Recorded], None],
    ) -> None:
        """Nothing begins before `start`."""
        self._layout, self._archive, self._settings = layout, archive, watch
        self._now, self._tell = now, tell
        self._heard: queue.SimpleQueue[Hint | None] = queue.SimpleQueue()
        self._watch: Watch | None = None
        self._thread = threading.Thread(target=self._run, name="clipd-recordings", daemon=True)

    def start(self) -> None:
        """Begin with a scan."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread; it may be in the middle of a scan, which is not waited for long."""
        self._heard.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    def _run(self) -> None:
        try:
            while self._serve():
                pass
        finally:
            if self._watch is not None:
                self._watch.stop()

    def _serve(self) -> bool:
        """Keep an index until it cannot be used; False when told to stop."""
        try:
            index = open_index(self._layout, self._archive)
        except ClipdError as error:
            logger.warning("recordings: {}", error)
            return self._rest()
        try:
            while True:
                self._scan(index)
                if not self._listen(index, self._archive.recordings.rescan_seconds):
                    return False
        except ClipdError as error:
            logger.warning("recordings: {}", error)
        finally:
            index.close()
        return self._rest()

    def _scan(self, index: Index) -> None:
        """Look at everything, with file events on beforehand, so that nothing falls in between."""
        folder = self._layout.recordings
        if self._watch is not None and not self._watch.trusted:
            self._watch.stop()
            self._watch = None
        if self._watch is None and folder.is_dir():
            self._watch = Watch((folder,), self._settings, self._heard.put)
        if not folder.is_dir():
            return
        found = index.scan(self._now())
        if found.unnamed:
            logger.warning(
                "recordings: the names of {} files tell no time (recordings.templates), such as {}",
                found.unnamed, found.unnamed_examples[0],
            )  # fmt: skip
        for path in found.unreadable:
            logger.warning("recordings: {} cannot be read", path)
        if found.changed:
            self._tell(Recorded(found.changed))

    def _listen(self, index: Index, seconds: float) -> bool:
        """Take hints until the next scan is due; False when told to stop."""
        due = self._now() + seconds
        while (left := due - self._now()) > 0:
            try:
                heard = self._heard.get(timeout=min(left, seconds))
            except queue.Empty:
                return True
            if heard is None:
                return False
            if heard.path == str(self._layout.recordings):
                return True
            camera = index.hint(Path(heard.path), closed=heard.closed)
            if camera is not None and heard.closed:
                self._tell(Recorded(frozenset((camera,))))
        return True

    def _rest(self) -> bool:
        try:
            return self._heard.get(timeout=TROUBLE_SECONDS) is not None
        except queue.Empty:
            return True
