"""What lies outside the tree: can copies be brought to their destinations, and videos be fetched from links?"""

from __future__ import annotations

import importlib.metadata
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from clipd.delivery.destinations import STORES, Destination
from clipd.errors import ClipdError, Rejected, Temporary
from clipd.report.doctor.finding import Finding, Level, Patient

PATIENCE_SECONDS = 8.0
"""How long all destinations together may take to answer."""
NAME = ".clipd-doctor"
CONTENT = b"written by clipd doctor, and removed by it\n"


def destinations(patient: Patient) -> Iterator[Finding]:
    """Every destination: a small file goes there, is read back, and is removed again."""
    tries = [_Try(destination, patient.layout.root) for destination in patient.destinations]
    for one in tries:
        one.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    for one in tries:
        one.join(max(0.0, deadline - time.monotonic()))
        where = f"destination {one.destination.label}"
        if one.is_alive():
            words, mend = f"it did not answer within {PATIENCE_SECONDS:g} s", "can it be reached from here? copies wait"
            yield Finding(Level.WARNING, where, words, mend)
        elif one.trouble is not None:
            level = Level.WRONG if isinstance(one.trouble, Rejected) else Level.WARNING
            mend = f"copies wait for it, for up to {one.destination.patience_hours:g} h (destinations.patience_hours)"
            yield Finding(level, where, str(one.trouble), mend)
        else:
            yield Finding(Level.OK, where, "a file was written there, read back and removed, just now")


def links(patient: Patient) -> Iterator[Finding]:
    """Whether what fetches videos is installed, where links are allowed."""
    hosts = patient.links.hosts
    if not hosts:
        return
    try:
        version = importlib.metadata.version("yt-dlp")
    except importlib.metadata.PackageNotFoundError:
        words = "hosts are listed, but yt-dlp is not installed here: links wait for a machine that has it"
        yield Finding(Level.WARNING, "links", words, "pip install 'clipd[download]' into clipd's own environment")
    else:
        yield Finding(Level.OK, "links", f"yt-dlp {version} fetches from {', '.join(hosts)}")


class _Try(threading.Thread):
    """One destination is tried in a thread of its own: who is far away may take for ever."""

    def __init__(self, destination: Destination, root: Path) -> None:
        super().__init__(name=f"doctor {destination.label}", daemon=True)
        self.destination, self._root = destination, root
        self.trouble: ClipdError | OSError | None = None

    def run(self) -> None:
        try:
            self._bring()
        except (ClipdError, OSError) as error:
            self.trouble = error

    def _bring(self) -> None:
        store = STORES[self.destination.way](self.destination, self._root)
        with tempfile.TemporaryDirectory(prefix="clipd-doctor-") as folder:
            source = Path(folder) / NAME
            source.write_bytes(CONTENT)
            staged = store.stage(NAME, source, lambda: None)
            try:
                content = b"".join(store.read(staged))
            finally:
                store.discard(staged)
        if content != CONTENT:
            raise Temporary(f"what was written there reads back otherwise ({len(content)} of {len(CONTENT)} bytes)")
