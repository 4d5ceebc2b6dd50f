"""A full disk under the sidecars alone: the result is kept, the answer is written when there is room, nothing is made
a second time."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.campaign import small_disk
from tests.crash.child import clip
from tests.e2e.tree import Tree, wait_until
from tests.footage import make

CLIPS = 40


def test_a_full_disk_under_the_sidecars_keeps_the_result_and_writes_the_answer_later(tmp_path: Path) -> None:
    with small_disk(tmp_path / "tree" / "data/prept/_configs", 1) as disk:
        if disk is None:
            pytest.skip("this machine lets us mount nothing")
        tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}, "log": {"level": "DEBUG"}})
        tree.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
        padding = {"note": "x" * 2000}
        sidecar = tree.write_sidecar(
            [clip("goal", 0, 9), *({**clip(f"more {n}", 0, 9), **padding, "status": "Draft"} for n in range(CLIPS))]
        )
        before = sidecar.read_bytes()
        with suppress(OSError), (disk / "ballast").open("wb", buffering=0) as ballast:
            while True:
                ballast.write(bytes(4096))
        with tree.daemon() as daemon:
            wait_until(lambda: "the answer cannot be written yet" in daemon.log, "the disk to be found full")
            wait_until(lambda: daemon.log.count("the answer cannot be written yet") > 2, "it to be tried again")
            assert sidecar.read_bytes() == before
            (receipt,) = oracle.all_receipts(tree.layout)
            made = [(tree.root / output.path).stat() for output in receipt.outputs]
            (disk / "ballast").unlink()
            wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the answer to be written")
            assert daemon.log.count("verified") == 1
        assert oracle.all_receipts(tree.layout) == [receipt]
        assert [(seen.st_ino, seen.st_mtime_ns) for seen in made] == [
            ((tree.root / output.path).stat().st_ino, (tree.root / output.path).stat().st_mtime_ns)
            for output in receipt.outputs
        ]
        assert oracle.violations(tree.layout) == []
