"""Editors save a sidecar as fast as they can while write-backs go into it: no edit is lost, every status is written.

`CLIPD_TEST_SAVES` sets how many saves each editor makes (1,000 without it; a quarter where
conflict copies are allowed).
"""

from __future__ import annotations

import json
import multiprocessing
import os
import random
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.writeback import write_back
from clipd.errors import Temporary
from clipd.files import atomic

SAVES = int(os.environ.get("CLIPD_TEST_SAVES", "1000"))
CLIPS = 40
SPAWN = multiprocessing.get_context("spawn")


def read(path: Path) -> list[dict[str, Any]]:
    """As an editor loads: again, when it meets a half-written file."""
    while True:
        try:
            return json.loads(path.read_bytes())
        except ValueError:
            time.sleep(0.0002)


def edit_forever(path: Path, how: str, reload: bool, saves: int, go: Event) -> None:
    """Raise the counter and note the edit in the last clip, `saves` times; by rename or in place."""
    dice = random.Random(11)
    go.wait()
    clips = read(path)
    for number in range(saves):
        if reload:
            clips = read(path)
        clips[-1]["counter"] += 1
        clips[-1]["edits"].append(number)
        data = json.dumps(clips, indent=1).encode()
        if how == "rename":
            temp = path.with_name(f".{path.name}.editor")
            temp.write_bytes(data)
            temp.rename(path)
        else:
            with path.open("r+b" if how == "over" else "wb") as file:
                file.write(data)
                file.truncate()
        time.sleep(dice.choice([0, 0, 0.001, 0.004, 0.008]))


def others(path: Path) -> set[str]:
    """What lies beside the sidecar, the editor's own file apart."""
    return {entry.name for entry in path.parent.iterdir()} - {path.name, f".{path.name}.editor"}


def linger_around(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Make every exchange take its time, before and after, so that saves fall into the gaps; counts exchanges."""
    exchange, calls, dice = atomic.exchange, [0], random.Random(7)

    def slow_exchange(one: Path, other: Path) -> bool:
        time.sleep(dice.choice([0, 0.0005, 0.002]))
        done = exchange(one, other)
        calls[0] += 1
        time.sleep(dice.choice([0, 0.0005, 0.002]))
        return done

    monkeypatch.setattr(atomic, "exchange", slow_exchange)
    return calls


@pytest.mark.parametrize("exchange", [True, False], ids=["exchange", "replace"])
@pytest.mark.parametrize("reload", [True, False], ids=["reloading", "stale"])
@pytest.mark.parametrize("how", ["rename", "in place", "over"])
def test_no_edit_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, reload: bool, exchange: bool
) -> None:
    if not exchange:
        monkeypatch.setattr(atomic, "_libc_renameat2", lambda: None)
    exchanges = linger_around(monkeypatch)
    path = tmp_path / "match_clips.json"
    clips: list[dict[str, Any]] = [{"id": n, "name": f"c{n}", "status": "Process"} for n in range(CLIPS)]
    clips.append({"id": "editor", "name": "mine", "status": "Draft", "counter": 0, "edits": []})
    path.write_text(json.dumps(clips, indent=1))
    go = SPAWN.Event()
    saves = SAVES if how == "rename" and exchange else SAVES // 4
    editor = SPAWN.Process(target=edit_forever, args=(path, how, reload, saves, go))
    editor.start()
    go.set()
    conflicts, waits, rounds = 0, 0, 0
    while True:
        alive = editor.is_alive()
        for number in range(CLIPS):
            try:
                done = write_back(
                    path,
                    f"id:{number}",
                    expect=lambda entry: True,
                    changes={"status": "Complete", "round": rounds, "export_path": [f"h264/c{number}.mp4"]},
                    settle=time.sleep,
                    settle_seconds=0.02,
                )
            except Temporary:
                waits += 1
                continue
            conflicts += done.conflict_copy is not None
        rounds += 1
        if not alive:
            break
    editor.join()
    assert editor.exitcode == 0
    end = json.loads(path.read_bytes())
    print(f"{rounds} rounds, {waits} put off, {conflicts} conflict copies, {exchanges} exchanges")
    assert [clip["status"] for clip in end[:-1]] == ["Complete"] * CLIPS
    lost = set(range(saves)) - set(end[-1]["edits"])
    copies = [json.loads((tmp_path / name).read_bytes()) for name in others(path)]
    lost -= {number for copy in copies for number in copy[-1]["edits"]}
    if how == "rename" and not exchange:
        assert len(lost) <= saves // 100, "only a save in the microseconds between comparison and rename"
    else:
        assert lost == set()
    if how == "rename" and exchange:
        assert (end[-1]["counter"], conflicts) == (saves, 0)
    assert all(".conflict-" in name for name in others(path))
