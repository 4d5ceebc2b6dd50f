"""Moments of videos, decoded by plain means and compared with the videos they are from."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import Rejected
from clipd.jobs.clip import Settings
from clipd.jobs.context import Context
from clipd.jobs.event_cut import Cut, cut_exactly, span_of
from clipd.jobs.footage import Footage, open_footage
from clipd.jobs.rendition import Rendition
from clipd.media.door import Limits
from clipd.model.timespan import FrameSpan
from tests.beeps import beep_film, beeps, flashes, times_of
from tests.footage import make

H264 = Rendition("h264", "original", "event", "h264/cam1")


def opened(path: Path) -> Footage:
    return open_footage(path, FrameSpan(0, 0), Limits(), None, lambda read: None)


def context_in(tmp_path: Path) -> Context:
    staging = tmp_path / "staging"
    staging.mkdir(exist_ok=True)
    return Context(staging, tmp_path, "source", None, 2, Limits(), lambda stage, done, total: None)


def cut(source: Footage, start: str, end: str, tmp_path: Path, **settings: object) -> Cut:
    moment = span_of(source.index, Fraction(start), Fraction(end), Fraction(0), Fraction(0))
    return cut_exactly(source, moment, H264, Settings(**settings), context_in(tmp_path))  # type: ignore[arg-type]


def test_seconds_before_and_after_are_clamped_and_named(tmp_path: Path) -> None:
    index = opened(make(tmp_path / "a.mp4", count=250)).index
    moment = span_of(index, Fraction(4), Fraction(5), Fraction(1), Fraction(2))
    assert (moment.start, moment.end, moment.span, moment.notes) == (3, 7, FrameSpan(75, 174), ())
    moment = span_of(index, Fraction(2), Fraction(9), Fraction(5), Fraction(5))
    assert (moment.start, moment.end, moment.span) == (0, 10, FrameSpan(0, 249))
    assert moment.notes == (
        "the video begins 3.000 s after the wanted start; nothing is before it",
        "the video ends 4.000 s before the wanted end; nothing is after it",
    )


def test_a_moment_may_take_no_time_or_lie_between_frames(tmp_path: Path) -> None:
    index = opened(make(tmp_path / "a.mp4", count=250)).index
    nothing = Fraction(0)
    assert span_of(index, Fraction(2), Fraction(2), nothing, nothing).span == FrameSpan(50, 50)
    assert span_of(index, Fraction("2.01"), Fraction("2.09"), nothing, nothing).span == FrameSpan(50, 52)
    assert span_of(index, Fraction("9.99"), Fraction(12), nothing, nothing).span == FrameSpan(249, 249)
    assert span_of(index, Fraction(-3), Fraction(0), nothing, nothing).span == FrameSpan(0, 0)


@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        (5, 4, "ends at 4.000 s, before its start at 5.000 s"),
        (10, 12, "from 10.000 s to 12.000 s is not in the video, which is 10.000 s long"),
        (-5, -1, "is not in the video"),
    ],
)
def test_what_is_not_there_is_refused(tmp_path: Path, start: int, end: int, words: str) -> None:
    index = opened(make(tmp_path / "a.mp4", count=250)).index
    with pytest.raises(Rejected, match=words):
        span_of(index, Fraction(start), Fraction(end), Fraction(2), Fraction(2))


@pytest.mark.parametrize("extension", ["mp4", "ts", "mkv"])
def test_sound_is_copied_and_in_step(tmp_path: Path, extension: str) -> None:
    source = opened(beep_film(tmp_path / f"film.{extension}", seconds=10))
    made = cut(source, "2.52", "7.3", tmp_path)
    output = tmp_path / "staging/event.mp4"
    assert times_of(output) == [Fraction(number, 25) for number in range(120)]
    assert made.sound is not None
    seen, heard = flashes(output), beeps(output)
    assert len(seen) == len(heard) == 5
    assert max(abs(sound - light) for light, sound in zip(seen, heard, strict=True)) <= 0.024
    assert sound_bytes(output) <= sound_bytes(tmp_path / f"film.{extension}")
    assert {artifact.name for artifact in made.artifacts} == {"event.mp4", "event.jpg"}
    assert {path.name for path in (tmp_path / "staging").iterdir()} == {one.staged_name for one in made.artifacts}
    facts = made.pictures.outputs["event.mp4"]
    assert facts.audio == ("aac 48000 Hz mono",)
    assert "sound copied" in facts.method


def sound_bytes(path: Path) -> set[bytes]:
    """The packets of sound, without the headers that some containers put before each."""
    with av.open(str(path)) as container:
        packets = [bytes(packet) for packet in container.demux(audio=0) if packet.size]
    return {data[7:] if path.suffix == ".ts" else data for data in packets}


def test_sound_that_the_file_cannot_hold_is_encoded(tmp_path: Path) -> None:
    source = opened(beep_film(tmp_path / "film.mov", seconds=6, sound_rate=8000, audio="pcm_mulaw"))
    made = cut(source, "1", "5", tmp_path)
    assert made.sound is None
    assert any("encoded, not copied: .mp4 cannot hold pcm_mulaw" in warning for warning in made.warnings)
    assert np.allclose(beeps(tmp_path / "staging/event.mp4"), [0, 1, 2, 3], atol=0.024)
    assert {path.name for path in (tmp_path / "staging").iterdir()} == {one.staged_name for one in made.artifacts}


def test_sound_can_be_left_out(tmp_path: Path) -> None:
    source = opened(beep_film(tmp_path / "film.mp4", seconds=3))
    made = cut(source, "1", "2", tmp_path, h264={"audio": "none"})
    assert made.pictures.outputs["event.mp4"].audio == ()
    mute = opened(beep_film(tmp_path / "mute.mp4", seconds=3, audio=None))
    assert "none of the parts has audio" in cut(mute, "1", "2", tmp_path).warnings
