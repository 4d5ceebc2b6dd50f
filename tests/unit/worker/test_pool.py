"""The pool, with real processes: what comes back, what is told of a death, and who ends with whom."""

from __future__ import annotations

import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.worker.pool import Ended, Pool, Settings, cores
from tests.unit.worker import errands

JOB = Job("job", "clip", "origin", "id:1", "match / goal", "cam1", "s1", 0, datetime(2026, 5, 1, tzinfo=UTC))
OTHER = replace(JOB, id="other")
SETTINGS = Settings(max_workers=1, nice=5, memory=512 << 20, job_seconds=0)


class Desk:
    """A pool, and what it tells."""

    def __init__(self, settings: Settings, prepare: Callable[[str], None] = errands.prepare) -> None:
        self.told: queue.SimpleQueue[Ended] = queue.SimpleQueue()
        self.pool = Pool(settings, errands.run, prepare, ("ready",), self.told.put)

    def send(self, errand: str, *arguments: object, job: Job = JOB) -> None:
        """Send a worker on an errand."""
        self.pool.submit(job, errand, *map(str, arguments))

    def ended(self) -> Ended:
        """The next end that is told."""
        return self.told.get(timeout=30)

    def do(self, errand: str, *arguments: object) -> str:
        """Send a worker on an errand that must be done; what it says."""
        self.send(errand, *arguments)
        ended = self.ended()
        assert ended.outcome is not None, ended.loss
        return ended.outcome.message


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    """One pool for all that leave it as it was, and for those that kill its worker."""
    made = Desk(SETTINGS)
    yield made
    made.pool.stop(0)


def children() -> set[int]:
    """The processes that this thread started."""
    return set(map(int, Path(f"/proc/self/task/{threading.get_native_id()}/children").read_text().split()))


def until_there(path: Path) -> str:
    """What the file at `path` says, once it is there."""
    deadline = time.monotonic() + 30
    while not path.exists() or not path.read_text():
        assert time.monotonic() < deadline, path
        time.sleep(0.02)
    return path.read_text()


def until_gone(pid: int) -> None:
    """Wait for the end of a process; one that only nobody has fetched yet (a zombie) has ended."""
    deadline = time.monotonic() + 30
    while is_there(pid):
        assert time.monotonic() < deadline, pid
        time.sleep(0.02)


def is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_outcome_comes_back_from_a_prepared_nice_and_limited_process(desk: Desk) -> None:
    desk.send("look_around")
    assert desk.pool.running == {"job"}
    assert desk.pool.running_jobs == [JOB]
    assert desk.pool.free == 0
    ended = desk.ended()
    assert desk.pool.running == set()
    assert desk.pool.free == 1
    assert ended.job == JOB
    assert ended.loss == ""
    assert ended.outcome is not None
    assert (ended.outcome.verdict, ended.outcome.outputs) == (Verdict.COMPLETE, ("job",))
    pid, parent, nice, memory, prepared = ended.outcome.message.split()
    assert int(pid) != int(parent) == os.getpid()
    assert int(nice) == max(5, os.getpriority(os.PRIO_PROCESS, 0))
    assert int(memory) == 512 << 20
    assert prepared == "ready"


def test_a_job_whose_worker_still_starts_has_not_begun_and_cannot_be_blamed_for_standing_still(tmp_path: Path) -> None:
    desk = Desk(SETTINGS)
    desk.send("work", tmp_path)
    assert desk.pool.running_jobs == [JOB]
    assert desk.pool.begun_jobs == []
    until_there(tmp_path / "began")
    deadline = time.monotonic() + 30
    while desk.pool.begun_jobs != [JOB]:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    desk.pool.stop(0)
    assert desk.pool.begun_jobs == []


def test_a_worker_goes_on_from_job_to_job(desk: Desk) -> None:
    assert desk.do("look_around") == desk.do("look_around")


def test_an_error_that_nobody_foresaw_is_told_and_the_next_job_runs(desk: Desk) -> None:
    desk.send("stumble")
    ended = desk.ended()
    assert ended.outcome is None
    assert ended.loss == "its worker was lost: ZeroDivisionError: by nothing"
    assert desk.do("look_around")


def test_more_memory_than_the_limit_is_refused_to_the_job(desk: Desk) -> None:
    assert desk.do("grab", 1024) == "-1"
    assert desk.do("grab", 64) == str(64 << 20)


@pytest.mark.parametrize(
    ("errand", "words"),
    [
        (("crash", "SIGSEGV"), "its worker was killed by SIGSEGV"),
        (("crash", "SIGKILL"), r"its worker was killed by SIGKILL \(out of memory\?\)"),
        (("crash", "SIGTERM"), "its worker was told to end"),
        (("leave", "3"), "its worker ended with exit code 3"),
    ],
    ids=str,
)
def test_a_death_is_told_and_the_next_job_runs_in_another_worker(
    desk: Desk, errand: tuple[str, ...], words: str
) -> None:
    before = desk.do("look_around").split()[0]
    desk.send(*errand)
    ended = desk.ended()
    assert ended.outcome is None
    assert re.fullmatch(words, ended.loss)
    assert desk.do("look_around").split()[0] != before


def test_when_the_only_worker_dies_with_nothing_to_do_the_next_jobs_run(desk: Desk) -> None:
    pid = int(desk.do("look_around").split()[0])
    os.kill(pid, signal.SIGKILL)
    until_gone(pid)
    assert desk.do("look_around").split()[0] != str(pid)


