"""The gate: may new work start at this moment? The pause file and the schedule decide."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from clipd.intake import schedule
from clipd.tree.control import Pause

PAUSED = {
    Pause.SOFT: "paused: the file PAUSE lies in the state folder",
    Pause.HARD: "paused, and what ran was stopped: the file PAUSE in the state folder says hard",
}


@dataclass(frozen=True)
class Gate:
    """Whether work may start, and if not, why."""

    why: str = ""
    """For people; "" when the gate is open."""
    stop: bool = False
    """Is what runs to be stopped too, to be begun again later?"""
    paused: bool = False
    """Did a person pause the tree?"""

    @property
    def shut(self) -> bool:
        """May nothing start?"""
        return bool(self.why)


def gate_of(pause: Pause | None, settings: schedule.Settings, now: datetime) -> Gate:
    """The gate at `now` (aware)."""
    if pause is not None:
        return Gate(PAUSED[pause], stop=pause is Pause.HARD, paused=True)
    why = schedule.closed_words(settings, now)
    return Gate(why, stop=bool(why) and settings.at_end == "stop")
