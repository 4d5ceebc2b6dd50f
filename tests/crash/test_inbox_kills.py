"""`kill -9` before any change on disk, for what is dropped into the inbox: videos and events. Whatever step it hits,
the next attempt leads to the same final tree, and nothing that was dropped is lost.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from clipd.config import load
from clipd.daemon import Daemon
from clipd.intake.sources.requests import Requests
from clipd.intake.sources.source import Source
from clipd.intake.sources.videos import DroppedVideos
from clipd.lifecycle import process
from clipd.model.outcome import Verdict
from clipd.tree.layout import Layout
from tests.crash import oracle
from tests.crash.child import KILLED, UNFINISHED, in_child, swept
from tests.e2e.tree import Tree
from tests.footage import make

EVERY = 1 if os.environ.get("CLIPD_FULL") else 3
"""Every third change is enough for every run of the tests; the environment variable CLIPD_FULL asks for all."""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def work(layout: Layout, source: Source, dropped: Path) -> Callable[[], int]:
    """The lifecycle of what lies at `dropped`; 0 when it is complete."""

    def run() -> int:
        (job,) = source.admit(layout, dropped).jobs
        place = Daemon(load(layout.root, layout.root / "clipd.yaml")).workplace
        return 0 if process(job, place).verdict is Verdict.COMPLETE else UNFINISHED

    return run


def drop_video(tree: Tree, film: Path) -> Path:
    path = tree.layout.dropped_videos / "cam1/s1/match.mp4"
    path.parent.mkdir(parents=True)
    path.with_suffix(".yaml").write_text("mode: v2\n")
    shutil.copyfile(film, path)
    return path


def drop_event(tree: Tree, film: Path) -> Path:
    tree.add_source(film, "match.mp4")
    path = tree.layout.inbox_of("events") / "door.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"event_id": "door", "video_path": "cam1/s1/match.mp4", "start": 0.2, "note": "mine"}))
    return path


def video_is_done(tree: Tree, film: Path) -> Iterator[str]:
    """What is wrong once the video was analysed."""
    filed = tree.layout.source / "cam1/s1/match.mp4"
    if not filed.exists() or filed.read_bytes() != film.read_bytes():
        yield "the video is not in the source tree"
    if (tree.layout.dropped_videos / "cam1/s1/match.mp4").exists():
        yield "the video is still in the inbox"
    if (tree.layout.dropped_videos / "cam1/s1/match.yaml").exists():
        yield "its note is still in the inbox"
    sidecar = tree.layout.sidecars / "cam1/s1/match_clips.json"
    if not sidecar.exists() or {clip["status"] for clip in oracle.load(sidecar)} - {"Draft"}:
        yield "there is no sidecar with drafts"
    told = json.loads((tree.layout.dropped_videos / "cam1/s1/match.status.json").read_text())
    if told["status"] != "done" or not (tree.root / told["report"]).exists():
        yield f"the answer is {told}"


def event_is_done(tree: Tree, film: Path) -> Iterator[str]:
    """What is wrong once the event has its clip."""
    inbox = tree.layout.inbox_of("events")
    told = json.loads((inbox / "door.status.json").read_text())
    if told["status"] != "done" or not (tree.root / told["path"]).exists():
        yield f"the answer is {told}"
    if not (inbox / "done/door.json").exists() or (inbox / "door.json").exists():
        yield "the request is not in done/"
    if json.loads((inbox / "done/door.json").read_text())["note"] != "mine":
        yield "the request was changed"


@pytest.mark.parametrize(
    ("source", "drop", "wrong"),
    [
        (DroppedVideos(), drop_video, video_is_done),
        (Requests("event", "events", "event_id", "event"), drop_event, event_is_done),
    ],
    ids=["video", "event"],
)
def test_a_kill_before_any_change_on_disk_is_recovered_from(
    tmp_path: Path,
    film: Path,
    source: Source,
    drop: Callable[[Tree, Path], Path],
    wrong: Callable[[Tree, Path], Iterator[str]],
) -> None:
    tree = Tree.at(tmp_path / "whole")
    code, changes = in_child(work(tree.layout, source, drop(tree, film)))
    assert code == 0
    assert list(wrong(tree, film)) == []
    for die_at in range(1, changes + 1, EVERY):
        tree = Tree.at(tmp_path / f"killed-{die_at}")
        dropped = drop(tree, film)
        killed, _ = in_child(work(tree.layout, source, dropped), die_at)
        assert killed == KILLED
        swept(tree.layout)
        if dropped.exists():
            assert in_child(work(tree.layout, source, dropped))[0] == 0, f"killed before change {die_at}"
        assert list(wrong(tree, film)) == [], f"killed before change {die_at}"
        assert oracle.violations(swept(tree.layout)) == [], f"killed before change {die_at}"
