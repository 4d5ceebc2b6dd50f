"""A run over a table is killed at random, again and again: what it leaves in the end is what one quiet run leaves."""

from __future__ import annotations

import multiprocessing
import os
import random
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest

from clipd.batch import BatchVideoProcessor
from tests.crash.work import work
from tests.footage import make
from tests.unit.test_batch import bytes_of

KILLS = 20
ROWS = 100


def run(folder: Path, output: str) -> None:
    processor = BatchVideoProcessor({"cache": str(folder / "cache")}, num_workers=2)
    processor.process_dataset(folder / "videos.csv", "video", work, "id", folder / output, save_interval=5)


def begin(folder: Path, output: str) -> BaseProcess:
    # Forked, to be at work at once; the processes of the crew are fresh ones all the same.
    process = multiprocessing.get_context("fork").Process(target=run, args=(folder, output))
    process.start()
    return process


def size(ledger: Path) -> int:
    return ledger.stat().st_size if ledger.exists() else 0


@pytest.mark.parametrize("seed", [1])
def test_twenty_kills_leave_what_a_quiet_run_leaves(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    make(tmp_path / "film.mp4", count=3)
    lines = [f"v{number},film.mp4" for number in range(ROWS)]
    (tmp_path / "videos.csv").write_text("\n".join(["id,video", *lines, "v7,film.mp4", "x,none.mp4", ",", '"']) + "\n")
    run(tmp_path, "quiet")
    ledger = tmp_path / "killed" / "processing_ledger.jsonl"
    killed = 0
    for _ in range(KILLS):
        process = begin(tmp_path, "killed")
        # Once something was written, any moment is as good as another; sometimes before that.
        before, patience = size(ledger), chance.choice([0.0, 0.2, 30.0, 30.0, 30.0])
        deadline = time.monotonic() + patience
        while process.is_alive() and size(ledger) <= before and time.monotonic() < deadline:
            time.sleep(0.002)
        time.sleep(chance.random() * 0.03)
        killed += process.is_alive()
        process.kill()
        process.join()
        if chance.random() < 0.5 and ledger.exists():
            # As a power cut may leave it: the last line torn.
            os.truncate(ledger, max(0, size(ledger) - chance.randint(0, 40)))
    assert killed == KILLS
    run(tmp_path, "killed")
    assert bytes_of(tmp_path / "killed") == bytes_of(tmp_path / "quiet")
