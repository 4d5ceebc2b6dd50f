"""A worker process, from its first line to its end: it runs one call after another for the daemon that started it.

It stands apart from the pool because it must be quick: before anything of size is imported, the kernel has been asked
to end this process with its daemon. What it is told and what it tells goes over one socket, whose end is the end of the
daemon, or the daemon's wish that this worker ends.
"""

from __future__ import annotations

import ctypes
import os
import pickle
import resource
import select
import signal
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

PR_SET_PDEATHSIG = 1
ASKED_TO_END = 128 + signal.SIGTERM
"""Exit code of a worker that ended on SIGTERM in the middle of a call."""
UNWIND_SECONDS = 5.0
"""How long a worker whose daemon is gone may take to let go of its claim."""


@dataclass(frozen=True)
class Terms:
    """How a worker is to work."""

    nice: int
    memory: int
    """Bytes of data it may hold; 0 is no limit."""
    prepare: Callable[..., None]
    """Runs once, before the first call."""
    prepare_arguments: tuple[Any, ...]
    call: Callable[..., object]
    """What it is to do, with other arguments each time."""


@dataclass(frozen=True)
class Ready:
    """The worker tells that it has all it needs."""


@dataclass(frozen=True)
class Began:
    """The worker tells that it begins the call that it was sent."""


@dataclass(frozen=True)
class Returned:
    """The worker tells what the call returned."""

    value: Any


@dataclass(frozen=True)
class Raised:
    """The worker tells that the call raised an error, in words."""

    words: str


class Stopped(BaseException):
    """This worker was asked to end; not an `Exception`, so that no job code can swallow it."""


def command(channel: int) -> list[str]:
    """The command line of a worker that finds its daemon at the other end of the inherited socket `channel`."""
    # Without the script's own folder (-P) on its path, whose modules would hide others.
    return [sys.executable, "-P", __file__, str(os.getpid()), str(channel)]


def end_with(parent: int, number: int) -> None:
    """Have the kernel send this process the signal `number` when the process `parent` ends; if it has, end now."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, number)
    if os.getppid() != parent:
        os._exit(1)


def stand_back(nice: int, memory: int) -> None:
    """Let other programs go first by at least `nice` levels, and hold no more than `memory` bytes of data (0: any)."""
    os.setpriority(os.PRIO_PROCESS, 0, max(os.getpriority(os.PRIO_PROCESS, 0), nice))
    if memory:
        # Data, not address space: the media libraries reserve far more addresses than they use.
        hard = resource.getrlimit(resource.RLIMIT_DATA)[1]
        resource.setrlimit(
            resource.RLIMIT_DATA, (memory if hard == resource.RLIM_INFINITY else min(memory, hard), hard)
        )


def death(who: str, code: int) -> str:
    """How a process ended that did not mean to, in words: `its worker was killed by SIGSEGV`."""
    if code < 0:
        name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
        return f"{who} was killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")
    return f"{who} was told to end" if code == ASKED_TO_END else f"{who} ended with exit code {code}"


def serve(daemon: Connection, terms: Terms) -> None:
    """Run the calls that come from `daemon`, until no more do."""
    threading.Thread(target=_end_with, args=(daemon.fileno(),), name="clipd-orphan", daemon=True).start()
    stand_back(terms.nice, terms.memory)
    terms.prepare(*terms.prepare_arguments)
    daemon.send(Ready())
    while True:
        try:
            arguments = daemon.recv()
        except (EOFError, ConnectionError):
            return
        daemon.send(Began())
        daemon.send_bytes(_answer(terms.call, arguments))


def _answer(call: Callable[..., object], arguments: tuple[object, ...]) -> bytes:
    try:
        return pickle.dumps(Returned(_stoppable(call, *arguments)))
    except Exception as error:  # noqa: BLE001 - the border of the process: whatever it was is told, and the next call runs
        return pickle.dumps(Raised(f"{type(error).__name__}: {error}"))


def _stoppable(call: Callable[..., object], *arguments: object) -> object:
    """Run `call` so that SIGTERM unwinds it (claims are released, staging is removed) and then ends the worker."""
    try:
        former = signal.signal(signal.SIGTERM, _raise_stopped)
        try:
            return call(*arguments)
        finally:
            signal.signal(signal.SIGTERM, former)
    except Stopped:
        os._exit(ASKED_TO_END)


def _raise_stopped(_signal: int, _frame: object) -> None:
    # Once: a second signal must not break off the letting go.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _end_with(channel: int) -> None:
    """End this process when the other end of `channel` is gone, also when it does not let go (native code may hang)."""
    hung_up = select.poll()
    hung_up.register(channel, 0)
    hung_up.poll()
    time.sleep(UNWIND_SECONDS)
    os.kill(os.getpid(), signal.SIGKILL)


def _begin(parent: int, channel: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the daemon hears it too, and decides
    end_with(parent, signal.SIGTERM)  # SIGKILL would leave claims and staging behind
    daemon = Connection(channel)
    try:
        sys.path[:] = daemon.recv()
        from clipd.worker import process  # this file under its own name, by which its classes travel

        process.serve(daemon, daemon.recv())
    except (EOFError, ConnectionError):
        os._exit(1)  # the daemon was gone before there was anything to do


if __name__ == "__main__":
    _begin(int(sys.argv[1]), int(sys.argv[2]))
