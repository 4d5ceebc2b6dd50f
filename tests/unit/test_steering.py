"""Steering: when the gate shuts, who carries an order out and how often, and what hooks and retention are asked."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from clipd.config import Config
from clipd.delivery import orders
from clipd.delivery.orders import Carried
from clipd.errors import Deferred, Temporary
from clipd.intake.admit import admit
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.steering import ORDER_TRIES, Steering
from clipd.tree import control
from clipd.tree.layout import Layout
from clipd.tree.marker import establish
from tests.fake_clock import FakeClock

JOB = Job("j", "clip", "s_clips.json", "id:1", "match / goal", "cam", "day", 0, datetime(2026, 1, 1, tzinfo=UTC))


class Place:
    """A tree, and the steering of the daemon `me` on it."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.config = Config(root=root, **settings)
        self.layout = Layout(root, self.config.directories)
        establish(self.layout)
        self.clock = FakeClock()
        self.told: list[Carried] = []
        self.steering = Steering(self.layout, self.config, self.clock, daemon="me", host="here", tell=self.told.append)

    def add_failed(self) -> Path:
        sidecar = self.layout.sidecars / "cam/day/match_clips.json"
        sidecar.parent.mkdir(parents=True)
        sidecar.write_text(json.dumps([{"id": "1", "name": "goal", "status": "Failed"}]))
        return sidecar

    def round(self, seconds: float = 1.0) -> None:
        """What the daemon does in a turn, `seconds` later; until nothing is busy."""
        self.clock.pass_(seconds)
        self.steering.look(1.0)
        self.steering.obey(0.0)
        until(lambda: not self.steering._clerk.busy and not self.steering._keeper.busy)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="DEBUG")
    yield lines
    logger.remove(sink)


def test_a_pause_shuts_the_gate_at_the_next_look_and_is_said_once(place: Place, log: list[str]) -> None:
    place.steering.look(1.0)
    assert not place.steering.gate.shut
    place.layout.control("PAUSE").touch()
    place.clock.pass_(0.5)
    place.steering.look(1.0)
    assert not place.steering.gate.shut
    for _ in range(3):
        place.clock.pass_(1.0)
        place.steering.look(1.0)
    assert place.steering.gate.paused
    assert not place.steering.gate.stop
    place.layout.control("PAUSE").write_text("hard")
    place.clock.pass_(1.0)
    place.steering.look(1.0)
    assert place.steering.gate.stop
    place.layout.control("PAUSE").unlink()
    place.clock.pass_(1.0)
    place.steering.look(1.0)
    assert not place.steering.gate.shut
    assert sum("new work waits" in line for line in log) == 2
    assert sum("starts again" in line for line in log) == 1


def test_the_hours_of_work_shut_the_gate_without_a_look_at_the_share(tmp_path: Path) -> None:
    place = Place(tmp_path, schedule={"windows": ["12:00-12:30"], "time_zone": "UTC", "at_end": "stop"})
    place.steering.look(1e9)
    assert not place.steering.gate.shut
    place.clock.pass_(30 * 60)
    place.steering.look(1e9)
    assert place.steering.gate.stop
    assert not place.steering.gate.paused
    place.clock.pass_(23.5 * 3600)
    place.steering.look(1e9)
    assert not place.steering.gate.shut


def test_a_share_that_cannot_be_listed_leaves_a_pause_standing(place: Place, log: list[str]) -> None:
    place.layout.control("PAUSE").touch()
    place.steering.look(1.0)
    place.layout.state.rename(place.layout.state.with_name("away"))
    place.clock.pass_(1.0)
    place.steering.look(1.0)
    assert place.steering.gate.paused
    assert any("the former ones stand" in line for line in log)


def test_an_order_is_carried_out_and_told(place: Place, log: list[str]) -> None:
    sidecar = place.add_failed()
    place.layout.control("RETRY-goal").touch()
    place.steering.look(1.0)
    assert place.steering.busy
    place.round()
    assert json.loads(sidecar.read_text())[0]["status"] == "Process"
    (carried,) = place.told
    assert carried.sidecars == (str(sidecar),)
    assert not place.layout.control("RETRY-goal").exists()
    assert not place.steering.busy
    assert any(line.startswith("order RETRY-goal: 1 failed set back to Process") for line in log)


