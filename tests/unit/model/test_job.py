"""Jobs: an id that every machine computes alike, and their order."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

from clipd.model.job import Job, job_id

EARLY = datetime(2026, 5, 1, tzinfo=UTC)
JOB = Job("a", "clip", "data/prept/_configs/cam1/s1/match_clips.json", "id:1", "match / goal", "cam1", "s1", 0, EARLY)


def test_the_id_never_changes_between_versions_and_machines() -> None:
    assert job_id("clip", "data/prept/_configs/cam1/s1/match_clips.json", "id:1") == "f550e044c360c55e4657"


def test_kind_origin_and_key_each_tell_jobs_apart() -> None:
    ids = {job_id(*parts) for parts in (("clip", "a", "b"), ("clap", "a", "b"), ("clip", "ab", ""), ("clip", "", "ab"))}
    assert len(ids) == 4


def test_a_name_that_is_no_unicode_has_an_id_too() -> None:
    assert len(job_id("clip", "caf\udce9_clips.json", "id:1")) == 20


def test_higher_priority_comes_first_then_the_oldest_wish() -> None:
    late = replace(JOB, id="b", requested_at=EARLY + timedelta(hours=1))
    urgent = replace(JOB, id="c", priority=5, requested_at=EARLY + timedelta(days=1))
    lazy = replace(JOB, id="d", priority=-1, requested_at=EARLY - timedelta(days=1))
    assert sorted([late, lazy, JOB, urgent], key=lambda job: job.order) == [urgent, JOB, late, lazy]


def test_wishes_of_one_moment_are_taken_as_they_stand_in_the_file_on_every_machine() -> None:
    same_moment = EARLY.astimezone(timezone(timedelta(hours=5)))
    first, second = replace(JOB, id="z", position=0), replace(JOB, id="a", position=1, requested_at=same_moment)
    other_file = replace(JOB, id="b", origin="data/prept/_configs/cam2/s1/match_clips.json")
    assert sorted([other_file, second, first], key=lambda job: job.order) == [first, second, other_file]
