"""Records, receipts and progress notes: what is remembered survives, what is damaged is as if it had never been."""

from __future__ import annotations

import json
import os
import shutil
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.errors import ClipdError
from clipd.files.atomic import Missing
from clipd.tree.layout import Layout
from clipd.tree.record import (
    Output,
    Progress,
    Receipt,
    Record,
    clear_progress,
    commit,
    read_progress,
    read_receipts,
    read_record,
    tear_tickets,
    ticket_for,
    write_progress,
    write_record,
)
from tests.fake_clock import NOON
from tests.place import laid_out

OUTPUT = Output("data/prept/03_CLIPPED/h264/cam1/s1/match_goal.mp4", 1000, "ab" * 32, "video")
SHEET = Output("data/prept/03_CLIPPED/h264/cam1/s1/match_goal.json", 10, "cd" * 32, "annotation")
RECEIPT = Receipt(
    job="job", revision="rev", run=1, name="match / goal", origin="data/x_clips.json", key="id:1", answered="stood",
    outputs=(OUTPUT, SHEET), host="here", started_at=stamp(NOON), published_at=stamp(NOON), warnings=("a note",),
)  # fmt: skip
DAMAGE = [
    b"", b"{", b"\0" * 100, b"[]", b'"text"', b"5", b"{}", b"[" * 100_000, b'{"job": 5}',
    b'{"job": "job", "failures": "many", "done": [], "stage": 1}',
]  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


class TestRecord:
    def test_a_job_without_a_record_has_a_fresh_one(self, layout: Layout) -> None:
        assert read_record(layout, "job") == Record("job")

    def test_what_is_written_is_read(self, layout: Layout) -> None:
        record = Record("job", "match / goal", "origin", "stood", 2, 3, "daemon", "here", "failed", "why", stamp(NOON))
        stored = write_record(layout, record, NOON)
        assert read_record(layout, "job") == stored
        assert replace(stored, changed_at="") == record
        assert stored.changed_at.startswith("2026-05-01T12:00:00.000")

    @pytest.mark.parametrize("content", DAMAGE)
    def test_a_damaged_record_is_a_fresh_one(self, layout: Layout, content: bytes) -> None:
        write_record(layout, Record("job"), NOON)
        layout.record("job").write_bytes(content)
        assert read_record(layout, "job") == Record("job")

    def test_a_record_cannot_make_itself_the_record_of_another_file(self, layout: Layout) -> None:
        write_record(layout, Record("job"), NOON)
        content = json.loads(layout.record("job").read_text())
        layout.record("job").write_text(json.dumps({**content, "job": "../../../elsewhere"}))
        assert read_record(layout, "job").job == "job"

    def test_what_a_newer_clipd_added_is_passed_over(self, layout: Layout) -> None:
        write_record(layout, Record("job", failures=2), NOON)
        content = json.loads(layout.record("job").read_text())
        layout.record("job").write_text(json.dumps({**content, "mood": "good"}))
        assert read_record(layout, "job").failures == 2

    @pytest.mark.parametrize(
        ("state", "told", "closed"),
        [("waiting", False, False), ("running", True, False), ("failed", False, False), ("failed", True, True),
         ("complete", False, True)],
    )  # fmt: skip
    def test_it_is_closed_when_its_end_was_told(self, state: str, told: bool, closed: bool) -> None:
        assert Record("job", state=state, failure_told=told).closed is closed

    def test_a_share_that_does_not_take_it_is_told_apart(self, layout: Layout) -> None:
        layout.records.write_text("in the way")
        with pytest.raises(ClipdError, match="making"):
            write_record(layout, Record("job"), NOON)
        with pytest.raises(ClipdError, match="reading"):
            read_record(layout, "job")


