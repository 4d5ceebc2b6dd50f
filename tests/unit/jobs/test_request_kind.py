"""Requests as a kind of job: what is found, what is waited for, when waiting ends, and what decides the clip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clipd.errors import Deferred, Rejected
from clipd.files.arrival import Arriving
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.request import Settings, understand
from clipd.jobs.request_kind import Archive, RequestKind
from clipd.media.door import Limits
from clipd.model.job import Job
from clipd.recordings.settings import Settings as RecordingSettings
from clipd.tree.layout import Directories, Layout
from tests.fake_clock import FakeClock
from tests.unit.recordings.camera import at, cut, named


@dataclass
class Desk:
    """Where requests are answered: a tree with recordings, and a clock."""

    layout: Layout
    clock: FakeClock
    kind: RequestKind
    archive: Archive
    requested_at: datetime = field(default_factory=lambda: at(60))

    def prepare(self, **content: Any) -> Prepared:
        job = Job("j1", "request", "data/inbox/requests/a.json", "k", "request a", "gate", "_", 0, self.requested_at)
        return self.kind.prepare(self.layout, job, understand({"camera_id": "gate", **content}), self.archive)

    def run(self, tmp_path: Path, **content: Any) -> Result:
        prepared = self.prepare(**content)
        staging = tmp_path / "staging"
        staging.mkdir()
        context = Context(
            staging, prepared.source, prepared.source_name, None, 1, Limits(), lambda stage, done, total: None
        )
        return self.kind.run(prepared, self.archive, context)

    def record(self, *seconds: int, length: int = 5) -> None:
        for second in seconds:
            cut(self.layout.recordings / named(second), second, second + length)

    def set(self, second: float) -> None:
        self.clock.set(at(second))
        self.clock.pass_(10)
        self.clock.set(at(second))


def between(first: float, last: float) -> dict[str, str]:
    return {"start_time": at(first).isoformat(), "end_time": at(last).isoformat()}


def names(prepared: Prepared) -> list[str]:
    return [path.name for path in prepared.sources]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    clock = FakeClock(at(60))
    kind = RequestKind(clock)
    settings = Archive(
        requests=Settings(wait_seconds=30, look_seconds=5, future_seconds=100),
        recordings=RecordingSettings(time_zone="UTC", settle_seconds=0),
        cache=tmp_path / "cache",
    )
    desk = Desk(Layout(tmp_path / "tree", Directories()), clock, kind, settings)
    desk.layout.recordings.mkdir(parents=True)
    yield desk
    kind.close()


def test_the_recordings_of_the_period_are_what_is_read(desk: Desk) -> None:
    desk.record(0, 5, 10, 15)
    prepared = desk.prepare(**between(6, 12))
    assert names(prepared) == [Path(named(second)).name for second in (5, 10)]
    assert prepared.is_settled
    assert prepared.source_name == f"data/recordings/{named(5)}"


def test_an_unknown_camera_is_refused_with_those_that_are_like_it(desk: Desk) -> None:
    desk.record(0)
    with pytest.raises(Rejected, match="did you mean gate"):
        desk.prepare(camera_id="Gaet", **between(0, 3))


def test_a_camera_that_appeared_since_the_last_look_is_found(desk: Desk) -> None:
    with pytest.raises(Rejected, match="nothing is recorded yet"):
        desk.prepare(**between(0, 3))
    desk.record(0)
    desk.clock.pass_(2)
    assert names(desk.prepare(**between(0, 3))) == [Path(named(0)).name]


def test_before_a_gap_is_told_the_folder_is_looked_at_anew(desk: Desk) -> None:
    desk.record(0, 5)
    assert len(desk.prepare(**between(2, 8)).sources) == 2
    desk.record(10)
    desk.clock.pass_(2)
    assert len(desk.prepare(**between(2, 14)).sources) == 3


def test_what_is_not_recorded_yet_is_waited_for_until_its_time(desk: Desk) -> None:
    desk.record(0, 5)
    desk.set(8)
    with pytest.raises(Deferred, match=r"waiting for gate to record until 2025-08-29T14:30:14") as caught:
        desk.prepare(**between(2, 14))
    assert caught.value.wait_seconds == pytest.approx(6.1)


def test_what_is_late_is_looked_for_now_and_then_and_then_delivered_in_part(desk: Desk) -> None:
    desk.record(0, 5)
    desk.set(20)
    with pytest.raises(Deferred, match="there is footage until 2025-08-29T14:30:1") as caught:
        desk.prepare(**between(2, 14))
    assert caught.value.wait_seconds == 5
    desk.set(42)
    with pytest.raises(Deferred) as caught:
        desk.prepare(**between(2, 14))
    assert caught.value.wait_seconds == 2
    desk.set(45)
    prepared = desk.prepare(**between(2, 14))
    assert [gap.reason for gap in prepared.request.coverage.gaps] == ["missing"]


def test_a_recording_that_is_being_written_is_waited_for_from_the_request_on(desk: Desk) -> None:
    desk.archive = desk.archive.model_copy(update={"recordings": RecordingSettings(time_zone="UTC", settle_seconds=4)})
    desk.record(0, 5)
    for second, written in ((0, 5), (5, 99)):
        stamp = at(written).timestamp()
        os.utime(desk.layout.recordings / named(second), (stamp, stamp))
    desk.requested_at = at(100)
    desk.set(100)
    with pytest.raises(Deferred, match="is finished"):
        desk.prepare(**between(2, 8))
    desk.set(104)
    assert len(desk.prepare(**between(2, 8)).sources) == 2


def test_one_that_never_ends_is_not_waited_for_for_ever(desk: Desk) -> None:
    desk.archive = desk.archive.model_copy(update={"recordings": RecordingSettings(time_zone="UTC", settle_seconds=4)})
    desk.record(0, 5)
    os.utime(desk.layout.recordings / named(0), (0, 0))
    desk.requested_at = at(100)
    desk.set(131)
    stamp = at(130).timestamp()
    os.utime(desk.layout.recordings / named(5), (stamp, stamp))
    prepared = desk.prepare(**between(2, 8))
    assert [gap.reason for gap in prepared.request.coverage.gaps] == ["growing"]


def arriving(desk: Desk, second: int, *, written: float, length: int = 5) -> None:
    """A recording that begins at `second` and was last written to at `written`; others are old."""
    desk.archive = desk.archive.model_copy(update={"recordings": RecordingSettings(time_zone="UTC", settle_seconds=4)})
    desk.record(second, length=length)
    for path in desk.layout.recordings.glob("gate/*"):
        stamp = at(written).timestamp() if path.name == Path(named(second)).name else 0
        os.utime(path, (stamp, stamp))


def test_a_recording_that_has_just_arrived_is_waited_for_where_it_may_hold_the_period(desk: Desk) -> None:
    desk.record(40)
    arriving(desk, 0, written=99, length=10)
    desk.requested_at = at(100)
    desk.set(100)
    with pytest.raises(Arriving, match=rf"waiting until {named(0)} is finished") as caught:
        desk.prepare(**between(5, 9))
    assert (caught.value.settles, caught.value.wait_seconds) == (True, 4)
    desk.set(104)
    assert names(desk.prepare(**between(5, 9))) == [Path(named(0)).name]


def test_a_recording_that_a_program_writes_is_nothing_for_a_single_pass_to_wait_for(desk: Desk) -> None:
    desk.record(40)
    arriving(desk, 0, written=99)
    desk.requested_at = at(100)
    desk.set(100)
    with (desk.layout.recordings / named(0)).open("ab"), pytest.raises(Deferred, match="is finished") as caught:
        desk.prepare(**between(2, 4))
    assert not isinstance(caught.value, Arriving)


@pytest.mark.parametrize("span", [(12, 16), (25, 29)], ids=["behind another", "before it"])
def test_a_recording_that_grows_elsewhere_is_not_waited_for(desk: Desk, span: tuple[int, int]) -> None:
    desk.record(5)
    arriving(desk, 30 if span[0] > 20 else 0, written=99)
    desk.requested_at = at(100)
    desk.set(100)
    with pytest.raises(Rejected, match="nothing was recorded"):
        desk.prepare(**between(*span))


def test_the_folder_is_looked_at_anew_for_every_request_that_was_made_since(desk: Desk) -> None:
    desk.record(0, 40)
    desk.prepare(**between(1, 4))
    desk.requested_at = at(60.5)
    desk.clock.set(at(60.6))
    desk.record(10)
    assert names(desk.prepare(**between(11, 14))) == [Path(named(10)).name]


def test_the_far_future_is_refused(desk: Desk) -> None:
    desk.record(0)
    with pytest.raises(Rejected, match=r"more than 100 s in the future \(requests.future_seconds\)"):
        desk.prepare(**between(150, 161))
    with pytest.raises(Deferred):
        desk.prepare(**between(150, 159))


def test_nothing_at_all_is_refused_with_what_is_missing(desk: Desk) -> None:
    desk.record(0, 50)
    with pytest.raises(Rejected, match=r"nothing of .* can be delivered: missing from .*\(4.000 s\)"):
        desk.prepare(**between(20, 24))


def test_a_gap_that_is_not_to_be_is_refused_with_the_coverage(desk: Desk) -> None:
    desk.record(0, 10, 50)
    with pytest.raises(Rejected, match=r"only 50.0 % of .* gap is fail"):
        desk.prepare(**between(2.5, 12.5), gap="fail")


def test_the_same_request_means_the_same_clip_until_there_is_more(desk: Desk) -> None:
    desk.record(0, 10, 50)
    first = desk.prepare(**between(2, 12))
    desk.clock.pass_(5)
    assert desk.prepare(**between(2, 12)).decides == first.decides
    assert desk.prepare(**between(2, 12), gap="black").decides != first.decides
    desk.record(5)
    desk.clock.pass_(5)
    assert desk.prepare(**between(2, 12)).decides != first.decides


def test_what_was_found_a_moment_ago_holds_for_the_same_request_only(desk: Desk) -> None:
    desk.record(0, 5)
    found = desk.prepare(**between(2, 8))
    assert desk.prepare(**between(2, 8)) is found
    assert desk.prepare(**between(2, 7)) is not found
    desk.clock.pass_(1.5)
    assert desk.prepare(**between(2, 8)) is not found


def test_the_sheet_names_everything_by_paths_below_the_root(desk: Desk, tmp_path: Path) -> None:
    desk.record(0, 5, 50)
    result = desk.run(tmp_path, timestamp=at(8).isoformat(), pre_seconds=4, post_seconds=4, clip_id="x", source="me")
    truth = result.truth
    assert (truth["requested_start"], truth["requested_end"]) == (
        "2025-08-29T14:30:04+00:00",
        "2025-08-29T14:30:12+00:00",
    )
    assert truth["coverage"] == 75
    [gap] = truth["gaps"]
    assert (gap["start_time"], gap["seconds"], gap["reason"]) == ("2025-08-29T14:30:10+00:00", 2, "missing")
    assert [clip["file_path"] for clip in truth["source_clips"]] == [f"data/recordings/{named(k)}" for k in (0, 5)]
    assert truth["source"] == "me"
    assert result.facts["status"] == "partial"
    assert result.facts["start_time"] == truth["requested_start"]
    assert result.sheets == ("yaml", "txt")
    [video] = result.artifacts
    assert (video.name, video.folder) == ("gate_20250829_143008_x.mp4", "h264/gate/_")


def test_a_moment_that_fell_into_a_gap_is_said(desk: Desk, tmp_path: Path) -> None:
    desk.record(0, 50)
    result = desk.run(tmp_path, timestamp=at(8).isoformat(), pre_seconds=5, post_seconds=1)
    assert "the moment itself is not in it" in result.facts["message"]


def test_names_are_told_by_the_cameras_own_clock(desk: Desk, tmp_path: Path) -> None:
    desk.archive = desk.archive.model_copy(
        update={"recordings": RecordingSettings(time_zone="Europe/Berlin", settle_seconds=0)}
    )
    local = at(0) + timedelta(hours=2)
    cut(desk.layout.recordings / f"gate/gate_{local:%Y%m%d_%H%M%S}.mp4", 0, 5)
    result = desk.run(tmp_path, timestamp="2025-08-29T16:30:03", pre_seconds=2, post_seconds=1)
    assert result.artifacts[0].name == "gate_20250829_163003_j1.mp4"
    assert result.truth["actual_start"] == "2025-08-29T16:30:01+02:00"
