"""The checkup: what people wrote, told with file, line, column, clip and mend, and left as it is."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from clipd.files.walk import NOT_THERE_YET
from clipd.report.checkup import Finding, check_tree
from clipd.report.doctor.finding import Level
from tests.unit.report.workplace import CLIPS, LIMITS, Workplace, clip

SIDECAR = "data/prept/_configs/cam1/s1/match_clips.json"


def checked(place: Workplace, *paths: Path) -> list[Finding]:
    before = place.everything()
    found = list(check_tree(place.layout, paths, NOT_THERE_YET, CLIPS, LIMITS, None))
    assert place.everything() == before
    return found


def words(found: list[Finding]) -> str:
    (finding,) = found
    return finding.words


def test_where_all_is_well_nothing_is_said(place: Workplace) -> None:
    place.add_video()
    place.save(clip(source_path="cam1/s1/match.mp4"), clip("done", status="Complete", source_path="cam1/s1/match.mp4"))
    assert checked(place) == []


def test_a_wrong_value_is_told_with_its_place_in_the_file_and_the_mend(place: Workplace) -> None:
    place.add_video()
    place.save(text='[\n {"id": "a", "name": "goal", "start_frame": 5,\n  "end_frame": "soon"}\n]')
    (found,) = checked(place)
    assert found.where == SIDECAR
    assert found.level is Level.WRONG
    assert found.words.startswith('line 3, column 16, clip "goal": end_frame is "soon": write a whole number')


def test_clips_that_are_not_asked_for_are_checked_too(place: Workplace) -> None:
    place.add_video()
    place.save(clip(status="Draft", start_frame=-5))
    assert "start_frame is -5" in words(checked(place))


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"start_frame": 50, "end_frame": 60}, "60"),
        ({"crop_keyframes": {"10": [0, 0, 0, 5]}}, "must be 1 or more"),
        ({"output_resolution": "huge"}, "write 1080p, 720p"),
        ({"source_path": "../secret.mp4"}, "leaves the source folder"),
        ({"end_frame": None}, "start_frame is given without end_frame"),
    ],
)
def test_what_would_fail_is_told_before_it_does(place: Workplace, change: dict[str, object], told: str) -> None:
    place.add_video()
    place.save(clip(**change))
    assert told in words(checked(place))


def test_what_is_assumed_is_worth_knowing_but_nothing_to_mend(place: Workplace) -> None:
    place.add_video()
    place.save(clip(source_path="old/match.mp4"))
    (found,) = checked(place)
    assert found.level is Level.NOTE
    assert found.words == (
        "line 2, column 2, clip 'goal': source_path 'old/match.mp4' names no file; "
        "used data/source/cam1/s1/match.mp4, the sidecar's own place"
    )


def test_a_compound_is_checked_part_by_part(place: Workplace) -> None:
    place.add_video()
    named, own = {"clip": "goal"}, {"source_path": "cam1/s1/match.mp4", "start_frame": 50, "end_frame": 59}
    compounds = [
        {"id": "good", "name": "good", "parts": [named, own], "status": "Draft"},
        {"id": "bad", "name": "bad", "parts": [named, {**own, "end_frame": 60}], "status": "Draft"},
        {"id": "lost", "name": "lost", "parts": [{"clip": "nobody"}], "status": "Draft"},
    ]
    place.save(text=json.dumps({"clips": [clip(source_path="cam1/s1/match.mp4")], "compounds": compounds}))
    bad, lost = checked(place)
    assert "compound 'bad': the span 50..60 reaches beyond the last frame" in bad.words
    assert 'compound "lost"' in lost.words
    assert "nobody" in lost.words


@pytest.mark.parametrize("word", ["Proces", "porcess", "Compelte"])
def test_a_word_close_to_a_status_is_doubtful_and_others_are_peoples_own(place: Workplace, word: str) -> None:
    place.add_video()
    place.save(
        clip("a", status=word, source_path="cam1/s1/match.mp4"),
        clip("b", status="Archived", source_path="cam1/s1/match.mp4"),
        clip("c", status=None, source_path="cam1/s1/match.mp4"),
    )
    (found,) = checked(place)
    assert found.level is Level.WARNING
    assert f"clip 'a': status '{word}'" in found.words


@pytest.mark.parametrize(("status", "level"), [("Process", Level.WRONG), ("Draft", Level.NOTE)])
def test_a_source_that_is_not_there_matters_when_the_clip_is_asked_for(
    place: Workplace, status: str, level: Level
) -> None:
    place.save(clip(status=status))
    (found,) = checked(place)
    assert found.level is level
    assert "data/source/cam1/s1/match.mp4 is not there" in found.words


def test_clips_that_cannot_be_told_apart_are_told_and_the_others_checked(place: Workplace) -> None:
    place.add_video()
    place.save(clip("a"), clip("a"), clip("b", start_frame=5, end_frame=4), 7)
    told = [finding.words for finding in checked(place)]
    assert ["another clip has the id" in line for line in told[:2]] == [True, True]
    assert 'clip "b"' in told[2]
    assert "7 is no clip" in told[3]


def test_two_clips_that_would_be_one_file_are_told(place: Workplace) -> None:
    place.add_video()
    place.save(clip("a", name="goal"), clip("b", name="Goal"))
    assert all("'goal'" in finding.words and "'Goal'" in finding.words for finding in checked(place))


def test_a_sidecar_that_does_not_parse_is_told_with_its_place(place: Workplace) -> None:
    place.save(text='[{"id": 1},\n]')
    assert words(checked(place)).startswith("line 2, column 1:")


def test_one_sidecar_a_folder_or_a_video_can_be_named(place: Workplace, monkeypatch: pytest.MonkeyPatch) -> None:
    video = place.add_video()
    good = place.save(clip(source_path="cam1/s1/match.mp4"))
    bad = place.save(text="[", name="cam2/s1/bad_clips.json")
    assert checked(place, good, video) == []
    assert len(checked(place, bad)) == len(checked(place, place.layout.sidecars)) == 1
    assert checked(place, place.layout.sidecars / "cam1") == []
    monkeypatch.chdir(place.layout.sidecars / "cam1")
    assert checked(place, Path("s1/match_clips.json"), Path("../cam1/s1")) == []
    assert len(checked(place, Path("../cam2/s1/bad_clips.json"))) == 1
    monkeypatch.chdir(place.layout.source)
    assert checked(place, Path("../prept/_configs/cam1/s1/match_clips.json")) == []


def test_what_cannot_be_read_as_a_video_is_told(place: Workplace, tmp_path: Path) -> None:
    broken = place.layout.source / "broken.mp4"
    broken.parent.mkdir(parents=True)
    broken.write_bytes(b"no film")
    os.mkfifo(broken.with_name("fifo.mp4"))
    found = checked(place, broken, broken.with_name("fifo.mp4"), broken.with_name("none.mp4"))
    assert [finding.where for finding in found] == [f"data/source/{name}.mp4" for name in ("broken", "fifo", "none")]


def test_a_sidecar_where_nobody_looks_is_told(place: Workplace) -> None:
    lost = place.layout.root / "lost_clips.json"
    lost.write_text("[]")
    assert "it lies outside the sidecar folder data/prept/_configs" in words(checked(place, lost))


def test_a_folder_that_cannot_be_listed_is_told(place: Workplace) -> None:
    (place.layout.sidecars / "cam1").mkdir()
    place.layout.sidecars.rename(place.layout.root / "away")
    assert checked(place)[0].where == "data/prept/_configs"


def test_a_stamp_outside_the_calendar_is_no_reason_to_fail(place: Workplace) -> None:
    place.add_video()
    path = place.save(clip(source_path="cam1/s1/match.mp4"))
    try:
        os.utime(path, (1 << 40, 1 << 40))
    except OSError:
        pytest.skip("this filesystem holds no such stamp")
    assert checked(place) == []
