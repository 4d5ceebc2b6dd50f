"""The crew, with real processes: whatever a task does, the others are done."""

from __future__ import annotations

import ctypes
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clipd.errors import Rejected
from clipd.worker.crew import Crew, Ended, Settings
from tests.unit.worker.test_pool import is_there, until_gone, until_there


def errand(task: tuple[str, str]) -> bytes:
    what, argument = task
    if what == "crash":
        ctypes.string_at(0)
    if what == "exit":
        os._exit(7)
    if what == "hang":
        Path(argument).write_text(str(os.getpid()))
        time.sleep(60)
    if what == "raise":
        raise ValueError(argument)
    if what == "eat":
        return str(len(bytearray(4 << 30))).encode()
    if what == "pid":
        return str(os.getpid()).encode()
    if what == "print":
        print("hello")
    return argument.encode()


def never() -> bool:
    return False


def ends(tasks: list[tuple[str, str]], **settings: object) -> dict[str, Ended]:
    chosen = Settings(**{"workers": 2, "memory": 1 << 30} | settings)
    with Crew(chosen, errand, never) as crew:
        return {ended.task[1]: ended for group in crew.run(iter(tasks)) for ended in group}


def test_whatever_a_task_does_the_others_are_done(tmp_path: Path) -> None:
    hangs = str(tmp_path / "pid")
    ended = ends(
        [("crash", "1"), ("say", "2"), ("exit", "3"), ("hang", hangs), ("print", "4"), ("eat", "5"), ("say", "6")],
        timeout_seconds=1.5,
    )
    assert {name: end.answer for name, end in ended.items() if end.answer} == {"2": b"2", "4": b"4", "6": b"6"}
    assert ended["1"].loss == "its process was killed by SIGSEGV"
    assert ended["3"].loss == "its process ended with exit code 7"
    assert (ended[hangs].kind, ended[hangs].loss) == ("timeout", "it took longer than 1.5 s")
    assert ended["5"].kind == "crash"
    until_gone(int(Path(hangs).read_text()))


def test_processes_are_kept_and_replaced_after_a_while() -> None:
    ended = ends([("pid", str(number)) for number in range(6)], workers=1, recycle_after=3)
    assert len({end.answer for end in ended.values()}) == 2


def test_tasks_are_taken_as_hands_get_free() -> None:
    taken = itertools.count()
    with Crew(Settings(workers=2), errand, never) as crew:
        tasks = (("say", str(next(taken))) for _ in itertools.count())
        groups = crew.run(tasks)
        done = sum(len(next(groups)) for _ in range(10))
        assert next(taken) <= done + 2
        groups.close()


def test_a_crew_that_is_stopped_gives_up_what_runs(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    with Crew(Settings(workers=1), errand, lambda: note.exists() and bool(note.read_text())) as crew:
        assert not list(crew.run(iter([("hang", str(note)), ("say", "2")])))
    until_gone(int(note.read_text()))


def test_a_call_that_cannot_be_loaded_ends_the_run_with_words(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "vanishing.py").write_text("def call(task): return b''")
    monkeypatch.syspath_prepend(tmp_path)
    import vanishing

    with Crew(Settings(workers=1), vanishing.call, never) as crew:
        (tmp_path / "vanishing.py").unlink()
        for cached in (tmp_path / "__pycache__").glob("*"):
            cached.unlink()
        with pytest.raises(Rejected, match="vanishing"):
            list(crew.run(iter(["task"])))


SCRIPT = """
import os, sys, time
from pathlib import Path
from clipd.worker.crew import Crew, Settings

def at_work(task):
    Path(task).write_text(str(os.getpid()))
    time.sleep(60)
    return b""

with Crew(Settings(workers=1), at_work, lambda: False) as crew:
    list(crew.run(iter([sys.argv[1]])))
"""


def test_processes_end_with_a_parent_that_is_killed(tmp_path: Path) -> None:
    # And a function of a script without `if __name__ == "__main__"` is run, not the script again.
    script, note = tmp_path / "script.py", tmp_path / "pid"
    script.write_text(SCRIPT)
    with subprocess.Popen([sys.executable, str(script), str(note)]) as parent:
        pid = int(until_there(note))
        assert is_there(pid)
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    until_gone(pid)


def test_what_is_printed_does_not_reach_the_output(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from clipd.worker.crew import Crew, Settings\n"
        "def call(task):\n    print('noise')\n    return b'x'\n"
        "with Crew(Settings(workers=1), call, lambda: False) as crew:\n"
        "    print(sum(len(group) for group in crew.run(iter([1]))))\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, check=True)
    assert json.loads(done.stdout) == 1
    assert b"noise" in done.stderr
