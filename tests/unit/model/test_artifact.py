"""Artifacts: two names, one in staging and one for good."""

from __future__ import annotations

from dataclasses import replace

from clipd.model.artifact import Artifact


def test_in_staging_it_has_its_own_name_where_one_is_given() -> None:
    sheet = Artifact("match_goal.json", "h264/cam1/s1", "annotation", "json", 1, "", {})
    assert sheet.staged_name == "match_goal.json"
    assert replace(sheet, staged="match_goal.mp4.json").staged_name == "match_goal.mp4.json"