def test_an_order_that_goes_wrong_is_tried_again_and_then_answered(
    place: Place, monkeypatch: pytest.MonkeyPatch, log: list[str]
) -> None:
    tries = []

    def fail(order: control.Order, _desk: object) -> Carried:
        tries.append(order)
        raise Temporary("somebody writes")

    monkeypatch.setattr(orders, "carry_out", fail)
    place.layout.control("RETRY-goal").touch()
    place.round()
    assert place.steering.busy
    place.round(1.0)
    assert len(tries) == 1  # not at once
    for _ in range(9):
        place.round(3.0)
    assert len(tries) == ORDER_TRIES
    assert "somebody writes" in place.layout.control("RETRY-goal.unknown").read_text()
    assert not place.steering.busy
    assert not place.told


def test_an_order_waits_for_the_share_as_long_as_it_takes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sidecar = place.add_failed()
    carry_out = orders.carry_out

    def away(_order: control.Order, _desk: object) -> Carried:
        raise Deferred("the disk is full")

    monkeypatch.setattr(orders, "carry_out", away)
    place.layout.control("RETRY-goal").touch()
    for _ in range(9):
        place.round(3.0)
    assert not place.steering.busy  # a single pass does not wait for it
    monkeypatch.setattr(orders, "carry_out", carry_out)
    place.round(3.0)
    assert json.loads(sidecar.read_text())[0]["status"] == "Process"


def test_the_order_of_a_dead_daemon_is_carried_out_by_another(place: Place) -> None:
    sidecar = place.add_failed()
    place.layout.control("RETRY-goal").touch()
    (order,) = control.look(place.layout, ()).orders
    assert control.take(place.layout, order, "dead") is not None
    place.round()
    place.round()
    assert json.loads(sidecar.read_text())[0]["status"] == "Process"


def test_a_retry_that_another_daemon_carried_out_ends_the_wait_here_too(place: Place) -> None:
    place.round()
    sidecar = place.layout.sidecars / "cam/day/match_clips.json"
    sidecar.parent.mkdir(parents=True)
    sidecar.write_text(json.dumps([{"id": "1", "name": "goal", "status": "Process"}]))
    other = Steering(place.layout, place.config, place.clock, daemon="other", host="there", tell=[].append)
    place.layout.control("RETRY-goal").touch()
    other.look(0.0)
    other.obey(0.0)
    until(lambda: not place.layout.control("RETRY-goal").exists() and not other._clerk.busy)
    place.told.clear()
    place.round()
    (job,) = admit(place.layout, sidecar).jobs
    assert [carried.jobs for carried in place.told] == [{job.id}]
    place.told.clear()
    place.round()
    assert place.told == []


def test_who_stops_leaves_no_folder_and_gives_back_what_it_took(place: Place) -> None:
    place.layout.control("RETRY-goal").touch()
    (order,) = control.look(place.layout, ()).orders
    assert control.take(place.layout, order, "me") is not None
    place.steering.stop(0.0)
    assert order.path.exists()
    assert list(place.layout.orders.iterdir()) == []


@pytest.mark.parametrize(
    ("outcome", "told"),
    [
        (Outcome(Verdict.COMPLETE, outputs=("a.mp4",)), 1),
        (Outcome(Verdict.COMPLETE, known=True), 0),
        (Outcome(Verdict.FAILED, "why"), 1),
        *((Outcome(verdict), 0) for verdict in Verdict if verdict not in (Verdict.COMPLETE, Verdict.FAILED)),
    ],
)
def test_hooks_are_told_of_ends_that_are_news(tmp_path: Path, outcome: Outcome, told: int) -> None:
    place = Place(tmp_path, hooks=[{"command": ["true"]}])
    place.steering.told(JOB, outcome)
    place.steering.stop()
    assert place.steering.hooks.delivered == told


@pytest.mark.parametrize(
    ("settings", "swept"),
    [
        ({}, 0),
        ({"rules": [{"older_than_days": 1}]}, 0),
        ({"dry_run": False}, 0),
        ({"rules": [{"older_than_days": 1}], "dry_run": False}, 2),
    ],
)
def test_retention_runs_every_hour_when_it_is_switched_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, settings: dict[str, Any], swept: int
) -> None:
    from clipd.delivery import retention

    calls: list[object] = []
    monkeypatch.setattr(retention, "sweep", lambda *arguments: calls.append(arguments) or iter(()))
    place = Place(tmp_path, retention=settings)
    for seconds in (1.0, 1.0, 3590.0, 10.0):
        place.round(seconds)
    assert len(calls) == swept
