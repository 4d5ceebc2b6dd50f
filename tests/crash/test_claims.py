"""Claims that lie: forged ones, reused process ids, clocks that are off by a day. No wrong takeover, no missed one."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clipd.config import load
from clipd.daemon import Daemon as Parts
from clipd.intake.admit import admit
from clipd.lifecycle import process
from tests.crash import oracle
from tests.crash.child import clip, swept
from tests.crash.test_mid_job import ROOT, complete, progress, running, runs, slow_tree
from tests.e2e.tree import Daemon, Tree, wait_until
from tests.fake_clock import FakeClock
from tests.footage import make

LEASE_SECONDS = 2.0
DAY = timedelta(days=1)


def claim_text(host: str, pid: int, duration: float = LEASE_SECONDS, token: str = "0" * 32) -> str:
    """A claim as the lease library writes it."""
    return f"filelock/2\npid={pid}\nhost={host}\nmode=lease\ntoken={token}\nduration={duration}\n"


def dead_pid() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid


def future(path: Path) -> None:
    """A claim of another machine, with a heartbeat from tomorrow."""
    path.write_text(claim_text("elsewhere", 7))
    os.utime(path, (time.time() + 86400, time.time() + 86400))


def past(path: Path) -> None:
    path.write_text(claim_text("elsewhere", 7))
    os.utime(path, (1, 1))


FORGED: dict[str, Callable[[Path], object]] = {
    "a live process of this machine that is none of ours": lambda p: p.write_text(claim_text(socket.gethostname(), 1)),
    "a dead process of this machine": lambda p: p.write_text(claim_text(socket.gethostname(), dead_pid())),
    "another machine": lambda p: p.write_text(claim_text("elsewhere", 7)),
    "another machine with a longer lease": lambda p: p.write_text(claim_text("elsewhere", 7, LEASE_SECONDS + 0.5)),
    "another machine with a shorter lease": lambda p: p.write_text(claim_text("elsewhere", 7, LEASE_SECONDS / 2)),
    "tomorrow": future,
    "1970": past,
    "nothing": lambda p: p.write_bytes(b""),
    "garbage": lambda p: p.write_bytes(os.urandom(300)),
    "no number": lambda p: p.write_text(claim_text("elsewhere", 7).replace("pid=7", "pid=\u0663x")),
    "process 0": lambda p: p.write_text(claim_text(socket.gethostname(), 0)),
    "a negative process": lambda p: p.write_text(claim_text(socket.gethostname(), -1)),
}


def test_forged_claims_hold_a_clip_up_for_a_lease_time_at_most(tmp_path: Path) -> None:
    made = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}, "claims": {"lease_seconds": LEASE_SECONDS}})
    made.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
    sidecar = made.write_sidecar([clip(f"clip {number}", 0, 5) for number in range(len(FORGED) + 1)])
    (made.layout.state / "claims").mkdir(exist_ok=True)
    jobs = admit(made.layout, sidecar).jobs
    for job, forge in zip(jobs[:-1], FORGED.values(), strict=True):
        forge(made.layout.claim(job.id))
    made.layout.claim(jobs[-1].id).write_text(claim_text("elsewhere", 7, duration=1e9))

    def held_up() -> list[str]:
        clips = zip(made.clips(sidecar)[:-1], FORGED, strict=True)
        return [f"{what}: {entry['status']}" for entry, what in clips if entry["status"] != "Complete"]

    with made.daemon() as daemon:
        deadline = time.monotonic() + LEASE_SECONDS * len(FORGED) * 2.5 + 20
        while held_up():
            assert time.monotonic() < deadline, f"{held_up()}\n{daemon.log}"
            time.sleep(0.1)
        # Machines that disagree on the lease time wait for the longer one, and say why; here it is very long.
        wait_until(lambda: "claims.lease_seconds" in daemon.log, "the disagreement to be named")
        assert made.clips(sidecar)[-1]["status"] == "Process"
    assert runs(made) == [1] * len(FORGED)
    assert oracle.violations(swept(made.layout)) == []


def test_a_claim_is_never_taken_from_a_worker_that_is_alive_however_the_clocks_are_off(
    tmp_path: Path,
) -> None:
    tree = slow_tree(tmp_path)
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    hold = tmp_path / "hold"
    hold.touch()
    daemons = []
    for name, days in (("first", 1), ("second", -1)):
        (tmp_path / name).write_text(str(days * 86400))
        environment = {"PYTHONPATH": ROOT, "CLOCK_SHIFT": str(tmp_path / name), "HOLD": str(hold)}
        daemons.append(Daemon(tree, (), environment))
        daemons[-1].command = [sys.executable, "-m", "tests.crash.off_clock", "run"]
    first, second = daemons
    first.start()
    try:
        running(tree, sidecar)
        second.start()
        worker = progress(tree)[0]["pid"]
        (tmp_path / "first").write_text("-86400")
        time.sleep(LEASE_SECONDS * 2.5)
        assert second.log.count("claimed") == 0
        assert Path(f"/proc/{worker}").exists()
        hold.unlink()
        complete(tree, sidecar)
        wait_until(lambda: "complete" in first.log, "the first daemon to finish")
    finally:
        for daemon in daemons:
            daemon.stop()
    assert runs(tree) == [1]
    assert oracle.violations(tree.layout) == []


@pytest.mark.parametrize("jump", [DAY, -DAY], ids=["forward", "back"])
def test_a_clock_that_is_set_by_a_day_neither_forgets_nor_repeats_work(tmp_path: Path, jump: timedelta) -> None:
    made = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}})
    film = make(tmp_path / "film.mp4", count=12, size=(64, 48))
    sidecar = made.write_sidecar([clip("goal", 0, 5), {**clip("late", 0, 5), "source_path": "cam1/s1/late.mp4"}])
    made.add_source(film, "match.mp4")
    made.add_source(film, "late.mp4").write_bytes(b"broken")
    clock = FakeClock()
    place = replace(
        Parts(load(made.root, made.root / "clipd.yaml")).workplace,
        clock=clock,
        retry=load(made.root, None).retry.model_copy(update={"source_patience_seconds": 0.0}),
    )

    def run() -> list[str]:
        return [str(process(job, place).verdict) for job in admit(made.layout, sidecar).jobs]

    assert run() == ["complete", "retry"]
    clock.set(clock.now() + jump)
    made.add_source(film, "late.mp4")
    clock.pass_(place.retry.longest_wait_seconds + 1)
    assert run() == ["complete"]
    again = made.clips(sidecar)
    again[0]["status"] = "Process"
    made.write_sidecar(again)
    assert run() == ["complete"]
    clock.set(clock.now() - jump)
    again = made.clips(sidecar)
    again[0] |= {"status": "Process", "end_frame": 7}
    made.write_sidecar(again)
    assert run() == ["complete"]
    assert sorted((receipt.name, receipt.run) for receipt in oracle.all_receipts(made.layout)) == [
        ("match / goal", 1), ("match / goal", 1), ("match / goal", 2), ("match / late", 1),
    ]  # fmt: skip
    assert oracle.violations(made.layout) == []
