"""Requests under a name: the same question is answered from its receipt, another one is refused in words."""

from __future__ import annotations

import json
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_requests import SETTINGS, answer, ask, film, written
from tests.e2e.tree import Tree
from tests.footage import footage
from tests.unit.recordings.camera import at, cut, named


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    for start in (10, 15):
        cut(tree.layout.recordings / named(start), start, start + 5)
    return tree


def span(start: float, end: float) -> dict[str, Any]:
    return {"camera_id": "gate", "start_time": written(at(start)), "end_time": written(at(end)), "clip_id": "door"}


def test_another_moment_under_a_used_name_is_refused_unless_forced(tree: Tree) -> None:
    ask(tree, "one", **span(11, 13))
    tree.once()
    made = film(tree, "one")
    before = made.stat().st_mtime_ns
    ask(tree, "two", **span(14, 16))
    tree.once(expect=1)
    said = answer(tree, "two")
    assert (said["status"], said["path"]) == ("failed", None)
    assert f"door is already {tree.layout.relative(made)}" in said["message"]
    assert "force" in said["message"]
    assert made.stat().st_mtime_ns == before
    ask(tree, "three", **span(14, 16), force=True)
    tree.once()
    assert answer(tree, "three")["actual_start"] == answer(tree, "three")["start_time"]


def test_the_same_question_is_answered_whoever_asks_and_without_its_footage(tree: Tree) -> None:
    ask(tree, "one", **span(11, 13))
    tree.once()
    for recording in tree.layout.recordings.rglob("*.mp4"):
        recording.unlink()
    ask(tree, "two", **span(11, 13), source="alarm", shift="night")
    tree.once()
    assert film(tree, "two") == film(tree, "one")


def test_a_time_of_day_under_a_used_name_is_refused_where_it_means_another_day(tree: Tree) -> None:
    request = {"camera_id": "gate", "timestamp": f"{at(13):%H:%M:%S}", "duration": 2, "clip_id": "door"}
    for name, days, expect in (("one", 0, 0), ("two", 0, 0), ("three", 1, 1)):
        ask(tree, name, **request)
        moment = (at(13) + timedelta(days=days, hours=1)).timestamp()
        os.utime(tree.layout.inbox_of("requests") / f"{name}.json", (moment, moment))
        tree.once(expect=expect)
    assert [answer(tree, name)["status"] for name in ("one", "two", "three")] == ["done", "done", "failed"]
    assert "door is already" in answer(tree, "three")["message"]


def test_another_event_under_a_used_name_is_refused(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree")
    tree.add_source(footage("mdn_friday.mp4"), "match.mp4")
    request = ("event", "door-42", "--video", "cam1/s1/match.mp4", "--start")
    tree.run(*request, "1")
    tree.once()
    tree.run("event", "door-42", "--video", "cam1/gone.mp4", "--start", "754.5")
    tree.once(expect=1)
    answers = tree.layout.inbox_of("events").glob("*.status.json")
    said = [json.loads(path.read_text()) for path in answers]
    assert sorted(one["status"] for one in said) == ["done", "failed"]
    assert any("door-42 is already data/" in one["message"] for one in said)
