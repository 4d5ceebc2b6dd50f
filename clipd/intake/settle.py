"""Settling: has a file arrived whole, or is somebody still writing it?

A file counts as settled when the kernel reported that its writer closed it or renamed it into place, when its change
time on the share's own clock is old enough, or when (size, mtime, inode) held still over two looks `settle_seconds`
apart. Change times cannot be set by a copying program, and comparing them with the share's clock instead of ours makes
a clock that is off harmless.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clipd.files.walk import Look

MARGIN_SECONDS = 1.0
"""Added to the settle time when only timestamps speak: filesystems stamp with up to a second (SMB two) of grain."""


@dataclass
class _Sighting:
    look: Look
    since: float


@dataclass
class Settling:
    """Remembers files that are not settled yet; what is settled is forgotten here."""

    settle_seconds: float
    _sightings: dict[str, _Sighting] = field(default_factory=dict)

    def wait(self, path: str, look: Look, *, monotonic: float, share_now: float, closed: bool = False) -> float:
        """Seconds after which `path` is worth another look; 0 when it is settled.

        Args:
            path: the file.
            look: what it looks like now.
            monotonic: our clock, in seconds.
            share_now: the share's own wall clock, in seconds since the epoch.
            closed: the kernel has just said that its writer closed it or moved it into place.
        """
        if closed or not self.settle_seconds or self._is_old(look, share_now):
            self._sightings.pop(path, None)
            return 0.0
        seen = self._sightings.get(path)
        if seen is None or seen.look != look:
            self._sightings[path] = _Sighting(look, monotonic)
            return self.settle_seconds
        still = monotonic - seen.since
        if still < self.settle_seconds:
            return self.settle_seconds - still
        del self._sightings[path]
        return 0.0

    def forget(self, path: str) -> None:
        """`path` is gone."""
        self._sightings.pop(path, None)

    def _is_old(self, look: Look, share_now: float) -> bool:
        changed = max(look.mtime_ns, look.ctime_ns) / 1e9
        return share_now - changed >= self.settle_seconds + MARGIN_SECONDS
