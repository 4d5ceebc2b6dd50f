"""A root whose state folder is there, for tests of what lies in it; a whole tree is `tests.e2e.tree`."""

from __future__ import annotations

from pathlib import Path

from clipd.tree.layout import Directories, Layout


def laid_out(root: Path) -> Layout:
    """The default layout at `root`, its state folder made."""
    layout = Layout(root, Directories())
    layout.state.mkdir(parents=True, exist_ok=True)
    return layout
