"""Requests for recordings that have just arrived, or are still arriving: the real daemon waits for them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.e2e.tree import Tree, save, wait_until
from tests.unit.recordings.camera import at, cut, named


def archive(tmp_path: Path, settle_seconds: float) -> Tree:
    """A tree with one recording of a camera, of second 30."""
    recordings = {"time_zone": "UTC", "settle_seconds": settle_seconds}
    tree = Tree.at(tmp_path / "tree", {"recordings": recordings, "requests": {"look_seconds": 0.3}})
    cut(tree.layout.recordings / named(30), 30, 35)
    return tree


def ask(tree: Tree, first: float, last: float) -> None:
    folder = tree.layout.inbox_of("requests")
    folder.mkdir(parents=True, exist_ok=True)
    span = {"start_time": at(first).isoformat(), "end_time": at(last).isoformat()}
    save(folder / "fresh.json", {"camera_id": "gate", **span})


def answer(tree: Tree) -> dict[str, Any]:
    path = tree.layout.inbox_of("requests") / "fresh.status.json"
    return json.loads(path.read_text()) if path.exists() else {}


def test_a_single_pass_waits_for_a_recording_that_has_just_arrived(tmp_path: Path) -> None:
    tree = archive(tmp_path, settle_seconds=8)
    cut(tree.layout.recordings / named(0), 0, 15)
    ask(tree, 5, 9)
    tree.once()
    assert (answer(tree)["status"], answer(tree)["coverage"]) == ("done", 100)


def test_a_request_waits_for_a_recording_that_is_being_copied(tmp_path: Path) -> None:
    tree = archive(tmp_path, settle_seconds=0)
    whole = cut(tmp_path / "whole.mp4", 0, 15).read_bytes()
    with tree.daemon(), (tree.layout.recordings / named(0)).open("wb") as file:
        file.write(whole[: len(whole) // 2])
        file.flush()
        ask(tree, 5, 9)
        wait_until(lambda: answer(tree).get("status") == "waiting", "the request to wait")
        assert answer(tree)["message"] == f"waiting until {named(0)} is finished"
        file.write(whole[len(whole) // 2 :])
        file.close()
        wait_until(lambda: answer(tree).get("status") == "done", "the request to go on", 20)
    assert answer(tree)["coverage"] == 100
