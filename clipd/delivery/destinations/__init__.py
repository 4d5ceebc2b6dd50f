"""Destinations: where copies of outputs go after publication. A visible table, one file for each way of reaching one.

A copy never holds up the queue and never fails a clip: the carrier brings what the outbox on disk says.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from clipd.delivery.destinations.destination import Destination
from clipd.delivery.destinations.directory import Directory
from clipd.delivery.destinations.remote import Remote
from clipd.delivery.destinations.store import Store

Open = Callable[[Destination, Path], Store]
"""Reaches a destination of the tree with this root."""

STORES: dict[str, Open] = {
    "directory": Directory,
    "url": Remote,
}
"""Way -> how it is reached."""

__all__ = ["STORES", "Destination", "Open", "Store"]
