"""Work that waits: it costs no log, and goes on as soon as what it waits for is there."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from tests.e2e.tree import Tree, wait_until
from tests.footage import make

CLIP = {"id": "1", "name": "goal", "source_path": "cam1/s1/match.mp4", "start_frame": 0, "end_frame": 4}
QUIET_SECONDS = 3.0
"""Several times as long as what waits is left alone."""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    settings = {"retry": {"deferred_wait_seconds": 0.3}, "clips": {"formats": ["h264"]}}
    return Tree.at(tmp_path / "tree", settings)


def test_what_is_not_there_is_named_once_and_noticed_when_it_comes(tree: Tree, tmp_path: Path) -> None:
    film = make(tmp_path / "film.mp4", count=30, size=(64, 48))
    sidecar = tree.write_sidecar([{**CLIP, "status": "Process"}])
    event = {"event_id": "door", "video_path": "cam1/s1/mtach.mp4", "start": 0.2}
    (tree.layout.inbox_of("events") / "door.json").write_text(json.dumps(event))
    with tree.daemon() as daemon:
        wait_until(lambda: daemon.log.count("is not there") == 2, "both to be told that they wait")
        time.sleep(QUIET_SECONDS)
        assert daemon.log.count("claimed") == 2
        assert daemon.log.count("deferred") == 2
        tree.add_source(film, "match.mp4")
        tree.add_source(film, "mtach.mp4")
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip", 20)
        wait_until(lambda: daemon.log.count("complete:") == 2, "the event", 20)


def test_a_source_of_another_kind_at_the_place_of_its_sidecar_is_noticed(tree: Tree, tmp_path: Path) -> None:
    sidecar = tree.write_sidecar([{**CLIP, "source_path": "gone/match.mp4", "status": "Process"}])
    with tree.daemon() as daemon:
        wait_until(lambda: "is not there" in daemon.log, "it to wait")
        tree.add_source(make(tmp_path / "film.mkv", count=30, size=(64, 48)), "match.mkv")
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip", 20)
