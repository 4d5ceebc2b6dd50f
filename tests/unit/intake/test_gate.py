"""The gate: a pause or the hours of work shut it, and only a hard one stops what runs."""

from __future__ import annotations

from datetime import datetime

import pytest

from clipd.intake.gate import Gate, gate_of
from clipd.intake.schedule import Settings
from clipd.tree.control import Pause

MONDAY_NOON = datetime.fromisoformat("2026-05-04T12:00Z")
OPEN = Settings(windows=("mon 11:00-13:00",), time_zone="UTC")
CLOSED = Settings(windows=("mon 13:00-14:00",), time_zone="UTC")


def test_it_is_open_by_default() -> None:
    assert gate_of(None, Settings(), MONDAY_NOON) == Gate() == gate_of(None, OPEN, MONDAY_NOON)
    assert not Gate().shut


@pytest.mark.parametrize("hours", [Settings(), OPEN, CLOSED])
def test_a_pause_comes_before_the_hours(hours: Settings) -> None:
    soft, hard = (gate_of(pause, hours, MONDAY_NOON) for pause in (Pause.SOFT, Pause.HARD))
    assert soft.shut
    assert soft.paused
    assert not soft.stop
    assert "PAUSE" in soft.why
    assert hard.shut
    assert hard.stop


def test_outside_the_hours_it_says_when_it_opens() -> None:
    shut = gate_of(None, CLOSED, MONDAY_NOON)
    assert "Mon 2026-05-04 13:00 UTC" in shut.why
    assert not shut.stop
    assert not shut.paused
    assert gate_of(None, CLOSED.model_copy(update={"at_end": "stop"}), MONDAY_NOON).stop
