"""A snapshot to show: a bit of everything."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from clipd.clock import stamp
from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.report.health import Work
from clipd.report.history import Ending, Product
from clipd.report.snapshot import (
    Disk,
    Failed,
    Failures,
    Hour,
    Machine,
    Queue,
    Running,
    Snapshot,
    Unread,
    Unreadable,
    Waiting,
)
from tests.fake_clock import NOON

NOW = stamp(NOON)
OUT = "data/prept/03_CLIPPED/h264/cam1/s1"


def job(camera: str = "cam1") -> Job:
    return Job("j", "clip", "x.json", "id:j", "match / goal", camera, "s1", 0, NOON)


HOOKS = {"delivered": 5, "failed": 0, "dropped": 0}


def machine(**changes: Any) -> Machine:
    work = Work()
    for seconds in (0.4, 3.0, 5000.0):
        work.count(job(), Verdict.COMPLETE, seconds)
    work.count(job(), Verdict.FAILED, 1.0)
    built = Machine("studio", 42, "1.0", NOW, 3.0, True, 4, 1, True, (), NOW, NOW, 0.25, work, HOOKS)
    return replace(built, **changes)


def snapshot(
    name: str = "match / goal", words: str = "the span ends behind the last frame", **changes: Any
) -> Snapshot:
    """A snapshot in which every clip is called `name` and every reason is `words`."""
    ending = Ending(NOW, "j9", name, "cam1", "studio", Verdict.COMPLETE, 3.2, (
        Product(f"{OUT}/a b#1?.mp4", f"{OUT}/a b#1?.jpg", f"{OUT}/a b#1?.json"),), 2)  # fmt: skip
    waiting = Waiting("j2", name, "data/x_clips.json", "cam1", stamp(NOON - timedelta(hours=1)), words, 30.0)
    built = Snapshot(
        at=NOW,
        tree="wedding",
        written_by="studio",
        version="1.0",
        paused=False,
        held_back="",
        clips={"waiting": 2, "running": 1, "complete": 3, "failed": 1, "draft": 0, "other": 0},
        running=(Running("j1", name, "x.json", "cam1", "studio", "encoding", 30, 60, 0.5, 12.0, 2.5, NOW),),
        queue=Queue(2, 1, stamp(NOON - timedelta(hours=1)), (waiting,), (replace(waiting, job="j3", why="its turn"),)),
        failures=Failures(1, (Failed(name, "data/x_clips.json", words, NOW),)),
        unreadable=Unreadable(1, (Unread("data/y_clips.json", words),)),
        recent=(ending,),
        machines=(machine(),),
        disk=Disk(50 << 30, 100 << 30, 1 << 30),
        last_24_hours=(Hour(0, 0),) * 22 + (Hour(3, 1), Hour(200, 1)),
    )
    return replace(built, **changes)
