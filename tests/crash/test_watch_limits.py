"""Too few inotify watches, at the start or later: said once, and everything is found by looking."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.crash.child import clip
from tests.e2e.tree import Daemon, Tree, wait_until
from tests.footage import make

LIMITED = [
    "unshare",
    "--user",
    "--map-root-user",
    "sh",
    "-c",
    'echo "$0" > /proc/sys/user/max_inotify_watches && exec "$@"',
]


def limited(tree: Tree, watches: int) -> Daemon:
    """A daemon that is given only so many watches; the test is skipped where the kernel does not let us."""
    if subprocess.run([*LIMITED, "5", "true"], capture_output=True).returncode != 0:
        pytest.skip("this machine gives us no user namespace with limits of its own")
    daemon = Daemon(tree, (), {})
    daemon.command = [*LIMITED, str(watches), sys.executable, "-m", "clipd", "run"]
    return daemon


def complete(tree: Tree, sidecar: Path) -> bool:
    return all(entry["status"] == "Complete" for entry in tree.clips(sidecar))


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    made = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}, "watch": {"rescan_seconds": 2.0}})
    made.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
    return made


def test_where_watches_cannot_be_had_the_tree_is_polled_and_that_is_said(tree: Tree) -> None:
    for number in range(8):
        (tree.layout.sidecars / f"cam{number}").mkdir(parents=True)
    daemon = limited(tree, 4)
    daemon.start()
    try:
        wait_until(lambda: "no file events for" in daemon.log, "it to be said")
        sidecar = tree.write_sidecar([clip("goal", 0, 5)])
        wait_until(lambda: complete(tree, sidecar), "the clip to complete")
    finally:
        assert daemon.stop() == 0
    assert "max_user_watches" in daemon.log
    assert daemon.log.count("no file events for") == daemon.log.count("max_user_watches")


def test_folders_that_come_when_the_watches_are_used_up_are_found_by_the_next_walk(tree: Tree) -> None:
    first = tree.write_sidecar([clip("goal", 0, 5)], place="cam1/s1")
    places = sum(1 for folder in (tree.layout.sidecars, *tree.layout.inbox.rglob("*")) if folder.is_dir())
    daemon = limited(tree, places + 12)
    daemon.start()
    try:
        wait_until(lambda: complete(tree, first), "the first clip to complete")
        late = [tree.write_sidecar([clip("goal", 0, 5)], place=f"cam{n}/s{n}/deep") for n in range(20)]
        wait_until(lambda: all(complete(tree, sidecar) for sidecar in late), "all clips to complete")
        wait_until(lambda: "no file events for" in daemon.log, "it to be said")
    finally:
        assert daemon.stop() == 0
    assert daemon.log.count("no file events for") == 1
