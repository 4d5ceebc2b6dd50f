"""Videos as jobs: known by where they lie, and another wish when another film lies there."""

from __future__ import annotations

from pathlib import Path

from clipd.intake.sources.videos import DroppedVideos
from clipd.tree.layout import Directories, Layout


def test_another_film_under_the_same_name_is_the_same_job_and_another_wish(tmp_path: Path) -> None:
    layout = Layout(tmp_path, Directories())
    path = layout.dropped_videos / "cam1" / "s1" / "match.mp4"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no film")
    (first,) = DroppedVideos().admit(layout, path).jobs
    assert DroppedVideos().admit(layout, path).jobs == (first,)
    path.write_bytes(b"a longer film")
    (other,) = DroppedVideos().admit(layout, path).jobs
    assert other.id == first.id
    assert other.wish != first.wish
