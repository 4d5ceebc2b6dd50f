"""The plan: what would be made, from what, where and how big, what would be skipped and why; nothing is touched."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clipd.files.walk import NOT_THERE_YET
from clipd.jobs.clip import Settings
from clipd.report.plan import Planned, Skipped, plan
from tests.unit.report.workplace import LIMITS, Workplace, clip

OUTPUTS = "data/prept/03_CLIPPED"


def planned(place: Workplace, cameras: Sequence[str] = (), **settings: Any) -> list[Planned | Skipped]:
    made = Settings.model_validate(settings)
    return list(plan(place.layout, NOT_THERE_YET, cameras, made, LIMITS, None))


def test_a_file_that_would_be_made_is_named_with_its_source_frames_and_size(place: Workplace) -> None:
    place.add_video()
    place.save(clip(crop_keyframes={"10": [0, 0, 40, 30]}))
    before = place.everything()
    (found,) = planned(place)
    assert isinstance(found, Planned)
    assert found.clip == "match / goal"
    assert found.source == "data/source/cam1/s1/match.mp4"
    assert found.output == f"{OUTPUTS}/h264/cam1/s1/match_goal.mp4"
    assert (found.width, found.height) == (40, 30)
    assert (found.frames, found.first_frame, found.last_frame) == (10, 10, 19)
    assert found.size_bytes > 0
    assert not found.replaces
    assert place.everything() == before


def test_every_format_and_variation_is_a_file_of_its_own(place: Workplace) -> None:
    place.add_video()
    place.save(clip(crop_keyframes={"10": [0, 0, 40, 30]}))
    found = planned(place, formats=["h264", "ffv1"], variations={"enabled": True})
    assert [step.output.removeprefix(OUTPUTS) for step in found if isinstance(step, Planned)] == [
        "/h264/cam1/s1/match_goal.mp4", "/h264/cam1/s1/match_goal_wide.mp4", "/h264/cam1/s1/match_goal_full.mp4",
        "/ffv1/cam1/s1/match_goal.mkv", "/ffv1/cam1/s1/match_goal_wide.mkv", "/ffv1/cam1/s1/match_goal_full.mkv",
    ]  # fmt: skip


def test_a_compound_is_one_file_of_all_its_parts(place: Workplace) -> None:
    place.add_video()
    place.add_video("cam1/s1/other.mp4")
    parts = [{"clip": "goal"}, {"source_path": "cam1/s1/other.mp4", "start_frame": 0, "end_frame": 4}]
    compound = {"id": "film", "name": "film", "parts": parts, "status": "Process"}
    place.save(text=json.dumps({"clips": [clip(status="Draft")], "compounds": [compound]}))
    (found,) = planned(place)
    assert isinstance(found, Planned)
    assert found.clip == "match / film"
    assert found.source == "data/source/cam1/s1/match.mp4, data/source/cam1/s1/other.mp4"
    assert found.output == f"{OUTPUTS}/h264/cam1/s1/match_film.mp4"
    assert (found.frames, found.width, found.height) == (15, 96, 64)


def test_a_file_that_stands_there_would_be_replaced(place: Workplace) -> None:
    place.add_video()
    place.save(clip())
    output = place.layout.output("h264/cam1/s1", "match_goal.mp4")
    output.parent.mkdir(parents=True)
    output.touch()
    (found,) = planned(place)
    assert isinstance(found, Planned)
    assert found.replaces


def test_it_comes_in_the_order_of_the_work(place: Workplace) -> None:
    place.add_video()
    place.add_video("cam2/s1/other.mp4")
    place.save(clip("late"), clip("early", modified_at="2020-01-01T00:00:00Z"), clip("urgent", priority=5))
    place.save(clip("oldest", modified_at="2019-01-01T00:00:00Z"), name="cam2/s1/other_clips.json")
    names = [step.clip for step in planned(place) if isinstance(step, Planned)]
    assert names == ["match / urgent", "other / oldest", "match / early", "match / late"]


def test_what_would_be_skipped_is_told_with_the_reason(place: Workplace) -> None:
    place.add_video()
    place.save(
        clip("beyond", start_frame=50, end_frame=70),
        clip("backwards", start_frame=9, end_frame=5),
        clip("twice"),
        clip("twice"),
        clip("draft", status="Draft"),
        clip("fine"),
    )
    place.save(clip("waits"), name="cam1/s1/absent_clips.json")
    place.save(text="[", name="cam1/s2/broken_clips.json")
    place.save(clip("elsewhere"), name="cam2/s1/match_clips.json")
    found = planned(place, cameras=["cam1"])
    assert [step.clip for step in found if isinstance(step, Planned)] == ["match / fine"]
    skipped = {step.what: step.why for step in found if isinstance(step, Skipped)}
    assert set(skipped) == {
        "match / beyond", "match / backwards", "data/prept/_configs/cam1/s1/match_clips.json", "absent / waits",
        "data/prept/_configs/cam1/s2/broken_clips.json", "match / elsewhere",
    }  # fmt: skip
    assert "60" in skipped["match / beyond"]
    assert "before its start" in skipped["match / backwards"]
    assert "another clip has the id" in skipped["data/prept/_configs/cam1/s1/match_clips.json"]
    assert skipped["absent / waits"] == "waiting for its source: data/source/cam1/s1/absent.mp4 is not there"
    assert "line 1, column" in skipped["data/prept/_configs/cam1/s2/broken_clips.json"]
    assert skipped["match / elsewhere"] == "camera cam2 is not served here (cameras: cam1)"


def test_two_clips_that_would_be_one_file_are_skipped_with_both_names(place: Workplace) -> None:
    place.add_video()
    place.save(clip("a", name="goal"), clip("b", name="GOAL"))
    found = planned(place)
    assert len(found) == 2
    assert all(isinstance(step, Skipped) and "'goal'" in step.why and "'GOAL'" in step.why for step in found)


def test_a_broken_video_is_a_reason(place: Workplace) -> None:
    place.add_video().write_bytes(b"no film at all")
    place.save(clip())
    (found,) = planned(place)
    assert isinstance(found, Skipped)
    assert "match.mp4" in found.why


def test_a_folder_that_cannot_be_listed_is_told_below_the_root(place: Workplace) -> None:
    place.layout.sidecars.rmdir()
    assert planned(place) == [Skipped("data/prept/_configs", "No such file or directory")]


def test_without_anything_to_do_there_is_no_plan(place: Workplace, tmp_path: Path) -> None:
    place.save(clip(status="Complete"))
    assert planned(place) == []
