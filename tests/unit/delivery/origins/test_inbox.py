"""Answers to requests: each has its own, and nothing moves with a request but what belongs to it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.origins import ORIGINS, Answer, Occasion
from clipd.delivery.origins.wish import Wish
from clipd.delivery.writeback import WriteBack
from clipd.errors import Rejected
from clipd.files import lease
from clipd.intake.sources import SOURCES
from clipd.model.job import Job
from clipd.tree import record as records
from clipd.tree import request as requests
from clipd.tree.layout import Layout
from clipd.tree.record import Record
from tests.fake_clock import NOON
from tests.unit.delivery.publication import a_layout

CLAIMS = lease.Settings(lease_seconds=2, heartbeat_seconds=0.5)
EVENT = '{"event_id": "d1"}'


class Box:
    """An inbox of requests of one kind."""

    def __init__(self, root: Path, kind: str, inbox: str) -> None:
        self.layout: Layout = a_layout(root)
        self.folder = self.layout.inbox_of(inbox)
        self._origin = ORIGINS[kind]
        (self._source,) = [source for source in SOURCES if source.folder(self.layout) == self.folder]

    def drop(self, name: str, words: str = "x") -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        temp = path.with_name(f".{path.name}.tmp")
        temp.write_text(words)
        return temp.rename(path)

    def job(self, name: str) -> Job:
        (job,) = self._source.admit(self.layout, self.folder / name).jobs
        return job

    def read(self, name: str) -> Wish:
        wish = self._origin.read(self.layout, self.job(name))
        assert wish is not None
        return wish

    def answer(self, name: str, error: str | None = None) -> WriteBack:
        at = Occasion(still=lambda _: True, claims=CLAIMS, now=NOON, settle=lambda _: None)
        return self._origin.answer(self.layout, self.job(name), Answer(error=error), at)

    def refused(self, name: str) -> str:
        """Answer a request that cannot be granted; why not."""
        with pytest.raises(Rejected) as refusal:
            self.read(name).request()
        self.answer(name, str(refusal.value))
        return str(refusal.value)

    def said(self, name: str) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((self.folder / f"{name}.status.json").read_text())
        return content

    @property
    def files(self) -> set[str]:
        """All that lies there, but for the answers."""
        found = {path.relative_to(self.folder).as_posix() for path in self.folder.rglob("*") if path.is_file()}
        return {name for name in found if not name.endswith(".status.json")}


@pytest.fixture
def moments(tmp_path: Path) -> Box:
    return Box(tmp_path / "tree", "request", "requests")


@pytest.fixture
def events(tmp_path: Path) -> Box:
    return Box(tmp_path / "tree", "event", "events")


@pytest.fixture
def with_the_answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[], object]], None]:
    """Have something done as soon as an answer can be read."""

    def have_done(action: Callable[[], object]) -> None:
        place = requests.place_answer

        def placed(path: Path, copy: Path, answer: Mapping[str, Any]) -> None:
            place(path, copy, answer)
            action()

        monkeypatch.setattr(requests, "place_answer", placed)

    return have_done


def test_each_request_of_a_folder_moves_alone_and_has_its_own_answer(moments: Box) -> None:
    for name in "ab":
        moments.drop(f"cam1/{name}.json", f'{{"clip_id": "{name}"}}')
    moments.drop("cam1/notes.txt")
    moments.answer("cam1/a.json")
    moments.answer("cam1/b.json", "no such camera")
    assert moments.files == {"cam1/done/a.json", "cam1/failed/b.json", "cam1/notes.txt"}
    assert [moments.said(f"cam1/{name}")["clip_id"] for name in ("a", "done/a", "b", "failed/b")] == [*"aabb"]


def test_a_folder_that_is_described_moves_whole(events: Box) -> None:
    events.drop("door/event.json", EVENT)
    events.drop("door/1.jpg")
    events.drop("door/more/2.jpg")
    events.answer("door/event.json")
    assert events.files == {"done/door/event.json", "done/door/1.jpg", "done/door/more/2.jpg"}
    assert not (events.folder / "door").exists()
    assert events.said("door") == events.said("done/door")


@pytest.mark.parametrize("first", ["door.json", "door/event.json"])
def test_one_whose_answer_would_be_another_ones_is_refused_under_its_whole_name(events: Box, first: str) -> None:
    events.drop(first, EVENT)
    events.drop("door.yaml", "event_id: d2")
    assert (
        events.refused("door.yaml")
        == f"{first} came before, and both answers would be door.status.json; rename this one"
    )
    assert events.said("door.yaml")["event_id"] == events.said("failed/door.yaml")["event_id"] == "d2"
    assert not (events.folder / "door.status.json").exists()
    events.answer(first)
    assert events.said("door")["event_id"] == "d1"
    events.drop("door.yaml", "event_id: d2")
    events.read("door.yaml").request()


def test_a_file_of_a_folder_is_a_request_until_another_describes_the_folder(events: Box) -> None:
    events.drop("cam1/door.json", EVENT)
    job = events.job("cam1/door.json")
    events.answer("cam1/door.json")
    assert events.said("cam1/door")["event_id"] == "d1"
    assert events.files == {"cam1/done/door.json"}
    events.drop("cam1/deeper/door.json", EVENT)
    deeper = events.job("cam1/deeper/door.json")
    events.drop("cam1/event.json", '{"event_id": "d2"}')
    assert ORIGINS["event"].read(events.layout, deeper) is None
    assert ORIGINS["event"].read(events.layout, job) is None


def test_what_comes_after_the_answer_stays_in_the_folder(
    events: Box, with_the_answer: Callable[[Callable[[], object]], None]
) -> None:
    for name in ("event.json", "1.jpg", "more/1.jpg"):
        events.drop(f"door/{name}", EVENT)

    def next_event() -> None:
        for name in ("1.jpg", ".2.jpg.upload", "more/2.jpg", "back/event.json", "back/1.jpg"):
            events.drop(f"door/{name}", "new")

    with_the_answer(next_event)
    events.answer("door/event.json")
    new = {path for path in events.files if (events.folder / path).read_text() == "new"}
    assert new == {f"door/{n}" for n in ("1.jpg", ".2.jpg.upload", "more/2.jpg", "back/event.json", "back/1.jpg")}
    assert events.files - new == {"done/door/event.json", "done/door/more/1.jpg"}


def test_a_folder_that_is_described_twice_is_refused_whole(events: Box) -> None:
    events.drop("door/event.json", EVENT)
    events.drop("door/event.yaml", "event_id: d2")
    words = events.refused("door/event.json")
    assert words == (
        "door is described by event.json and by event.yaml; keep the one that is meant, then drop the folder again"
    )
    assert events.files == {"failed/door/event.json", "failed/door/event.yaml"}
    assert events.said("door")["message"] == words


def test_a_request_in_a_folder_that_is_described_is_left_to_its_own_answer(events: Box) -> None:
    for name in ("door/event.json", "door/1.jpg", "door/back/event.json", "door/back/1.jpg"):
        events.drop(name, EVENT)
    words = events.refused("door/event.json")
    assert words == (
        "back/event.json in door is a request of its own; put its folder beside door, then put event.json back into it"
    )
    assert events.files == {"door/failed/event.json", "door/1.jpg", "door/back/event.json", "door/back/1.jpg"}
    assert events.said("door")["message"] == words
    events.answer("door/back/event.json")
    assert events.files == {"door/failed/event.json", "door/1.jpg", "door/done/back/event.json", "door/done/back/1.jpg"}
    events.drop("door/event.json", EVENT)
    assert events.read("door/event.json").request().event_id == "d1"


def test_a_refusal_comes_before_a_receipt(events: Box) -> None:
    events.drop("door/event.json", EVENT)
    assert events.read("door/event.json").repeats == "never"
    events.drop("door/event.yaml", "event_id: d2")
    assert events.read("door/event.json").repeats == "asked"


def test_folders_with_dots_in_their_names_have_answers_of_their_own(events: Box) -> None:
    names = ("2026-05-01_14.30.15", "2026-05-01_14.30.45")
    for number, name in enumerate((*names, *names)):
        events.drop(f"{name}/event.json", f'{{"event_id": "d{number}"}}')
        events.answer(f"{name}/event.json")
        assert events.said(name)["event_id"] == f"d{number}"
    again = [f"{name}.2" for name in names]
    assert [events.said(f"done/{name}")["event_id"] for name in (*names, *again)] == ["d0", "d1", "d2", "d3"]
    assert events.files == {f"done/{name}/event.json" for name in (*names, *again)}


class TestAFailureNobodyWasToldOf:
    """The process was killed between the answer and the closed record."""

    @pytest.fixture(params=["door.json", "door/event.json"])
    def name(self, request: pytest.FixtureRequest) -> str:
        return str(request.param)

    @pytest.fixture
    def record(self, events: Box, name: str) -> Record:
        events.drop(name, EVENT)
        record = Record(events.job(name).id, stand=events.read(name).stand, state="failed", last_error="unreadable")
        return records.write_record(events.layout, record, NOON)

    def recorded(self, events: Box, record: Record, seconds: float) -> None:
        """Let the record be `seconds` older, or younger, than it is."""
        path = events.layout.record(record.job)
        os.utime(path, (0, path.stat().st_mtime - seconds))

    def test_is_told_to_the_request_that_failed(self, events: Box, name: str, record: Record) -> None:
        self.recorded(events, record, -1)
        assert events.read(name).stand == record.stand

    @pytest.mark.parametrize("way", ["written", "moved back"])
    def test_is_not_that_of_a_request_dropped_since(self, events: Box, name: str, record: Record, way: str) -> None:
        self.recorded(events, record, 1)
        events.answer(name, record.last_error)
        if way == "written":
            events.drop(name, EVENT)
        else:
            unit = name.split("/")[0]
            (events.folder / "failed" / unit).rename(events.folder / unit)
        again = events.read(name).stand
        assert again != record.stand
        records.write_record(events.layout, replace(record, stand=again, state="running"), NOON)
        assert events.read(name).stand == again
        events.drop(name, '{"event_id": "d1", "start": 2}')
        assert events.read(name).stand not in (again, record.stand)