def test_a_worker_that_cannot_start_costs_the_job_no_attempt(tmp_path: Path) -> None:
    told: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    pool = Pool(SETTINGS, errands.run, errands.leave, (3,), told.put)
    pool.submit(JOB, "look_around")
    outcome = told.get(timeout=30).outcome
    assert outcome is not None
    assert (outcome.verdict, outcome.message) == (
        Verdict.DEFERRED,
        "its worker could not start, or was killed before it began",
    )
    pool.stop(0)


def test_a_worker_that_an_attempt_wore_out_is_replaced(desk: Desk) -> None:
    before = desk.do("look_around").split()[0]
    assert desk.do("wear_out") == before
    assert desk.do("look_around").split()[0] != before
    until_gone(int(before))


def test_a_worker_that_has_done_its_share_works_on_until_its_successor_is_ready() -> None:
    desk = Desk(SETTINGS.model_copy(update={"recycle_after": 2}))
    pids = [desk.do("look_around").split()[0] for _ in range(3)]
    assert pids[0] == pids[1] == pids[2]
    deadline = time.monotonic() + 30
    while pids[-1] == pids[0]:
        assert time.monotonic() < deadline, "nobody took over"
        pids.append(desk.do("look_around").split()[0])
    until_gone(int(pids[0]))
    desk.pool.stop(0)


def test_a_successor_that_dies_is_replaced() -> None:
    others = children()
    desk = Desk(SETTINGS.model_copy(update={"recycle_after": 1}), prepare=errands.prepare_slowly)
    first = int(desk.do("look_around").split()[0])
    (stillborn,) = children() - others - {first}
    os.kill(stillborn, signal.SIGKILL)
    until_gone(stillborn)
    deadline = time.monotonic() + 30
    while int(desk.do("look_around").split()[0]) == first:
        assert time.monotonic() < deadline, "nobody took over"
    desk.pool.stop(0)


def test_a_cancelled_job_lets_go_ends_and_the_next_one_runs(desk: Desk, tmp_path: Path) -> None:
    desk.send("work", tmp_path)
    pid = int(until_there(tmp_path / "began"))
    desk.pool.cancel("no such job", "why not")
    desk.pool.cancel("job", "the clip no longer asks for it")
    ended = desk.ended()
    assert (ended.outcome, ended.loss) == (None, "the clip no longer asks for it")
    assert desk.do("look_around")
    until_gone(pid)
    assert (tmp_path / "let go").exists()


def test_a_job_that_takes_too_long_is_stopped_and_that_is_said(tmp_path: Path) -> None:
    desk = Desk(SETTINGS.model_copy(update={"job_seconds": 2}))
    desk.send("work", tmp_path)
    ended = desk.ended()
    assert (ended.outcome, ended.loss) == (None, "it took longer than 2 s (workers.job_seconds)")
    desk.pool.stop(0)
    assert (tmp_path / "let go").exists()


def test_a_wall_clock_that_is_set_stops_no_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    desk = Desk(SETTINGS.model_copy(update={"job_seconds": 600}))
    desk.send("work", tmp_path, 0.5)
    until_there(tmp_path / "began")
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + 86400)
    ended = desk.ended()
    assert ended.outcome is not None, ended.loss
    monkeypatch.undo()
    desk.pool.stop(0)


def test_stopping_lets_what_runs_finish(tmp_path: Path) -> None:
    desk = Desk(SETTINGS)
    desk.send("work", tmp_path, 0.5)
    until_there(tmp_path / "began")
    desk.pool.stop(30)
    ended = desk.ended()
    assert ended.outcome is not None
    assert ended.outcome.message == "done"


def test_stopping_abandons_what_does_not_finish_in_time_also_in_a_worker_that_came_later(tmp_path: Path) -> None:
    desk = Desk(SETTINGS)
    desk.send("leave", 3)
    desk.ended()
    desk.send("work", tmp_path)
    pid = int(until_there(tmp_path / "began"))
    desk.pool.stop(0)
    until_gone(pid)
    assert (tmp_path / "let go").exists()


def test_a_pool_that_never_worked_stops() -> None:
    Desk(SETTINGS).pool.stop(0)


class TestDaemonKilled:
    """The worker of a daemon that is killed."""

    def orphan(self, folder: Path, errand: str) -> int:
        """A worker whose daemon has just been killed; its process."""
        with subprocess.Popen([sys.executable, "-m", errands.__name__, str(folder), errand]) as daemon:
            pid = int(until_there(folder / "began"))
            daemon.kill()
        return pid

    def test_it_lets_go_and_ends(self, tmp_path: Path) -> None:
        until_gone(self.orphan(tmp_path, "work"))
        assert (tmp_path / "let go").exists()

    def test_it_ends_also_while_it_starts(self, tmp_path: Path) -> None:
        until_gone(self.orphan(tmp_path, "start"))

    def test_it_ends_also_when_it_hangs(self, tmp_path: Path) -> None:
        until_gone(self.orphan(tmp_path, "hang"))
        assert not (tmp_path / "let go").exists()


def test_by_default_workers_and_their_threads_share_the_cores_out() -> None:
    by_default = Settings()
    assert by_default.worker_count * by_default.threads_each <= max(1, cores())
    assert Settings(max_workers=1).threads_each == cores()
    assert Settings(max_workers=10_000).threads_each == 1
    assert Settings(max_workers=3, threads=7).threads_each == 7
