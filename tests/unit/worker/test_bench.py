"""The bench, with real processes: who waits for whom, and what becomes of jobs when it is cut off or stopped."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipd.model.outcome import Verdict
from clipd.worker.bench import Bench
from clipd.worker.pool import Ended, Pool
from tests.unit.worker import errands
from tests.unit.worker.test_pool import JOB, OTHER, SETTINGS

THIRD = replace(JOB, id="third")


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench("share", lambda tell: Pool(SETTINGS, errands.run, errands.prepare, ("ready",), tell), at_home)
    yield made
    made.stop(0)


def at_home(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    return tuple(argument.replace("SENT", "here") for argument in arguments)


def begin(call: Callable[..., Ended], *arguments: object) -> Future[Ended]:
    """Run `call` in a thread of its own; its end."""
    end: Future[Ended] = Future()

    def run() -> None:
        try:
            end.set_result(call(*arguments))
        except ConnectionError as error:
            end.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return end


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def begun(folder: Path) -> bool:
    return (folder / "began").exists() and (folder / "began").read_text() != ""


def test_a_job_is_done_with_the_arguments_of_this_machine(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    ended = bench.do(JOB, ("work", f"{tmp_path}/SENT", "0"))
    assert ended.outcome is not None
    assert ended.outcome.message == "done"
    assert begun(tmp_path / "here")


def test_who_asks_again_after_the_connection_broke_waits_for_the_same_attempt(bench: Bench, tmp_path: Path) -> None:
    first = begin(bench.do, JOB, ("work", str(tmp_path), "1"))
    until(lambda: begun(tmp_path))
    queued = begin(bench.do, OTHER, ("look_around",))
    until(lambda: bench.waiting == 1)
    bench.let_go()
    for lost in (first, queued):
        with pytest.raises(ConnectionError):
            lost.result(timeout=30)
    (tmp_path / "began").unlink()
    ended = bench.do(JOB, ("work", str(tmp_path), "60"))
    assert ended.outcome is not None
    assert ended.outcome.message == "done"
    assert not begun(tmp_path), "it was begun twice"
    assert bench.waiting == 0, "nobody waits for the other any more"


def test_a_cancelled_job_ends_or_does_not_begin(bench: Bench, tmp_path: Path) -> None:
    running = begin(bench.do, JOB, ("work", str(tmp_path)))
    until(lambda: begun(tmp_path))
    queued = begin(bench.do, OTHER, ("look_around",))
    until(lambda: bench.waiting == 1)
    bench.cancel(OTHER.id, "nobody wants it")
    outcome = queued.result(timeout=30).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.message) == (Verdict.DEFERRED, "nobody wants it")
    bench.cancel(JOB.id, "it takes too long")
    assert running.result(timeout=30) == Ended(JOB, None, "it takes too long")
    assert (tmp_path / "let go").exists()


def test_a_crash_is_told_and_the_next_job_is_done(bench: Bench) -> None:
    assert "SIGSEGV" in bench.do(JOB, ("crash", "SIGSEGV")).loss
    assert bench.do(OTHER, ("look_around",)).outcome is not None


def test_a_bench_that_is_stopped_blames_no_job(bench: Bench, tmp_path: Path) -> None:
    running = begin(bench.do, JOB, ("work", str(tmp_path)))
    until(lambda: begun(tmp_path))
    queued = begin(bench.do, OTHER, ("look_around",))
    until(lambda: bench.waiting == 1)
    bench.stop(0)
    for end in (running.result(timeout=30), queued.result(timeout=30), bench.do(THIRD, ("look_around",))):
        assert end.outcome is not None
        assert end.outcome.verdict is Verdict.DEFERRED
    assert (tmp_path / "let go").exists()
