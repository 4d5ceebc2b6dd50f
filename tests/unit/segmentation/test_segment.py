from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from clipd.errors import Rejected
from clipd.segmentation import debug
from clipd.segmentation.explain import explain
from clipd.segmentation.features import Features
from clipd.segmentation.segment import segment
from clipd.segmentation.settings import Settings
from clipd.segmentation.suggestion import timecode
from tests.unit.segmentation.drawn import features, gradual, hard, random_features

V1, V2 = Settings(mode="v1", detectors=()), Settings(detectors=())


def lively(*moments: float, seconds: float = 200, value: float = 3) -> list[float]:
    curve = [0.0] * int(seconds * 2)
    for moment in moments:
        curve[int(moment * 2)] = value
    return curve


@pytest.mark.parametrize("settings", [V1, V2], ids=["v1", "v2"])
@pytest.mark.parametrize("seed", range(12))
def test_suggestions_are_fit_for_a_sidecar(seed: int, settings: Settings) -> None:
    drawn = random_features(seed)
    found = segment(drawn, settings)
    assert found.suggestions or drawn.duration_seconds < 5
    assert len({clip.name for clip in found.suggestions}) == len(found.suggestions)
    assert sorted(found.suggestions, key=lambda clip: clip.start_frame) == list(found.suggestions)
    for clip in found.suggestions:
        assert 0 <= clip.quality <= 1
        assert clip.origin == settings.mode
        assert clip.reason
        assert 0 <= clip.start_frame <= clip.end_frame < drawn.frame_count
        assert clip.start_seconds < clip.end_seconds <= drawn.duration_seconds


@pytest.mark.parametrize("settings", [V1, V2], ids=["v1", "v2"])
def test_the_debug_document_survives_its_file(settings: Settings) -> None:
    document = segment(random_features(5), settings).document
    text = debug.as_json(document)
    assert debug.as_json(debug.read(text)) == text
    assert type(debug.read(text)) is type(document)


def test_the_debug_file_has_the_keys_of_its_contract() -> None:
    written = json.loads(debug.as_json(segment(random_features(5), V2).document))
    assert list(written) == [
        "config",
        "features_summary",
        "scene_cuts",
        "shot_cuts",
        "anchors",
        "top_boundaries",
        "candidate_windows",
        "filter_report",
        "final_clips",
        "statistics",
    ]
    assert list(written["anchors"][0]) == ["time_sec", "score", "audio_z", "motion_z", "reason"]
    assert {"scene", "audio_dip", "fade", "motion_valley"} < set(written["top_boundaries"][0])
    assert list(written["filter_report"]) == ["overlap", "boring", "duplicate", "quality"]
    assert list(written["filter_report"]["overlap"][0]) == ["clip_index", "action", "reason", "related_clip_index"]
    assert written["config"]["windows"]["min_seconds"] == 5


def test_what_is_no_debug_file_is_refused() -> None:
    with pytest.raises(Rejected, match="no debug file"):
        debug.read('{"config": {}}')
    with pytest.raises(Rejected):
        debug.read("nothing")


def test_a_video_without_frames_or_without_change_suggests_nothing_in_highlight_mode() -> None:
    assert segment(features(0.01), V2).suggestions == ()
    assert segment(features(0.01), V1).suggestions == ()
    assert segment(features(60), V2).suggestions == ()
    assert len(segment(features(60), V1).suggestions) == 1


def test_only_cuts_of_the_chosen_detectors_count() -> None:
    drawn = features(40, cuts=[hard(250), replace(hard(600), detector="content")])
    assert len(segment(drawn, V1).suggestions) == 3
    settings = Settings(mode="v1", detectors=("content",))
    assert [clip.start_frame for clip in segment(drawn, settings).suggestions] == [0, 600]


def test_reasons_tell_what_happens_and_from_where_to_where() -> None:
    loud = lively(50)
    loud[112:115] = [-1, -1, -1]
    drawn = features(200, loudness=loud, motion=lively(50, value=1.2), cuts=[hard(1100)])
    (clip,) = segment(drawn, V2).suggestions
    assert clip.reason == "very loud sound and fast motion at 00:00:50, from a cut to a quiet moment"
    drawn = features(200, motion=lively(4, 100, 198))
    assert [clip.reason for clip in segment(drawn, V2).suggestions] == [
        "very fast motion at 00:00:04, from the start of the video to 12 s after",
        "very fast motion at 00:01:40, from 8 s before to 12 s after",
        "very fast motion at 00:03:18, from 8 s before to the end of the video",
    ]
    drawn = features(200, motion=lively(100), cuts=[gradual(2250, 2280), gradual(2800, 2840, "fade-out")])
    assert segment(drawn, V2).suggestions[0].reason.endswith("from a dissolve to a fade")


