"""All sources of work of one tree, looked at as one: the sidecars and the folders of the inbox."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from pathlib import Path

from clipd.intake.scan import Scan, Seen
from clipd.model.job import Job


class Scans:
    """Several scans; each job and each path belongs to one of them."""

    def __init__(self, scans: Iterable[Scan]) -> None:
        """Join `scans`; no folder of theirs lies in another's."""
        self._scans = tuple(scans)

    @property
    def folders(self) -> tuple[Path, ...]:
        """Every folder that is looked at."""
        return tuple(scan.folder for scan in self._scans)

    @property
    def jobs(self) -> Iterator[Job]:
        """Every job that a settled file asks for at present."""
        return chain.from_iterable(scan.jobs for scan in self._scans)

    @property
    def seen(self) -> Mapping[str, Seen]:
        """What is known of every file."""
        return ChainMap(*(scan.seen for scan in self._scans))

    @property
    def unsettled(self) -> Mapping[str, float]:
        """Files that must hold still first: path -> monotonic time of the next look."""
        return ChainMap(*(scan.unsettled for scan in self._scans))

    @property
    def unreadable(self) -> Mapping[str, str]:
        """Files and folders that cannot be read, and why."""
        return ChainMap(*(scan.unreadable for scan in self._scans))

    @property
    def refused(self) -> Mapping[str, tuple[str, ...]]:
        """What is wrong in files that can be read."""
        return ChainMap(*(scan.refused for scan in self._scans))

    @property
    def changes(self) -> int:
        """Grows whenever what is known of the tree changes."""
        return sum(scan.changes for scan in self._scans)

    def refuses(self, job: Job) -> bool:
        """Has the file of `job` been read, and does it not ask for that job?"""
        return any(scan.refuses(job) for scan in self._scans)

    def walk(self) -> Iterator[str]:
        """Look at everything, one file per step; see `Scan.walk`."""
        return chain.from_iterable(scan.walk() for scan in self._scans)

    def look_again(self, seconds: float) -> None:
        """For about `seconds` each, go on with what was hinted at; see `Scan.look_again`."""
        for scan in self._scans:
            scan.look_again(seconds)

    @property
    def busy(self) -> bool:
        """Is there a folder that `look_again` has not come to the end of?"""
        return any(scan.busy for scan in self._scans)

    def hint(self, path: str, *, closed: bool = False) -> None:
        """Somebody says that something happened at `path`."""
        for scan in self._around(path):
            scan.hint(path, closed=closed)

    def read_again(self, path: str) -> None:
        """Read `path` anew though it looks as before."""
        for scan in self._around(path):
            scan.read_again(path)

    def renew(self, ignore: tuple[str, ...], settle_seconds: float) -> None:
        """From now on, pass over names that match `ignore`, and wait so long for a file to hold still."""
        for scan in self._scans:
            scan.ignore = ignore
            scan.settling.settle_seconds = settle_seconds

    def _around(self, path: str) -> Iterator[Scan]:
        place = Path(path)
        return (scan for scan in self._scans if place.is_relative_to(scan.folder))
