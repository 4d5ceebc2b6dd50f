"""Power cuts on a real filesystem: what was said to be Complete is there afterwards, and the rest goes on.

An ext4 image on a loop device is shut down by its own ioctl, which drops all that was not synced, right before the
n-th change that the lifecycle makes on disk; then it is mounted again.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.child import KILLED, attempt, clip, die, swept
from tests.e2e.tree import Tree
from tests.footage import make

PLACES = int(os.environ.get("CLIPD_TEST_CUTS", "8"))
EXT4_IOC_SHUTDOWN = 0x8004587D
NO_LOG_FLUSH = 2
SETTINGS = {"clips": {"formats": ["h264"]}}


class Disk:
    """An ext4 filesystem that can lose its power."""

    def __init__(self, folder: Path) -> None:
        self.image, self.place = folder / "disk.img", folder / "disk"
        self.place.mkdir()
        with self.image.open("wb") as image:
            image.truncate(64 << 20)
        subprocess.run(["mkfs.ext4", "-q", str(self.image)], check=True, capture_output=True)
        self.mount()

    def mount(self) -> None:
        subprocess.run(["mount", "-o", "loop", str(self.image), str(self.place)], check=True, capture_output=True)

    def cut_power(self) -> None:
        descriptor = os.open(self.place, os.O_RDONLY)
        fcntl.ioctl(descriptor, EXT4_IOC_SHUTDOWN, struct.pack("I", NO_LOG_FLUSH))
        os.close(descriptor)

    def unmount(self) -> None:
        subprocess.run(["umount", str(self.place)], check=True, capture_output=True)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    if shutil.which("mkfs.ext4") is None:
        pytest.skip("there is no mkfs.ext4")
    try:
        made = Disk(tmp_path)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"this machine lets us mount no ext4 image: {error}")
    try:
        (made.place / "tried").write_text("not synced")
        made.cut_power()
        made.unmount()
        made.mount()
        if (made.place / "tried").exists():
            pytest.skip("this kernel's shutdown loses nothing")
    except OSError as error:
        made.unmount()
        pytest.skip(f"this kernel cannot shut ext4 down: {error}")
    yield made
    made.unmount()


def test_after_a_power_cut_what_is_complete_is_there_and_the_rest_goes_on(tmp_path: Path, disk: Disk) -> None:
    film = make(tmp_path / "film.mp4", count=12, size=(64, 48))

    def tree_at(name: str) -> tuple[Tree, Path]:
        tree = Tree.at(disk.place / name, SETTINGS, logs=tmp_path)
        tree.add_source(film, "match.mp4")
        return tree, tree.write_sidecar([clip("goal", 2, 8)])

    def cut() -> None:
        disk.cut_power()
        die()

    tree, sidecar = tree_at("whole")
    code, changes = attempt(tree.layout, sidecar)
    assert code == 0
    for at in (*range(1, changes + 1, max(1, changes // PLACES)), changes + 1):
        tree, sidecar = tree_at(f"cut-{at}")
        os.sync()
        code, _ = attempt(tree.layout, sidecar, at, cut)
        assert code == (KILLED if at <= changes else 0)
        if at > changes:
            disk.cut_power()
        disk.unmount()
        disk.mount()
        (goal,) = oracle.load(sidecar)
        assert goal["note"] == "mine", f"cut before change {at}"
        assert oracle.broken_promises(tree.layout) == [], f"cut before change {at}"
        if at > changes:
            assert goal["status"] == "Complete", "it had been told so, and was not durable"
        if goal["status"] == "Process":
            assert attempt(tree.layout, sidecar)[0] == 0, f"cut before change {at}, the next attempt did not complete"
        assert oracle.load(sidecar)[0]["status"] == "Complete", f"cut before change {at}"
        assert oracle.violations(swept(tree.layout)) == [], f"cut before change {at}"
        shutil.rmtree(tree.root)
