"""The sidecar tree: every clip marked `Process` is a job. A sidecar that cannot be read is reported, never touched."""

from __future__ import annotations

from pathlib import Path

from clipd.errors import ClipdError
from clipd.intake.admit import Admission, admit
from clipd.tree.layout import Layout


class Sidecars:
    """Sidecars, wherever they lie below their folder."""

    ignore: tuple[str, ...] = ()

    def folder(self, layout: Layout) -> Path:
        """The sidecar tree."""
        return layout.sidecars

    def wants(self, layout: Layout, name: str) -> bool:
        """Does `name` end as sidecars do?"""
        return layout.is_sidecar(name)

    def admit(self, layout: Layout, path: Path) -> Admission:
        """The clips that ask for work."""
        return admit(layout, path)

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """Nothing: the file is a person's, and its other readers may well read it."""
        return Admission(())
