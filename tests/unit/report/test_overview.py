"""What `clipd status` and `clipd why` say of steering: pauses, hours of work, what retention removed."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipd.intake import schedule
from clipd.model.job import job_id
from clipd.report.overview import find, overview
from clipd.tree import record as records
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish
from clipd.tree.record import Output, Receipt
from clipd.tree.removal import Removal, note_removal


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path, Directories())
    establish(layout)
    sidecar = layout.sidecars / "cam/day/match_clips.json"
    sidecar.parent.mkdir(parents=True)
    clips = [{"id": "1", "name": "goal", "start_frame": 0, "end_frame": 9, "status": "Process"},
             {"id": "2", "name": "a/b", "start_frame": 0, "end_frame": 9, "status": "Complete"}]  # fmt: skip
    sidecar.write_text(json.dumps(clips))
    source = layout.source / "cam/day/match.mp4"
    source.parent.mkdir(parents=True)
    source.touch()
    return layout


def why(layout: Layout, words: str, hours: schedule.Settings | None = None) -> str:
    (item,) = find(overview(layout, (), (), hours), words)
    return item.why


def alive(layout: Layout) -> None:
    note = {"host": "h", "pid": 1, "daemon": "d", "version": "1", "at": datetime.now(UTC).isoformat(), "workers": 1,
            "running": [], "waiting": {}, "unreadable": {}, "events": True, "paused": False}  # fmt: skip
    layout.heartbeat("h.1").parent.mkdir(parents=True, exist_ok=True)
    layout.heartbeat("h.1").write_text(json.dumps(note))


@pytest.mark.parametrize("name", ["PAUSE", "PAUSE-HARD"])
def test_a_pause_is_the_reason_whoever_runs(layout: Layout, name: str) -> None:
    layout.control(name).touch()
    assert why(layout, "goal").startswith("paused")
    assert overview(layout, ()).paused


def test_a_waiting_clip_says_when_the_window_opens(layout: Layout) -> None:
    alive(layout)
    assert why(layout, "goal") == "its turn"
    day = schedule.DAYS[(datetime.now(UTC) + timedelta(days=3)).weekday()]
    hours = schedule.Settings(windows=(f"{day} 10:00-11:00",), time_zone="UTC")
    assert f"the next window opens {day.title()} " in why(layout, "goal", hours)
    assert "10:00 UTC" in overview(layout, (), (), hours).gate.why


def test_what_retention_removed_is_said(layout: Layout) -> None:
    origin = "data/prept/_configs/cam/day/match_clips.json"
    job = job_id("clip", origin, "id:2")
    output = Output("data/prept/03_CLIPPED/ffv1/match_a-b.mkv", 5, "", "video")
    receipt = Receipt(
        job, "r", 1, "match / a/b", origin, "id:2", "", (output,), "h", "then", "2026-01-01T00:00:00.000Z"
    )
    records.commit(layout, receipt)
    assert "gone since" in why(layout, "2")
    note_removal(layout, Removal(job, "r.1", "2026-05-01T12:00:00.000Z", "31.0 days old", (output.path,)))
    assert f"removed by retention on 2026-05-01T12:00:00.000Z (31.0 days old): {output.path}" in why(layout, "2")
    records.commit(layout, Receipt(**{**vars(receipt), "run": 2, "published_at": "2026-06-01T00:00:00.000Z"}))
    assert "retention" not in why(layout, "2")


@pytest.mark.parametrize("words", ["match_a-b", "match / a/b", "a/b", "2", "id:2", "match_a/b"])
def test_a_clip_is_found_by_what_its_outputs_are_named_too(layout: Layout, words: str) -> None:
    assert [item.name for item in find(overview(layout, ()), words)] == ["a/b"]
