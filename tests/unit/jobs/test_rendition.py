from __future__ import annotations

import pytest

from clipd.jobs.clip import Settings, plan
from clipd.jobs.rendition import names_camera
from clipd.model.clip import Clip
from clipd.model.crop import CropPath, Rect
from clipd.model.timespan import FrameSpan

CROP = CropPath(((0, Rect(0, 0, 10, 10)),))


def named(name: str = "goal", camera: str = "Cam1", crop: CropPath | None = CROP, **settings: object) -> list[str]:
    clip = Clip("id:1", name, None, FrameSpan(0, 1), crop)
    made = plan(clip, Settings(**settings), camera=camera, session="s1", video_stem="match")
    return [f"{rendition.folder}/{rendition.stem}" for rendition in made]


def test_a_clip_becomes_a_file_for_each_format() -> None:
    assert named(formats=("h264", "ffv1")) == ["h264/Cam1/s1/match_goal", "ffv1/Cam1/s1/match_goal"]


def test_variations_come_with_their_suffix_and_the_formats() -> None:
    settings = {"variations": {"enabled": True}, "h264": {"suffix": "_small"}}
    assert named(**settings) == [
        "h264/Cam1/s1/match_goal_small",
        "h264/Cam1/s1/match_goal_wide_small",
        "h264/Cam1/s1/match_goal_full_small",
    ]


def test_without_a_crop_there_is_nothing_to_vary() -> None:
    assert named(crop=None, variations={"enabled": True}) == ["h264/Cam1/s1/match_goal"]


@pytest.mark.parametrize(
    ("camera", "chosen", "excluded", "count"),
    [
        ("Cam1", (), (), 3),
        ("Cam1", ("cam1",), (), 3),
        ("Cam1", ("CAM",), (), 3),
        ("Cam1", ("*m1",), (), 3),
        ("Cam1", ("drone",), (), 1),
        ("Cam1", ("cam",), ("cam1",), 1),
        ("Cam1", (), ("c*",), 1),
        ("Cam1", (), ("am",), 3),
    ],
)
def test_cameras_are_named_by_word_beginning_or_pattern(
    camera: str, chosen: tuple[str, ...], excluded: tuple[str, ...], count: int
) -> None:
    variations = {"enabled": True, "camera_types": chosen, "exclude_camera_types": excluded}
    assert len(named(camera=camera, variations=variations)) == count


def test_an_empty_pattern_names_no_camera() -> None:
    assert not names_camera(("",), "cam1")


def test_names_are_made_fit_to_be_file_names() -> None:
    assert "/" not in named("a/b")[0].removeprefix("h264/Cam1/s1/")
    long = named("ä" * 300)[0].removeprefix("h264/Cam1/s1/")
    assert len(long.encode()) <= 200
    assert long != named("ä" * 301)[0].removeprefix("h264/Cam1/s1/")


def test_a_missing_camera_or_session_is_shown_as_missing() -> None:
    assert named(camera="") == ["h264/_/s1/match_goal"]


def test_a_processor_takes_only_the_formats_and_cameras_it_is_named_for() -> None:
    clip = Clip("id:1", "goal", None, FrameSpan(0, 1), CROP)
    processor = {"function": "a.b:c", "formats": ("ffv1",), "cameras": ("cam1",)}
    settings = Settings(formats=("h264", "ffv1"), processor=processor)
    chosen = plan(clip, settings, camera="CAM1", session="s", video_stem="v")
    assert [rendition.processor for rendition in chosen] == [None, "a.b:c"]
    chosen = plan(clip, settings, camera="drone", session="s", video_stem="v")
    assert [rendition.processor for rendition in chosen] == [None, None]
