"""What the workers of `test_pool` are sent to do: importable by a spawned process, and quick to import."""

from __future__ import annotations

import os
import resource
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.worker import pool, process

PREPARED: list[str] = []


def prepare(word: str) -> None:
    """Runs once in each worker."""
    PREPARED.append(word)


def prepare_slowly(word: str) -> None:
    """The same, and it takes a second."""
    time.sleep(1)
    prepare(word)


def run(job: Job, errand: str, *arguments: str) -> Outcome:
    """Do the errand of this name."""
    said = str(globals()[errand](*arguments))
    return Outcome(Verdict.COMPLETE, said, (job.id,), worn=errand == "wear_out")


def look_around() -> str:
    """Where the errand runs."""
    limit = resource.getrlimit(resource.RLIMIT_DATA)[0]
    return f"{os.getpid()} {os.getppid()} {os.getpriority(os.PRIO_PROCESS, 0)} {limit} {','.join(PREPARED)}"


def wear_out() -> int:
    """Leave this process unfit for more; which one it is."""
    return os.getpid()


def crash(name: str) -> None:
    """Die by a signal, as native code does."""
    os.kill(os.getpid(), getattr(signal, name))
    time.sleep(60)


def leave(code: str) -> None:
    """Die without a word."""
    os._exit(int(code))


def stumble() -> None:
    """Raise what nobody foresaw."""
    raise ZeroDivisionError("by nothing")


def grab(mebibytes: str) -> int:
    """Take memory."""
    try:
        return len(bytearray(int(mebibytes) << 20))
    except MemoryError:
        return -1


def work(folder: str, seconds: str = "60") -> str:
    """Say that it begins, work, and tidy up, however it ends."""
    (Path(folder) / "began").write_text(str(os.getpid()))
    try:
        time.sleep(float(seconds))
    except process.Stopped:
        time.sleep(0.2)  # letting go takes a moment, in which more signals may come
        (Path(folder) / "let go").write_text("")
        raise
    return "done"


def hang(folder: str) -> None:
    """Work, deaf to all requests to end."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    process.UNWIND_SECONDS = 0.2  # a test need not wait longer
    work(folder)


def main() -> None:
    """A daemon of its own, to be killed: a pool with one worker, working in the folder that is named."""
    folder, errand = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_DATA, (512 << 20, 512 << 20))
    from tests.unit.worker import errands, slow_to_import  # by the names under which a worker finds them

    os.environ["SLOW_TO_IMPORT"] = folder
    prepare = (slow_to_import.prepare, ()) if errand == "start" else (errands.prepare, ("ready",))
    settings = pool.Settings(max_workers=1, memory=4 << 30)
    workers = pool.Pool(settings, errands.run, *prepare, print)
    workers.submit(Job("job", "clip", "", "", "", "", "", 0, datetime.now(UTC)), errand, folder)
    time.sleep(60)


if __name__ == "__main__":
    main()
