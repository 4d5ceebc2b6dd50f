"""Custom processing: functions of this module stand for an operator's own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation

from clipd.errors import MediaError, Rejected, Superseded
from clipd.jobs.clip import Result, Settings, plan, run
from clipd.jobs.context import Context
from clipd.jobs.processor import ClipDescription, Frame, ProducedFile, load
from clipd.media.door import Limits
from clipd.model.clip import Clip
from clipd.model.crop import CropPath, Rect
from clipd.model.timespan import FrameSpan
from tests.footage import make

SCALER = Interpolation.BICUBIC | Interpolation.ACCURATE_RND
SEEN: list[tuple[ClipDescription, list[Frame]]] = []


def remember(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    SEEN.append((description, list(frames)))
    path = staging / f"{description.stem}.csv"
    path.write_text("number,mean\n")
    return [path]


def encode(description: ClipDescription, frames: Iterator[Frame], staging: Path, skip: int = 0) -> Path:
    path = staging / f"{description.stem}_mine.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = description.width, description.height, "yuv420p"
        for frame in list(frames)[skip:]:
            output.mux(stream.encode(av.VideoFrame.from_ndarray(frame.image, format="rgb24")))
        output.mux(stream.encode(None))
    return path


def video(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    return [encode(description, frames, staging)]


def short_video(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    return [encode(description, frames, staging, skip=3)]


def declared_short_video(
    description: ClipDescription, frames: Iterator[Frame], staging: Path
) -> Iterable[ProducedFile]:
    return [ProducedFile(encode(description, frames, staging, skip=3), frames=7)]


def broken_video(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    path = encode(description, frames, staging)
    path.write_bytes(path.read_bytes()[:600])
    return [path]


def failing(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    raise ZeroDivisionError("my own mistake")


def empty(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    (staging / f"{description.stem}.txt").touch()
    return [staging / f"{description.stem}.txt"]


def outside(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    return [Path("/etc/hostname")]


def link(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    (staging / f"{description.stem}.txt").symlink_to("/etc/hostname")
    return [staging / f"{description.stem}.txt"]


def misnamed(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    (staging / "other.txt").write_text("x")
    return [staging / "other.txt"]


def nothing(description: ClipDescription, frames: Iterator[Frame], staging: Path) -> Iterable[Path]:
    return []


@pytest.fixture
def staging(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging"


def process(staging: Path, function: str, stop: bool = False) -> Result:
    source = make(staging.parent / "source.mp4", size=(96, 64))

    def checkpoint(stage: str, done: int, total: int) -> None:
        if stop and done == 5:
            raise Superseded("stop")

    settings = Settings(processor={"function": f"{__name__}:{function}"})
    clip = Clip("id:1", "goal", None, FrameSpan(10, 19), CropPath(((0, Rect(11, 7, 31, 22)),)))
    renditions = plan(clip, settings, camera="cam", session="s", video_stem="match")
    return run(clip, renditions, settings, Context(staging, source, "source.mp4", None, 1, Limits(), checkpoint))


def test_it_sees_the_clip_and_every_picture_cropped_and_upright(staging: Path) -> None:
    SEEN.clear()
    result = process(staging, "remember")
    ((description, frames),) = SEEN
    assert (description.name, description.first_frame, description.last_frame) == ("goal", 10, 19)
    assert (description.width, description.height, description.rate) == (30, 22, 25)
    assert [frame.number for frame in frames] == list(range(10, 20))
    assert [frame.time_seconds for frame in frames] == [Fraction(n, 25) for n in range(10)]
    with av.open(str(staging.parent / "source.mp4")) as container:
        whole = [
            frame.reformat(format="rgb24", interpolation=SCALER).to_ndarray() for frame in container.decode(video=0)
        ][10:20]
    for frame, picture in zip(frames, whole, strict=True):
        assert frame.image.shape == (22, 30, 3)
        assert np.abs(frame.image.astype(int) - picture[7:29, 11:41]).mean() < 1
    (artifact,) = result.artifacts
    assert (artifact.name, artifact.role, artifact.folder) == ("match_goal.csv", "data", "h264/cam/s")


def test_a_video_of_its_own_is_proven(staging: Path) -> None:
    (artifact,) = process(staging, "video").artifacts
    assert (artifact.role, artifact.facts["frames"]) == ("video", 10)
    (artifact,) = process(staging, "declared_short_video").artifacts
    assert artifact.facts["frames"] == 7


@pytest.mark.parametrize(
    ("function", "words"),
    [
        ("short_video", "7 frames; 10 are due"),
        ("broken_video", "cannot be read"),
        ("failing", "failing failed: ZeroDivisionError: my own mistake"),
        ("empty", "empty"),
        ("outside", "staging folder"),
        ("link", "staging folder"),
        ("misnamed", "must begin with match_goal"),
        ("nothing", "returned no files"),
    ],
)
def test_what_is_wrong_is_told_with_the_name_of_the_function(staging: Path, function: str, words: str) -> None:
    with pytest.raises(MediaError, match=words):
        process(staging, function)


def test_it_stops_when_the_job_must_stop(staging: Path) -> None:
    with pytest.raises(Superseded):
        process(staging, "remember", stop=True)


@pytest.mark.parametrize("name", ["no.such.module:f", f"{__name__}:no_such_function", f"{__name__}:SEEN"])
def test_a_function_that_is_not_there_is_rejected(name: str) -> None:
    with pytest.raises(Rejected, match="processor"):
        load(name)