def test_scenes_tell_what_they_are() -> None:
    cuts = [hard(250), hard(300), hard(1000)]
    assert [clip.reason for clip in segment(features(120, cuts=cuts), V1).suggestions] == [
        "2 short shots together, 12.0 s from 00:00:00",
        "one shot from cut to cut, 28.0 s from 00:00:12",
        "part 1 of 2 of a long shot, 40.0 s from 00:00:40",
        "part 2 of 2 of a long shot, 40.0 s from 00:01:20",
    ]
    assert segment(features(20), V1).suggestions[0].reason == "the whole video, 20.0 s from 00:00:00"


def why(drawn: Features, seconds: float, settings: Settings = V2) -> str:
    document = segment(drawn, settings).document
    return explain(debug.read(debug.as_json(document)), seconds)


def test_explain_names_the_clip_of_a_moment() -> None:
    assert why(features(200, motion=lively(50)), 45) == (
        "00:00:45 is in highlight_00-00-50 (00:00:42-00:01:02, quality 0.04): "
        "very fast motion at 00:00:50, from 8 s before to 12 s after."
    )
    assert why(features(120), 70, V1).startswith("00:01:10 is in scene_00-01-00 (00:01:00-00:02:00")


def test_explain_says_how_far_excitement_is_from_an_anchor() -> None:
    motion = lively(50)
    motion[300] = 0.2
    assert why(features(200, motion=motion), 149) == (
        "00:02:29 is in no clip: no anchor is near, because excitement near it reaches 0.20 at 00:02:30 only, "
        "of more than 0.3 that an anchor needs."
    )


def test_explain_names_the_filter_that_dropped_a_window() -> None:
    motion = lively(50)
    motion[112] = 1.0
    words = why(features(200, motion=motion), 65)
    assert words.startswith("00:01:05 is in no clip: the window 00:00:48-00:01:08 around 00:00:56")
    assert "overlaps a better one: it shares 0.54 of their union (limit 0.35)" in words
    assert "which is highlight_00-00-50" in words
    words = why(features(200, motion=lively(50, value=0.4)), 55)
    assert "is boring: little happens" in words
    settings = Settings.model_validate({"filters": {"target_clips": 1}})
    motion = lively(50)
    motion[300] = 2.0
    assert "is not among the best: number 2 by quality" in why(features(200, motion=motion), 150, settings)


def test_explain_knows_full_videos_windows_that_end_early_and_moments_outside() -> None:
    motion = lively(50)
    assert "the window of the nearest anchor, 00:00:50 (excitement 3.00), does not reach it" in why(
        features(200, motion=motion), 65
    )
    motion[300] = 2.0
    full = Settings.model_validate({"anchors": {"at_least": 1, "per_minute": 0.1}})
    assert "but the 1 anchors that the video may have are stronger" in why(features(200, motion=motion), 150, full)
    assert why(features(200), 200) == "00:03:20 is not in this video, which is 200.0 s long."
    cuts = [gradual(2000, 2050)]
    assert why(features(200, cuts=cuts), 81, V1) == (
        "00:01:21 is in no clip: it lies in the dissolve that ends at 00:01:22."
    )


def test_of_a_three_hour_video_the_best_two_hundred_are_suggested() -> None:
    dice = np.random.default_rng(3)
    motion = dice.normal(0, 1, 3 * 7200).tolist()
    cuts = [hard(frame) for frame in range(100, 3 * 3600 * 25, 100)]
    found = segment(features(3 * 3600, motion=motion, cuts=cuts), V2)
    assert len(found.suggestions) == 200


def test_timecodes_name_the_second_that_has_begun() -> None:
    assert [timecode(seconds) for seconds in (0, 59.999, 60, 3661.5, 360000)] == [
        "00:00:00",
        "00:00:59",
        "00:01:00",
        "01:01:01",
        "100:00:00",
    ]
