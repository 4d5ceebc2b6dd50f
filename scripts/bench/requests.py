#!/usr/bin/env python3
"""How fast moments are answered: one JSON line.

`median_ms` and `p99_ms` run from the rename of a request for 20 s (over recordings of 5 s) into the inbox to the answer
that says where the clip is, one request after the other, warm. `cpu_ms` is what daemon and workers spend on one.
`burst_per_s` is how many of many requests that arrive at once are answered in a second.

The recordings are cut by stream copy from `--footage`, an H.264 film with sync frames every few seconds; a real daemon
answers. `--delivery exact` measures encoding instead of copying.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import quantiles
from typing import Any

import av

from clipd.newtree import make
from clipd.tree.layout import Layout

BEGIN = datetime(2026, 1, 31, 12, tzinfo=UTC)
RECORDING_SECONDS, ARCHIVE_SECONDS, CAMERA = 5, 600, "gate"
WARM, PATIENCE_SECONDS = 10, 600.0
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
FOOTAGE = Path(__file__).parents[3] / "shared" / "media" / "intel_one-by-one-person-detection.mp4"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--footage", type=Path, default=FOOTAGE, help="what the camera saw")
    parser.add_argument("--count", type=int, default=200, help="requests, one after the other")
    parser.add_argument("--burst", type=int, default=1000, help="requests at once; 0 leaves it out")
    parser.add_argument("--delivery", default="auto", help="auto, copy or exact")
    parser.add_argument("--folder", type=Path, help="where to make the tree; else a temporary folder")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        print(json.dumps(measure(Path(folder), given.footage, given.count, given.burst, given.delivery)))


def measure(folder: Path, footage: Path, count: int, burst: int, delivery: str) -> dict[str, Any]:
    """All figures."""
    settings = {"cache": str(folder / "cache"), "recordings": {"time_zone": "UTC"}, "requests": {"delivery": delivery}}
    layout, _ = make(folder / "tree", settings)
    record(layout, footage)
    inbox = layout.inbox_of("requests")
    inbox.mkdir(parents=True, exist_ok=True)
    moments = random.Random(7)
    figures: dict[str, Any] = {"delivery": delivery, "requests": count, "cores": os.cpu_count()}
    with served(layout.root) as daemon:
        for number in range(WARM):
            answered(inbox, f"warm-{number}", moments)
        before = cpu_seconds(daemon)
        took = [answered(inbox, f"one-{number}", moments) for number in range(count)]
        figures["cpu_ms"] = round((cpu_seconds(daemon) - before) / count * 1000, 1)
        cuts = quantiles(took, n=100, method="inclusive")
        figures["median_ms"], figures["p99_ms"] = round(cuts[49] * 1000, 1), round(cuts[98] * 1000, 1)
        if burst:
            figures["burst_per_s"] = round(burst / at_once(inbox, burst, moments), 1)
    return figures


def record(layout: Layout, footage: Path) -> None:
    """Recordings of `RECORDING_SECONDS`, over and over the same ones."""
    folder = layout.recordings / CAMERA
    folder.mkdir(parents=True)
    pieces = list(cut(footage))
    for number in range(ARCHIVE_SECONDS // RECORDING_SECONDS):
        start = BEGIN + timedelta(seconds=number * RECORDING_SECONDS)
        path = folder / f"{CAMERA}_{start:%Y%m%d_%H%M%S}.mp4"
        path.write_bytes(pieces[number % len(pieces)])
        os.utime(path, (start.timestamp(), start.timestamp()))


def cut(footage: Path) -> Iterator[bytes]:
    """The footage in pieces of about `RECORDING_SECONDS`, each from a sync frame on, as MP4 files."""
    with av.open(str(footage)) as source, tempfile.TemporaryDirectory() as folder:
        stream = source.streams.video[0]
        number, output, shift, path = -1, None, 0, Path(folder) / "piece.mp4"
        for packet in source.demux(stream):
            if packet.pts is None:
                continue
            piece = int(packet.pts * packet.time_base // RECORDING_SECONDS)
            if packet.is_keyframe and piece > number:
                if output is not None:
                    output.close()
                    yield path.read_bytes()
                output = av.open(str(path), "w")
                track, number, shift = output.add_stream_from_template(stream), piece, packet.pts
            packet.pts, packet.dts, packet.stream = packet.pts - shift, packet.dts - shift, track
            assert output is not None
            output.mux(packet)
        assert output is not None
        output.close()


def ask(inbox: Path, name: str, moments: random.Random) -> Path:
    """Put a request for a random moment into the inbox; its answer file."""
    moment = BEGIN + timedelta(seconds=moments.randrange(20, ARCHIVE_SECONDS - 20))
    hidden = inbox / f".{name}.json.tmp"
    content = {"camera_id": CAMERA, "timestamp": moment.isoformat(), "duration": 20, "clip_id": name}
    hidden.write_text(json.dumps(content))
    hidden.rename(inbox / f"{name}.json")
    return inbox / f"{name}.status.json"


def answered(inbox: Path, name: str, moments: random.Random) -> float:
    """Seconds from a request to its answer."""
    began = time.perf_counter()
    answer = ask(inbox, name, moments)
    while not is_done(answer):
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise SystemExit(f"{name} was not answered")
        time.sleep(0.001)
    return time.perf_counter() - began


def at_once(inbox: Path, count: int, moments: random.Random) -> float:
    """Seconds until the last of `count` requests is answered."""
    began = time.perf_counter()
    waiting = {ask(inbox, f"burst-{number}", moments) for number in range(count)}
    while waiting:
        waiting = {answer for answer in waiting if not is_done(answer)}
        if time.perf_counter() - began > PATIENCE_SECONDS:
            raise SystemExit(f"{len(waiting)} requests were not answered")
        time.sleep(0.05)
    return time.perf_counter() - began


def is_done(answer: Path) -> bool:
    """Does the answer file say so? Another word than done is no success."""
    try:
        content = json.loads(answer.read_bytes())
    except (FileNotFoundError, ValueError):
        return False
    if content["status"] in ("failed", "partial"):
        raise SystemExit(f"{answer.name}: {content['message']}")
    return bool(content["status"] == "done")


@contextmanager
def served(root: Path) -> Iterator[int]:
    """A daemon on the tree; the id of its process."""
    with (root / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([sys.executable, "-m", "clipd", "run"], cwd=root, stdout=log, stderr=log)
        try:
            yield daemon.pid
        finally:
            daemon.terminate()
            daemon.wait(timeout=60)


def cpu_seconds(daemon: int) -> float:
    """What the process and its children spent so far."""
    pids, spent = [daemon], 0
    while pids:
        pid = pids.pop()
        stat = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        spent += int(stat[11]) + int(stat[12])
        pids += [int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in children_of(task)]
    return spent / TICKS_PER_SECOND


def children_of(task: Path) -> list[str]:
    """The processes that a thread started."""
    try:
        return (task / "children").read_text().split()
    except OSError:
        return []  # it ended just now


if __name__ == "__main__":
    main()