class TestReceipts:
    def test_a_job_without_receipts_has_none(self, layout: Layout) -> None:
        assert read_receipts(layout, "job") == ()

    def test_what_is_committed_is_read(self, layout: Layout) -> None:
        assert commit(layout, RECEIPT)
        assert read_receipts(layout, "job") == (RECEIPT,)
        assert RECEIPT.id == "rev.1"
        assert RECEIPT.results == (OUTPUT.path,)

    def test_a_run_is_committed_once_and_never_changed(self, layout: Layout) -> None:
        assert commit(layout, RECEIPT)
        assert not commit(layout, replace(RECEIPT, host="elsewhere"))
        assert read_receipts(layout, "job") == (RECEIPT,)

    def test_a_ticket_becomes_the_receipt(self, layout: Layout) -> None:
        with ticket_for(layout, "job", "token") as ticket:
            assert commit(layout, RECEIPT, ticket)
        assert read_receipts(layout, "job") == (RECEIPT,)
        assert [path.name for path in layout.receipts("job").iterdir()] == ["rev.1.json"]

    def test_with_a_torn_ticket_nothing_is_committed(self, layout: Layout) -> None:
        with ticket_for(layout, "job", "token") as ticket:
            tear_tickets(layout, "job")
            with pytest.raises(Missing):
                commit(layout, RECEIPT, ticket)
        assert list(layout.receipts("job").iterdir()) == []

    def test_a_ticket_that_met_a_committed_run_is_good_for_the_next(self, layout: Layout) -> None:
        later = replace(RECEIPT, run=2, published_at=stamp(NOON + timedelta(days=1)))
        with ticket_for(layout, "job", "token") as ticket:
            assert commit(layout, RECEIPT)
            assert not commit(layout, RECEIPT, ticket)
            assert commit(layout, later, ticket)
        assert read_receipts(layout, "job") == (RECEIPT, later)

    def test_a_ticket_that_was_not_used_is_gone(self, layout: Layout) -> None:
        with pytest.raises(ZeroDivisionError), ticket_for(layout, "job", "token"):
            raise ZeroDivisionError
        assert list(layout.receipts("job").iterdir()) == []

    def test_tearing_tickets_leaves_receipts_alone(self, layout: Layout) -> None:
        tear_tickets(layout, "job")
        assert commit(layout, RECEIPT)
        tear_tickets(layout, "job")
        assert read_receipts(layout, "job") == (RECEIPT,)

    def test_of_many_that_commit_one_run_one_does(self, layout: Layout) -> None:
        gate, won = threading.Barrier(6), []

        def contend(host: str) -> None:
            gate.wait()
            if commit(layout, replace(RECEIPT, host=host)):
                won.append(host)

        threads = [threading.Thread(target=contend, args=(str(number),)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [receipt.host for receipt in read_receipts(layout, "job")] == won
        assert len(won) == 1

    def test_they_come_in_the_order_of_publication(self, layout: Layout) -> None:
        made = [
            replace(RECEIPT, revision=revision, run=run, published_at=stamp(NOON + timedelta(hours=hour)))
            for hour, (revision, run) in enumerate([("b", 1), ("a", 1), ("b", 2), ("b", 10), ("a", 2)])
        ]
        for receipt in reversed(made):
            commit(layout, receipt)
        assert list(read_receipts(layout, "job")) == made

    def test_their_numbers_order_them_whatever_the_clocks_of_the_machines_said(self, layout: Layout) -> None:
        made = [
            replace(RECEIPT, revision=revision, run=run, number=number, published_at=stamp(NOON + timedelta(days=days)))
            for number, (revision, run, days) in enumerate([("a", 1, 0), ("b", 1, 1), ("a", 2, -1), ("b", 2, 0)])
        ]
        for receipt in reversed(made):
            commit(layout, receipt)
        assert list(read_receipts(layout, "job")) == made

    def test_the_runs_of_a_revision_are_in_order_though_the_clock_was_set_back(self, layout: Layout) -> None:
        first = RECEIPT
        second = replace(RECEIPT, run=2, published_at=stamp(NOON - timedelta(days=1)))
        commit(layout, first)
        commit(layout, second)
        assert read_receipts(layout, "job") == (first, second)

    @pytest.mark.parametrize("content", [*DAMAGE, b'{"job": "job", "outputs": [{"path": "x"}]}', b'{"outputs": null}'])
    def test_a_damaged_receipt_is_passed_over_and_the_others_count(self, layout: Layout, content: bytes) -> None:
        commit(layout, RECEIPT)
        layout.receipt("job", "other", 1).write_bytes(content)
        assert read_receipts(layout, "job") == (RECEIPT,)

    def test_other_files_are_passed_over(self, layout: Layout) -> None:
        commit(layout, RECEIPT)
        content = layout.receipt("job", "rev", 1).read_bytes()
        for name in (".rev.1.json.ab12.tmp", ".rev.1.json", "rev.1.json~", "readme.txt"):
            (layout.receipts("job") / name).write_bytes(content)
        assert read_receipts(layout, "job") == (RECEIPT,)

    def test_what_a_newer_clipd_added_is_passed_over(self, layout: Layout) -> None:
        commit(layout, RECEIPT)
        path = layout.receipt("job", "rev", 1)
        content = json.loads(path.read_text())
        content["outputs"][0]["frames"] = 5
        path.write_text(json.dumps({**content, "mood": "good"}))
        assert read_receipts(layout, "job") == (RECEIPT,)

    def test_a_share_that_does_not_take_it_is_told_apart(self, layout: Layout) -> None:
        (layout.state / "results").write_text("in the way")
        with pytest.raises(ClipdError, match="making"):
            commit(layout, RECEIPT)
        with pytest.raises(ClipdError, match="reading the receipts of job"):
            read_receipts(layout, "job")


class TestProgress:
    NOTE = Progress("job", "encoding", 5, 100, stamp(NOON), stamp(NOON), "here", os.getpid(), 12.5)

    def test_it_is_there_until_it_is_cleared(self, layout: Layout) -> None:
        assert read_progress(layout, "job") is None
        write_progress(layout, self.NOTE)
        assert read_progress(layout, "job") == self.NOTE
        clear_progress(layout, "job")
        clear_progress(layout, "job")
        assert read_progress(layout, "job") is None

    @pytest.mark.parametrize("content", DAMAGE)
    def test_a_damaged_note_is_none(self, layout: Layout, content: bytes) -> None:
        write_progress(layout, self.NOTE)
        layout.progress("job").write_bytes(content)
        assert read_progress(layout, "job") is None

    def test_no_work_is_given_up_for_a_note(self, layout: Layout) -> None:
        write_progress(layout, self.NOTE)
        shutil.rmtree(layout.progresses)
        layout.progresses.write_text("in the way")
        write_progress(layout, self.NOTE)
        clear_progress(layout, "job")
