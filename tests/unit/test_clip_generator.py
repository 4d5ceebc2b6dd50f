"""Clips of events for programs: from real footage and from pictures, kept, replaced, removed and refused."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from fractions import Fraction
from pathlib import Path
from typing import Any, TypeVar

import av
import cv2
import pytest

from clipd.api import ClipGenerationError, ClipGenerator
from tests.footage import footage

FRIDAY = "mdn_friday.mp4"
T = TypeVar("T")


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


@pytest.fixture
def generator(tmp_path: Path) -> ClipGenerator:
    return ClipGenerator(tmp_path / "clips", pre_roll_seconds=1, post_roll_seconds=0.5, threads=1)


def seconds(path: Path | None) -> float:
    assert path is not None
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        return float(Fraction(stream.duration * stream.time_base))


def stills(folder: Path, count: int) -> list[Path]:
    folder.mkdir()
    paths = [folder / f"shot{number}.png" for number in range(1, count + 1)]
    with av.open(str(footage(FRIDAY))) as container:
        for path, frame in zip(paths, container.decode(video=0), strict=False):
            assert cv2.imwrite(str(path), frame.to_ndarray(format="bgr24"))
    return paths


def test_a_clip_has_the_rolls_and_is_kept_until_force(generator: ClipGenerator) -> None:
    path = run(generator.generate_clip_from_video("door-1", footage(FRIDAY), start=3))
    assert path == generator.get_clip_path("door-1") == generator.clips_directory / "door-1_clip.mp4"
    assert seconds(path) == pytest.approx(1.5, abs=0.04)
    assert run(generator.generate_clip_from_video("door-1", footage(FRIDAY), start=3, pre_seconds=0)) == path
    assert seconds(path) == pytest.approx(1.5, abs=0.04)
    run(generator.generate_clip_from_video("door-1", footage(FRIDAY), start=3, pre_seconds=0, force=True))
    assert seconds(path) == pytest.approx(0.5, abs=0.04)
    assert {found.name for found in generator.clips_directory.iterdir()} == {
        "door-1_clip.mp4", "door-1_clip.jpg", "door-1_clip.json",
    }  # fmt: skip


def test_pictures_become_a_film_or_a_gif_and_the_other_goes(generator: ClipGenerator, tmp_path: Path) -> None:
    pictures = stills(tmp_path / "stills", 3)
    film = run(generator.generate_clip_from_images("p", pictures, fps=2))
    assert seconds(film) == 1.5
    gif = run(generator.generate_clip_from_images("p", pictures, output_format="gif", force=True))
    assert gif == generator.get_clip_path("p") == generator.clips_directory / "p_clip.gif"
    assert not (generator.clips_directory / "p_clip.mp4").exists()


def test_a_video_is_preferred_and_pictures_stand_in_for_one_that_is_not_there(
    generator: ClipGenerator, tmp_path: Path
) -> None:
    pictures = stills(tmp_path / "stills", 2)
    event = {"event_id": "e", "start": 2, "video_path": str(footage(FRIDAY))}
    assert seconds(run(generator.generate_clip_for_event(event, image_paths=pictures))) == pytest.approx(1.5, abs=0.04)
    gone = {**event, "event_id": "g", "video_path": "gone.mp4"}
    assert seconds(run(generator.generate_clip_for_event(gone, image_paths=pictures))) == 1.0
    with pytest.raises(ClipGenerationError, match=r"gone\.mp4 is not there"):
        run(generator.generate_clip_for_event({**gone, "event_id": "h"}))


def test_several_at_a_time_do_not_meet(generator: ClipGenerator) -> None:
    async def both() -> list[Path | None]:
        return await asyncio.gather(
            generator.generate_clip_from_video("a", footage(FRIDAY), start=1),
            generator.generate_clip_from_video("b", footage(FRIDAY), start_offset_seconds=-5, end_offset_seconds=1),
        )

    paths = run(both())
    assert [path.name for path in paths if path] == ["a_clip.mp4", "b_clip.mp4"]
    assert seconds(paths[1]) == pytest.approx(1.0, abs=0.04)


def test_a_clip_is_removed_with_all_that_belongs_to_it(generator: ClipGenerator) -> None:
    run(generator.generate_clip_from_video("x", footage(FRIDAY), start=1))
    assert generator.delete_clip("x")
    assert not generator.delete_clip("x")
    assert generator.get_clip_path("x") is None
    assert not list(generator.clips_directory.iterdir())


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"event_id": "../x", "video_path": "v.mp4", "start": 1}, "cannot be part of a file name"),
        ({"event_id": "x", "video_path": "nowhere.mp4", "start": 1}, "nowhere.mp4 is not there"),
        ({"event_id": "x", "video_path": FRIDAY}, "start is missing"),
        ({"event_id": "x", "video_path": FRIDAY, "start": 3, "end": 2}, "before start"),
        ({"event_id": "x", "video_path": FRIDAY, "start": 99}, "is not in the video"),
    ],
)
def test_what_fails_is_said_and_leaves_nothing(generator: ClipGenerator, asked: dict[str, Any], words: str) -> None:
    if asked["video_path"] == FRIDAY:
        asked = {**asked, "video_path": footage(FRIDAY)}
    with pytest.raises(ClipGenerationError, match=words):
        run(generator.generate_clip_from_video(**asked))
    assert not generator.clips_directory.exists() or not list(generator.clips_directory.iterdir())


def test_one_that_is_not_enabled_makes_nothing(tmp_path: Path) -> None:
    generator = ClipGenerator(tmp_path / "clips", enabled=False)
    assert run(generator.generate_clip_from_video("x", footage(FRIDAY), start=1)) is None
    assert not generator.clips_directory.exists()


def test_rolls_out_of_range_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ClipGenerationError, match="pre_seconds"):
        ClipGenerator(tmp_path, pre_roll_seconds=301)
