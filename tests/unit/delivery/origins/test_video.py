"""Answers to videos: told when the film is safe, finished after any crash, and never another film's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipd.clock import SystemClock
from clipd.delivery import departure
from clipd.delivery.origins import Answer, Occasion
from clipd.delivery.origins.video import VideoOrigin
from clipd.delivery.suggesting import add_suggestions
from clipd.delivery.writeback import WriteBack
from clipd.files import atomic, lease
from clipd.intake.sources.videos import SourceVideos, job_of
from clipd.tree import request as requests
from clipd.tree.layout import Layout
from tests.crash.child import swept
from tests.fake_clock import NOON
from tests.unit.delivery.publication import a_layout

CLAIMS = lease.Settings(lease_seconds=2, heartbeat_seconds=0.5)
CLIPS = [{"name": "goal", "start_frame": 0, "end_frame": 9, "status": "Draft"}]
STEPS = 7
"""Journal, film, spans, sidecar, answer, note, journal."""


class Stop(BaseException):
    """The process is killed here."""


class Box:
    """An inbox with a video, a note beside it, and the clips that were found in it."""

    def __init__(self, root: Path) -> None:
        self.layout: Layout = a_layout(root)
        self.video = self.layout.dropped_videos / "cam1/s1/match.mp4"
        self.note = self.video.with_suffix(".yaml")
        self.filed = self.layout.source / "cam1/s1/match.mp4"
        self.sidecar = self.layout.sidecars / "cam1/s1/match_clips.json"
        self.clips = self.layout.output("segments/cam1/s1/match", "v2_clips.json")
        save(self.clips, json.dumps({"clips": CLIPS}))
        self.drop("the film")
        save(self.note, "mode: v2\n")

    def drop(self, words: str) -> None:
        save(self.video, words)

    def answer(self, error: str | None = None, **facts: Any) -> WriteBack:
        told = facts or {"clips": self.layout.relative(self.clips), "message": "1 clip suggested"}
        answer = Answer(error=error) if error else Answer(facts=told)
        return VideoOrigin().answer(self.layout, job_of(self.layout, self.video), answer, occasion())

    @property
    def said(self) -> dict[str, Any]:
        content: dict[str, Any] = requests.read_answer(self.layout.answer(self.video))
        return content


def save(path: Path, words: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{path.name}.tmp")
    temp.write_text(words)
    temp.rename(path)


def occasion() -> Occasion:
    return Occasion(still=lambda _: True, claims=CLAIMS, now=NOON, settle=lambda _: None)


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path / "tree")


def test_it_is_filed_with_its_sidecar_and_its_note_goes_out_of_the_way(box: Box) -> None:
    assert box.answer().result == "written"
    assert box.filed.read_text() == "the film"
    assert json.loads(box.sidecar.read_text()) == CLIPS
    assert (box.said["status"], box.said["path"]) == ("done", "data/source/cam1/s1/match.mp4")
    assert box.said["message"] == "1 clip suggested; 1 clip in data/prept/_configs/cam1/s1/match_clips.json"
    assert (box.video.parent / "done/match.yaml").exists()
    assert not box.note.exists()


def test_it_is_told_when_the_film_is_safe_and_the_next_of_its_name_may_be_dropped_over_it(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = requests.write_answer

    def program(path: Path, content: Any, **more: Any) -> None:
        write(path, content, **more)
        if content["status"] == "done":
            box.drop("the next film")

    monkeypatch.setattr(requests, "write_answer", program)
    box.answer()
    assert (box.layout.root / box.said["path"]).read_text() == "the film"
    assert box.video.read_text() == "the next film"


def test_a_film_that_was_replaced_before_it_was_filed_gets_no_sidecar_of_the_former(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    late_before(monkeypatch, atomic, "move", lambda: box.drop("the final cut"))
    assert box.answer().result == "superseded"
    assert box.video.read_text() == "the final cut"
    assert not box.sidecar.exists()
    assert not box.said
    assert box.note.exists()
    assert departure.unfinished(box.layout) == []


@pytest.mark.parametrize(
    ("error", "word"), [("it cannot be read", "failed"), (None, "done")], ids=["failed", "the same again"]
)
def test_its_note_goes_with_it_however_it_ended(box: Box, error: str | None, word: str) -> None:
    box.answer(error, message="the same video is there already", there="data/source/cam1/s1/other.mp4")
    assert sorted(path.name for path in (box.video.parent / word).iterdir()) == ["match.mp4", "match.yaml"]
    assert not box.note.exists()
    assert box.said["path"] == (None if error else "data/source/cam1/s1/other.mp4")


@pytest.mark.parametrize("step", range(1, STEPS + 1))
def test_whatever_a_kill_left_undone_is_done_by_whoever_comes_next(
    box: Box, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    steps = [0]
    for name in ("write", "move", "create", "remove"):
        monkeypatch.setattr(atomic, name, dying(getattr(atomic, name), steps, step))
    with pytest.raises(Stop):
        box.answer()
    monkeypatch.undo()
    swept(box.layout)
    if box.video.exists():
        box.answer()
    assert box.filed.read_text() == "the film"
    assert json.loads(box.sidecar.read_text()) == CLIPS
    assert box.said["completed_at"] is not None
    assert "1 clip in" in box.said["message"]
    assert not box.note.exists()
    assert departure.unfinished(box.layout) == []


def test_a_journal_of_a_film_that_is_still_there_is_left_to_its_job(box: Box, monkeypatch: pytest.MonkeyPatch) -> None:
    late_before(monkeypatch, atomic, "move", stop)
    with pytest.raises(Stop):
        box.answer()
    swept(box.layout)
    assert box.video.exists()
    assert box.note.exists()
    assert not box.sidecar.exists()
    assert len(departure.unfinished(box.layout)) == 1
    box.drop("another film")
    swept(box.layout)
    assert departure.unfinished(box.layout) == []


def test_suggestions_count_as_made_only_where_they_were_written(box: Box) -> None:
    save(box.sidecar, json.dumps([{"name": "mine", "start_frame": 500, "end_frame": 600, "status": "Draft"}]))
    box.answer()
    assert "stays as it is" in box.said["message"]
    written, fresh = add_suggestions(box.layout, box.sidecar, CLIPS, CLAIMS, SystemClock())
    assert (written.result, fresh) == ("written", 1)


def test_a_source_video_replaced_while_its_failure_is_told_is_analysed_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = a_layout(tmp_path / "tree")
    video = layout.source / "cam1/s1/match.mp4"
    save(video, "half")
    (job,) = SourceVideos().admit(layout, video).jobs
    late_before(monkeypatch, requests, "write_answer", lambda: save(video, "the whole film"))
    VideoOrigin().answer(layout, job, Answer(error="it cannot be read"), occasion())
    assert SourceVideos().admit(layout, video).jobs == (job_of(layout, video),)


def late_before(monkeypatch: pytest.MonkeyPatch, module: Any, name: str, action: Callable[[], None]) -> None:
    """Have `action` done right before the first call of a function of `module`."""
    really, actions = getattr(module, name), [action]

    def late(*arguments: Any, **more: Any) -> Any:
        if actions:
            actions.pop()()
        return really(*arguments, **more)

    monkeypatch.setattr(module, name, late)


def dying(really: Callable[..., Any], steps: list[int], step: int) -> Callable[..., Any]:
    def die(*arguments: Any, **more: Any) -> Any:
        done = really(*arguments, **more)
        steps[0] += 1
        if steps[0] == step:
            raise Stop
        return done

    return die


def stop() -> None:
    raise Stop
