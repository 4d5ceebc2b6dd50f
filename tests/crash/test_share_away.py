"""A share that is away: at the start, in the middle of a clip, or hung.

Work waits, nothing is written elsewhere, and it goes on by itself.
"""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from clipd.daemon import BEAT_SECONDS
from tests.crash import oracle
from tests.crash.child import clip, swept
from tests.crash.test_mid_job import FRAMES, ROOT, complete, running, slow_tree
from tests.crash.traced import require_strace
from tests.e2e.tree import Daemon, Tree, wait_until
from tests.footage import make

NEVER = {"watch": {"rescan_seconds": 600.0}}
"""What is found soon all the same was found by an event."""


class Share:
    """A mount point, and two filesystems of which one at a time may be mounted there."""

    def __init__(self, folder: Path) -> None:
        self.point = folder / "tree"
        self.disks = (folder / "disk 1", folder / "disk 2")
        self.point.mkdir()

    def make_disks(self) -> bool:
        """Make both filesystems; False where this machine lets us mount nothing."""
        for disk in self.disks:
            disk.mkdir()
            command = ["mount", "-t", "tmpfs", "-o", "size=64m", "clipd-test", str(disk)]
            if subprocess.run(command, capture_output=True).returncode != 0:
                return False
        return True

    def mount(self, disk: Path) -> None:
        """Mount one of them."""
        subprocess.run(["mount", "--bind", str(disk), str(self.point)], check=True)

    def unmount(self) -> None:
        """Take it away, whoever uses it."""
        subprocess.run(["umount", "-l", str(self.point)], check=True)

    def clear(self) -> None:
        """Unmount everything."""
        for path in (self.point, *self.disks):
            subprocess.run(["umount", "-l", str(path)], capture_output=True)


@pytest.fixture
def share(tmp_path: Path) -> Iterator[Share]:
    with ExitStack() as stack:
        made = Share(tmp_path)
        stack.callback(made.clear)
        if not made.make_disks():
            pytest.skip("this machine lets us mount nothing")
        yield made


def test_a_daemon_that_starts_before_its_share_waits_and_begins_by_itself(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}})
    tree.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 5)])
    mounted = tree.root.rename(tmp_path / "mounted elsewhere")
    tree.root.mkdir()
    said = tree.run("run", "--once", "--root", str(tree.root), expect=2).stderr
    assert "is not a clipd tree" in said
    assert "mounted" in said
    daemon = Daemon(tree, ("--root", str(tree.root)), {})
    daemon.begin()
    try:
        wait_until(lambda: "waiting for the share" in daemon.log, "the daemon to say that it waits")
        assert list(tree.root.iterdir()) == []
        tree.root.rmdir()
        mounted.rename(tree.root)
        wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    finally:
        assert daemon.stop() == 0
    assert daemon.log.count("waiting for the share") == 1


def test_a_daemon_that_waits_for_its_share_can_be_stopped(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree")
    tree.root.rename(tmp_path / "mounted elsewhere")
    tree.root.mkdir()
    daemon = Daemon(tree, ("--root", str(tree.root)), {})
    daemon.begin()
    wait_until(lambda: "waiting for the share" in daemon.log, "the daemon to say that it waits")
    assert daemon.stop() == 0


def test_a_share_that_is_unmounted_in_the_middle_of_a_clip_costs_nothing_but_time(tmp_path: Path, share: Share) -> None:
    share.mount(share.disks[0])
    tree = slow_tree(tmp_path, **NEVER)
    sidecar = tree.write_sidecar([clip("goal", 0, FRAMES - 1)])
    with tree.daemon(PYTHONPATH=ROOT) as daemon:
        running(tree, sidecar)
        share.unmount()
        wait_until(lambda: "not mounted" in daemon.log, "the daemon to notice")
        wait_until(lambda: "deferred: match" in daemon.log, "the attempt to end")
        assert list(share.point.iterdir()) == [], "nothing is written where the share is not"
        subprocess.run(["cp", "-a", f"{share.disks[0]}/.", str(share.disks[1])], check=True)
        share.mount(share.disks[1])
        wait_until(lambda: "share is back" in daemon.log, "the daemon to notice")
        complete(tree, sidecar)
        late = tree.write_sidecar([clip("late", 0, 9)], video="later", place="cam1/s2")
        wait_until(
            lambda: tree.clip(late, "late")["status"] == "Complete", "an event of the new filesystem to be heard"
        )
        share.unmount()
        wait_until(lambda: daemon.log.count("not mounted") > 1, "the daemon to notice")
        assert daemon.stop() == 0
        assert list(share.point.iterdir()) == []
    share.mount(share.disks[1])
    assert tree.clip(sidecar, "goal").get("error") is None
    assert oracle.violations(swept(tree.layout)) == []


def test_a_daemon_that_hangs_with_its_share_is_not_vouched_for_until_it_goes_on(tmp_path: Path) -> None:
    """systemd restarts what no longer says `WATCHDOG=1`; a thread of its own that said so would hide the hang."""
    require_strace()
    tree = Tree.at(tmp_path / "tree", {"watch": {"mode": "polling"}})
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))

        def hear(words: bytes, seconds: float) -> bool:
            """Is it said within so many seconds?"""
            deadline = time.monotonic() + seconds
            while (left := deadline - time.monotonic()) > 0:
                listener.settimeout(left)
                with suppress(TimeoutError):
                    if listener.recv(4096) == words:
                        return True
            return False

        with tree.daemon(NOTIFY_SOCKET=str(tmp_path / "notify")) as daemon:
            assert hear(b"READY=1", 30)
            assert hear(b"WATCHDOG=1", 3 * BEAT_SECONDS)
            assert daemon.process is not None
            pid = daemon.process.pid
            calls = "?lstat,?newfstatat,?statx"
            hang = subprocess.Popen(
                ["strace", "-qq", "-o", "/dev/null", "-p", str(pid), "-P", str(tree.layout.marker),
                 "-e", f"trace={calls}", "-e", f"inject={calls}:delay_enter=600000000"]
            )  # fmt: skip
            try:
                wait_until(lambda: "TracerPid:\t0" not in Path(f"/proc/{pid}/status").read_text(), "it to be traced")
                hear(b"nothing that is ever said", 1.2)  # what was under way
                assert not hear(b"WATCHDOG=1", BEAT_SECONDS + 0.5)
            finally:
                hang.kill()
                hang.wait()
            assert hear(b"WATCHDOG=1", 3 * BEAT_SECONDS)
