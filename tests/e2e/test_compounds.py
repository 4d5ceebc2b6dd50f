"""Compounds: several pieces of real footage joined into one film by the real daemon."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.e2e.tree import Tree
from tests.footage import footage

FRIDAY, FLOWER = "mdn_friday.mp4", "mdn_flower.mp4"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264", "ffv1"]}})
    tree.add_source(footage(FRIDAY), "match.mp4")
    tree.add_source(footage(FLOWER), "flower.mp4", place="cam2/s1")
    return tree


def sidecar(tree: Tree, *parts: dict[str, object], **more: object) -> Path:
    return tree.write_sidecar(
        {
            "note": "kept",
            "clips": [
                {"id": "a", "name": "talk", "start_frame": 10, "end_frame": 39, "status": "Draft"},
                {"id": "b", "name": "face", "start_frame": 60, "end_frame": 79, "status": "Draft",
                 "crop_keyframes": {"60": [100, 50, 320, 240]}},
            ],
            "compounds": [{"id": "x", "name": "best", "parts": list(parts), "status": "Process", **more}],
        }
    )  # fmt: skip


def compound(path: Path) -> dict[str, object]:
    found: dict[str, object] = json.loads(path.read_text())["compounds"][0]
    return found


def pictures(path: Path) -> list[np.ndarray]:
    with av.open(str(path)) as container:
        return [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]


def test_clips_and_pieces_of_several_videos_become_one_proven_film(tree: Tree) -> None:
    path = sidecar(
        tree, {"clip": "a"}, {"source_path": "cam2/s1/flower.mp4", "start": 1, "end": 2}, {"clip": "face"}
    )  # fmt: skip
    tree.once()
    done = compound(path)
    assert done["status"] == "Complete"
    assert done["export_path"] == [
        "data/prept/03_CLIPPED/h264/cam1/s1/match_best.mp4",
        "data/prept/03_CLIPPED/ffv1/cam1/s1/match_best.mkv",
    ]
    assert json.loads(path.read_text())["note"] == "kept"
    film = tree.root / str(done["export_path"][1])  # type: ignore[index]
    sheet = json.loads(film.with_suffix(".json").read_text())
    assert [part["frames"] for part in sheet["parts"]] == [30, 30, 20]
    assert sheet["parts"][2]["crop"] == [
        {"frame": 60, "rect": [100, 50, 320, 240]},
        {"frame": 79, "rect": [100, 50, 320, 240]},
    ]
    shown = pictures(film)
    assert len(shown) == 80
    assert {picture.shape for picture in shown} == {(540, 960)}
    with av.open(str(film)) as container:
        sound = sum(Fraction(frame.samples, frame.sample_rate) for frame in container.decode(audio=0))
    assert abs(sound - Fraction(sheet["seconds"]).limit_denominator(10**6)) < Fraction(1, 40)


def test_parts_alike_are_joined_without_touching_a_sample(tree: Tree) -> None:
    path = sidecar(tree, {"clip": "a"}, {"start_frame": 100, "end_frame": 119})
    tree.once()
    film = tree.root / str(compound(path)["export_path"][1])  # type: ignore[index]
    source = pictures(tree.layout.source / "cam1/s1/match.mp4")
    joined = pictures(film)
    wanted = [*source[10:40], *source[100:120]]
    assert len(joined) == len(wanted)
    assert all(np.array_equal(one, other) for one, other in zip(joined, wanted, strict=True))


def test_a_wrong_part_fails_with_its_number_and_the_mend_and_the_clips_still_run(tree: Tree) -> None:
    path = sidecar(tree, {"clip": "a"}, {"clip": "nobody"})
    content = json.loads(path.read_text())
    content["clips"][0]["status"] = "Process"
    path.write_text(json.dumps(content))
    tree.once(expect=1)
    content = json.loads(path.read_text())
    assert content["clips"][0]["status"] == "Complete"
    assert content["compounds"][0]["status"] == "Failed"
    assert "part 2: this sidecar has no clip 'nobody'" in content["compounds"][0]["error"]


def test_why_and_status_know_compounds(tree: Tree) -> None:
    sidecar(tree, {"clip": "a"}, {"source_path": "cam9/s1/absent.mp4", "start": 0, "end": 1})
    assert "absent.mp4 is not there" in tree.run("why", "best").stdout
    tree.once()
    assert "absent.mp4 is not there" in tree.run("why", "best").stdout
