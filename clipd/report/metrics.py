"""The snapshot as Prometheus metrics: as text for node_exporter's textfile collector, and over HTTP on this machine.

What the tree holds carries no machine's label; what daemons did carries `host` and `pid`, for all daemons alive, so it
does not matter which of them wrote the file. Counters begin at 0 when a daemon starts.
"""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterator
from datetime import datetime

from prometheus_client import CollectorRegistry, generate_latest, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from clipd.errors import ConfigError
from clipd.report.health import ANSWER_SECONDS, JOB_SECONDS
from clipd.report.snapshot import Machine, Snapshot

ADDRESS = "127.0.0.1"
DAEMON = ("host", "pid")


class _Source(Collector):
    """Hands the latest snapshot to the library whenever somebody asks."""

    def __init__(self, latest: Callable[[], Snapshot | None]) -> None:
        self._latest = latest

    def describe(self) -> list[Metric]:
        return []

    def collect(self) -> Iterator[Metric]:
        snapshot = self._latest()
        if snapshot is not None:
            yield from families(snapshot)


def text(snapshot: Snapshot) -> bytes:
    """All metrics of `snapshot` in Prometheus' text format."""
    return generate_latest(_registry(lambda: snapshot))


def serve(port: int, latest: Callable[[], Snapshot | None]) -> Callable[[], None]:
    """Serve the metrics of the latest snapshot on `port` of this machine alone; call the result to stop.

    Raises:
        ConfigError: the port cannot be had.
    """
    try:
        server, thread = start_http_server(port, ADDRESS, _registry(latest))
    except OSError as error:
        raise ConfigError(f"pages.metrics_port = {port}: {error.strerror}; name a free port") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join()

    return stop


def families(snapshot: Snapshot) -> Iterator[Metric]:
    """The metrics, as the library's families."""
    now = _seconds(snapshot.at)
    build = GaugeMetricFamily("clipd_build_info", "The clipd that wrote this.", labels=("version", "python"))
    build.add_metric((snapshot.version, platform.python_version()), 1)
    yield build
    clips = GaugeMetricFamily("clipd_clips", "Clips in the tree by how they stand.", labels=("state",))
    for state, count in snapshot.clips.items():
        clips.add_metric((state,), count)
    yield clips
    queue = snapshot.queue
    oldest = max(0.0, now - _seconds(queue.oldest_at)) if queue.oldest_at else 0.0
    yield _gauge("clipd_queue_depth", "Clips that are due and wait.", queue.count)
    yield _gauge(
        "clipd_queue_held", "Clips among them that wait for something other than their turn.", queue.held_count
    )
    yield _gauge("clipd_oldest_wait_seconds", "Age of the oldest clip that waits.", oldest)
    yield _gauge("clipd_unreadable", "Sidecars and entries that cannot be read.", snapshot.unreadable.count)
    copies = GaugeMetricFamily("clipd_copies", "Copies to destinations that are not done.", labels=("state",))
    for state, count in snapshot.copies.items():
        copies.add_metric((state,), count)
    yield copies
    yield _gauge("clipd_paused", "1 while the file PAUSE holds new work back.", snapshot.paused)
    yield _gauge("clipd_snapshot_timestamp_seconds", "When this was written.", now)
    if snapshot.disk is not None:
        yield _gauge("clipd_disk_free_bytes", "Free space where outputs are written.", snapshot.disk.free)
        yield _gauge("clipd_disk_size_bytes", "Size of that filesystem.", snapshot.disk.total)
        yield _gauge("clipd_disk_reserve_bytes", "Free space below which new work waits.", snapshot.disk.reserve)
    alive = [machine for machine in snapshot.machines if machine.alive]
    for name, words, value in _OF_MACHINES:
        gauge = GaugeMetricFamily(name, words, labels=DAEMON)
        for machine in snapshot.machines if name in _ALSO_OF_THE_GONE else alive:
            gauge.add_metric(_labels(machine), value(machine))
        yield gauge
    hooks = CounterMetricFamily("clipd_hooks", "News for hooks, by what became of it.", labels=(*DAEMON, "result"))
    for machine in alive:
        for result, count in machine.hooks.items():
            hooks.add_metric((*_labels(machine), result), count)
    yield hooks
    yield _jobs(alive)
    yield _job_seconds(alive)
    yield _gauge("clip_queue_depth", "Clips asked for in the inbox that are due and wait.", queue.asked_count)
    yield from _answers(alive)


