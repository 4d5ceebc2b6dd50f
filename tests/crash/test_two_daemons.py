"""Two machines on one tree, an editor that saves sidecars all the while, and daemons and workers that are killed, or
frozen past their lease, every few seconds.

Every clip ends Complete with one receipt and proven files, no edit is lost, no worker outlives its daemon, and nothing
is left behind. `CLIPD_CLIPS`, `CLIPD_KILLS` and `CLIPD_FREEZES` make it longer.
"""

from __future__ import annotations

import json
import os
import random
import signal
import threading
import time
from contextlib import suppress
from pathlib import Path

from clipd.delivery.strays import sweep
from clipd.files import lease
from tests.crash import oracle
from tests.crash.campaign import BEGIN, other_hosts_allowed
from tests.e2e.tree import Daemon, Tree, save, wait_until
from tests.footage import make

CLIPS = int(os.environ.get("CLIPD_CLIPS", "24"))
KILLS = int(os.environ.get("CLIPD_KILLS", "4"))
FREEZES = int(os.environ.get("CLIPD_FREEZES", "2"))
SIDECARS = 4
FRAMES = 100 if CLIPS < 100 else 40
LEASE_SECONDS = 2.0
HOSTS = ("studio", "archive")
MARK = f"TWO_DAEMONS={os.getpid()}"


class Editor(threading.Thread):
    """Saves sidecars by rename as fast as a busy person: reads one, changes a note in it, saves it."""

    def __init__(self, paths: list[Path]) -> None:
        super().__init__(daemon=True)
        self.paths, self.stop_now, self.saves = paths, threading.Event(), 0
        self.notes: dict[tuple[str, str], int] = {}

    def run(self) -> None:
        chance = random.Random(1)
        while not self.stop_now.wait(0.05):
            path = chance.choice(self.paths)
            clips = json.loads(path.read_text())
            clip = chance.choice(clips)
            clip["note"] = clip.get("note", 0) + 1
            self.notes[path.name, clip["name"]] = clip["note"]
            self.saves += 1
            save(path, clips)


class Machines:
    """Two daemons, each under a host name of its own where this machine lets us give one, and what happens to them."""

    def __init__(self, tree: Tree) -> None:
        name, value = MARK.split("=")
        self.daemons = [Daemon(tree, (), {name: value}) for _ in HOSTS]
        if other_hosts_allowed():
            for host, daemon in zip(HOSTS, self.daemons, strict=True):
                daemon.command = ["unshare", "--uts", *BEGIN, host, *daemon.command]
        self.orphans = oracle.Orphans(MARK)
        self.wrong: list[str] = []
        self.frozen: dict[Daemon, tuple[float, list[int]]] = {}
        self.chance = random.Random(2)

    def kill(self) -> None:
        """Kill a daemon, which is started again, or one of the workers."""
        victim = self.chance.choice([daemon for daemon in self.daemons if daemon not in self.frozen])
        workers = sorted(pid for pid, parent in self.orphans.workers().items() if parent == pid_of(victim))
        if workers and self.chance.random() < 0.3:
            with suppress(ProcessLookupError):
                os.kill(self.chance.choice(workers), signal.SIGKILL)
            return
        victim.kill()
        victim.start()

    def freeze(self) -> None:
        """Stop a machine with all its processes past its lease; the other one goes on."""
        victim = self.chance.choice([daemon for daemon in self.daemons if daemon not in self.frozen])
        pids = [pid_of(victim), *(pid for pid, parent in self.orphans.workers().items() if parent == pid_of(victim))]
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGSTOP)
        self.frozen[victim] = (time.monotonic() + LEASE_SECONDS * self.chance.uniform(1.2, 2.0), pids)

    def pass_(self, seconds: float) -> None:
        """Let time pass; who was frozen long enough goes on."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            for daemon, (until, pids) in list(self.frozen.items()):
                if time.monotonic() >= until:
                    del self.frozen[daemon]
                    for pid in pids:
                        with suppress(ProcessLookupError):
                            os.kill(pid, signal.SIGCONT)
            self.wrong += self.orphans.look(frozenset(pid for _, pids in self.frozen.values() for pid in pids))
            time.sleep(0.05)


def pid_of(daemon: Daemon) -> int:
    assert daemon.process is not None
    return daemon.process.pid


def test_every_clip_completes_once_whatever_is_killed_and_no_edit_is_lost(tmp_path: Path) -> None:
    tree = Tree.at(
        tmp_path / "tree",
        {
            "watch": {"mode": "polling", "interval_seconds": 0.3},
            "workers": {"max_workers": 1},
            "retry": {"losses": 999, "attempts": 99},
            "claims": {"lease_seconds": LEASE_SECONDS, "heartbeat_seconds": 0.4},
        },
    )
    film = make(tmp_path / "film.mp4", count=200, size=(320, 192))
    paths = []
    for number in range(SIDECARS):
        tree.add_source(film, f"match{number}.mp4")
        clips = [
            {"id": f"{number}-{n}", "name": f"clip{n}", "source_path": f"cam1/s1/match{number}.mp4",
             "start_frame": n % 100, "end_frame": n % 100 + FRAMES - 1, "status": "Process", "export_path": None}
            for n in range(CLIPS // SIDECARS)
        ]  # fmt: skip
        paths.append(tree.write_sidecar(clips, video=f"match{number}"))

    def statuses() -> list[str]:
        return [clip["status"] for path in paths for clip in tree.clips(path)]

    machines = Machines(tree)
    for daemon in machines.daemons:
        daemon.start()
    editor = Editor(paths)
    editor.start()
    happens = [*[machines.kill] * KILLS, *[machines.freeze] * FREEZES]
    machines.chance.shuffle(happens)
    happened = 0
    try:
        for event in happens:
            machines.pass_(machines.chance.uniform(0.2, 0.8) if CLIPS < 100 else machines.chance.uniform(0.7, 2.0))
            if set(statuses()) == {"Complete"}:
                break
            while machines.frozen and (event == machines.freeze or len(machines.frozen) == len(machines.daemons)):
                machines.pass_(0.2)
            event()
            happened += 1
        machines.pass_(LEASE_SECONDS * 2)
        wait_until(lambda: statuses().count("Complete") > CLIPS // 2, "half of the clips to complete", 120 + CLIPS)
        editor.stop_now.set()
        editor.join()
        wait_until(lambda: set(statuses()) == {"Complete"}, "all clips to complete", 120 + CLIPS)
    finally:
        machines.pass_(LEASE_SECONDS * 2 if machines.frozen else 0.0)
        for daemon in machines.daemons:
            daemon.stop()
    assert machines.wrong == []
    print(f"{happened} of {len(happens)} faults, {editor.saves} edits")
    assert happened >= min(len(happens), 3)
    hosts = {receipt.host for receipt in oracle.all_receipts(tree.layout)}
    assert hosts <= set(HOSTS) or not other_hosts_allowed()
    for _ in sweep(tree.layout, lease.Settings(), older_than=2**40, settle=lambda _: None, say=print):
        pass
    kept = {(path.name, clip["name"]): clip.get("note", 0) for path in paths for clip in tree.clips(path)}
    assert {clip: kept[clip] for clip in editor.notes} == editor.notes
    assert not list(tree.root.rglob("*.conflict-*"))
    assert oracle.violations(tree.layout) == []
    assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] == [1] * CLIPS
    assert editor.saves > 50
