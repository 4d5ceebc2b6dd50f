"""Requests in folders of the inbox, and such as are called alike, in the real daemon."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.e2e.test_events import answer, ask
from tests.e2e.tree import Tree
from tests.footage import make


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree.at(tmp_path / "tree")
    tree.add_source(make(tmp_path / "film.mp4", count=40, size=(64, 48)), "match.mp4")
    return tree


def test_events_in_folders_of_ones_own_are_answered_each(tree: Tree) -> None:
    ask(tree, "cam1/door.json", event_id="a", video_path="cam1/s1/match.mp4", start=0.2)
    ask(tree, "cam1/notes.json", weather="rain")
    ended = tree.once(expect=1)
    assert answer(tree, "cam1/door")["status"] == "done"
    assert "cam1/notes.json: line 1: it has no event_id" in ended.stdout
    folder = tree.layout.inbox_of("events") / "cam1"
    assert sorted(path.name for path in folder.iterdir()) == ["done", "door.status.json", "notes.json"]


def test_of_two_requests_that_are_called_alike_the_later_one_is_refused_in_words(tree: Tree) -> None:
    ask(tree, "door.json", event_id="a", video_path="cam1/s1/match.mp4", start=0.2, priority=-1)
    ask(tree, "door.yaml", event_id="b", video_path="cam1/s1/match.mp4", start=0.4, priority=1)
    tree.once(expect=1)
    said = [answer(tree, name) for name in ("door", "door.yaml")]
    assert [(one["event_id"], one["status"]) for one in said] == [("a", "done"), ("b", "failed")]
    assert "rename this one" in said[1]["message"]
    assert answer(tree, "failed/door.yaml") == said[1]
