"""The crew: processes for calls that nobody vouches for. Whatever a task does (raise, hang, take all memory, crash in
native code), it costs its own process and nothing else.

It stands apart from the pool because its calls may be functions of a notebook: each process is a fresh interpreter
that does not import the caller's `__main__`, and gets the call by cloudpickle. A single thread runs the crew; memory
does not grow with the number of tasks, which are taken one by one as hands get free.
"""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait
from types import TracebackType
from typing import Any, Final, Literal

import cloudpickle
from pydantic import ByteSize

from clipd.errors import Rejected
from clipd.model.setting import Section, setting
from clipd.worker.process import death

LOOK_SECONDS: Final = 0.25
"""How often the crew looks whether it is to stop."""

START_SECONDS: Final = 300.0
"""How long a process may take to start and to load the call, with all that it imports."""

Loss = Literal["timeout", "crash"]

_START: Final = """
import json, sys
sys.path[:] = json.loads(sys.argv[1])
from clipd.worker.hand import main
main(sys.argv[2:])
"""


class Settings(Section):
    """The processes that rows of a dataset are worked on in."""

    workers: int = setting(4, "Rows worked on at the same time.", ge=1, le=1024)
    timeout_seconds: float = setting(
        3600.0, "The longest that one row may take; then it has failed. 0 is no limit.", unit="s", ge=0
    )
    memory: ByteSize = setting(
        "8GiB", "Memory one process may use; a row that needs more fails and others go on. 0 is no limit.", unit="bytes"
    )
    nice: int = setting(0, "How far the processes stand back behind other programs.", unit="nice levels", ge=0, le=19)
    recycle_after: int = setting(500, "Rows after which a process is replaced by a fresh one.", unit="rows", ge=1)


@dataclass(frozen=True)
class Ended:
    """A task that ended: with the bytes that the call returned, or with the words that say how its process was lost."""

    task: Any
    answer: bytes | None
    loss: str = ""
    kind: Loss = "crash"


class Crew:
    """Processes that run `call(task)`; use it in a `with` block, at whose end they are gone."""

    def __init__(self, settings: Settings, call: Callable[[Any], bytes], stopping: Callable[[], bool]) -> None:
        """`call` travels by cloudpickle and returns bytes. When `stopping` says so, no task is begun any more and the
        running ones are given up.
        """
        self._settings = settings
        self._call = cloudpickle.dumps(call)
        self._stopping = stopping
        self._hands: list[_Hand] = []

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for hand in self._hands:
            hand.end()
        self._hands.clear()

    def run(self, tasks: Iterator[Any]) -> Iterator[list[Ended]]:
        """Do all `tasks`; yields those that ended, in groups as they come, in no order.

        Raises:
            Rejected: processes do not start, or cannot load the call.
        """
        left = True
        while not self._stopping():
            left = left and self._hand_out(tasks)
            busy = [hand for hand in self._hands if hand.is_busy]
            if not busy:
                return
            ended = self._wait(busy)
            if ended:
                yield ended

    def _hand_out(self, tasks: Iterator[Any]) -> bool:
        """Give a task to each hand that is free; False when there are no more."""
        while sum(hand.is_busy for hand in self._hands) < self._settings.workers and not self._stopping():
            task = next(tasks, None)
            if task is None:
                return False
            self._free_hand().take(task)
        return True

    def _free_hand(self) -> _Hand:
        for hand in list(self._hands):
            if hand.is_busy:
                continue
            if hand.is_fit and hand.tasks_done < self._settings.recycle_after:
                return hand
            hand.end()
            self._hands.remove(hand)
        self._hands.append(_Hand(self._settings, self._call))
        return self._hands[-1]

    def _wait(self, busy: list[_Hand]) -> list[Ended]:
        soonest = min(hand.deadline for hand in busy) - time.monotonic()
        ready = wait([hand.connection for hand in busy], max(0.0, min(soonest, LOOK_SECONDS)))
        heard = [hand.heard() for hand in busy if hand.connection in ready]
        now = time.monotonic()
        late = [hand.give_up() for hand in busy if hand.is_busy and now > hand.deadline]
        return [ended for ended in heard + late if ended is not None]


class _Hand:
    """One process, and the task it is at."""

    def __init__(self, settings: Settings, call: bytes) -> None:
        self.connection, theirs = Pipe()
        self.tasks_done = 0
        self.deadline = float("inf")
        self._seconds = settings.timeout_seconds or float("inf")
        self._is_ready = False
        self._task: Any = None
        paths = [path or os.getcwd() for path in sys.path]  # noqa: PTH109 - a text is wanted
        arguments = [json.dumps(paths), str(theirs.fileno()), str(os.getpid())]
        with theirs:
            # -P: no folder of the caller's gets before the library; -E would lose a virtual environment's settings.
            self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
                [sys.executable, "-P", "-c", _START, *arguments],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,  # Ctrl-C is for the parent, which ends its hands itself
            )
        self._send(pickle.dumps((int(settings.memory), settings.nice, call)))

    @property
    def is_busy(self) -> bool:
        """Is it at a task?"""
        return self._task is not None

    @property
    def is_fit(self) -> bool:
        """Is its process alive?"""
        return self._process.poll() is None

    def take(self, task: Any) -> None:
        """Begin a task; its time runs from when the process is ready."""
        self._task = task
        self.deadline = time.monotonic() + (self._seconds if self._is_ready else START_SECONDS)
        self._send(pickle.dumps(task))

    def heard(self) -> Ended | None:
        """What the socket has to say: the end of the task, or, first of all, that the process is ready.

        Raises:
            Rejected: the call cannot be loaded there, or the process does not even start.
        """
        try:
            answer = self.connection.recv_bytes()
        except (EOFError, OSError):
            self.end(now=True)
            if not self._is_ready:
                raise Rejected(
                    f"a process for the work does not start: {death('its process', self._process.returncode)}"
                ) from None
            return self._ended(None, death("its process", self._process.returncode), "crash")
        if self._is_ready:
            self.tasks_done += 1
            return self._ended(answer)
        if answer:
            raise Rejected(f"the function cannot be loaded in a process of its own: {answer.decode()}")
        self._is_ready = True
        self.deadline = time.monotonic() + self._seconds
        return None

    def give_up(self) -> Ended:
        """End the process of a task that takes too long."""
        self.end(now=True)
        if not self._is_ready:
            raise Rejected(f"a process for the work was not ready after {START_SECONDS:g} s")
        return self._ended(None, f"it took longer than {self._seconds:g} s", "timeout")

    def end(self, *, now: bool = False) -> None:
        """End the process and all that it started; `now` also if it has no work."""
        self.connection.close()
        if not now and not self.is_busy:
            # A hand without work ends when its socket does; unless its last task left a thread behind.
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=LOOK_SECONDS)
        if self._process.poll() is None:
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def _ended(self, answer: bytes | None, loss: str = "", kind: Loss = "crash") -> Ended:
        task, self._task = self._task, None
        return Ended(task, answer, loss, kind)

    def _send(self, data: bytes) -> None:
        try:
            self.connection.send_bytes(data)
        except (BrokenPipeError, ConnectionResetError):
            # It died; the end of its socket tells, when its answer is waited for.
            return
