"""Sources of work: a visible table. A new one is one file and one line here."""

from __future__ import annotations

from clipd.intake.sources.datasets import Datasets
from clipd.intake.sources.links import Links
from clipd.intake.sources.requests import Requests
from clipd.intake.sources.sidecars import Sidecars
from clipd.intake.sources.source import Source
from clipd.intake.sources.videos import DroppedVideos, SourceVideos
from clipd.jobs import event

SOURCES: tuple[Source, ...] = (
    Sidecars(),
    DroppedVideos(),
    Requests("request", "requests", "clip_id"),
    Requests("event", "events", "event_id", event.FOLDER_REQUEST),
    Links(),
    Datasets(),
)
"""Every folder that the daemon looks at for work."""
SOURCE_TREE = SourceVideos()
"""Looked at as well where videos of the source tree are to be analysed."""

__all__ = ["SOURCES", "SOURCE_TREE", "Source"]
