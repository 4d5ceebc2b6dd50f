#!/usr/bin/env python3
"""What a Dask cluster costs over the local pool with the same cores; prints one JSON line.

    python scripts/bench/cluster.py [--clips 24] [--seconds 10] [--rounds 3] [--jobs 500] [--source FILE]

`overhead`: for 1 and for 2 cores, the wall time of the same clips by `clipd run --dask` and as many single-core workers
over that by `clipd run` with a pool of as many; daemon, scheduler and workers all share those cores. From the moment
the clips are marked to the last one Complete, workers warm; the median over interleaved rounds. Bar: 1.05.

The cost of a job, in ms, from `--jobs` jobs that nobody asks for any more, so that a claim and a look at the sidecar
are all there is to do: `latency_ms` from handing over to the end, one at a time, for `local` and `dask`, and
`added_ms`, their difference; `throughput_per_s` with 32 jobs in flight; and the CPU time of each part per job:
`scheduler_cpu_ms`, `daemon_cpu_ms` (the client in the daemon), `worker_cpu_ms` (the Dask side of a worker, without its
child process). `task_bytes`: what travels. `claim_calls`: system calls on the share for such a job, where strace is
there.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import pickle
import queue
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clipd import log
from clipd.config import load
from clipd.daemon import Daemon
from clipd.lifecycle import process
from clipd.media.drawing import draw_match
from clipd.model.job import Job, job_id
from clipd.newtree import make
from clipd.tree.layout import Layout
from clipd.worker.dask.cluster import Cluster
from clipd.worker.executor import Executor
from clipd.worker.pool import Ended, Pool

RATE = 25
IN_FLIGHT = 32
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=10, help="length of each clip")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--jobs", type=int, default=500, help="jobs that the cost of one is taken from")
    parser.add_argument("--source", type=Path, help="a video to cut from; else one is drawn")
    given = parser.parse_args()
    available = sorted(os.sched_getaffinity(0))
    figures: dict[str, Any] = {"overhead": {}}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = given.source or drawn(folder, given.seconds + 10)
        for count in (1, 2):
            if count > len(available):
                figures["overhead"][str(count)] = None
                continue
            os.sched_setaffinity(0, available[:count])  # of this process, and so of all that it starts
            figures["overhead"][str(count)] = overhead(folder / str(count), source, count, given)
        os.sched_setaffinity(0, available)
        figures |= cost(folder / "cost", given.jobs)
    print(json.dumps(figures))


def drawn(folder: Path, seconds: float) -> Path:
    """A film to cut from."""
    path = folder / "match.mp4"
    draw_match(path, seconds=int(seconds), rate=RATE)
    return path


# --- the whole way ----------------------------------------------------------------------------------------------


def overhead(folder: Path, source: Path, cores: int, given: argparse.Namespace) -> dict[str, Any]:
    """Both wall times on `cores` cores, and their ratio."""
    root = folder / "tree"
    layout, _ = make(root, settings_for(folder, cores))
    film = layout.source / "cam1" / "s1" / source.name
    film.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, film)
    times: dict[str, list[float]] = {"local": [], "dask": []}
    for _ in range(given.rounds):
        with daemon(root, folder / "local.log"):
            times["local"].append(marked_to_complete(layout, film.stem, given, cores))
        with (
            scheduler(folder) as (address, _),
            workers(address, root, folder, cores),
            daemon(root, folder / "dask.log", "--dask", address),
        ):
            times["dask"].append(marked_to_complete(layout, film.stem, given, cores))
    medians = {name: statistics.median(taken) for name, taken in times.items()}
    ratio = statistics.median(dask / local for local, dask in zip(times["local"], times["dask"], strict=True))
    return {"ratio": round(ratio, 3), **{f"{name}_s": round(median, 2) for name, median in medians.items()}}


def settings_for(folder: Path, cores: int) -> dict[str, Any]:
    """The settings of a tree whose workers use one core each."""
    return {
        "cache": str(folder / "cache"),
        "workers": {"max_workers": cores, "threads": 1, "nice": 0},
        "executor": {"slots": 1},
        "watch": {"settle_seconds": 0.2},
        "sources": {"settle_seconds": 0.0},
        "space": {"reserve": "1MiB"},
        "stop_seconds": 5.0,
    }


def marked_to_complete(layout: Layout, video: str, given: argparse.Namespace, cores: int) -> float:
    """Seconds from marking all clips to the last one Complete; some clips before that warm the workers."""
    sidecar = layout.sidecars / "cam1" / "s1" / f"{video}_clips.json"
    sidecar.parent.mkdir(parents=True, exist_ok=True)
    this = str(time.monotonic_ns())
    ask(sidecar, [f"{this}-warm{number}" for number in range(2 * cores)], 1.0)
    until_complete(sidecar)
    began = time.monotonic()
    ask(sidecar, [f"{this}-{number}" for number in range(given.clips)], given.seconds)
    until_complete(sidecar)
    return time.monotonic() - began


def ask(sidecar: Path, names: list[str], seconds: float) -> None:
    """Mark clips of `seconds`, each from another frame on; former ones are gone."""
    clips = [
        {"id": name, "name": name, "start_frame": number, "status": "Process",
         "end_frame": number + int(seconds * RATE) - 1, "export_path": None}
        for number, name in enumerate(names)
    ]  # fmt: skip
    temporary = sidecar.with_name(".clips.tmp")
    temporary.write_text(json.dumps(clips))
    temporary.rename(sidecar)


def until_complete(sidecar: Path) -> None:
    """Wait until every clip is; raises SystemExit when one failed."""
    while True:
        with contextlib.suppress(ValueError):
            states = {clip["status"]: clip.get("error") for clip in json.loads(sidecar.read_text())}
            if set(states) == {"Complete"}:
                return
            if "Failed" in states:
                raise SystemExit(f"a clip failed: {states['Failed']}")
        time.sleep(0.02)


# --- one job ----------------------------------------------------------------------------------------------------


def cost(folder: Path, jobs: int) -> dict[str, Any]:
    """What a job costs by itself."""
    root = folder / "tree"
    layout, _ = make(root, settings_for(folder, 1))
    config = load(root, root / "clipd.yaml")
    place = Daemon(config).workplace
    figures: dict[str, Any] = {"task_bytes": len(pickle.dumps((a_job(0), (place, "", 0.3, False))))}
    told: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    pool = Pool(config.workers, process, log.start, (config.log, root, False), told.put)
    latency = {"local": one_at_a_time(pool, place, told, jobs)}
    pool.stop(0)
    with scheduler(folder) as (address, head), workers(address, root, folder, 1) as (worker,):
        settings = load(
            root, root / "clipd.yaml", {"executor": {"kind": "dask", "scheduler": address, "ahead": IN_FLIGHT}}
        )
        cluster = Cluster(settings.executor, settings.claims, layout, told.put)
        cluster.start()
        while not cluster.slots:
            time.sleep(0.05)
        latency["dask"] = one_at_a_time(cluster, place, told, jobs)
        pids = {"scheduler": head.pid, "worker": worker.pid, "daemon": os.getpid()}
        before = {name: cpu_seconds(pid) for name, pid in pids.items()}
        began = time.monotonic()
        many_at_a_time(cluster, place, told, jobs)
        figures["throughput_per_s"] = round(jobs / (time.monotonic() - began), 1)
        for name, pid in pids.items():
            figures[f"{name}_cpu_ms"] = round(1000 * (cpu_seconds(pid) - before[name]) / jobs, 3)
        cluster.stop(0)
    figures["latency_ms"] = {name: round(value, 2) for name, value in latency.items()}
    figures["added_ms"] = round(latency["dask"] - latency["local"], 2)
    figures["claim_calls"] = claim_calls(root)
    return figures


def a_job(number: int) -> Job:
    """A job whose sidecar is gone: claimed, looked at, and found not to be due."""
    origin = f"data/prept/_configs/cam{number % 20}/s/match_clips.json"
    return Job(
        job_id("clip", origin, f"id:{number}"), "clip", origin, f"id:{number}", f"match / {number}", "cam1", "s", 0,
        datetime(2026, 5, 1, tzinfo=UTC),
    )  # fmt: skip


def one_at_a_time(executor: Executor, place: Any, told: queue.SimpleQueue[Ended], jobs: int) -> float:
    """The median milliseconds from handing a job over to its end; the first tenth is for warming up."""
    taken = []
    for number in range(jobs):
        began = time.monotonic()
        executor.submit(a_job(number), place, "", 0.3, False)
        well(told.get(timeout=60))
        taken.append(1000 * (time.monotonic() - began))
    return statistics.median(taken[jobs // 10 :])


def many_at_a_time(executor: Executor, place: Any, told: queue.SimpleQueue[Ended], jobs: int) -> None:
    """All jobs, with some always waiting at the worker."""
    flying = 0
    for number in range(jobs):
        if flying >= IN_FLIGHT:
            well(told.get(timeout=60))
            flying -= 1
        executor.submit(a_job(number), place, "", 0.3, False)
        flying += 1
    for _ in range(flying):
        well(told.get(timeout=60))


def well(ended: Ended) -> None:
    """Raise SystemExit unless a job ended as it must."""
    if ended.outcome is None or ended.outcome.verdict != "not due":
        raise SystemExit(f"a job of the bench ended otherwise: {ended}")


def claim_calls(root: Path) -> int | None:
    """System calls with a path beneath the tree that one such job makes."""
    if shutil.which("strace") is None:
        return None
    script = (
        "import sys; from pathlib import Path; from clipd.config import load; from clipd.daemon import Daemon;"
        "from clipd.lifecycle import process; sys.path.insert(0, sys.argv[2]); import cluster;"
        "root = Path(sys.argv[1]); place = Daemon(load(root, root / 'clipd.yaml')).workplace;"
        "process(cluster.a_job(0), place); open('/dev/null').close(); process(cluster.a_job(1), place)"
    )
    trace = root.with_name("trace")
    command = [
        "strace",
        "-f",
        "-y",
        "-o",
        str(trace),
        sys.executable,
        "-c",
        script,
        str(root),
        str(Path(__file__).parent),
    ]
    subprocess.run(command, check=True, capture_output=True, cwd=root)
    after = trace.read_text(errors="replace").rpartition('"/dev/null"')[2]
    return len(re.findall(re.escape(str(root)), "\n".join(line.partition(" = ")[0] for line in after.splitlines())))


# --- processes --------------------------------------------------------------------------------------------------


@contextlib.contextmanager
def scheduler(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A Dask scheduler: its address and its process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", str(port)]
    command += ["--no-dashboard", "--dashboard-address", ":0"]
    with started(command, folder / "scheduler.log", DASK_DISTRIBUTED__ADMIN__TICK__INTERVAL="1s") as process:
        yield f"tcp://127.0.0.1:{port}", process


@contextlib.contextmanager
def workers(address: str, root: Path, folder: Path, count: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The processes of `count` workers of one slot each, once they work."""
    command = [sys.executable, "-m", "clipd", "worker", address, "--root", str(root), "--slots", "1"]
    logs = [folder / f"worker{number}-{time.monotonic_ns()}.log" for number in range(count)]
    with contextlib.ExitStack() as stack:
        processes = [stack.enter_context(started(command, file)) for file in logs]
        for file in logs:
            wait_until_said(file, "works for")
        yield processes


@contextlib.contextmanager
def daemon(root: Path, file: Path, *flags: str) -> Iterator[None]:
    """The daemon, serving."""
    with started([sys.executable, "-m", "clipd", "run", "--root", str(root), *flags], file):
        wait_until_said(file, "serves")
        yield


@contextlib.contextmanager
def started(command: list[str], file: Path, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is asked to end afterwards."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as log_file:
        process = subprocess.Popen(command, stdout=log_file, stderr=log_file, env={**os.environ, **environment})
    try:
        yield process
    finally:
        process.terminate()
        process.wait(timeout=60)


def wait_until_said(file: Path, words: str) -> None:
    """Wait for `words` in a log; raises SystemExit with what is there instead, after two minutes."""
    deadline = time.monotonic() + 120
    while words not in file.read_text():
        if time.monotonic() > deadline:
            raise SystemExit(f"not started: {file.name}: {file.read_text()[-2000:]}")
        time.sleep(0.05)


def cpu_seconds(pid: int) -> float:
    """The processor time that a process has used, without its children."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS_PER_SECOND


if __name__ == "__main__":
    main()
