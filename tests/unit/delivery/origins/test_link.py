"""Answers to links: told at every crash as they would have been without it, and never a video over another."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.origins import Answer, Occasion
from clipd.delivery.origins.link import LinkOrigin
from clipd.delivery.writeback import WriteBack
from clipd.files import atomic, lease
from clipd.intake.sources.links import Links
from clipd.model.job import Job
from clipd.tree import link as links
from clipd.tree.layout import Layout
from tests.crash.child import swept
from tests.fake_clock import NOON
from tests.unit.delivery.publication import a_layout

CLAIMS = lease.Settings(lease_seconds=2, heartbeat_seconds=0.5)
URLS = ("https://example.org/1.mp4", "https://example.org/2.mp4")


class Stop(BaseException):
    """The process is killed here."""


class Box:
    """An inbox with a list of two links, each of which has been fetched."""

    def __init__(self, root: Path) -> None:
        self.layout: Layout = a_layout(root)
        self.path = self.layout.inbox_of("links") / "cam1/day/list.txt"
        self.drop()

    def drop(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text("\n".join(URLS))
        self.jobs = Links().admit(self.layout, self.path).jobs
        for number in range(2):
            self.fetch(number)

    def fetch(self, number: int) -> Path:
        path = self.layout.download(self.jobs[number].id) / "video.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"video {number}".encode())
        return path

    def facts(self, number: int, **more: Any) -> dict[str, Any]:
        path = self.layout.download(self.jobs[number].id) / "video.mp4"
        return {"file": self.layout.relative(path), "name": "match.mp4", "camera": "cam1", "session": "day",
                "segment": False, "message": "", **more}  # fmt: skip

    def answer(self, number: int, error: str | None = None, **facts: Any) -> WriteBack:
        told = Answer(error=error) if error else Answer(facts=self.facts(number, **facts))
        at = Occasion(still=lambda _: True, claims=CLAIMS, now=NOON, settle=lambda _: None)
        return LinkOrigin().answer(self.layout, self.jobs[number], told, at)

    def tell(self, number: int, words: str = "") -> None:
        LinkOrigin().tell(self.layout, self.jobs[number], "processing", words, NOON)

    def due(self) -> tuple[Job, ...]:
        return Links().admit(self.layout, self.path).jobs

    @property
    def said(self) -> dict[str, Any]:
        content: dict[str, Any] = json.loads(self.layout.answer(self.path).read_text())
        return content

    @property
    def filed(self) -> dict[str, str]:
        folder = self.layout.source / "cam1/day"
        return {path.name: path.read_text() for path in folder.iterdir()} if folder.exists() else {}


@pytest.fixture
def box(tmp_path: Path) -> Box:
    return Box(tmp_path)


def test_each_link_is_told_and_the_file_moves_with_the_last(box: Box) -> None:
    box.tell(0)
    box.tell(1)
    assert (box.said["status"], box.said["message"]) == ("processing", "2 processing")
    assert box.answer(0).result == "written"
    assert [line["status"] for line in box.said["links"]] == ["done", "processing"]
    assert box.due() == (box.jobs[1],)
    box.answer(1)
    assert (box.said["status"], box.said["message"]) == ("done", "2 done")
    assert box.filed == {"match.mp4": "video 0", "match-2.mp4": "video 1"}
    assert not box.path.exists()
    assert json.loads((box.path.parent / "done/list.status.json").read_text()) == box.said
    assert not any(box.layout.downloads.iterdir())
    assert not any(box.layout.link_note("x").parent.iterdir())


def test_some_that_failed_are_partial_and_all_that_failed_is_failed(box: Box) -> None:
    box.answer(0, error="404")
    box.answer(1)
    assert box.said["status"] == "partial"
    assert "https://example.org/1.mp4: 404" in box.said["message"]
    box.drop()
    box.answer(0, error="404")
    box.answer(1, error="gone")
    assert box.said["status"] == "failed"
    assert (box.path.parent / "failed/list.txt").exists()


def test_a_stale_word_does_not_undo_an_answer(box: Box) -> None:
    box.tell(1)
    before = box.layout.answer(box.path).read_bytes()
    box.answer(0)
    box.layout.answer(box.path).write_bytes(before)  # written by somebody who had read before
    assert box.due() == (box.jobs[1],)
    box.answer(1)
    assert [line["status"] for line in box.said["links"]] == ["done", "done"]


def test_what_goes_to_be_segmented_goes_by_the_inbox(box: Box) -> None:
    box.answer(0, segment=True)
    assert (box.layout.dropped_videos / "cam1/day/match.mp4").read_text() == "video 0"
    assert box.said["links"][0]["path"] == "data/source/cam1/day/match.mp4"
    box.answer(1, segment=True)
    assert box.said["links"][1]["path"] == "data/source/cam1/day/match-2.mp4"


def test_the_very_same_video_is_not_filed_twice(box: Box) -> None:
    box.answer(0)
    box.fetch(1).write_bytes(b"video 0")
    box.answer(1)
    assert box.filed == {"match.mp4": "video 0"}
    assert "the same video is there already" in box.said["links"][1]["message"]


def test_a_link_that_is_gone_is_not_answered(box: Box) -> None:
    box.path.write_text(URLS[1])
    assert box.answer(0).result == "gone"
    assert box.filed == {}
    box.path.unlink()
    assert box.answer(1).result == "gone"


def test_a_file_that_cannot_be_read_is_answered(box: Box) -> None:
    path = box.layout.inbox_of("links") / "bad.json"
    path.write_text("{")
    (job,) = Links().admit(box.layout, path).jobs
    wish = LinkOrigin().read(box.layout, job)
    assert wish is not None
    with pytest.raises(Exception, match="line 1"):
        wish.request()


def steps_of(work: Callable[[], None], monkeypatch: pytest.MonkeyPatch, stop_at: int) -> int:
    """Do `work`, killed before the `stop_at`-th change of the disk; how many changes there were."""
    seen = 0

    def counted(call: Callable[..., Any]) -> Callable[..., Any]:
        def counting(*arguments: Any, **keywords: Any) -> Any:
            nonlocal seen
            if seen == stop_at:
                raise Stop
            seen += 1
            return call(*arguments, **keywords)

        return counting

    with monkeypatch.context() as patch:
        for name in ("write", "move", "remove"):
            patch.setattr(atomic, name, counted(getattr(atomic, name)))
        work()
    return seen


@pytest.mark.parametrize("segment", [True, False])
def test_killed_before_any_change_the_next_attempt_ends_alike(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, segment: bool
) -> None:
    def all_answers(box: Box) -> None:
        for number, job in enumerate(box.jobs):
            if box.path.exists() and job in box.due():
                box.tell(number)
                box.answer(number, segment=segment)

    plain = Box(tmp_path / "plain")
    count = steps_of(lambda: all_answers(plain), monkeypatch, stop_at=-1)
    assert count > 10
    for stop_at in range(count):
        box = Box(tmp_path / str(stop_at))
        with pytest.raises(Stop):
            steps_of(lambda box=box: all_answers(box), monkeypatch, stop_at)  # type: ignore[misc]
        all_answers(box)
        all_answers(box)
        lines = [(line["url"], line["status"], line["path"]) for line in box.said["links"]]
        assert lines == [(line["url"], line["status"], line["path"]) for line in plain.said["links"]], stop_at
        assert not box.path.exists(), stop_at
        assert box.filed == plain.filed, stop_at
        box.drop()
        assert len(box.due()) == 2, stop_at


def test_notes_of_a_file_that_has_moved_do_not_answer_the_next_one(box: Box) -> None:
    box.answer(0)
    box.answer(1)
    box.drop()
    assert box.due() == box.jobs
    assert links.read_note(box.layout, box.jobs[0].id) == {}


def test_a_file_to_which_a_link_was_added_while_its_last_one_is_answered_stays(
    box: Box, monkeypatch: pytest.MonkeyPatch
) -> None:
    box.answer(0)
    read_note = links.read_note

    def late(layout: Layout, job: str) -> dict[str, Any]:
        found = read_note(layout, job)
        if job == box.jobs[1].id and found.get("completed_at") is not None:
            box.path.write_text("\n".join((*URLS, "https://example.org/3.mp4")))
        return found

    monkeypatch.setattr(links, "read_note", late)
    box.answer(1)
    monkeypatch.undo()
    assert box.path.exists()
    assert [job.name for job in Links().admit(box.layout, box.path).jobs if LinkOrigin().read(box.layout, job).due]  # type: ignore[union-attr]


@pytest.mark.parametrize("left", ["", URLS[1]], ids=["the file is gone", "its line is gone"])
def test_a_link_that_was_taken_out_and_is_dropped_again_is_fetched_again(box: Box, left: str) -> None:
    box.answer(0)
    box.path.write_text(left)
    if not left:
        box.path.unlink()
    swept(box.layout)
    box.path.write_text(URLS[0])
    (job,) = Links().admit(box.layout, box.path).jobs
    assert links.read_note(box.layout, job.id) == {}


def test_a_sweep_leaves_the_answers_of_links_that_still_stand_there(box: Box) -> None:
    box.answer(0)
    swept(box.layout)
    assert links.is_answered(box.layout, box.jobs[0].id)
