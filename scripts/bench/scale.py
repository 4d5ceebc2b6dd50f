#!/usr/bin/env python3
"""How a big tree weighs: one JSON line for trees of 1,000, 10,000 and (`--sizes`) 100,000 sidecars of ten clips.

For each size: `cold_start_s` from the start of the daemon to its first claim, `rescan_s` of the unchanged tree,
`pickup_p50_s` and `pickup_p99_s` from a saved sidecar to the claim of its clip, `idle_cpu_percent` of one core,
`rss_mb`, and `polling_calls_per_s` (system calls while polling, where strace is there). `burst_s` is the time from
20,000 sidecars moved in at once to the claim of the one clip among them that is due. What each sidecar costs must not
grow with the tree: `rescan_us_each`, `read_us_each` (the first walk, which parses) and `memory_bytes_each`.

`--files` adds a tree of so many sidecars, `FILES_EACH` in a folder: `rescan_s`, and `rescan_rss_mb` of a process that
has walked it.

The clips' sources do not exist, so that a claim ends at once and nothing is encoded.
"""

from __future__ import annotations

import argparse
import json
import os
import queue
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing import Pipe, get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from typing import Any

from clipd.clock import SystemClock
from clipd.config import load
from clipd.daemon import Daemon
from clipd.newtree import make
from clipd.tree.layout import Layout

