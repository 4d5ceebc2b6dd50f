"""How files come: slowly, in pieces, whole folders at once, unheard. Each is found, none taken before it is whole."""

from __future__ import annotations

import json
import os
import shutil
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.child import clip
from tests.crash.test_mid_job import ROOT
from tests.e2e.tree import Daemon, Tree, wait_until
from tests.footage import make

RESCAN_SECONDS = 2.0
UNSEEN = {
    "deaf": "import clipd.intake.watch as watch\nwatch._Teller.on_any_event = lambda *_: None\n",
    "no watches": (
        "import errno\nfrom watchdog.observers import Observer\n"
        "def refuse(*_a, **_k): raise OSError(errno.ENOSPC, 'no space')\n"
        "Observer.schedule = refuse\n"
    ),
}
"""What makes a daemon hear nothing: events that are lost (an overflow), and watches that cannot be had."""


def text(*clips: dict[str, object]) -> str:
    return json.dumps(list(clips), indent=1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def tree_at(folder: Path, film: Path) -> Tree:
    tree = Tree.at(
        folder / "tree",
        {
            "clips": {"formats": ["h264"]},
            "sources": {"settle_seconds": 0.8},
            "watch": {"settle_seconds": 0.6, "rescan_seconds": RESCAN_SECONDS, "interval_seconds": 1.0},
        },
    )
    tree.add_source(film, "match.mp4")
    return tree


def complete(tree: Tree, *sidecars: Path, seconds: float = 30.0) -> None:
    def standing() -> set[str]:
        return {str(entry["status"]) for path in sidecars for entry in oracle.load(path)}

    wait_until(lambda: standing() == {"Complete"}, "the clips to complete", seconds)


@pytest.mark.parametrize("how", UNSEEN)
def test_what_the_kernel_does_not_tell_is_found_by_the_next_rescan(tmp_path: Path, film: Path, how: str) -> None:
    tree = tree_at(tmp_path, film)
    starter = tmp_path / "starter.py"
    starter.write_text(f"{UNSEEN[how]}if __name__ == '__main__':\n    from clipd.cli import main\n    main()\n")
    daemon = Daemon(tree, (), {"PYTHONPATH": ROOT})
    daemon.command = [sys.executable, str(starter), "run"]
    daemon.start()
    try:
        first = tree.write_sidecar([clip("goal", 0, 5)], video="first")
        complete(tree, first)  # by now its worker is warm
        began = time.monotonic()
        second = tree.write_sidecar([clip("goal", 0, 5)], video="second")
        complete(tree, second)
        assert time.monotonic() - began < RESCAN_SECONDS + 4
    finally:
        daemon.stop()
    assert oracle.violations(tree.layout) == []


def test_folders_that_come_and_go_are_followed(tmp_path: Path, film: Path) -> None:
    tree = tree_at(tmp_path, film)
    ready = tmp_path / "ready"
    with tree.daemon():
        for folder, name in (("cam1/s1", "a"), ("cam2/s1/deep", "b"), ("cam2", "c")):
            (ready / folder).mkdir(parents=True, exist_ok=True)
            (ready / folder / f"{name}_clips.json").write_text(text(clip("goal", 0, 5)))
        for folder in ("cam1", "cam2"):
            (ready / folder).rename(tree.layout.sidecars / folder)
        moved = sorted(tree.layout.sidecars.rglob("*_clips.json"))
        assert len(moved) == 3
        complete(tree, *moved)
        shutil.rmtree(tree.layout.sidecars)
        time.sleep(0.3)
        complete(tree, tree.write_sidecar([clip("goal", 0, 7)], video="again"))
    assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] == [1] * 4
    assert oracle.violations(tree.layout) == []


def test_what_comes_slowly_is_waited_for_and_made_once(tmp_path: Path, film: Path) -> None:
    tree = tree_at(tmp_path, film)
    whole = film.read_bytes()
    folder = tree.layout.source / "cam1/s1"
    size = len(whole) // 4 + 1
    pieces = [whole[at : at + size] for at in range(0, len(whole), size)]

    def by_appending(path: Path) -> None:
        for piece in pieces:
            with path.open("ab") as file:
                file.write(piece)
            time.sleep(0.5)

    def pre_sized(path: Path) -> None:
        with path.open("wb") as file:
            file.truncate(len(whole))
        for number, piece in enumerate(pieces):
            time.sleep(0.5)
            with path.open("r+b") as file:
                file.seek(number * size)
                file.write(piece)

    def under_a_temporary_name(path: Path) -> None:
        temp = path.with_name(f".{path.name}.AbC123")
        by_appending(temp)
        temp.rename(path)

    def with_old_times(path: Path) -> None:
        by_appending(path)
        os.utime(path, (1_000_000, 1_000_000))

    def a_sidecar_in_pieces(path: Path) -> None:
        content = text(clip("late", 0, 5), clip("later", 1, 6)).encode()
        sidecar = tree.layout.sidecars / "cam1/s1/pieces_clips.json"
        for end in (10, 200, 300, len(content)):
            with sidecar.open("wb") as file:
                file.write(content[:end])
            time.sleep(0.4)

    ways: dict[str, Callable[[Path], None]] = {
        way.__name__: way for way in (by_appending, pre_sized, under_a_temporary_name, with_old_times)
    }
    with tree.daemon() as daemon:
        paths = {name: folder / f"{name}.mp4" for name in ways}
        sidecars = [
            tree.write_sidecar([{**clip("goal", 0, 5), "source_path": f"cam1/s1/{name}.mp4"}], video=name)
            for name in ways
        ]
        copies = [threading.Thread(target=way, args=(paths[name],)) for name, way in ways.items()]
        copies.append(threading.Thread(target=a_sidecar_in_pieces, args=(folder,)))
        for copy in copies:
            copy.start()
        for name in (
            "x_clips.json.part",
            "y_clips.sync-conflict-20260101-120000-ABC.json",
            ".z_clips.json.Qw12",
            "~v_clips.json",
        ):
            (tree.layout.sidecars / "cam1/s1" / name).write_text(text(clip("never", 0, 5)))
        for copy in copies:
            copy.join()
        complete(tree, *sidecars, tree.layout.sidecars / "cam1/s1/pieces_clips.json")
        assert "Failed" not in daemon.log
        assert "ERROR" not in daemon.log
    receipts = oracle.all_receipts(tree.layout)
    assert sorted((receipt.name, receipt.run) for receipt in receipts) == sorted(
        [*((f"{name} / goal", 1) for name in ways), ("pieces / late", 1), ("pieces / later", 1)]
    )
    assert oracle.violations(tree.layout) == []
