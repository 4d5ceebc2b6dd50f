"""The real lifecycle in a forked child that something happens to right before its n-th change on disk.

What happens is the caller's: `die` ends the child there and then, without unwinding anything, as `kill -9` does.
"""

from __future__ import annotations

import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path

from clipd.config import load
from clipd.daemon import Daemon
from clipd.delivery.strays import sweep
from clipd.files import lease
from clipd.intake.admit import admit
from clipd.lifecycle import process
from clipd.model.outcome import Outcome, Verdict
from clipd.tree.layout import Layout

CHANGES = {"os.rename", "os.link", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "ctypes.call_function"}
KILLED = 137
UNFINISHED = 1
BROKEN = 70


def clip(name: str, first: int, last: int) -> dict[str, object]:
    return {"id": name, "name": name, "source_path": "cam1/s1/match.mp4", "start_frame": first, "end_frame": last,
            "status": "Process", "export_path": None, "note": "mine"}  # fmt: skip


def die() -> None:
    """End this process as a kill does."""
    os._exit(KILLED)


def begin(work: Callable[[], int], at: int | None, happens: Callable[[], None] = die) -> tuple[int, int]:
    """Fork a child that does `work` and ends with its result, and call `happens` in it before its `at`-th change.

    Returns its process id and the end of a pipe that it writes the number of its changes to when it is done.
    """
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        count = 0

        def watch(event: str, arguments: tuple[object, ...]) -> None:
            nonlocal count
            if event in CHANGES or (event == "open" and _writes(arguments)):
                count += 1
                if count == at:
                    happens()

        sys.addaudithook(watch)
        code = BROKEN
        try:
            code = work()
            os.write(writer, str(count).encode())
        except Exception:  # noqa: BLE001 - the child must not go on as a second pytest
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writer)
    return child, reader


def in_child(work: Callable[[], int], at: int | None = None, happens: Callable[[], None] = die) -> tuple[int, int]:
    """As `begin`, and wait for the child's end; its exit code and how many changes it made."""
    child, reader = begin(work, at, happens)
    with os.fdopen(reader) as told:
        counted = told.read()
    _, status = os.waitpid(child, 0)
    return os.waitstatus_to_exitcode(status), int(counted or 0)


def lifecycle(layout: Layout, sidecar: Path) -> Callable[[], int]:
    """The lifecycle of the one clip in `sidecar`, as work for a child; 0 when it is complete."""
    return lambda: 0 if run(layout, sidecar).verdict is Verdict.COMPLETE else UNFINISHED


def start(layout: Layout, sidecar: Path, at: int | None, happens: Callable[[], None] = die) -> tuple[int, int]:
    """As `begin`, with the lifecycle."""
    return begin(lifecycle(layout, sidecar), at, happens)


def attempt(layout: Layout, sidecar: Path, at: int | None = None, happens: Callable[[], None] = die) -> tuple[int, int]:
    """As `in_child`, with the lifecycle."""
    return in_child(lifecycle(layout, sidecar), at, happens)


def run(layout: Layout, sidecar: Path) -> Outcome:
    """The lifecycle of the one clip in `sidecar`, in this process."""
    (job,) = admit(layout, sidecar).jobs
    return process(job, Daemon(load(layout.root, layout.root / "clipd.yaml")).workplace)


def swept(layout: Layout) -> Layout:
    """The tree after its strays were swept, without grace."""
    for _ in sweep(layout, lease.Settings(), older_than=time.time() + 1, settle=lambda _: None, say=print):
        pass
    return layout


def _writes(arguments: tuple[object, ...]) -> bool:
    flags = arguments[2]
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT))
