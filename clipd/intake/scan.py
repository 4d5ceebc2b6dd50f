"""The scan: a full, ordered look at a source of work is the truth about what there is to do; events only say where.

A scan of an unchanged tree costs one `stat` per file (sidecar, request, ...); only files that look different are read.
It can be taken in slices, so that a fresh event never waits for a long walk to end.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

from clipd.clock import Clock
from clipd.errors import ClipdError, Temporary
from clipd.files import atomic
from clipd.files.walk import Look, any_of, files
from clipd.intake.admit import Admission
from clipd.intake.settle import Settling
from clipd.intake.sources.source import Source
from clipd.model.job import Job
from clipd.tree.layout import Layout


@dataclass(slots=True)
class Seen:
    """What the scan knows of one file; kept small, as there may be half a million."""

    look: bytes
    """How it looked when it was read (`Look.packed`)."""
    admission: Admission
    """What it asked for then."""
    met: int
    """The number of the last walk that came by it."""


@dataclass
class Scan:
    """The memory of one source of work: which files there are and which jobs they ask for."""

    layout: Layout
    source: Source
    clock: Clock
    ignore: tuple[str, ...]
    settling: Settling
    share_offset: Callable[[], float]
    """The share's wall clock minus ours, in seconds."""
    report: Callable[[str, str], None]
    """Told (path relative to the root, words) of everything that cannot be read; once per state of the file."""
    seen: dict[str, Seen] = field(default_factory=dict)
    unsettled: dict[str, float] = field(default_factory=dict)
    """Files that must hold still first: path -> monotonic time of the next look."""
    unreadable: dict[str, str] = field(default_factory=dict)
    refused: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """What is wrong in files that can be read, as of their last reading."""
    changes: int = 0
    """Grows whenever what is known of the tree changes."""
    _walks: int = 0
    _suspects: dict[str, Look] = field(default_factory=dict)
    _asking: dict[str, tuple[Job, ...]] = field(default_factory=dict)
    """The jobs of the files that ask for any: few, where `seen` may be very large."""
    _alike: dict[Admission, Admission] = field(default_factory=dict)
    """One for all of the files that ask for nothing and have as many clips of each status."""
    _arrived: dict[str, Iterator[str]] = field(default_factory=dict)
    """Folders that somebody spoke of and that are being walked."""
    _vanished: set[str] = field(default_factory=set)
    """Folders that are gone, while what lay in them is still known."""

    @property
    def folder(self) -> Path:
        """What is looked at, with all that is below it."""
        return self.source.folder(self.layout)

    @property
    def jobs(self) -> Iterator[Job]:
        """Every job that a settled file asks for at present."""
        return (job for jobs in self._asking.values() for job in jobs)

    def refuses(self, job: Job) -> bool:
        """Has the file of `job` been read, and does it not ask for that job?"""
        path = str(self.layout.at(job.origin))
        seen = self.seen.get(path)
        return seen is not None and path not in self.unreadable and job.id not in {j.id for j in seen.admission.jobs}

    def walk(self) -> Iterator[str]:
        """Look at the whole tree, one file per step; what is gone is forgotten at the end.

        Yields the path of every file looked at, so that the caller can stop in between and come back.
        """
        self._walks += 1
        failed: list[str] = []

        def unlistable(folder: str, error: OSError) -> None:
            failed.append(folder)
            self._say(folder, f"cannot list this folder: {error.strerror}")

        for path, seen in files(self.folder, wanted=self._wants, ignore=self._ignored, unreadable=unlistable):
            self.look_at(path, seen)
            yield path
        missed = [path for path, known in self.seen.items() if known.met != self._walks]
        for path in chain(missed, [path for path in self.unsettled if path not in self.seen]):
            unknown = any(path == place or path.startswith(place + os.sep) for place in failed)
            if not unknown and not self._is_there(path):
                self._forget(path)
        for place in list(self.unreadable):
            if place not in failed and place not in self.seen and not self._is_there(place):
                self._forget(place)

    def read_again(self, path: str) -> None:
        """Read `path` anew though it looks as before: what it asks for depends on more than itself."""
        if self.seen.pop(path, None) is not None:
            self._asking.pop(path, None)
            self.changes += 1
        self.hint(path, closed=True)

    def look_again(self, seconds: float) -> None:
        """For about `seconds`, look at unsettled files whose time has come, and into folders of which hints came."""
        self._forget_vanished()
        now = self.clock.monotonic()
        for path in [path for path, due in self.unsettled.items() if due <= now]:
            self.hint(path)
            if self.clock.monotonic() >= now + seconds:
                return
        while self._arrived:
            folder, walk = next(iter(self._arrived.items()))
            for _ in walk:
                if self.clock.monotonic() >= now + seconds:
                    return
            del self._arrived[folder]

    @property
    def busy(self) -> bool:
        """Is there a folder that `look_again` has not come to the end of?"""
        return bool(self._arrived or self._vanished)

    def hint(self, path: str, *, closed: bool = False) -> None:
        """Somebody says that something happened at `path`: a file that counts, or a folder that may hold some.

        A folder may hold very many: it is left to `look_again`.
        """
        if self._is_ignored(path):
            return
        try:
            seen = os.lstat(path)
        except (FileNotFoundError, NotADirectoryError):
            self._vanish(path)
            return
        except OSError:
            return  # the next walk finds out, and tells
        if stat.S_ISREG(seen.st_mode):
            if self._wants(os.path.basename(path)):  # noqa: PTH119 - a hot path
                self.look_at(path, Look.of(seen), closed=closed)
        elif stat.S_ISDIR(seen.st_mode):
            self._arrived[path] = self._look_into(path)
        else:
            self._vanish(path)

    def _look_into(self, folder: str) -> Iterator[str]:
        for path, seen in files(
            Path(folder), wanted=self._wants, ignore=self._ignored, unreadable=lambda _folder, _error: None
        ):
            self.look_at(path, seen)
            yield path

    def look_at(self, path: str, seen: Look, *, closed: bool = False) -> None:
        """Take note of a file that looks like `seen`: read it when it changed and has settled."""
        known = self.seen.get(path)
        if known is not None:
            known.met = self._walks
            if known.look == seen.packed:
                self.unsettled.pop(path, None)
                return
        wait = self.settling.wait(
            path,
            seen,
            monotonic=self.clock.monotonic(),
            share_now=self.clock.now().timestamp() + self.share_offset(),
            closed=closed,
        )
        if wait > 0:
            self.unsettled[path] = self.clock.monotonic() + wait
            return
        self.unsettled.pop(path, None)
        self._read(path, seen)

    def _read(self, path: str, seen: Look) -> None:
        try:
            with atomic.translated(f"reading {path}"):
                admission = self.source.admit(self.layout, Path(path))
        except ClipdError as error:
            if self._suspects.get(path) != seen:
                # Perhaps an editor is half way through saving in place: believe it when it is still so a moment later.
                self._suspects[path] = seen
                self.unsettled[path] = self.clock.monotonic() + self.settling.settle_seconds
                return
            if not isinstance(error, Temporary):
                # Never touched, and not forgotten: it counts again when it looks different.
                self._keep(path, seen, self._refused(path, error))
            self.changes += 1
            self._say(path, str(error))
            return
        self.unreadable.pop(path, None)
        self._suspects.pop(path, None)
        # The look from before the reading: a save in between makes the next look differ, and it is read again.
        self._keep(path, seen, admission)
        self.changes += 1
        self._refuse(path, admission.problems)

    def _refused(self, path: str, error: ClipdError) -> Admission:
        try:
            return self.source.refused(self.layout, Path(path), error)
        except OSError:
            return Admission(())  # it is gone by now, which the next look finds out

    def _keep(self, path: str, seen: Look, admission: Admission) -> None:
        self._asking.pop(path, None)
        if admission.jobs:
            self._asking[path] = admission.jobs
        elif not admission.problems and not admission.failures:
            admission = self._alike.setdefault(admission, admission)
        self.seen[path] = Seen(seen.packed, admission, self._walks)

    def _refuse(self, path: str, problems: tuple[str, ...]) -> None:
        """Tell what is wrong in a file, but for what was wrong in it before: lines move with every write."""
        former = {_apart_from_place(problem) for problem in self.refused.pop(path, ())}
        if problems:
            self.refused[path] = problems
        for problem in problems:
            if _apart_from_place(problem) not in former:
                self.report(self.layout.relative(Path(path)), problem)

    def _say(self, path: str, words: str) -> None:
        if self.unreadable.get(path) != words:
            self.unreadable[path] = words
            self.changes += 1
            self.report(self.layout.relative(Path(path)), words)

    @property
    def _ignored(self) -> tuple[str, ...]:
        return (*self.ignore, *self.source.ignore)

    def _wants(self, name: str) -> bool:
        return self.source.wants(self.layout, name)

    def _is_ignored(self, path: str) -> bool:
        """Would a walk pass `path` over, for its own name or that of a folder on the way?"""
        ignored = any_of(self._ignored).match
        below = path.removeprefix(os.fspath(self.folder))
        return any(ignored(name) for name in below.split("/") if name)

    def _is_there(self, path: str) -> bool:
        """Is a file there that counts? One that cannot be looked at just now does."""
        try:
            return stat.S_ISREG(os.lstat(path).st_mode) and not self._is_ignored(path)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:
            return True

    def _vanish(self, path: str) -> None:
        """There is nothing any more at `path`, which was a file that counts or a folder of some."""
        if not self._wants(os.path.basename(path)):  # noqa: PTH119 - a hot path
            self._vanished.add(path)
        elif path in self.seen or path in self.unsettled:
            self._forget(path)

    def _forget_vanished(self) -> None:
        """Forget what lay in folders that are gone: all of them at once, since that looks at all that is known."""
        if not self._vanished:
            return
        gone, self._vanished = self._vanished, set()
        below = [path for path in chain(self.seen, self.unsettled) if _lies_in(path, gone)]
        for path in below:
            # Another folder may have come to the place meanwhile.
            if not self._is_there(path):
                self._forget(path)

    def _forget(self, path: str) -> None:
        self.changes += 1
        self.seen.pop(path, None)
        self._asking.pop(path, None)
        self.unsettled.pop(path, None)
        self.unreadable.pop(path, None)
        self.refused.pop(path, None)
        self._suspects.pop(path, None)
        self.settling.forget(path)


def _lies_in(path: str, folders: set[str]) -> bool:
    at = path.rfind(os.sep)
    while at > 0:
        if path[:at] in folders:
            return True
        at = path.rfind(os.sep, 0, at)
    return False


def _apart_from_place(problem: str) -> str:
    """`problem` without the line and column at its beginning."""
    return problem.partition(": ")[2]
