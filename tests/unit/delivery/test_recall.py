"""Recalling a request: it stops, moves and is answered, and nothing of it is lost whoever else is at it."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from clipd.clock import SystemClock
from clipd.delivery import orders
from clipd.delivery.orders import Carried, Desk
from clipd.delivery.recall import Dropped, dropped, recall
from clipd.errors import Rejected, Temporary
from clipd.files import lease
from clipd.files.walk import NOT_THERE_YET
from clipd.tree import request as requests
from clipd.tree.control import Order, Verb
from clipd.tree.layout import Layout
from tests.fake_clock import FakeClock
from tests.place import laid_out

CLAIMS = lease.Settings(lease_seconds=1, heartbeat_seconds=0.3)
REQUEST = '{"clip_id": "door-43", "camera_id": "gate", "timestamp": "2025-08-29T14:30:15Z"}'


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


def drop(layout: Layout, name: str = "requests/late.json", content: str = REQUEST) -> Path:
    path = layout.inbox / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)
    return path


def order(layout: Layout, verb: Verb, words: str) -> Carried:
    desk = Desk(layout, CLAIMS, NOT_THERE_YET, "Failed", FakeClock())
    return orders.carry_out(Order(verb, words, layout.control(f"{verb.value}-{words}")), desk)


@pytest.mark.parametrize("words", ["door-43", "late", "late.json", "id:door-43"])
def test_it_is_taken_out_and_answered_by_any_of_its_names(layout: Layout, words: str) -> None:
    path = drop(layout)
    requests.write_answer(layout.answer(path), {"clip_id": "door-43", "status": "waiting", "completed_at": None,
                                                "job": Dropped.at(layout, path).job, "created_at": "then"})  # fmt: skip
    told = order(layout, Verb.CANCEL, words).words
    assert told == "data/inbox/requests/late.json: stopped, moved to failed/"
    moved = path.parent / "failed" / "late.json"
    assert moved.read_text() == REQUEST
    assert not path.exists()
    answer = requests.read_answer(layout.answer(path))
    assert answer == requests.read_answer(layout.answer(moved))
    assert (answer["clip_id"], answer["status"], answer["created_at"]) == ("door-43", "failed", "then")
    assert answer["message"].startswith(f"cancelled by CANCEL-{words};")
    assert answer["completed_at"]


def test_a_request_in_a_folder_of_peoples_own_moves_beside_it(layout: Layout) -> None:
    path = drop(layout, "requests/monday/late.json")
    order(layout, Verb.CANCEL, "door-43")
    assert (path.parent / "failed" / "late.json").exists()
    assert requests.read_answer(layout.answer(path))["status"] == "failed"


def test_an_attempt_that_runs_is_waited_for_and_answered_after(layout: Layout) -> None:
    path = drop(layout, "events/lost.json", '{"event_id": "lost"}')
    found = Dropped.at(layout, path)
    stopped = threading.Event()

    def work() -> None:
        with lease.claimed(layout.claim(found.job), CLAIMS):
            begun.set()
            while path.exists():
                stopped.wait(0.01)
            requests.write_answer(layout.answer(path), {"status": "processing"})

    begun = threading.Event()
    worker = threading.Thread(target=work)
    worker.start()
    begun.wait(10)
    recall(layout, CLAIMS, found, "a test", SystemClock())
    worker.join(10)
    assert requests.read_answer(layout.answer(path))["status"] == "failed"


def test_who_does_not_stop_is_named(layout: Layout, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("clipd.delivery.recall.STOP_SECONDS", 0.1)
    found = Dropped.at(layout, drop(layout))
    with lease.claimed(layout.claim(found.job), CLAIMS), pytest.raises(Temporary, match="has not stopped yet"):
        recall(layout, CLAIMS, found, "a test", SystemClock())


def test_one_that_was_answered_just_now_is_left_alone(layout: Layout) -> None:
    path = drop(layout)
    found = Dropped.at(layout, path)
    path.unlink()
    with pytest.raises(Rejected, match="does not ask for work any more"):
        recall(layout, CLAIMS, found, "a test", SystemClock())
    assert not list(layout.inbox.rglob("*.status.json"))


def test_what_is_no_request_of_its_own_is_called_off_by_hand(layout: Layout) -> None:
    drop(layout, "links/films.txt", "https://example.org/a.mp4")
    drop(layout, "events/fall/event.json", '{"event_id": "fall"}')
    for words in ("films", "event"):
        with pytest.raises(Rejected, match="move it out of the inbox, and work on it stops"):
            order(layout, Verb.CANCEL, words)
    assert len([path for path in layout.inbox.rglob("*") if path.is_file()]) == 2


def test_two_of_one_name_are_asked_back_and_none_is_said(layout: Layout) -> None:
    drop(layout, "requests/same.json", json.dumps({"camera_id": "a"}))
    drop(layout, "events/same.yaml", "event_id: x")
    with pytest.raises(Rejected, match=r"may mean 2 files of the inbox: data/inbox/events/same.yaml, data/inbox/req"):
        order(layout, Verb.CANCEL, "same")
    with pytest.raises(Rejected, match="no clip is called 'nobody', and nothing that waits in the inbox"):
        order(layout, Verb.CANCEL, "nobody")
    with pytest.raises(Rejected, match="tried again by itself"):
        order(layout, Verb.RETRY, "x")
    assert [one.path.name for one in dropped(layout, NOT_THERE_YET, lambda _: None)] == ["same.yaml", "same.json"]
