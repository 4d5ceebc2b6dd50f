"""A real Dask scheduler and `clipd worker`s, each a process of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipd.tree.record import read_receipts
from tests.e2e.tree import Tree, wait_until

ROOT = str(Path(__file__).parents[2])
CLUSTER: dict[str, Any] = {
    "claims": {"lease_seconds": 2.0, "heartbeat_seconds": 0.5},
    "executor": {"connect_seconds": 2.0, "begin_seconds": 3.0, "slots": 1},
    "stop_seconds": 1.0,
}
"""Settings by which a cluster notices soon."""


class Program:
    """A process in a session of its own, and its log."""

    def __init__(self, log: Path, command: Sequence[str], **environment: str) -> None:
        self.log_file, self.command, self.environment = log, list(command), environment
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it."""
        with self.log_file.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                env={**os.environ, "PYTHONPATH": ROOT, **self.environment},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    @property
    def log(self) -> str:
        """What it has logged."""
        return self.log_file.read_text(errors="replace")

    def says(self, words: str, seconds: float = 60.0) -> None:
        """Wait until it has logged `words`."""
        wait_until(lambda: words in self.log, f"{self.log_file.name} to say {words!r}", seconds)

    def send(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started."""
        assert self.process is not None
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        """`kill -9` of the process alone."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(timeout=30)

    def stop(self) -> int:
        """SIGTERM, and the exit code."""
        assert self.process is not None
        if self.process.poll() is None:
            self.send(signal.SIGCONT)
            self.process.terminate()
        return self.process.wait(timeout=60)


class Cluster:
    """A scheduler on this machine, and what belongs to it; use it in a `with` block."""

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        at: Sequence[str] = (),
        flags: Sequence[str] = (),
        **environment: str,
    ) -> None:
        """`at` goes before the command (`ip netns exec ...`), `flags` after it."""
        scheme = "tls" if flags else "tcp"
        self.folder, port = folder, free_port()
        self.address = f"{scheme}://{host}:{port}"
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", f"{scheme}://{host}"]
        self.scheduler = Program(
            folder / "scheduler.log",
            [*at, *command, "--port", str(port), "--no-dashboard", "--dashboard-address", ":0", *flags],
            **environment,
        )
        self._workers: list[Program] = []

    def __enter__(self) -> Cluster:
        self.scheduler.start()
        return self

    def __exit__(self, *_: object) -> None:
        for program in [*self._workers, self.scheduler]:
            program.stop()

    @contextmanager
    def workers(self, tree: Tree, *names: str, **environment: str) -> Iterator[list[Program]]:
        """Workers on `tree`, which begin to look for their scheduler; stopped at the end of the block."""
        programs = [self.worker(tree, name, **environment) for name in names]
        try:
            yield programs
        finally:
            for program in programs:
                self._workers.remove(program)
                program.stop()

    def worker(self, tree: Tree, name: str, *flags: str, at: Sequence[str] = (), **environment: str) -> Program:
        """A worker that begins to look for its scheduler."""
        command = [sys.executable, "-m", "clipd", "worker", self.address, "--root", str(tree.root), "--name", name]
        program = Program(self.folder / f"{name}.log", [*at, *command, *flags], **environment)
        program.start()
        self._workers.append(program)
        return program


def hosts(tree: Tree) -> list[str]:
    """Which worker published, for each receipt."""
    folder = tree.layout.state / "results"
    return [receipt.host for job in sorted(folder.iterdir()) for receipt in read_receipts(tree.layout, job.name)]


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
