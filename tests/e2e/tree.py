"""A real tree in a temporary folder, and the real daemon on it, in a process of its own."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.newtree import make
from clipd.tree.layout import Layout

QUICK = {
    "sources": {"settle_seconds": 0.0},
    "watch": {"settle_seconds": 0.2, "interval_seconds": 0.5, "rescan_seconds": 5.0},
    "retry": {"first_wait_seconds": 0.3, "deferred_wait_seconds": 0.5},
    "claims": {"lease_seconds": 4.0, "heartbeat_seconds": 1.0},
    "space": {"reserve": "1MiB"},
    "workers": {"max_workers": 2, "threads": 1, "nice": 0},
    "stop_seconds": 5.0,
}
"""Settings that make a test wait less; nothing else about the daemon differs."""


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60.0) -> None:
    """Look again and again until `holds`; fail with `what` after `seconds`."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}"
        time.sleep(0.05)


@dataclass(frozen=True)
class Tree:
    """A clipd tree for one test."""

    layout: Layout
    logs: Path
    """Where the logs of its daemons go."""

    @classmethod
    def at(cls, root: Path, settings: dict[str, Any] | None = None, logs: Path | None = None) -> Tree:
        """A new tree at `root`, with quick settings and `settings` over them."""
        merged = {**QUICK, "cache": str(root.with_name(f"{root.name}-cache"))}
        for key, value in (settings or {}).items():
            former = merged.get(key)
            merged[key] = {**former, **value} if isinstance(former, dict) and isinstance(value, dict) else value
        return cls(make(root, merged)[0], logs or root.parent)

    @property
    def root(self) -> Path:
        """The root."""
        return self.layout.root

    def add_source(self, video: Path, name: str | None = None, place: str = "cam1/s1") -> Path:
        """Copy `video` into the source tree."""
        target = self.layout.source / place / (name or video.name)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(video, target)
        return target

    def write_sidecar(self, clips: Any, video: str = "match", place: str = "cam1/s1") -> Path:
        """Save a sidecar by rename, as careful editors do."""
        path = self.layout.sidecars / place / f"{video}_clips.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        save(path, clips)
        return path

    def clips(self, sidecar: Path) -> list[dict[str, Any]]:
        """The entries of a sidecar as they stand."""
        content = json.loads(sidecar.read_text())
        return content["clips"] if isinstance(content, dict) else content

    def clip(self, sidecar: Path, name: str) -> dict[str, Any]:
        """One entry of a sidecar as it stands."""
        return next(clip for clip in self.clips(sidecar) if clip["name"] == name)

    def run(self, *arguments: str, expect: int | None = 0, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `clipd` with `arguments` on this tree."""
        ended = subprocess.run(
            [sys.executable, "-m", "clipd", *arguments],
            cwd=self.root,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=180,
        )
        if expect is not None:
            assert ended.returncode == expect, ended.stdout + ended.stderr
        return ended

    def once(self, *flags: str, expect: int | None = 0) -> subprocess.CompletedProcess[str]:
        """One pass."""
        return self.run("run", "--once", *flags, expect=expect)

    @contextmanager
    def daemon(self, *flags: str, at: Sequence[str] = (), **environment: str) -> Iterator[Daemon]:
        """A running daemon; stopped by SIGTERM at the end of the block. `at` goes before its command."""
        daemon = Daemon(self, flags, environment, at)
        daemon.start()
        try:
            yield daemon
        finally:
            daemon.stop()

    def strays(self) -> list[Path]:
        """Staging folders and temporary files that nobody uses any more."""
        return [
            path
            for path in self.root.rglob("*")
            if ".clipd-staging" in path.parts[:-1] or (path.name.startswith(".") and path.name.endswith(".tmp"))
        ]


class Daemon:
    """The daemon as a process."""

    def __init__(self, tree: Tree, flags: tuple[str, ...], environment: dict[str, str], at: Sequence[str] = ()) -> None:
        self.tree, self.flags, self.environment = tree, flags, environment
        self.log_file = tree.logs / f"daemon-{time.monotonic_ns()}.log"
        self.command = [*at, sys.executable, "-m", "clipd", "run", *flags]
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it and wait until it serves."""
        self.begin()
        wait_until(lambda: "serves" in self.log or self.process.poll() is not None, "the daemon to start")  # type: ignore[union-attr]

    def begin(self) -> None:
        """Start it."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.tree.root,
                env={**os.environ, **self.environment},
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text(errors="replace")

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self.process is not None
        self.process.send_signal(number)

    def kill(self) -> None:
        """`kill -9`."""
        self.send(signal.SIGKILL)
        assert self.process is not None
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.send(signal.SIGTERM)
        return self.process.wait(timeout=60)


def save(path: Path, content: Any) -> None:
    """Write JSON to `path` by rename."""
    temp = path.with_name(f".{path.name}.editor.tmp")
    temp.write_text(content if isinstance(content, str) else json.dumps(content, indent=2) + "\n")
    temp.rename(path)
