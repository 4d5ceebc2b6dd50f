"""The command line, as people use it: what it prints, what it refuses, and with which words."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.newtree import from_clipper
from tests.e2e.tree import Tree, save
from tests.footage import make as draw


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path / "tree")


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return draw(tmp_path / "film.mp4", count=60, size=(160, 96))


def clip(name: str, first: int = 0, last: int = 9, status: str = "Process", **more: object) -> dict[str, object]:
    return {"name": name, "start_frame": first, "end_frame": last, "status": status, **more}


def test_a_clipper_tree_is_taken_over_wherever_its_folders_are(tmp_path: Path, film: Path) -> None:
    root, media = tmp_path / "tree", tmp_path / "media"
    root.mkdir()
    config = root / "config.yaml"
    config.write_text(
        f"directories: {{source: {{base: {media}, raw: raw}}, output: {{base: ../work, clips: out, configs: conf}}}}\n"
        "export: {preserve_structure: true}\n"
    )
    (media / "raw/cam1/s1").mkdir(parents=True)
    film.rename(media / "raw/cam1/s1/match.mp4")
    sidecar = tmp_path / "work/conf/cam1/s1/match_clips.json"
    sidecar.parent.mkdir(parents=True)
    save(sidecar, [clip("goal", source_path="media/raw/cam1/s1/match.mp4"), clip("wrong", 50, 60)])
    tree = Tree.at(root, from_clipper(config, root))
    tree.once(expect=1)
    goal, wrong = json.loads(sidecar.read_text())
    assert goal["export_path"] == ["../work/out/h264/cam1/s1/match_goal.mp4"]
    assert (root / goal["export_path"][0]).is_file()
    assert "60 frames" in wrong["error"]
    assert "match_goal.mp4" in tree.run("why", "goal").stdout
    assert "match_clips.json: goal done" in tree.run("why", str(sidecar)).stdout
    assert tree.run("mark", str(sidecar), "wrong", "--as", "draft").stdout == "wrong: Draft\n"
