"""The carrier: everything posted is brought once, a destination that is away holds nothing else up, nothing is lost."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from loguru import logger

from clipd.clock import SystemClock
from clipd.delivery import carrier
from clipd.delivery.carrier import Carrier, post
from clipd.delivery.destinations import STORES, Destination, Open, Store
from clipd.delivery.destinations.directory import Directory
from clipd.errors import Temporary
from clipd.files import lease
from clipd.tree import outbox
from clipd.tree.layout import Layout
from clipd.tree.record import Receipt
from tests.unit.delivery.publication import a_layout, publish

CLAIMS = lease.Settings(lease_seconds=2, heartbeat_seconds=0.5)
CLOCK = SystemClock()


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(carrier, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(carrier, "LONGEST_WAIT_SECONDS", 0.05)
    monkeypatch.setattr(carrier, "LOOK_SECONDS", 0.1)


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="DEBUG")
    yield lines
    logger.remove(sink)


class Place:
    """A tree with an archive, and carriers that end with the test."""

    def __init__(self, tmp_path: Path) -> None:
        self.layout: Layout = a_layout(tmp_path / "tree")
        self.folder = tmp_path / "archive"
        self.folder.mkdir()
        self.archive = Destination(directory=str(self.folder), name="archive")
        self.carriers: list[Carrier] = []

    def publish(self, number: int = 1, job: str = "j1", posted: timedelta = timedelta(0)) -> Receipt:
        receipt = publish(self.layout, number=number, job=job, mp4=f"{job} {number}".encode(), json=b"{}")
        assert post(self.layout, receipt, (self.archive,), "cam1", CLOCK.now() - posted) == ("archive",)
        return receipt

    def carrier(self, *destinations: Destination, directory: Open = STORES["directory"]) -> Carrier:
        made = Carrier(self.layout, destinations or (self.archive,), CLAIMS, CLOCK, {**STORES, "directory": directory})
        self.carriers.append(made)
        made.look()
        return made

    def copied(self, job: str = "j1") -> str:
        path = self.folder / f"h264/cam1/s1/match_{job}.mp4"
        return path.read_text() if path.exists() else ""


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for one in place.carriers:
        one.stop(10)


def test_what_was_posted_before_and_after_the_start_is_brought_and_proven(place: Place) -> None:
    first = place.publish()
    one = place.carrier()
    until(lambda: not one.busy)
    assert place.copied() == "j1 1"
    proof = json.loads(place.layout.copy_proof("archive", "j1", first.id).read_text())
    assert [file["sha256"] for file in proof["files"]] == [output.sha256 for output in first.outputs]
    place.publish(job="j2")
    one.wake()
    assert one.busy
    until(lambda: not one.busy)
    assert place.copied("j2") == "j2 1"
    assert outbox.counts(place.layout) == (0, 0)


def test_what_was_copied_is_not_asked_for_again(place: Place) -> None:
    receipt = place.publish()
    one = place.carrier()
    until(lambda: not one.busy)
    assert post(place.layout, receipt, (place.archive,), "cam1", CLOCK.now()) == ()


def test_a_newer_publication_makes_the_older_copy_needless(place: Place, log: list[str]) -> None:
    place.publish(1)
    place.publish(2)
    one = place.carrier()
    until(lambda: not one.busy)
    assert place.copied() == "j1 2"
    assert any("needless" in line for line in log)


def test_a_destination_that_is_away_is_tried_again_until_it_is_back(place: Place) -> None:
    place.folder.rmdir()
    place.publish()
    one = place.carrier()
    until(lambda: not one.busy)
    assert outbox.counts(place.layout) == (1, 0)
    (load,) = outbox.loads(place.layout)
    assert "is it mounted?" in load.error
    place.folder.mkdir()
    until(lambda: place.copied() == "j1 1")


def test_a_destination_that_hangs_holds_up_neither_the_caller_nor_another_one(place: Place, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    second = Destination(directory=str(other), name="other")
    may_go_on = threading.Event()

    def open_store(destination: Destination, root: Path) -> Store:
        if destination.name == "archive":
            assert may_go_on.wait(20)
        return Directory(destination, root)

    receipt = place.publish()
    post(place.layout, receipt, (second,), "cam1", CLOCK.now())
    one = place.carrier(place.archive, second, directory=open_store)
    until(lambda: (other / "h264/cam1/s1/match_j1.mp4").exists())
    assert place.copied() == ""
    may_go_on.set()
    until(lambda: place.copied() == "j1 1")
    until(lambda: not one.busy)


def test_one_copy_that_always_fails_does_not_keep_the_others_waiting(place: Place) -> None:
    class Fussy(Directory):
        def size(self, name: str) -> int | None:
            if "_bad" in name:
                raise Temporary("not this one")
            return super().size(name)

    for number in range(6):
        place.publish(job=f"bad{number}")
    for number in range(3):
        place.publish(job=f"good{number}")
    place.carrier(directory=Fussy)
    until(lambda: all(place.copied(f"good{number}") for number in range(3)))
    until(lambda: outbox.counts(place.layout) == (6, 0))


def test_what_can_never_be_is_given_up_told_and_tried_again_at_the_next_start(place: Place) -> None:
    theirs = place.folder / "h264/cam1/s1/match_j1.mp4"
    theirs.parent.mkdir(parents=True)
    theirs.write_text("theirs")
    place.publish()
    one = place.carrier()
    until(lambda: not one.busy)
    assert outbox.counts(place.layout) == (0, 1)
    (load,) = outbox.loads(place.layout)
    assert "another file" in load.error
    theirs.unlink()
    one.stop(10)
    place.carrier()
    until(lambda: place.copied() == "j1 1")
    until(lambda: outbox.counts(place.layout) == (0, 0))


def test_patience_ends(place: Place) -> None:
    place.folder.rmdir()
    place.publish(posted=timedelta(hours=200))
    place.carrier()
    until(lambda: outbox.counts(place.layout) == (0, 1))
    (load,) = outbox.loads(place.layout)
    assert "tried for 168 hours" in load.error


def test_two_carriers_on_one_tree_bring_each_copy_once(place: Place) -> None:
    staged: list[str] = []

    class Counting(Directory):
        def stage(self, name: str, source: Path, alive: Callable[[], None]) -> str:
            staged.append(name)
            return super().stage(name, source, alive)

    for number in range(8):
        place.publish(job=f"j{number}")
    for _ in range(2):
        place.carrier(directory=Counting)
    until(lambda: outbox.counts(place.layout) == (0, 0))
    assert sorted(staged) == sorted(set(staged))
    assert len(staged) == 16


def test_nothing_is_begun_while_it_is_held(place: Place) -> None:
    place.publish()
    one = Carrier(place.layout, (place.archive,), CLAIMS, CLOCK)
    place.carriers.append(one)
    one.look(held=True)
    assert not one.busy
    time.sleep(0.1)
    assert place.copied() == ""
    one.look()
    one.wake()
    until(lambda: place.copied() == "j1 1")


def test_other_settings_are_other_couriers_and_a_note_nobody_knows_waits(place: Place, tmp_path: Path) -> None:
    place.publish()
    other = tmp_path / "other"
    other.mkdir()
    one = place.carrier(Destination(directory=str(other), name="other"))
    until(lambda: not one.busy)
    assert outbox.counts(place.layout) == (1, 0)
    one.renew((place.archive,), CLAIMS)
    one.look()
    until(lambda: place.copied() == "j1 1")


def test_what_is_no_note_is_passed_over(place: Place, log: list[str]) -> None:
    place.publish()
    folder = place.layout.outbox("archive")
    (folder / "x.json").write_text("{}")
    (folder / "y.json").symlink_to("/etc/passwd")
    one = place.carrier()
    until(lambda: not one.busy)
    assert place.copied() == "j1 1"
    assert sum("no note" in line for line in log) >= 2
