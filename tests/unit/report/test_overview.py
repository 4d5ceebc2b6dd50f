"""What `clipd status` and `clipd why` say of each clip, and of steering: pauses, hours of work, retention."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.errors import Deferred
from clipd.files import lease
from clipd.files.lease import claimed
from clipd.files.walk import NOT_THERE_YET
from clipd.intake import schedule
from clipd.model.job import job_id
from clipd.report.item import Item
from clipd.report.overview import find, overview
from clipd.tree import record as records
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish
from clipd.tree.record import Output, Progress, Receipt
from clipd.tree.removal import Removal, note_removal
from tests.fake_clock import NOON
from tests.unit.report.workplace import Workplace, clip


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


class TestStates:
    """How each clip stands, told from the files alone."""

    ORIGIN = "data/prept/_configs/cam1/s1/film_clips.json"

    def look(self, place: Workplace, name: str, cameras: tuple[str, ...] = ()) -> Item:
        """The one clip of this name."""
        (item,) = find(overview(place.layout, NOT_THERE_YET, cameras), name)
        return item

    def save(self, place: Workplace, *clips: object) -> None:
        place.save(*clips, name="cam1/s1/film_clips.json")

    def job(self, key: str = "id:goal") -> str:
        return job_id("clip", self.ORIGIN, key)

    def test_a_due_clip_waits_for_a_daemon_then_for_its_turn(self, place: Workplace) -> None:
        place.add_video("cam1/s1/film.mp4")
        self.save(place, clip())
        item = self.look(place, "goal")
        assert (item.state, item.why) == ("waiting", "no daemon is running (clipd run)")
        assert (item.clip, item.key, item.sidecar, item.camera) == ("film / goal", "id:goal", self.ORIGIN, "cam1")
        alive(place.layout)
        assert self.look(place, "goal").why == "its turn"

    def test_it_waits_for_its_source_and_names_it(self, place: Workplace) -> None:
        self.save(place, clip())
        alive(place.layout)
        assert self.look(place, "goal").why == "waiting for its source: data/source/cam1/s1/film.mp4 is not there"

    def test_it_waits_for_a_daemon_that_serves_its_camera(self, place: Workplace) -> None:
        place.add_video("cam1/s1/film.mp4")
        self.save(place, clip())
        alive(place.layout)
        assert self.look(place, "goal", ("cam2",)).why == "camera cam1 is not served here (cameras: cam2)"

    def test_it_waits_for_what_its_daemon_says(self, place: Workplace) -> None:
        place.add_video("cam1/s1/film.mp4")
        self.save(place, clip())
        alive(place.layout)
        note = json.loads(place.layout.heartbeat("h.1").read_text())
        place.layout.heartbeat("h.1").write_text(json.dumps({**note, "waiting": {self.job(): "disk full"}}))
        assert self.look(place, "goal").why == "disk full"

    def test_a_clip_that_will_be_tried_again_says_why_and_when(self, place: Workplace) -> None:
        place.add_video("cam1/s1/film.mp4")
        self.save(place, clip())
        alive(place.layout)
        record = records.Record(self.job(), last_error="disk on fire", next_try_at="2026-05-01T12:00:10.000Z")
        records.write_record(place.layout, record, NOON)
        assert self.look(place, "goal").why == "disk on fire; tried again at 2026-05-01T12:00:10.000Z"

    def test_a_clip_that_cannot_work_says_so_before_it_is_tried(self, place: Workplace) -> None:
        self.save(place, clip(end_frame="soon"))
        alive(place.layout)
        assert 'it will fail: line 6, column 16, clip "goal": end_frame is "soon"' in self.look(place, "goal").why

    def test_clips_that_cannot_be_told_apart_say_so(self, place: Workplace) -> None:
        self.save(place, clip(), clip(), clip("twin", status="Draft"), clip("twin", status="Draft"))
        states = [(item.state, "another clip has the id" in item.why) for item in overview(place.layout, ()).items]
        assert states == [("unread", True)] * 4

    def test_a_clip_runs_while_its_claim_is_held_and_says_how_far_it_is(self, place: Workplace) -> None:
        self.save(place, clip())
        note = Progress(self.job(), "encoding", 25, 100, stamp(NOON), stamp(NOON), "here", 1, 50.0)
        records.write_progress(place.layout, note)
        assert self.look(place, "goal").state == "waiting"
        with claimed(place.layout.claim(self.job()), lease.Settings()):
            item = self.look(place, "goal")
        assert (item.state, item.why, item.fraction, item.seconds_left) == ("running", "encoding on here", 0.25, 1.5)

    def test_without_a_total_or_a_speed_nothing_is_promised(self, place: Workplace) -> None:
        self.save(place, clip())
        note = Progress(self.job(), "indexing", 25, 0, stamp(NOON), stamp(NOON), "here", 1)
        records.write_progress(place.layout, note)
        with claimed(place.layout.claim(self.job()), lease.Settings()):
            item = self.look(place, "goal")
        assert (item.fraction, item.seconds_left) == (None, None)

    def test_a_complete_clip_says_when_by_whom_and_where(self, place: Workplace) -> None:
        self.save(place, clip(status="complete"))
        path = "data/prept/03_CLIPPED/h264/cam1/s1/film_goal.mp4"
        receipt = Receipt(
            self.job(), "r", 1, "film / goal", self.ORIGIN, "id:goal", "", (Output(path, 1, "", "video"),), "here",
            stamp(NOON), stamp(NOON), ("it was dark",),
        )  # fmt: skip
        assert self.look(place, "goal").why == "marked Complete, but clipd has no receipt for it"
        records.commit(place.layout, receipt)
        assert "but gone since" in self.look(place, "goal").why
        place.layout.at(path).parent.mkdir(parents=True)
        place.layout.at(path).touch()
        item = self.look(place, "goal")
        assert (item.state, item.outputs) == ("done", (path,))
        assert item.why == f"published {stamp(NOON)} by here: {path}; 1 note in the truth sheet"

    @pytest.mark.parametrize(
        ("more", "state", "why"),
        [
            ({"status": "Failed", "error": "too dark"}, "failed", "too dark"),
            ({"status": "Kaputt", "error": "too dark"}, "failed", "too dark"),
            ({"status": "failed"}, "failed", "no reason is recorded"),
            ({"status": "Draft", "error": "too dark"}, "idle", "its status is Draft; set it to Process to have it cut"),
            ({"status": "Archived"}, "idle", "its status is Archived; set it to Process to have it cut"),
            ({"status": None}, "idle", "its status is missing; set it to Process to have it cut"),
        ],
        ids=str,
    )
    def test_a_clip_that_is_not_asked_for_says_how_it_stands(
        self, place: Workplace, more: dict[str, object], state: str, why: str
    ) -> None:
        self.save(place, clip(**more))
        item = self.look(place, "goal")
        assert (item.state, item.why) == (state, why)

    def test_what_cannot_be_read_is_told_below_the_root(self, place: Workplace) -> None:
        place.save(text="[", name="cam1/s1/broken_clips.json")
        self.save(place, clip())
        found = overview(place.layout, NOT_THERE_YET)
        assert [path for path, _ in found.unreadable] == ["data/prept/_configs/cam1/s1/broken_clips.json"]
        assert len(found.of("waiting")) == 1
        place.layout.sidecars.rename(place.layout.root / "away")
        assert [path for path, _ in overview(place.layout, ()).unreadable] == ["data/prept/_configs"]

    def test_a_share_that_is_away_is_no_empty_tree(self, place: Workplace) -> None:
        place.layout.marker.unlink()
        with pytest.raises(Deferred, match="not mounted"):
            overview(place.layout, ())

    def test_looking_changes_nothing(self, place: Workplace) -> None:
        place.add_video("cam1/s1/film.mp4")
        self.save(place, clip(), clip("done", status="Complete"))
        before = place.everything()
        overview(place.layout, NOT_THERE_YET)
        assert place.everything() == before
