"""Admission: what a sidecar asks for, as jobs that every machine knows by the same id, in the order to take them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from clipd.errors import Rejected
from clipd.files.atomic import Missing
from clipd.intake.admit import admit
from clipd.model.job import Job, job_id
from clipd.tree.layout import Directories, Layout

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, Directories())


def clip(name: str = "goal", /, **more: Any) -> dict[str, Any]:
    return {"id": name, "name": name, "start_frame": 0, "end_frame": 9, "status": "Process", **more}


def write(layout: Layout, content: Any, name: str = "cam1/s1/match_clips.json", written: datetime = NOON) -> Path:
    path = layout.sidecars / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    os.utime(path, (written.timestamp(), written.timestamp()))
    return path


def jobs(layout: Layout, *clips: Any, **options: Any) -> tuple[Job, ...]:
    return admit(layout, write(layout, list(clips), **options)).jobs


def test_a_clip_marked_process_is_a_job_that_says_where_it_came_from(layout: Layout) -> None:
    origin = "data/prept/_configs/cam1/s1/match_clips.json"
    (job,) = jobs(layout, clip("a", id="7f", name="goal 1", priority=3))
    assert job == Job(
        job_id("clip", origin, "id:7f"), "clip", origin, "id:7f", "match / goal 1", "cam1", "s1", 3, NOON, job.position,
        job.stand,
    )  # fmt: skip


def test_only_process_asks_for_work_in_any_case(layout: Layout) -> None:
    words = [
        "Process",
        "process",
        " PROCESS ",
        "Draft",
        "Complete",
        "Failed",
        "Archived",
        "",
        None,
        5,
        True,
        ["Process"],
    ]
    found = jobs(layout, *(clip(str(number), status=word) for number, word in enumerate(words)))
    assert [job.key for job in found] == ["id:0", "id:1", "id:2"]


def test_both_shapes_of_a_sidecar_are_admitted_alike(layout: Layout) -> None:
    array = admit(layout, write(layout, [clip()]))
    wrapped = admit(layout, write(layout, {"clips": [clip()], "operator": "me"}))
    assert array == wrapped
    assert len(array.jobs) == 1


def test_the_id_depends_on_the_file_and_the_clip_and_on_nothing_else(layout: Layout) -> None:
    (before,) = jobs(layout, clip("a", name="x"))
    after = jobs(layout, clip("new"), clip("a", name="y", start_frame=5, priority=9), written=NOON + timedelta(days=1))
    assert before.id == next(job.id for job in after if job.key == "id:a")
    (moved,) = jobs(layout, clip("a"), name="cam2/s1/match_clips.json")
    assert moved.id != before.id


def test_the_wish_is_another_one_when_its_clip_was_changed_and_not_when_others_of_the_file_were(
    layout: Layout,
) -> None:
    (before,) = jobs(layout, clip("a"), clip("b", status="Draft"))
    answered = clip("b", status="Complete", export_path=["x.mp4"], modified_at="2026-05-01T12:00:00Z")
    (after,) = jobs(layout, answered, clip("a"), written=NOON + timedelta(minutes=1))
    (changed,) = jobs(layout, answered, clip("a", end_frame=10))
    assert after.wish == before.wish
    assert changed.id == before.id
    assert changed.wish != before.wish


def test_the_id_is_the_same_wherever_the_tree_is_mounted(tmp_path: Path) -> None:
    here, there = Layout(tmp_path / "here", Directories()), Layout(tmp_path / "mnt/there", Directories())
    assert jobs(here, clip()) == jobs(there, clip())


def test_a_clip_without_an_id_is_known_by_its_name(layout: Layout) -> None:
    (job,) = jobs(layout, {"name": "goal", "status": "Process"})
    assert (job.key, job.name) == ("name:goal", "match / goal")


def test_a_missing_camera_or_session_is_named_as_such(layout: Layout) -> None:
    (bare,) = jobs(layout, clip(), name="match_clips.json")
    (nested,) = jobs(layout, clip(), name="cam1/2026/05/match_clips.json")
    assert (bare.camera, bare.session) == ("_", "_")
    assert (nested.camera, nested.session) == ("cam1", "2026/05")


def test_clips_that_cannot_be_told_apart_are_problems_and_the_others_are_jobs(layout: Layout) -> None:
    found = admit(
        layout,
        write(layout, [clip("a"), clip("twice"), clip("twice"), {"status": "Process"}, 5, clip("b")]),
    )
    assert [job.key for job in found.jobs] == ["id:a", "id:b"]
    assert len(found.problems) == 4
    assert all(problem.startswith("line 1, column ") for problem in found.problems)


def test_a_clip_that_is_wrong_in_itself_is_still_a_job_so_that_its_answer_can_be_written(layout: Layout) -> None:
    assert len(jobs(layout, clip(start_frame="soon"))) == 1


class TestOrder:
    def test_the_oldest_wish_of_all_sidecars_comes_first(self, layout: Layout) -> None:
        late = jobs(layout, clip("late"), name="a/a/a_clips.json", written=NOON + timedelta(hours=2))
        early = jobs(layout, clip("early"), name="b/b/b_clips.json", written=NOON)
        asked = jobs(layout, clip("asked", modified_at="2026-05-01T11:00:00Z"), name="c/c/c_clips.json")
        assert [job.key for job in sorted((*late, *early, *asked), key=lambda job: job.order)] == [
            "id:asked", "id:early", "id:late",
        ]  # fmt: skip

    def test_clips_of_one_save_come_as_they_stand_in_the_file(self, layout: Layout) -> None:
        names = ["c", "a", "d", "b"]
        found = sorted(jobs(layout, *map(clip, names)), key=lambda job: job.order)
        assert [job.key for job in found] == [f"id:{name}" for name in names]

    @pytest.mark.parametrize(
        ("modified_at", "asked"),
        [
            ("2026-05-01T10:00:00Z", NOON - timedelta(hours=2)),
            ("2026-05-01T10:00:00.123+00:00", NOON - timedelta(hours=2) + timedelta(milliseconds=123)),
            ("2026-05-01T10:00:00+02:00", NOON - timedelta(hours=4)),
            ("2026-05-01", None),
            ("2026-05-01T13:00:00Z", NOON),
            ("2999-01-01T00:00:00Z", NOON),
        ],
    )
    def test_modified_at_says_when_it_was_asked_but_never_later_than_the_file(
        self, layout: Layout, modified_at: str, asked: datetime | None
    ) -> None:
        (job,) = jobs(layout, clip(modified_at=modified_at))
        assert job.requested_at.tzinfo is UTC
        assert job.requested_at <= NOON
        assert asked is None or job.requested_at == asked

    @pytest.mark.parametrize(
        "modified_at",
        ["yesterday", "", "0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59",
         "9999-12-31T23:59:59-14:00", None, 5, 1e300, True, [], {}, "2026-13-01", "2026-05-01T25:00:00Z"],
    )  # fmt: skip
    def test_a_modified_at_that_is_no_usable_time_is_no_reason_to_fail(self, layout: Layout, modified_at: Any) -> None:
        (job,) = jobs(layout, clip(modified_at=modified_at))
        assert job.requested_at <= NOON
        sorted([job, *jobs(layout, clip("other"))], key=lambda job: job.order)

    def test_a_time_without_a_zone_is_local(self, layout: Layout) -> None:
        (job,) = jobs(layout, clip(modified_at="2026-04-01T10:00:00"))
        assert job.requested_at == datetime(2026, 4, 1, 10).astimezone()

    @pytest.mark.parametrize("year", [1 << 40, -(1 << 40)])
    def test_a_file_stamp_outside_the_calendar_is_no_reason_to_fail(self, layout: Layout, year: int) -> None:
        path = write(layout, [clip(modified_at="2026-05-01T10:00:00Z"), clip("b")])
        try:
            os.utime(path, (year, year))
        except OSError:
            pytest.skip("this filesystem holds no such stamp")
        assert len(admit(layout, path).jobs) == 2

    @pytest.mark.parametrize(
        ("priority", "counts"),
        [(5, 5), (-5, -5), (5.0, 5), (5.5, 0), ("5", 0), (True, 0), (None, 0), ([], 0), (10**30, 10**30)],
    )
    def test_priority_is_a_whole_number_or_none(self, layout: Layout, priority: Any, counts: int) -> None:
        (job,) = jobs(layout, clip(priority=priority))
        assert job.priority == counts


class TestWhatCannotBeRead:
    @pytest.mark.parametrize("content", ["", "[", '[{"id": 1,}]', '"text"', "5", '{"clips": 5}', "{}", "[NaN]"])
    def test_what_does_not_parse_is_rejected_with_its_place(self, layout: Layout, content: str) -> None:
        with pytest.raises(Rejected, match="line 1, column"):
            admit(layout, write(layout, content))

    def test_only_a_regular_file_is_read(self, layout: Layout) -> None:
        path = write(layout, [clip()])
        (path.parent / "link_clips.json").symlink_to(path)
        os.mkfifo(path.parent / "fifo_clips.json")
        for name in ("link_clips.json", "fifo_clips.json"):
            with pytest.raises(Rejected, match="put the file itself there"):
                admit(layout, path.parent / name)

    def test_a_large_file_is_refused_unread(self, layout: Layout) -> None:
        path = write(layout, [clip()])
        os.truncate(path, 1 << 40)
        with pytest.raises(Rejected, match="at most"):
            admit(layout, path)

    def test_a_file_that_is_gone_is_told_apart(self, layout: Layout) -> None:
        with pytest.raises(Missing):
            admit(layout, layout.sidecars / "cam1/s1/match_clips.json")

    def test_a_path_that_cannot_be_written_down_is_refused_with_the_mend(self, layout: Layout) -> None:
        with pytest.raises(Rejected, match=r"not valid UTF-8.*rename the file or folder"):
            admit(layout, write(layout, [clip()], name="caf\udce9/s1/match_clips.json"))


def test_offsets_of_other_zones_are_one_order(layout: Layout) -> None:
    zone = timezone(timedelta(hours=9))
    earlier = (NOON - timedelta(minutes=30)).astimezone(zone).isoformat()
    later = (NOON - timedelta(minutes=10)).isoformat()
    found = sorted(
        jobs(layout, clip("b", modified_at=later), clip("a", modified_at=earlier)), key=lambda job: job.order
    )
    assert [job.key for job in found] == ["id:a", "id:b"]
