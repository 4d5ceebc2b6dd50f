"""Attempts: counted before the work, told apart by whose fault they were, and begun anew when the person acts."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.record import Record, read_record
from clipd.worker import attempts
from clipd.worker.retry import Settings
from tests.fake_clock import NOON
from tests.place import laid_out

JOB = Job("job", "clip", "data/x_clips.json", "id:1", "match / goal", "cam1", "s1", 0, NOON)
RETRY = Settings(attempts=3, losses=5, first_wait_seconds=10, longest_wait_seconds=900)
HERE, THERE = "daemon-1", "daemon-2"


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


def reckoned(layout: Layout, stand: str = "stands", daemon: str = HERE, last_words: str = "") -> Record:
    """What a worker makes of the record it finds."""
    return attempts.reckon(read_record(layout, "job"), JOB, stand, daemon, last_words)


def dies(layout: Layout, daemon: str = HERE, stand: str = "stands", last_words: str = "") -> Record:
    """An attempt that begins and is never heard of again."""
    return attempts.begin(layout, reckoned(layout, stand, daemon, last_words), daemon, "host", NOON)


def test_an_attempt_is_on_disk_before_the_work_starts(layout: Layout) -> None:
    begun = attempts.begin(layout, reckoned(layout), HERE, "host", NOON)
    found = read_record(layout, "job")
    assert found == begun
    assert (found.state, found.attempt_by, found.host, found.name, found.origin) == (
        "running", HERE, "host", "match / goal", "data/x_clips.json",
    )  # fmt: skip


class TestWhoseFault:
    def test_a_worker_that_died_while_its_daemon_lived_on_is_a_failure(self, layout: Layout) -> None:
        dies(layout)
        record = reckoned(layout, last_words="its worker was killed by SIGSEGV")
        assert (record.failures, record.losses, record.attempt_by) == (1, 0, None)
        assert record.last_error == "its worker was killed by SIGSEGV"
        assert record.state == "waiting"

    def test_without_last_words_its_death_is_told_anyway(self, layout: Layout) -> None:
        dies(layout)
        assert reckoned(layout).last_error == "its worker died"

    def test_an_attempt_that_went_down_with_its_daemon_is_a_loss(self, layout: Layout) -> None:
        dies(layout, HERE)
        record = reckoned(layout, daemon=THERE)
        assert (record.failures, record.losses, record.attempt_by) == (0, 1, None)
        assert record.last_error == "the daemon that worked on it was killed"

    def test_a_worker_that_was_stopped_for_getting_nowhere_failed_though_it_unwound_in_order(
        self, layout: Layout
    ) -> None:
        attempts.end(layout, dies(layout), NOON)
        record = reckoned(layout, last_words="it did not get on for 300 s")
        assert (record.failures, record.last_error) == (1, "it did not get on for 300 s")

    def test_a_worker_that_was_stopped_on_purpose_is_forgiven_by_who_stopped_it(self, layout: Layout) -> None:
        record = dies(layout)
        assert attempts.reckon(record, JOB, "stands", HERE, "cancelled", forgiven=True).failures == 0
        assert attempts.reckon(record, JOB, "stands", HERE, "cancelled", forgiven=True).attempt_by is None

    def test_an_attempt_that_ended_in_order_counts_for_nothing(self, layout: Layout) -> None:
        attempts.end(layout, dies(layout), NOON)
        record = reckoned(layout)
        assert (record.failures, record.losses, record.state) == (0, 0, "waiting")

    def test_a_clip_that_kills_every_worker_becomes_hopeless(self, layout: Layout) -> None:
        for number in range(RETRY.attempts):
            record = reckoned(layout)
            assert record.failures == number
            assert not attempts.hopeless(record, RETRY)
            attempts.begin(layout, record, HERE, "host", NOON)
        assert attempts.hopeless(reckoned(layout), RETRY)

    def test_losses_are_forgiven_more_often_but_not_for_ever(self, layout: Layout) -> None:
        for number in range(RETRY.losses):
            record = reckoned(layout, daemon=f"daemon-{number}")
            assert not attempts.hopeless(record, RETRY)
            attempts.begin(layout, record, f"daemon-{number}", "host", NOON)
        assert attempts.hopeless(reckoned(layout, daemon="the next"), RETRY)

    def test_failures_and_losses_are_counted_apart(self, layout: Layout) -> None:
        dies(layout, HERE)
        dies(layout, HERE)
        dies(layout, THERE)
        record = reckoned(layout, daemon=THERE)
        assert (record.failures, record.losses) == (2, 1)

    def test_reading_the_record_twice_counts_an_attempt_once(self, layout: Layout) -> None:
        dies(layout)
        once = reckoned(layout)
        assert attempts.reckon(once, JOB, "stands", HERE, "") == once


class TestAnew:
    def test_a_changed_clip_begins_anew(self, layout: Layout) -> None:
        attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)
        record = reckoned(layout, stand="changed")
        assert (record.failures, record.last_error, record.next_try_at, record.stand) == (0, "", None, "changed")

    def test_a_clip_whose_worker_died_begins_anew_when_it_was_changed(self, layout: Layout) -> None:
        dies(layout)
        assert reckoned(layout, stand="changed").failures == 0

    def test_an_unchanged_clip_goes_on_counting(self, layout: Layout) -> None:
        attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)
        record = reckoned(layout)
        assert (record.failures, record.last_error) == (1, "disk on fire")
        assert record.next_try_at is not None

    @pytest.mark.parametrize("changes", [{"state": "complete"}, {"state": "failed", "failure_told": True}], ids=str)
    def test_what_was_ended_and_told_begins_anew_when_it_is_asked_for_again(self, layout: Layout, changes) -> None:
        record = attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)[0]
        attempts.end(layout, record, NOON, **changes)
        record = reckoned(layout)
        assert (record.failures, record.losses, record.state) == (0, 0, "waiting")

    def test_a_failure_that_was_never_told_stays_one(self, layout: Layout) -> None:
        attempts.end(layout, dies(layout), NOON, state="failed", last_error="too dark", failure_told=False)
        record = reckoned(layout)
        assert (record.state, record.last_error) == ("failed", "too dark")

    def test_what_was_written_back_is_remembered_through_it_all(self, layout: Layout) -> None:
        attempts.end(layout, dies(layout), NOON, state="complete", written_back="rev.1")
        dies(layout, stand="changed")
        assert reckoned(layout, stand="changed again").written_back == "rev.1"


class TestEnd:
    def test_it_waits_unless_told_otherwise(self, layout: Layout) -> None:
        assert attempts.end(layout, dies(layout), NOON).state == "waiting"
        assert attempts.end(layout, dies(layout), NOON, state="complete").state == "complete"
        assert read_record(layout, "job").attempt_by is None

    def test_a_state_that_was_told_stays(self, layout: Layout) -> None:
        failed = attempts.end(layout, dies(layout), NOON, state="failed")
        assert attempts.end(layout, failed, NOON, failure_told=True).state == "failed"


class TestWaiting:
    def test_each_failure_waits_longer(self, layout: Layout) -> None:
        record, waits = dies(layout), []
        for _ in range(3):
            record, wait = attempts.failed(layout, record, NOON, "disk on fire", RETRY)
            waits.append(wait)
        assert waits == [10, 20, 40]
        assert record.failures == 3
        assert read_record(layout, "job") == record

    def test_it_is_too_soon_until_the_wait_is_over(self, layout: Layout) -> None:
        record, _ = attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)
        assert attempts.too_soon(record, NOON, RETRY) == 10
        assert attempts.too_soon(record, NOON + timedelta(seconds=9), RETRY) == 1
        assert attempts.too_soon(record, NOON + timedelta(seconds=10), RETRY) == 0

    def test_without_a_failure_nothing_waits(self, layout: Layout) -> None:
        assert attempts.too_soon(reckoned(layout), NOON, RETRY) == 0

    @pytest.mark.parametrize("days", [-365, -1, 1, 365])
    def test_a_clock_that_was_set_keeps_nothing_waiting(self, layout: Layout, days: int) -> None:
        record, _ = attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)
        assert attempts.too_soon(record, NOON + timedelta(days=days), RETRY) == 0

    def test_the_next_attempt_forgets_the_wait(self, layout: Layout) -> None:
        attempts.failed(layout, dies(layout), NOON, "disk on fire", RETRY)
        assert dies(layout).next_try_at is None

    def test_a_wait_that_is_no_time_keeps_nothing_waiting(self) -> None:
        for words in ("soon", "", "2026-05-01T12:00:05"):
            assert attempts.too_soon(replace(Record("job"), next_try_at=words), NOON, RETRY) == 0


def test_stamps_are_read_as_they_are_written() -> None:
    record = Record("job", next_try_at="2026-05-01T12:00:05.000Z")
    assert attempts.too_soon(record, datetime.fromisoformat("2026-05-01T14:00:00+02:00"), RETRY) == 5


def test_an_attempt_that_only_waited_is_told_from_one_that_failed_or_died(layout: Layout) -> None:
    former = read_record(layout, "job")
    assert not attempts.waited(former, reckoned(layout))
    attempts.end(layout, attempts.begin(layout, reckoned(layout), HERE, "host", NOON), NOON, last_error="not there")
    assert attempts.waited(read_record(layout, "job"), reckoned(layout))
    assert not attempts.waited(read_record(layout, "job"), reckoned(layout, stand="another wish"))
    dies(layout)
    assert not attempts.waited(read_record(layout, "job"), reckoned(layout))
    attempts.failed(layout, reckoned(layout), NOON, "broken", RETRY)
    assert not attempts.waited(read_record(layout, "job"), reckoned(layout))


def test_a_reason_is_the_same_whatever_its_numbers() -> None:
    full = "disk full: {} free at /srv, about 3.0MiB needed"
    assert attempts.is_same_reason(full.format("10.5GiB"), full.format("900KiB"))
    assert not attempts.is_same_reason(full.format("10GiB"), "the share is away")
