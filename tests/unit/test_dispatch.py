"""The dispatch alone: what asks for work, and where it goes, are the test's own."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from clipd.config import Config
from clipd.dispatch import AWAITED_SECONDS, Dispatch
from clipd.errors import Deferred
from clipd.files import lease
from clipd.files.walk import look
from clipd.intake.rounds import SLICE_SECONDS
from clipd.intake.sources.requests import Requests
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.tree import awaited, request
from clipd.worker.pool import Ended
from tests.fake_clock import NOON, FakeClock
from tests.place import laid_out

GONE: set[str] = set()


def job(name: str, minutes: float = 0, camera: str = "cam1", kind: str = "clip") -> Job:
    return Job(name, kind, f"{name}.json", f"id:{name}", name, camera, "s1", 0, NOON - timedelta(minutes=minutes))


class Asked:
    """What a scan says is asked for."""

    def __init__(self) -> None:
        self.jobs: list[Job] = []
        self.changes = 0

    def ask(self, *jobs: Job) -> None:
        self.jobs, self.changes = [*self.jobs, *jobs], self.changes + 1


class Desk:
    """A dispatch with room for two jobs, and what it handed out: (name, last words, forgiven)."""

    def __init__(self, root: Path, **settings: Any) -> None:
        self.layout, self.clock, self.asked = laid_out(root), FakeClock(), Asked()
        self.submitted: list[tuple[str, str, bool]] = []
        self.refuse = ""
        config = Config(root=root, **settings)
        self.dispatch = Dispatch(self.asked, self.layout, config, self.clock, self._submit)  # type: ignore[arg-type]

    def _submit(self, job: Job, last_words: str, _patience: float, forgiven: bool) -> None:
        if self.refuse:
            raise Deferred(self.refuse)
        self.submitted.append((job.name, last_words, forgiven))

    def hand_out(self, room: int = 2, room_now: Callable[[], int] | None = None) -> list[str]:
        """The names of what went out this time."""
        before = len(self.submitted)
        self.dispatch.hand_out(room, room_now or (lambda: room))
        return [name for name, _, _ in self.submitted[before:]]

    def end(self, one: Job, outcome: Outcome | None = None, loss: str = "", *, root: bool = True) -> Outcome:
        return self.dispatch.ended(Ended(one, outcome, loss), is_root_there=lambda: root)


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_the_oldest_go_first_and_each_goes_once(desk: Desk) -> None:
    desk.asked.ask(job("young", 1), job("oldest", 9), job("old", 5))
    assert desk.hand_out() == ["oldest", "old"]
    assert desk.hand_out() == ["young"]
    assert desk.hand_out() == []
    assert desk.dispatch.taken == 3


def test_without_room_nothing_goes_and_with_less_at_a_closer_look_the_oldest(desk: Desk) -> None:
    desk.asked.ask(job("young", 1), job("old", 5))
    assert desk.hand_out(0) == []
    assert desk.hand_out(2, lambda: 0) == []
    assert desk.hand_out(2, lambda: 1) == ["old"]


def test_only_own_cameras_are_served(tmp_path: Path) -> None:
    desk = Desk(tmp_path, cameras=["cam1"])
    desk.asked.ask(job("ours"), job("theirs", camera="cam2"), job("nobodys", camera=""))
    assert sorted(desk.hand_out(9)) == ["nobodys", "ours"]


def test_what_is_deferred_waits_with_its_reason_and_its_time(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.hand_out()
    desk.end(one, Outcome(Verdict.DEFERRED, "the disk is full", again_in_seconds=30.0))
    assert desk.hand_out() == []
    assert desk.dispatch.due_at == desk.clock.monotonic() + 30
    assert desk.dispatch.why_waiting(one, "", "") == ("the disk is full", 30.0)
    assert desk.dispatch.is_through
    desk.clock.pass_(30.0)
    assert desk.hand_out() == ["one"]


def test_a_corrected_wish_waits_no_longer_and_one_that_was_only_read_again_does(desk: Desk) -> None:
    one = replace(job("one"), stand="wrong")
    desk.asked.ask(one)
    desk.hand_out()
    desk.end(one, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=3600.0))
    desk.asked.jobs = []
    desk.asked.ask(replace(one, requested_at=NOON, position=3))
    desk.dispatch.tidy(GONE)
    assert desk.hand_out() == []
    corrected = replace(one, stand="right")
    desk.asked.jobs = []
    desk.asked.ask(corrected)
    assert desk.dispatch.why_waiting(corrected, "", "") == ("", None)
    assert not desk.dispatch.is_through
    assert desk.hand_out() == ["one"]
    desk.end(corrected, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=60.0))
    assert desk.hand_out() == []
    desk.dispatch.tidy(GONE)
    assert desk.dispatch.held == 1


def test_a_wish_that_is_corrected_while_it_is_worked_on_does_not_wait_for_the_old_one(desk: Desk) -> None:
    one = replace(job("one"), stand="wrong")
    desk.asked.ask(one)
    desk.hand_out()
    desk.asked.jobs = []
    desk.asked.ask(replace(one, stand="right"))
    assert desk.hand_out() == []
    desk.end(one, Outcome(Verdict.RETRY, "no video", again_in_seconds=60.0))
    assert desk.hand_out() == ["one"]


def test_two_files_that_ask_for_the_same_job_each_keep_their_own_wait(desk: Desk) -> None:
    first, second = (replace(job("one"), origin=f"{name}.json", stand=name) for name in ("a", "b"))
    desk.asked.ask(first)
    desk.hand_out()
    desk.end(first, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=60.0))
    desk.asked.ask(second)
    assert desk.hand_out() == ["one"]
    desk.end(second, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=60.0))
    assert desk.hand_out() == []
    desk.dispatch.let_go(["one"])
    assert desk.dispatch.held == 0


def test_what_fails_for_now_is_nothing_that_a_single_pass_is_through_with(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.hand_out()
    assert desk.end(one, loss="the worker died").verdict is Verdict.RETRY
    assert not desk.dispatch.is_through
    desk.clock.pass_(1.0)
    assert desk.hand_out() == ["one"]
    assert desk.submitted[-1] == ("one", "the worker died", False)


@pytest.mark.parametrize("way", ["halted", "share away"])
def test_an_attempt_that_we_stopped_or_that_could_not_be_written_down_is_forgiven(desk: Desk, way: str) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.hand_out()
    if way == "halted":
        desk.dispatch.halt(one)
        assert desk.end(one, loss="paused").verdict is Verdict.DEFERRED
    else:
        desk.end(one, Outcome(Verdict.DEFERRED, "no share", again_in_seconds=0.0), root=False)
    desk.clock.pass_(1.0)
    assert desk.hand_out() == ["one"]
    assert desk.submitted[-1] == ("one", "", True)


def test_an_executor_that_can_begin_nothing_makes_it_wait(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.refuse = "the scheduler is away"
    assert desk.hand_out() == []
    assert desk.dispatch.why_waiting(one, "", "")[0] == "the scheduler is away"
    desk.refuse = ""
    desk.clock.pass_(Config(root=desk.layout.root).retry.deferred_wait_seconds)
    assert desk.hand_out() == ["one"]
    assert desk.dispatch.taken == 1


def test_what_is_known_of_an_attempt_outlasts_a_start_that_fails(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.hand_out()
    desk.dispatch.halt(one)
    desk.end(one, loss="paused")
    desk.refuse = "the scheduler is away"
    assert desk.hand_out() == []
    desk.refuse = ""
    desk.clock.pass_(Config(root=desk.layout.root).retry.deferred_wait_seconds)
    desk.hand_out()
    assert desk.submitted[-1] == ("one", "", True)


def test_an_end_that_was_never_told_is_missed_at_the_second_look(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    desk.hand_out()
    desk.dispatch.tidy({"one"})
    desk.dispatch.tidy(GONE)
    assert desk.hand_out() == []
    desk.dispatch.tidy(GONE)
    assert desk.hand_out() == ["one"]


def test_a_claim_of_somebody_else_is_waited_for(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    with lease.claimed(desk.layout.claim("one"), lease.Settings()):
        assert desk.hand_out() == []
        assert desk.dispatch.why_waiting(one, "", "")[0].startswith("worked on by ")
        assert desk.dispatch.is_through
    desk.clock.pass_(1.0)
    assert desk.hand_out() == ["one"]


def test_a_request_is_called_pending_only_by_who_holds_its_claim(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    path = desk.layout.inbox_of("events") / "door.json"
    path.parent.mkdir(parents=True)
    path.write_text('{"event_id": "door", "video_path": "a.mp4", "start": 1}')
    (one,) = Requests("event", "events", "event_id", "event").admit(desk.layout, path).jobs
    one = replace(one, requested_at=NOON - timedelta(minutes=5))
    desk.asked.ask(one)
    claim = desk.layout.claim(one.id)
    with ExitStack() as others, monkeypatch.context() as patch:

        def taken_right_after_the_look(_: Path) -> bool:
            patch.undo()
            others.enter_context(lease.claimed(claim, lease.Settings()))
            return False

        patch.setattr(lease, "seems_held", taken_right_after_the_look)
        desk.dispatch.tell_pending("paused", 0.0)
    assert not desk.layout.answer(path).exists()
    really, held = request.write_answer, []

    def tell(*arguments: Any, **more: Any) -> None:
        held.append(lease.seems_held(claim))
        really(*arguments, **more)

    monkeypatch.setattr(request, "write_answer", tell)
    desk.clock.pass_(60.0)
    desk.asked.changes += 1
    desk.dispatch.tell_pending("paused", 0.0)
    assert request.read_answer(desk.layout.answer(path))["message"] == "paused"
    assert held == [True]


def test_the_gate_and_the_executor_say_why_those_wait_that_are_due(desk: Desk) -> None:
    one = job("one")
    desk.asked.ask(one)
    assert desk.dispatch.why_waiting(one, "paused", "no workers") == ("paused", None)
    assert desk.dispatch.why_waiting(one, "", "no workers") == ("no workers", None)


def test_requests_are_let_go_by_news_of_their_camera(desk: Desk) -> None:
    one = replace(job("one"), kind="request")
    desk.asked.ask(one)
    desk.hand_out()
    desk.end(one, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=60.0))
    desk.dispatch.recorded(frozenset({"cam2"}))
    assert desk.hand_out() == []
    desk.dispatch.recorded(frozenset({"cam1"}))
    assert desk.hand_out() == ["one"]


def test_what_was_recorded_while_a_request_was_looked_at_counts_too(desk: Desk) -> None:
    one = replace(job("one"), kind="request")
    desk.asked.ask(one)
    desk.hand_out()
    desk.dispatch.recorded(frozenset({"cam1"}))
    desk.end(one, Outcome(Verdict.DEFERRED, "not recorded yet", again_in_seconds=60.0))
    assert desk.hand_out() == ["one"]


class TestWhatWaitsForFiles:
    @pytest.fixture
    def one(self, desk: Desk) -> Job:
        """A job that waits for one file to come, and for another one to change."""
        one, note = job("one"), desk.layout.root / "note.yaml"
        note.write_text("wrong")
        desk.asked.ask(one)
        desk.hand_out()
        awaits = tuple((name, awaited.mark(look(desk.layout.root / name))) for name in ("film.mp4", "note.yaml"))
        desk.end(one, Outcome(Verdict.DEFERRED, "not there", again_in_seconds=15.0, awaits=awaits))
        return one

    @pytest.mark.usefixtures("one")
    def test_is_not_handed_out_before_one_of_them_stirs(self, desk: Desk) -> None:
        for _ in range(8):
            desk.clock.pass_(15.0)
            assert desk.hand_out() == []
            assert desk.dispatch.due_at == desk.clock.monotonic() + 15.0

    @pytest.mark.usefixtures("one")
    @pytest.mark.parametrize("name", ["film.mp4", "note.yaml"])
    def test_is_handed_out_when_it_does(self, desk: Desk, name: str) -> None:
        (desk.layout.root / name).write_text("as it should be")
        desk.clock.pass_(15.0)
        assert desk.hand_out() == ["one"]

    @pytest.mark.usefixtures("one")
    def test_is_looked_at_now_and_then_all_the_same(self, desk: Desk) -> None:
        desk.clock.pass_(AWAITED_SECONDS)
        assert desk.hand_out() == ["one"]

    def test_is_looked_at_in_slices_where_very_many_wait(self, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
        others = [job(f"other {number}") for number in range(4)]
        desk.asked.ask(*others)
        desk.hand_out(4)
        for other in others:
            desk.end(other, Outcome(Verdict.DEFERRED, "no film", again_in_seconds=15.0, awaits=(("film.mp4", ""),)))
        looks: list[float] = []

        def slow(*_: object) -> bool:
            looks.append(desk.clock.monotonic())
            desk.clock.pass_(SLICE_SECONDS * 0.6)
            return False

        monkeypatch.setattr(awaited, "stirred", slow)
        desk.clock.pass_(15.0)
        counts = []
        while desk.dispatch.due_at <= desk.clock.monotonic():
            assert desk.hand_out() == []
            counts.append(len(looks))
        assert counts == [2, 4]
