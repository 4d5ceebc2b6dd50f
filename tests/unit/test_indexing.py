"""Indexing: a thread that hears of recordings and says which cameras have news; and who waits for such news."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from clipd.indexing import Indexing, Recorded, Waiters
from clipd.intake.watch import Settings as WatchSettings
from clipd.jobs.request_kind import Archive, open_index
from clipd.model.job import Job
from clipd.recordings.settings import Settings as RecordingSettings
from clipd.tree.layout import Directories, Layout
from tests.fake_clock import NOON

JOB = Job("j1", "request", "data/inbox/requests/a.json", "k", "request a", "gate", "_", 0, NOON)
WHEN = "20260501_120000"


class Desk:
    """The thread on a tree of its own, and what it tells."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root / "tree", Directories())
        self.archive = Archive(recordings=RecordingSettings(time_zone="UTC"), cache=root / "cache")
        self.told: queue.SimpleQueue[Recorded] = queue.SimpleQueue()
        self.thread = Indexing(self.layout, self.archive, WatchSettings(), time.time, self.told.put)

    def record(self, camera: str, when: str = WHEN) -> Path:
        path = self.layout.recordings / camera / f"{camera}_{when}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        hidden = path.with_name(f".{path.name}.tmp")
        hidden.write_bytes(b"x")
        return hidden.rename(path)

    def news(self) -> frozenset[str]:
        return self.told.get(timeout=20).cameras


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk(tmp_path)
    yield desk
    desk.thread.stop()


def test_what_lies_there_is_indexed_at_the_start(desk: Desk) -> None:
    desk.record("gate")
    desk.record("yard")
    desk.thread.start()
    assert desk.news() == {"gate", "yard"}
    with closing(open_index(desk.layout, desk.archive)) as index:
        assert index.cameras() == ("gate", "yard")


def test_a_recording_that_is_closed_is_news_of_its_camera(desk: Desk) -> None:
    desk.record("gate")
    desk.thread.start()
    desk.news()
    path = desk.record("gate", "20260501_120005")
    assert desk.news() == {"gate"}
    with closing(open_index(desk.layout, desk.archive)) as index:
        newest = index.newest("gate")
        assert newest is not None
        assert index.path(newest) == path
        assert newest.is_closed


def test_trees_on_one_machine_have_indexes_of_their_own(desk: Desk, tmp_path: Path) -> None:
    desk.record("gate")
    other = Layout(tmp_path / "other", Directories())
    with closing(open_index(desk.layout, desk.archive)) as mine, closing(open_index(other, desk.archive)) as theirs:
        mine.scan(0)
        theirs.scan(0)
        assert (mine.cameras(), theirs.cameras()) == (("gate",), ())


def test_it_ends_though_there_are_no_recordings(desk: Desk) -> None:
    desk.thread.start()
    desk.thread.stop()
    assert desk.told.empty()


def test_only_those_that_wait_for_the_camera_are_stirred() -> None:
    waiters = Waiters()
    waiters.begun(JOB)
    waiters.begun(replace(JOB, id="j2", camera="yard"))
    waiters.begun(replace(JOB, id="j3", kind="clip"))
    assert waiters.recorded(frozenset({"gate", "attic"})) == ["j1"]
    assert waiters.has_news(JOB)
    assert not waiters.has_news(replace(JOB, id="j2"))


def test_what_is_looked_at_again_waits_for_news_from_then_on() -> None:
    waiters = Waiters()
    waiters.begun(JOB)
    waiters.recorded(frozenset({"gate"}))
    waiters.begun(JOB)
    assert not waiters.has_news(JOB)
    waiters.forget(set())
    assert waiters.recorded(frozenset({"gate"})) == []
