"""Two daemons on one tree, an editor that saves sidecars all the while, and daemons that are killed every few seconds.

Every clip ends Complete with one receipt and proven files, no edit is lost, and nothing is left behind. `CLIPD_CLIPS`
and `CLIPD_KILLS` make it longer.
"""

from __future__ import annotations

import json
import os
import random
import threading
from pathlib import Path

from clipd.delivery.strays import sweep
from clipd.files import lease
from tests.crash import oracle
from tests.e2e.tree import Daemon, Tree, save, wait_until
from tests.footage import make

CLIPS = int(os.environ.get("CLIPD_CLIPS", "24"))
KILLS = int(os.environ.get("CLIPD_KILLS", "5"))
SIDECARS = 4


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


def test_every_clip_completes_once_whatever_is_killed_and_no_edit_is_lost(tmp_path: Path) -> None:
    tree = Tree.at(
        tmp_path / "tree",
        {"watch": {"mode": "polling", "interval_seconds": 0.3}, "workers": {"max_workers": 1}, "retry": {"losses": 99}},
    )
    film = make(tmp_path / "film.mp4", count=200, size=(320, 192))
    paths = []
    for number in range(SIDECARS):
        tree.add_source(film, f"match{number}.mp4")
        clips = [
            {"id": f"{number}-{n}", "name": f"clip{n}", "source_path": f"cam1/s1/match{number}.mp4",
             "start_frame": n * 5, "end_frame": n * 5 + 99, "status": "Process", "export_path": None}
            for n in range(CLIPS // SIDECARS)
        ]  # fmt: skip
        paths.append(tree.write_sidecar(clips, video=f"match{number}"))

    def statuses() -> list[str]:
        return [clip["status"] for path in paths for clip in tree.clips(path)]

    daemons = [Daemon(tree, (), {}), Daemon(tree, (), {})]
    for daemon in daemons:
        daemon.start()
    editor = Editor(paths)
    editor.start()
    chance = random.Random(2)
    try:
        for _ in range(KILLS):
            if set(statuses()) == {"Complete"}:
                break
            editor.stop_now.wait(0)
            threading.Event().wait(chance.uniform(1.0, 3.0))
            victim = chance.choice(daemons)
            victim.kill()
            victim.start()
        wait_until(lambda: statuses().count("Complete") > CLIPS // 2, "half of the clips to complete", 120)
        editor.stop_now.set()
        editor.join()
        wait_until(lambda: set(statuses()) == {"Complete"}, "all clips to complete", 120)
    finally:
        for daemon in daemons:
            daemon.stop()
    for _ in sweep(tree.layout, lease.Settings(), older_than=2**40, settle=lambda _: None, say=print):
        pass
    kept = {(path.name, clip["name"]): clip.get("note", 0) for path in paths for clip in tree.clips(path)}
    assert {clip: kept[clip] for clip in editor.notes} == editor.notes
    assert not list(tree.root.rglob("*.conflict-*"))
    assert oracle.violations(tree.layout) == []
    assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] == [1] * CLIPS
    assert editor.saves > 50
