"""Copies of what is published, through the real daemon: a directory, an address, one that is away, and being killed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.test_steering import clip
from tests.e2e.tree import Tree, wait_until
from tests.footage import make

NAME = "ffv1/cam1/s1/match_goal"


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make(tmp_path / "film.mp4", count=60, size=(160, 96))


def a_tree(tmp_path: Path, film: Path, *destinations: dict[str, Any]) -> tuple[Tree, Path]:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["ffv1", "h264"]}, "destinations": list(destinations)})
    tree.add_source(film, "match.mp4")
    return tree, tree.write_sidecar([clip("goal", 0, 9)])


def files(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_outputs_are_copied_whole_and_named_in_their_truth_sheet(tmp_path: Path, film: Path) -> None:
    archive, cloud = tmp_path / "archive", tmp_path / "cloud"
    archive.mkdir()
    tree, sidecar = a_tree(
        tmp_path, film,
        {"directory": str(archive), "formats": ["ffv1"]},
        {"url": f"file://{cloud}", "name": "cloud", "cameras": ["cam1"]},
        {"directory": "nowhere", "cameras": ["cam2"]},
    )  # fmt: skip
    tree.once()
    assert tree.clip(sidecar, "goal")["status"] == "Complete"
    published = files(tree.layout.outputs)
    assert files(cloud) == published
    assert files(archive) == {name: data for name, data in published.items() if name.startswith("ffv1/")}
    sheet = json.loads(published[f"{NAME}.json"])
    assert sheet["copies_to"] == [f"{archive}/{NAME}.mkv", f"cloud/{NAME}.mkv"]
    assert len(list(tree.layout.all_receipts.rglob("*.copy"))) == 2
    assert "copies" not in tree.run("status").stdout


def test_a_destination_that_is_away_fails_no_clip_is_shown_and_gets_its_copies_later(
    tmp_path: Path, film: Path
) -> None:
    archive, other = tmp_path / "archive", tmp_path / "other"
    other.mkdir()
    tree, sidecar = a_tree(tmp_path, film, {"directory": str(archive), "name": "vault"}, {"directory": str(other)})
    tree.once()
    assert tree.clip(sidecar, "goal")["status"] == "Complete"
    assert (other / f"{NAME}.mkv").exists()
    shown = tree.run("status").stdout
    assert "1 pending, 0 failed: vault" in shown
    assert "is it mounted?" in shown
    assert 'clipd_copies{state="pending"} 1.0' in tree.layout.metrics.read_text()
    assert json.loads(tree.layout.status_data.read_text())["copies"] == {"pending": 1, "failed": 0}
    with tree.daemon():
        archive.mkdir()
        wait_until(lambda: files(archive) == files(tree.layout.outputs), "the copies", seconds=20)
        wait_until(lambda: not list(tree.layout.outboxes.rglob("*.json")), "the outbox to be empty")


def test_killed_with_copies_to_bring_the_next_daemon_brings_them(tmp_path: Path, film: Path) -> None:
    archive = tmp_path / "archive"
    tree, sidecar = a_tree(tmp_path, film, {"directory": str(archive)})
    with tree.daemon() as daemon:
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip")
        daemon.kill()
    assert len(list(tree.layout.outboxes.rglob("*.json"))) == 1
    archive.mkdir()
    with tree.daemon(), tree.daemon():
        wait_until(lambda: files(archive) == files(tree.layout.outputs), "the copies", seconds=20)


def test_what_is_made_again_is_copied_again(tmp_path: Path, film: Path) -> None:
    archive = tmp_path / "archive"
    archive.mkdir()
    tree, sidecar = a_tree(tmp_path, film, {"directory": str(archive)})
    tree.once()
    first = (archive / f"{NAME}.mkv").read_bytes()
    tree.write_sidecar([{**tree.clip(sidecar, "goal"), "end_frame": 5, "status": "Process"}])
    tree.once()
    assert files(archive) == files(tree.layout.outputs)
    assert (archive / f"{NAME}.mkv").read_bytes() != first
