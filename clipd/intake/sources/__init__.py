"""Sources of work: a visible table. A new one is one file and one line here."""

from __future__ import annotations

from clipd.intake.sources.sidecars import Sidecars
from clipd.intake.sources.source import Source

SOURCES: tuple[Source, ...] = (Sidecars(),)
"""Every folder that the daemon looks at for work."""

__all__ = ["SOURCES", "Source"]