def _jobs(alive: list[Machine]) -> Metric:
    jobs = CounterMetricFamily("clipd_jobs", "Attempts that ended.", labels=(*DAEMON, "camera", "verdict"))
    for machine in alive:
        for camera, verdicts in machine.work.ended.items():
            for verdict, count in verdicts.items():
                jobs.add_metric((*_labels(machine), camera, verdict), count)
    return jobs


def _job_seconds(alive: list[Machine]) -> Metric:
    seconds = HistogramMetricFamily("clipd_job_seconds", "Time that completed clips took.", labels=DAEMON)
    for machine in alive:
        seconds.add_metric(_labels(machine), _buckets(JOB_SECONDS, machine.work.took), machine.work.took_seconds)
    return seconds


def _answers(alive: list[Machine]) -> Iterator[Metric]:
    """What was asked for in the inbox and answered."""
    requests = CounterMetricFamily(
        "clip_requests",
        "Clips asked for in the inbox, by how they were answered.",
        labels=(*DAEMON, "camera", "status"),
    )
    errors = CounterMetricFamily("clip_errors", "Requests that failed, by class of error.", labels=(*DAEMON, "type"))
    latency = HistogramMetricFamily("clip_latency_seconds", "Time from a request to its clip.", labels=DAEMON)
    for machine in alive:
        answers = machine.work.answers
        for camera, statuses in answers.statuses.items():
            for status, count in statuses.items():
                requests.add_metric((*_labels(machine), camera, status), count)
        for error, count in answers.errors.items():
            errors.add_metric((*_labels(machine), error), count)
        latency.add_metric(_labels(machine), _buckets(ANSWER_SECONDS, answers.took), answers.took_seconds)
    yield from (requests, errors, latency)


def _buckets(bounds: tuple[float, ...], took: list[int]) -> list[tuple[str, float]]:
    total, buckets = 0, []
    for bound, count in zip((*map(str, bounds), "+Inf"), took, strict=False):
        total += count
        buckets.append((bound, float(total)))
    return buckets


def _registry(latest: Callable[[], Snapshot | None]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Source(latest))
    return registry


def _gauge(name: str, words: str, value: float) -> Metric:
    return GaugeMetricFamily(name, words, value=float(value))


def _labels(machine: Machine) -> tuple[str, str]:
    return machine.host, str(machine.pid)


def _seconds(at: str) -> float:
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0


_ALSO_OF_THE_GONE = ("clipd_up", "clipd_heartbeat_timestamp_seconds")
_OF_MACHINES: tuple[tuple[str, str, Callable[[Machine], float]], ...] = (
    ("clipd_up", "1 while the daemon gives signs of life.", lambda machine: machine.alive),
    ("clipd_heartbeat_timestamp_seconds", "Its last sign of life.", lambda machine: _seconds(machine.at)),
    ("clipd_workers", "How many clips it can work on at a time.", lambda machine: machine.workers),
    ("clipd_running", "How many clips it works on.", lambda machine: machine.running),
    ("clipd_events_trusted", "1 while file events tell it of changes.", lambda machine: machine.events),
    ("clipd_scan_duration_seconds", "Time of its last full look at the tree.", lambda machine: machine.scan_seconds),
    ("clipd_last_scan_seconds", "End of that look, as a time stamp.", lambda machine: _seconds(machine.scanned_at)),
)
