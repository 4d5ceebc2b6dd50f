"""What work waits for: a file stirs when it looks different, comes, goes, or cannot be looked at."""

from __future__ import annotations

from pathlib import Path

from clipd.files.walk import look
from clipd.tree.awaited import Awaiting, marks, stirred
from tests.place import laid_out


def test_a_file_stirs_when_it_comes_changes_or_cannot_be_looked_at(tmp_path: Path) -> None:
    layout = laid_out(tmp_path)
    folder = layout.source / "cam1"
    path = folder / "match.mp4"
    folder.mkdir(parents=True)
    waits = marks(layout, Awaiting("it is not there", {path: look(path)}))
    assert not stirred(layout, waits)
    path.write_text("half")
    assert stirred(layout, waits)
    waits = marks(layout, Awaiting("it is cut off", {path: look(path)}))
    assert not stirred(layout, waits)
    path.write_text("whole")
    assert stirred(layout, waits)
    path.unlink()
    folder.rmdir()
    folder.symlink_to(folder)
    assert stirred(layout, waits)
