"""What every source of work offers the scan: where to look, which files count, and what one of them asks for."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from clipd.errors import ClipdError
from clipd.intake.admit import Admission
from clipd.tree.layout import Layout


class Source(Protocol):
    """A folder into which people put work."""

    @property
    def ignore(self) -> tuple[str, ...]:
        """Shell patterns of names in it that are never work, besides those of the settings."""
        ...

    def folder(self, layout: Layout) -> Path:
        """The folder to look at, with all that is below it."""
        ...

    def wants(self, layout: Layout, name: str) -> bool:
        """Does a file of this name count?"""
        ...

    def admit(self, layout: Layout, path: Path) -> Admission:
        """What the settled file at `path` asks for.

        Raises:
            Rejected: it cannot be read as what it should be.
            Temporary: it changed while it was read, or the share failed.
        """
        ...

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """What a file that `admit` rejects, twice over, amounts to: nothing, or a job that answers with the error."""
        ...
