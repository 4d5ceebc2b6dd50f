"""Requests of the inbox are cancelled as clips are: by the command and by a control file, with the real daemon."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.e2e.tree import Tree, save, wait_until
from tests.footage import make

SETTINGS = {"recordings": {"time_zone": "UTC", "settle_seconds": 0}}


def ask(tree: Tree, name: str) -> Path:
    """A moment that is not recorded yet."""
    path = tree.layout.inbox_of("requests") / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    moment = datetime.now(UTC) + timedelta(minutes=10)
    save(path, {"clip_id": name, "camera_id": "gate", "timestamp": moment.isoformat()})
    return path


def answer(tree: Tree, request: Path) -> dict[str, Any]:
    path = tree.layout.answer(request)
    return json.loads(path.read_text()) if path.exists() else {}


def test_a_request_that_waits_is_cancelled_by_the_command_and_by_a_control_file(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", SETTINGS)
    begin = datetime.now(UTC) - timedelta(minutes=1)
    (tree.layout.recordings / "gate").mkdir(parents=True)
    make(tree.layout.recordings / "gate" / f"gate_{begin:%Y%m%d_%H%M%S}.mp4", count=25)
    by_command, by_file = ask(tree, "door-43"), ask(tree, "door-44")
    with tree.daemon():
        for request in (by_command, by_file):
            wait_until(lambda request=request: answer(tree, request).get("status") == "waiting", "the request to wait")  # type: ignore[misc]
        assert tree.run("cancel", "door-43").stdout == "request door-43: stopped, moved to failed/\n"
        (tree.layout.state / "CANCEL-door-44").touch()
        for request, by in ((by_command, "clipd cancel"), (by_file, "CANCEL-door-44")):
            wait_until(lambda request=request: answer(tree, request).get("status") == "failed", "the answer")  # type: ignore[misc]
            assert answer(tree, request)["message"].startswith(f"cancelled by {by};")
            assert answer(tree, request)["camera_id"] == "gate"
            assert not request.exists()
            assert (request.parent / "failed" / request.name).exists()
        again = ask(tree, "door-43")
        wait_until(lambda: answer(tree, again).get("status") == "waiting", "the request to be taken up again")
    assert "0 running, 1 waiting, 1 failed" in tree.run("status").stdout
