"""The truth sheet: beside every output, in every format asked for, and never in the way of a file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from clipd import __version__
from clipd.delivery.annotate import Circumstances, annotate
from clipd.errors import ClipdError, Rejected
from clipd.files.identity import Identity
from clipd.files.walk import Look
from clipd.jobs.kind import Prepared, Result
from clipd.model.artifact import Artifact, Role
from clipd.model.job import Job
from tests.fake_clock import NOON

JOB = Job("7f3a", "clip", "data/x_clips.json", "id:1", "match / goal", "cam1", "s1", 0, NOON)
FACTS = Circumstances(JOB, "rev", 2, "here", NOON, NOON, (Identity("ab" * 32, Look(1234, 0, 0, 0)),))
PREPARED = Prepared(None, Path("/t/data/source/match.mp4"), "data/source/match.mp4", {}, ("source_path is missing",))
TRUTH: dict[str, Any] = {
    "requested": {"first_frame": 0, "last_frame": 9},
    "source": {"codec": "h264", "frames": 100},
    "outputs": {"match_goal.mp4": {"codec": "h264", "frames": 10}, "match_goal.mkv": {"codec": "ffv1"}},
    "tools": {"av": "18.1"},
}


def made(name: str, role: Role = "video", folder: str = "h264/cam1/s1", **more: Any) -> Artifact:
    return Artifact(name, folder, role, "h264", 1000, "cd" * 32, {"measured": 1}, **more)


def sheets(staging: Path, *artifacts: Artifact, formats: tuple[str, ...] = ("json",)) -> tuple[Artifact, ...]:
    return annotate(staging, PREPARED, Result(artifacts, TRUTH, ("it was dark",)), FACTS, formats)


def test_a_video_has_a_sheet_that_says_it_all(tmp_path: Path) -> None:
    (made_sheet,) = sheets(tmp_path, made("match_goal.mp4"), made("match_goal.jpg", "thumbnail"))
    sheet = json.loads((tmp_path / made_sheet.staged_name).read_text())
    assert sheet == {
        "clip": "match / goal",
        "file": "h264/cam1/s1/match_goal.mp4",
        "size": 1000,
        "sha256": "cd" * 32,
        "job": "7f3a",
        "sidecar": "data/x_clips.json",
        "key": "id:1",
        "revision": "rev",
        "run": 2,
        "source": {"path": "data/source/match.mp4", "size": 1234, "sha256": "ab" * 32, "codec": "h264", "frames": 100},
        "requested": {"first_frame": 0, "last_frame": 9},
        "output": {"codec": "h264", "frames": 10, "measured": 1},
        "files": [
            {"path": "h264/cam1/s1/match_goal.mp4", "role": "video", "size": 1000, "sha256": "cd" * 32},
            {"path": "h264/cam1/s1/match_goal.jpg", "role": "thumbnail", "size": 1000, "sha256": "cd" * 32},
        ],
        "warnings": ["source_path is missing", "it was dark"],
        "host": "here",
        "started_at": "2026-05-01T12:00:00.000Z",
        "finished_at": "2026-05-01T12:00:00.000Z",
        "tools": {"clipd": __version__, "python": sheet["tools"]["python"], "av": "18.1"},
    }


def test_a_sheet_is_an_artifact_that_is_published_beside_its_video(tmp_path: Path) -> None:
    (sheet,) = sheets(tmp_path, made("match_goal.v2.mp4"))
    content = (tmp_path / sheet.staged_name).read_bytes()
    assert (sheet.name, sheet.folder, sheet.role, sheet.format) == (
        "match_goal.v2.json",
        "h264/cam1/s1",
        "annotation",
        "json",
    )
    assert (sheet.size, sheet.sha256) == (len(content), hashlib.sha256(content).hexdigest())


def test_json_is_written_whatever_is_asked_for_and_each_format_once(tmp_path: Path) -> None:
    found = sheets(tmp_path, made("match_goal.mp4"), formats=("yaml", "txt", "json", "yaml"))
    assert [sheet.name for sheet in found] == ["match_goal.json", "match_goal.yaml", "match_goal.txt"]
    as_json, as_yaml, _ = ((tmp_path / sheet.staged_name).read_text() for sheet in found)
    assert yaml.safe_load(as_yaml) == json.loads(as_json)


def test_both_formats_of_a_clip_have_a_sheet_of_their_own(tmp_path: Path) -> None:
    h264, ffv1 = sheets(tmp_path, made("match_goal.mp4"), made("match_goal.mkv", folder="ffv1/cam1/s1"))
    assert (h264.name, ffv1.name) == ("match_goal.json", "match_goal.json")
    assert (h264.folder, ffv1.folder) == ("h264/cam1/s1", "ffv1/cam1/s1")
    told = [json.loads((tmp_path / sheet.staged_name).read_text())["output"]["codec"] for sheet in (h264, ffv1)]
    assert told == ["h264", "ffv1"]


def test_two_videos_of_one_name_in_two_folders_are_told_apart(tmp_path: Path) -> None:
    one = made("match_goal.mkv", staged="h264-match_goal.mkv")
    other = made("match_goal.mkv", folder="ffv1/cam1/s1", staged="ffv1-match_goal.mkv")
    found = sheets(tmp_path, one, other)
    files = [json.loads((tmp_path / sheet.staged_name).read_text())["file"] for sheet in found]
    assert files == ["h264/cam1/s1/match_goal.mkv", "ffv1/cam1/s1/match_goal.mkv"]


def test_a_file_without_a_video_of_its_name_has_a_sheet_too_so_that_its_owner_is_known(tmp_path: Path) -> None:
    found = sheets(
        tmp_path, made("match_goal.mp4"), made("match_goal_tracks.csv", "data"), made("match_goal_tracks.jpg", "data")
    )
    assert [sheet.name for sheet in found] == ["match_goal.json", "match_goal_tracks.json"]
    assert json.loads((tmp_path / found[1].staged_name).read_text())["file"] == "h264/cam1/s1/match_goal_tracks.csv"


def test_files_that_differ_in_their_suffix_share_a_sheet(tmp_path: Path) -> None:
    found = sheets(
        tmp_path, made("match_goal.csv", "data"), made("match_goal.mp4"), made("match_goal.jpg", "thumbnail")
    )
    assert [sheet.name for sheet in found] == ["match_goal.json"]
    assert json.loads((tmp_path / found[0].staged_name).read_text())["file"].endswith("match_goal.mp4")


@pytest.mark.parametrize("name", ["match_goal.json", "match_goal.txt"])
def test_a_file_that_has_the_name_of_a_sheet_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(Rejected, match=f"{name} is the name of the truth sheet"):
        sheets(tmp_path, made("match_goal.mp4"), made(name, "data"), formats=("json", "txt"))


def test_the_same_name_in_another_format_is_none_of_its_business(tmp_path: Path) -> None:
    assert len(sheets(tmp_path, made("match_goal.mp4"), made("match_goal.txt", "data"))) == 1


def test_names_that_are_no_unicode_are_written_down(tmp_path: Path) -> None:
    facts = replace(FACTS, job=replace(JOB, name="caf\udce9 / 試合"))
    found = annotate(tmp_path, PREPARED, Result((made("match.mp4"),), TRUTH), facts, ("json", "yaml", "txt"))
    for sheet in found:
        text = (tmp_path / sheet.staged_name).read_text("utf-8")
        assert "試合" in text
        assert "\\udce9" in text.lower()
    assert json.loads((tmp_path / found[0].staged_name).read_text())["clip"] == "caf\udce9 / 試合"


def test_a_disk_that_does_not_take_it_is_told_apart(tmp_path: Path) -> None:
    with pytest.raises(ClipdError, match="writing the truth sheet match_goal.json"):
        sheets(tmp_path / "gone", made("match_goal.mp4"))
