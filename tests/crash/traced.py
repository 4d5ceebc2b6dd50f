"""The real lifecycle in a forked child under strace, which makes a system call fail or kills the child at it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from clipd.model.outcome import Verdict
from clipd.tree.layout import Layout
from tests.crash.child import UNFINISHED, run


@dataclass(frozen=True)
class Call:
    """One system call: its name, the rest of its line, and whether strace interfered with it."""

    process: int
    name: str
    words: str

    @property
    def injected(self) -> bool:
        return "INJECTED" in self.words


@dataclass(frozen=True)
class Traced:
    """How a traced attempt ended: exit code (negative: a signal), and its calls in order."""

    code: int
    calls: tuple[Call, ...]


@cache
def _refusal() -> str:
    """Why nothing can be traced here; "" where it can."""
    if shutil.which("strace") is None:
        return "strace is not installed"
    tried = subprocess.run(
        ["strace", "-qq", "-e", "trace=fsync", "-e", "inject=fsync:error=EIO", "true"], capture_output=True, text=True
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()}"


def require_strace() -> None:
    """Skip the test where nothing can be traced."""
    if _refusal():
        pytest.skip(_refusal())


def attempt_traced(layout: Layout, sidecar: Path, notes: Path, calls: str, inject: str | None = None) -> Traced:
    """Run the lifecycle of the clip in `sidecar` in a forked child, with `calls` (comma-separated) traced.

    Args:
        layout: the tree.
        sidecar: holds the one clip.
        notes: where strace writes.
        calls: the names of the system calls that are looked at.
        inject: what strace does to them, as in its option -e inject.
    """
    require_strace()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.read(reader, 1)
        outcome = run(layout, sidecar)
        os._exit(0 if outcome.verdict is Verdict.COMPLETE else UNFINISHED)
    command = ["strace", "-f", "-y", "-qq", "-o", str(notes), "-p", str(child), "-e", f"trace={calls}"]
    if inject is not None:
        command += ["-e", f"inject={inject}"]
    with subprocess.Popen(command) as tracer:
        while re.search(r"TracerPid:\t0$", Path(f"/proc/{child}/status").read_text(), re.MULTILINE):
            assert tracer.poll() is None
            time.sleep(0.005)
        os.write(writer, b".")
        _, status = os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)
    found = re.findall(r"^(\d+) +(\w+)\((.*)$", notes.read_text(errors="replace"), re.MULTILINE)
    return Traced(os.waitstatus_to_exitcode(status), tuple(Call(int(pid), name, words) for pid, name, words in found))
