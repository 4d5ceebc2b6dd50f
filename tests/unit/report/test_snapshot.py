"""What the daemon knows, counted and put in order, without a look at the tree."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clipd.clock import stamp
from clipd.intake.scan import Scan
from clipd.intake.scans import Scans
from clipd.intake.settle import Settling
from clipd.intake.sources.sidecars import Sidecars
from clipd.report.health import Health, write_health
from clipd.report.history import History
from clipd.report.snapshot import LISTED, Observer, Situation, Snapshot
from clipd.tree.layout import Layout
from clipd.tree.record import Progress, write_progress
from tests.fake_clock import NOON, FakeClock
from tests.place import laid_out


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def scan(layout: Layout, clock: FakeClock) -> Scans:
    return Scans((Scan(layout, Sidecars(), clock, (), Settling(0.0), lambda: 0.0, lambda _path, _words: None),))


@pytest.fixture
def look(layout: Layout, scan: Scans) -> Callable[..., Snapshot]:
    observer = Observer(layout, History(layout, "here"), 12)

    def take(why: dict[str, str] | None = None, running: tuple[str, ...] = (), **changes: Any) -> Snapshot:
        for _ in range(2):  # what cannot be read is believed at the second look
            for _ in scan.walk():
                pass
        reasons, jobs = why or {}, list(scan.jobs)
        given: dict[str, Any] = {
            "scan": scan,
            "running": [job for job in jobs if job.name in running],
            "why_waiting": lambda job: (reasons.get(job.name, ""), 7.0),
            "is_ours": lambda job: True,
            "paused": False,
            "host": "here",
            "reserve": 1 << 20,
        }
        return observer.look(Situation(**{**given, **changes}), NOON)

    return take


def save(layout: Layout, clips: Any, video: str = "match", camera: str = "cam1") -> Path:
    path = layout.sidecars / camera / "s1" / f"{video}_clips.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(clips if isinstance(clips, str) else json.dumps(clips))
    os.utime(path, (NOON.timestamp() - 3600,) * 2)
    return path


def clip(name: str, status: str = "Process", **more: Any) -> dict[str, Any]:
    return {"name": name, "status": status, **more}


def note(layout: Layout, host: str, **changes: Any) -> None:
    given: dict[str, Any] = {
        "host": host, "pid": 1, "daemon": "d", "version": "1", "at": stamp(datetime.now(UTC)), "workers": 2,
        "running": [], "waiting": {}, "unreadable": {}, "events": True, "paused": False,
    }  # fmt: skip
    health, path = Health(**{**given, **changes}), layout.heartbeat(f"{host}.{changes.get('pid', 1)}")
    write_health(path, health)
    os.utime(path, (datetime.fromisoformat(health.at).timestamp(),) * 2)


def id_of(scan: Scans, name: str) -> str:
    return next(job.id for job in scan.jobs if job.name == name)


def test_every_clip_is_counted_by_how_it_stands(layout: Layout, look: Callable[..., Snapshot]) -> None:
    save(layout, [clip("a"), clip("b"), clip("c", "complete"), clip("d", "FAILED", error="no"), clip("e", "draft"),
                  clip("f", "Rejected"), clip("g", "Unusable", error="too dark")])  # fmt: skip
    save(layout, {"clips": [clip("h", "Complete"), {"name": "i"}]}, video="other")
    found = look(running=("match / b",))
    assert found.clips == {"waiting": 1, "running": 1, "complete": 2, "failed": 2, "draft": 1, "other": 2}
    assert list(found.clips) == ["waiting", "running", "complete", "failed", "draft", "other"]


def test_failures_come_from_the_sidecars_the_newest_first_and_bounded(
    layout: Layout, look: Callable[..., Snapshot]
) -> None:
    for number in range(LISTED + 5):
        save(
            layout,
            [clip("x", "Failed", error=f"error {number}", modified_at=f"2026-04-01T00:{number:02}:00Z")],
            f"v{number:02}",
        )
    failures = look().failures
    assert failures.count == LISTED + 5
    assert len(failures.listed) == LISTED
    assert failures.listed[0].error == f"error {LISTED + 4}"
    assert failures.listed[0].sidecar == f"data/prept/_configs/cam1/s1/v{LISTED + 4}_clips.json"


def test_a_failure_that_was_mended_is_gone(layout: Layout, look: Callable[..., Snapshot]) -> None:
    path = save(layout, [clip("x", "Failed", error="no")])
    assert look().failures.count == 1
    path.write_text(json.dumps([clip("x", "Complete")]))
    assert look().failures.count == 0
    path.unlink()
    assert look().clips["complete"] == 0


def answer(layout: Layout, inbox: str, name: str, status: str, at: str = "2026-04-01T00:00:00Z", **more: Any) -> Path:
    path = layout.inbox_of(inbox) / f"{name}.status.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"status": status, "message": f"about {name}", "completed_at": at, **more}))
    return path


def test_failures_of_the_inbox_are_told_apart_from_those_of_sidecars_the_newest_first(
    layout: Layout, look: Callable[..., Snapshot]
) -> None:
    save(layout, [clip("x", "Failed", error="no")])
    answer(layout, "requests", "door-43", "failed", at="2026-04-02T00:00:00Z")
    answer(layout, "requests/failed", "door-43", "failed", at="2026-04-02T00:00:00Z")
    answer(layout, "requests", "door-44", "done")
    answer(layout, "requests", "door-45", "failed", at=None)
    gone = answer(layout, "datasets", "table", "failed")
    found = look()
    assert [(item.clip, item.error) for item in found.inbox_failures.listed] == [
        ("door-43", "about door-43"),
        ("table", "about table"),
    ]
    assert found.inbox_failures.listed[0].sidecar == "data/inbox/requests/door-43.status.json"
    assert (found.failures.count, found.inbox_failures.count, found.failed_count) == (1, 2, 3)
    gone.unlink()
    save(layout, [clip("x", "Draft")])
    assert look().failed_count == 1


def test_what_waits_for_something_is_told_apart_from_what_waits_for_its_turn(
    layout: Layout, look: Callable[..., Snapshot]
) -> None:
    save(layout, [clip("a"), clip("b", priority=5), clip("c")])
    queue = look({"match / a": "its source is not there"}).queue
    assert (queue.count, queue.held_count) == (3, 1)
    assert [(item.clip, item.why, item.again_in_seconds) for item in queue.held] == [
        ("match / a", "its source is not there", 7.0)
    ]
    assert [(item.clip, item.why) for item in queue.next] == [("match / b", "its turn"), ("match / c", "its turn")]
    assert queue.oldest_at == stamp(NOON - timedelta(hours=1))


def test_when_nothing_is_begun_at_all_everybody_only_waits_for_his_turn(
    layout: Layout, look: Callable[..., Snapshot]
) -> None:
    save(layout, [clip("a"), clip("b")])
    found = look({"match / a": "it is day", "match / b": "its source is not there"}, held_back="it is day")
    assert found.held_back == "it is day"
    assert [item.clip for item in found.queue.held] == ["match / b"]
    assert [item.clip for item in found.queue.next] == ["match / a"]


def test_a_long_queue_is_counted_whole_and_listed_in_part(layout: Layout, look: Callable[..., Snapshot]) -> None:
    save(layout, [clip(f"c{number:03}") for number in range(500)])
    queue = look().queue
    assert queue.count == 500
    assert [item.clip for item in queue.next] == [f"match / c{number:03}" for number in range(LISTED)]


def test_what_another_machine_does_runs_and_does_not_wait(
    layout: Layout, scan: Scans, look: Callable[..., Snapshot]
) -> None:
    save(layout, [clip("a"), clip("b")])
    look()
    job = id_of(scan, "match / a")
    note(layout, "there", running=[job])
    write_progress(layout, Progress(job, "encoding", 25, 100, stamp(NOON), stamp(NOON), "there", 9, 5.0))
    found = look()
    assert [item.clip for item in found.queue.next] == ["match / b"]
    (running,) = found.running
    assert (running.clip, running.host, running.fraction, running.seconds_left) == ("match / a", "there", 0.25, 15.0)


def test_a_camera_that_nobody_serves_is_named(layout: Layout, look: Callable[..., Snapshot]) -> None:
    save(layout, [clip("a")], camera="cam9")
    note(layout, "here", cameras=["cam1"])
    not_ours = {"is_ours": lambda job: job.camera == "cam1"}
    assert look(**not_ours).queue.held[0].why == "no running daemon serves camera cam9"
    note(layout, "there", cameras=["cam9"])
    assert look(**not_ours).queue.held[0].why == "its turn"


def test_a_machine_that_fell_silent_is_shown_until_it_is_back(layout: Layout, look: Callable[..., Snapshot]) -> None:
    note(layout, "studio", at=stamp(datetime.now(UTC) - timedelta(hours=1)))
    note(layout, "long gone", at=stamp(datetime.now(UTC) - timedelta(days=3)))
    (machine,) = look().machines
    assert (machine.host, machine.alive) == ("studio", False)
    assert machine.age_seconds == pytest.approx(3600, abs=60)
    note(layout, "studio", pid=2)
    assert [(machine.pid, machine.alive) for machine in look().machines] == [(2, True)]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"host": 5}', '{"at": "never"}', "[" * 3000])
def test_notes_that_are_none_are_passed_over(layout: Layout, look: Callable[..., Snapshot], text: str) -> None:
    note(layout, "studio")
    good = layout.heartbeat("studio.1").read_text()
    layout.heartbeat("odd.1").write_text(text)
    layout.heartbeat("odd.2").write_text(good.replace('"workers": 2', '"workers": "many"'))
    assert [machine.host for machine in look().machines] == ["studio"]


def test_what_cannot_be_read_is_named_with_its_file(
    layout: Layout, look: Callable[..., Snapshot], clock: FakeClock
) -> None:
    save(layout, '[{"name": "a",}]', video="broken")
    save(layout, [clip("a"), {"status": "Process"}], video="nameless")
    look()
    clock.pass_(10)
    unreadable = look().unreadable
    assert unreadable.count == 2
    assert {item.path.rpartition("/")[2] for item in unreadable.listed} == {"broken_clips.json", "nameless_clips.json"}
    assert all("line 1" in item.why for item in unreadable.listed)


def test_the_disk_of_the_outputs_is_told(look: Callable[..., Snapshot]) -> None:
    disk = look().disk
    assert disk is not None
    assert 0 < disk.free <= disk.total
    assert disk.reserve == 1 << 20


def test_an_unchanged_tree_is_not_counted_again(layout: Layout, scan: Scans, look: Callable[..., Snapshot]) -> None:
    save(layout, [clip("a", "Complete")])
    look()
    changes = scan.changes
    for _ in range(3):
        look()
    assert scan.changes == changes
