"""The herald: no hook holds up anything, each outcome is told once, and what is not delivered is said and counted."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from loguru import logger

from clipd.clock import SystemClock
from clipd.delivery import herald
from clipd.delivery.herald import Count, Herald
from clipd.delivery.hooks import Hook, News
from clipd.delivery.hooks.news import Undelivered


def news(number: int = 1, status: str = "complete") -> News:
    return News(
        id=f"{number}", status=status, clip=f"match / {number}", job=f"j{number}", camera="cam", session="day",
        sidecar="s.json", key="id:1", outputs=("a.mp4",), message="", warnings=(), host="h", at="now", root=Path(),
    )  # fmt: skip


class Receiver:
    """A way of telling that keeps what it is told, and fails or hangs as it is bid."""

    def __init__(self, *errors: Undelivered) -> None:
        self.got: list[str] = []
        self.errors = list(errors)
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, hook: Hook, told: News, given_up: threading.Event) -> None:
        self.got.append(told.id)
        while not self.may_go_on.wait(0.01):
            if given_up.is_set():
                raise Undelivered("stopped")
        if self.errors:
            raise self.errors.pop(0)


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(herald, "FIRST_WAIT_SECONDS", 0.01)
    monkeypatch.setattr(herald, "WAITING", 5)


@pytest.fixture
def log() -> Iterator[list[str]]:
    lines: list[str] = []
    sink = logger.add(lines.append, format="{message}", level="DEBUG")
    yield lines
    logger.remove(sink)


HOOK = Hook(command=("x",), retries=3)
OTHER = Hook(webhook="http://127.0.0.1/", on=("failed",))


def test_each_outcome_is_told_once_to_those_who_want_it() -> None:
    one, other = Receiver(), Receiver()
    told = Herald((HOOK, OTHER), SystemClock(), {"command": one, "webhook": other})
    told.tell(news(1))
    told.tell(news(2, "failed"))
    told.stop(5)
    assert one.got == ["1", "2"]
    assert other.got == ["2"]
    assert told.count == Count(delivered=3)


def test_what_fails_is_tried_again_up_to_its_limit(log: list[str]) -> None:
    receiver = Receiver(*(Undelivered("away") for _ in range(3)))
    told = Herald((HOOK,), SystemClock(), {"command": receiver})
    told.tell(news(1))
    until(lambda: told.count.delivered == 1)
    assert receiver.got == ["1"] * 4
    receiver.errors = [Undelivered("away") for _ in range(9)]
    told.tell(news(2))
    until(lambda: told.count.failed == 1)
    assert receiver.got.count("2") == 4
    assert any("given up" in line for line in log)
    told.stop(1)


def test_what_is_hopeless_is_not_tried_again() -> None:
    receiver = Receiver(Undelivered("gone", hopeless=True))
    told = Herald((HOOK,), SystemClock(), {"command": receiver})
    told.tell(news())
    told.stop(5)
    assert receiver.got == ["1"]
    assert told.count == Count(failed=1)


def test_a_hanging_hook_blocks_neither_the_caller_nor_the_others_and_drops_are_counted(log: list[str]) -> None:
    hanging, other = Receiver(), Receiver()
    hanging.may_go_on.clear()
    told = Herald((HOOK, OTHER), SystemClock(), {"command": hanging, "webhook": other})
    told.tell(news(0, "failed"))
    until(lambda: hanging.got == ["0"])
    began = time.monotonic()
    for number in range(1, 11):
        told.tell(news(number, "failed"))
        until(lambda: other.got[-1:] == [str(number)])  # noqa: B023 - asked at once
    assert time.monotonic() - began < 5
    assert told.count.dropped == 5
    assert sum("dropped" in line for line in log) == 5
    hanging.may_go_on.set()
    told.stop(5)
    assert hanging.got == [str(number) for number in range(6)]


def test_at_the_end_what_hangs_is_given_up_and_what_waits_is_counted(log: list[str]) -> None:
    hanging = Receiver()
    hanging.may_go_on.clear()
    told = Herald((HOOK,), SystemClock(), {"command": hanging})
    for number in range(3):
        told.tell(news(number))
    until(lambda: hanging.got == ["0"])
    began = time.monotonic()
    told.stop(0.1)
    assert time.monotonic() - began < 2
    assert any("clipd ends" in line for line in log)
    assert told.count == Count(failed=1, dropped=2)
    assert hanging.got == ["0"]


def test_new_settings_leave_former_hooks_to_finish() -> None:
    former, present = Receiver(), Receiver()
    former.may_go_on.clear()
    told = Herald((HOOK,), SystemClock(), {"command": former, "webhook": present})
    told.tell(news(1, "failed"))
    told.renew((OTHER,))
    told.tell(news(2, "failed"))
    until(lambda: present.got == ["2"])
    former.may_go_on.set()
    told.stop(5)
    assert former.got == ["1"]
    assert told.count == Count(delivered=2)