CLIPS, CAMERAS, PICKUPS, IDLE_SECONDS = 10, 20, 100, 60.0
CALM_SECONDS = 15.0
"""After so long what was begun by the last clips is over: their successor's start, the page."""
FILES_EACH = 50
TICKS_PER_SECOND = 100


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", default="1000,10000", help="sidecars in each tree")
    parser.add_argument("--due", type=int, default=1000, help="clips marked Process in each tree")
    parser.add_argument("--burst", type=int, default=20_000, help="sidecars that arrive at once; 0 leaves it out")
    parser.add_argument("--files", type=int, default=0, help="sidecars in a tree that is only walked, such as 500000")
    parser.add_argument("--idle", type=float, default=IDLE_SECONDS, help="seconds over which idling is measured")
    parser.add_argument("--folder", type=Path, help="where to make the trees; else a temporary folder")
    given = parser.parse_args()
    figures = {}
    for size in map(int, given.sizes.split(",")):
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            figures[str(size)] = measure(Path(folder), size, min(given.due, size // 2), given.burst, given.idle)
    if given.files:
        with tempfile.TemporaryDirectory(dir=given.folder) as folder:
            figures["files"] = walk_files(Path(folder), given.files)
    print(json.dumps(figures))


def measure(folder: Path, size: int, due: int, burst: int, idle: float) -> dict[str, float]:
    """All figures of one tree."""
    root = folder / "tree"
    layout, _ = make(root, {"cache": str(folder / "cache"), "retry": {"deferred_wait_seconds": 3600.0}})
    for number in range(size):
        write_sidecar(layout.sidecars, number, due=number < due)
    time.sleep(3)
    figures = in_a_process(walks, root, size)
    with running(root) as (process, claims):
        began = time.monotonic()
        claims.get(timeout=600)
        figures["cold_start_s"] = time.monotonic() - began
        drain(claims, due - 1)
        waits = sorted(pick_up(layout, size - 1 - number, claims) for number in range(min(PICKUPS, size - due)))
        figures["pickup_p50_s"], figures["pickup_p99_s"] = waits[len(waits) // 2], quantiles(waits, n=100)[98]
        time.sleep(CALM_SECONDS)
        before = cpu_seconds(process.pid)
        time.sleep(idle)
        figures["idle_cpu_percent"] = 100 * (cpu_seconds(process.pid) - before) / idle
        figures["rss_mb"] = resident_mb(process.pid)
        if burst:
            figures["burst_s"] = take_burst(layout, folder, burst, claims)
    if shutil.which("strace"):
        figures["polling_calls_per_s"] = polling_calls(root, due)
    return {name: round(value, 3) for name, value in figures.items()}


def write_sidecar(base: Path, number: int, *, due: bool) -> Path:
    """A sidecar of ten clips as the Clipper application writes them."""
    folder = base / f"cam{number % CAMERAS}" / f"session{number // CAMERAS}"
    folder.mkdir(parents=True, exist_ok=True)
    clips = [
        {"id": f"{number}-{n}", "name": f"clip-{number}-{n}", "source_path": "nowhere/none.mp4", "proxy_path": None,
         "start_frame": n * 100, "end_frame": n * 100 + 50, "crop_keyframes": {"0": [10, 10, 640, 480]},
         "output_resolution": "1080p", "status": "Process" if due and n == 0 else "Draft", "export_path": None,
         "created_at": "2026-01-01T00:00:00", "modified_at": "2026-01-01T00:00:00"}
        for n in range(CLIPS)
    ]  # fmt: skip
    path = folder / "match_clips.json"
    path.write_text(json.dumps(clips, indent=2))
    return path


def walk_files(folder: Path, count: int) -> dict[str, float]:
    """The figures of a tree of `count` small sidecars in which nothing is due."""
    root = folder / "tree"
    layout, _ = make(root, {"cache": str(folder / "cache")})
    content = json.dumps([{"id": "1", "name": "clip", "status": "Draft"}])
    for number in range(count):
        place = layout.sidecars / f"cam{number % CAMERAS}" / f"session{number // (CAMERAS * FILES_EACH)}"
        if number % (CAMERAS * FILES_EACH) < CAMERAS:
            place.mkdir(parents=True)
        (place / f"match {number}_clips.json").write_text(content)
    time.sleep(3)
    return {name: round(value, 3) for name, value in in_a_process(walks, root, count).items()}


def in_a_process(call: Callable[[Path, int, Connection[Any, Any]], None], root: Path, count: int) -> dict[str, float]:
    """What `call(root, count, ...)` sends from a process of its own, whose memory holds nothing else."""
    ours, theirs = Pipe(duplex=False)
    process = get_context("spawn").Process(target=call, args=(root, count, theirs))
    process.start()
    theirs.close()
    figures: dict[str, float] = ours.recv()
    process.join()
    return figures


def walks(root: Path, count: int, channel: Connection[Any, Any]) -> None:
    """Walk a tree for the first time and, the memory being warm, again."""
    daemon = Daemon(load(root, root / "clipd.yaml"), clock=SystemClock())
    empty, began = resident_mb(os.getpid()), time.monotonic()
    for _ in daemon.scan.walk():
        pass
    read_s, full = time.monotonic() - began, resident_mb(os.getpid())
    began = time.monotonic()
    for _ in daemon.scan.walk():
        pass
    rescan_s = time.monotonic() - began
    channel.send(
        {
            "rescan_s": rescan_s,
            "rescan_us_each": 1e6 * rescan_s / count,
            "rescan_rss_mb": resident_mb(os.getpid()),
            "read_us_each": 1e6 * read_s / count,
            "memory_bytes_each": (full - empty) * 2**20 / count,
        }
    )


@contextmanager
def running(
    root: Path, *flags: str, polling: bool = False
) -> Iterator[tuple[subprocess.Popen[str], queue.SimpleQueue[str]]]:
    """A daemon on the tree, and the names of the clips it claims, as it claims them."""
    command = [sys.executable, "-m", "clipd", "run", "--root", str(root), *flags]
    mode = "polling" if polling else "auto"
    # A clip that waited before is claimed without a word at the usual level.
    environment = {**os.environ, "CLIPD_WATCH__MODE": mode, "CLIPD_LOG__LEVEL": "DEBUG"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=environment, errors="replace") as process:
        claims: queue.SimpleQueue[str] = queue.SimpleQueue()

        def read() -> None:
            assert process.stderr is not None
            for line in process.stderr:
                if "claimed: " in line:
                    claims.put(line.rpartition(" / ")[2].strip())

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        try:
            yield process, claims
        finally:
            process.terminate()
            reader.join()


def drain(claims: queue.SimpleQueue[str], count: int) -> None:
    """Wait until `count` more clips were claimed."""
    for _ in range(count):
        claims.get(timeout=600)


def pick_up(layout: Layout, number: int, claims: queue.SimpleQueue[str]) -> float:
    """Seconds from saving a sidecar with one clip marked Process to the claim of that clip."""
    path = write_sidecar(layout.sidecars, number, due=True)
    temp = path.with_name(".match_clips.json.bench.tmp")
    path.rename(temp)
    began = time.monotonic()
    temp.rename(path)
    while claims.get(timeout=600) != f"clip-{number}-0":
        pass
    return time.monotonic() - began


def take_burst(layout: Layout, folder: Path, count: int, claims: queue.SimpleQueue[str]) -> float:
    """Seconds from `count` sidecars moved in at once to the claim of the only clip among them that is due."""
    aside = folder / "burst"
    for number in range(count):
        write_sidecar(aside, 10_000_000 + number, due=number == count - 1)
    began = time.monotonic()
    aside.rename(layout.sidecars / "burst")
    while claims.get(timeout=600) != f"clip-{10_000_000 + count - 1}-0":
        pass
    return time.monotonic() - began


def polling_calls(root: Path, due: int) -> float:
    """System calls a second of an idle daemon that polls every five seconds."""
    seconds = 20
    with running(root, "--interval", "5", polling=True) as (process, claims):
        drain(claims, due)
        time.sleep(10)
        command = ["timeout", str(seconds), "strace", "-f", "-c", "-q", "-p", str(process.pid)]
        told = subprocess.run(command, capture_output=True, text=True).stderr
    total = [line.split() for line in told.splitlines() if line.endswith("total")]
    return float(total[-1][3]) / seconds if total and len(total[-1]) > 3 else float("nan")


def cpu_seconds(pid: int) -> float:
    """The CPU time of a process and its children."""
    total = 0.0
    for each in (pid, *children(pid)):
        fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
        total += sum(int(field) for field in fields[13:15]) / TICKS_PER_SECOND  # of its ended children
        # What runs is counted to the nanosecond: ticks mistake somebody who wakes often for a moment.
        for thread in Path(f"/proc/{each}/task").iterdir():
            total += int((thread / "schedstat").read_text().split()[0]) / 1e9
    return total


def children(pid: int) -> list[int]:
    """The processes that `pid` started."""
    return [
        int(word) for task in Path(f"/proc/{pid}/task").iterdir() for word in (task / "children").read_text().split()
    ]


def resident_mb(pid: int) -> float:
    """The daemon's own resident memory, in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


if __name__ == "__main__":
    main()
