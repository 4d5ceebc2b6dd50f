"""The metrics are what Prometheus reads: parsed back by its own parser."""

from __future__ import annotations

import socket
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from clipd.errors import ConfigError
from clipd.model.outcome import Outcome, Verdict
from clipd.report import metrics
from clipd.report.health import CAMERAS_COUNTED, Answers, Work
from clipd.report.snapshot import Snapshot
from tests.fake_clock import NOON
from tests.unit.report.board import job, machine, snapshot


def samples(board: Snapshot) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    text = metrics.text(board).decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(board: Snapshot, name: str, **labels: str) -> float:
    return samples(board)[name, tuple(sorted(labels.items()))]


STUDIO = {"host": "studio", "pid": "42"}


def test_the_tree_is_told_without_a_machine() -> None:
    board = snapshot(paused=True)
    assert value(board, "clipd_clips", state="complete") == 3
    assert value(board, "clipd_queue_depth") == 2
    assert value(board, "clipd_oldest_wait_seconds") == 3600
    assert value(board, "clipd_disk_free_bytes") == 50 << 30
    assert value(board, "clipd_paused") == 1
    assert value(board, "clipd_snapshot_timestamp_seconds") == NOON.timestamp()


def test_daemons_are_told_by_host_and_process() -> None:
    board = snapshot()
    assert value(board, "clipd_up", **STUDIO) == 1
    assert value(board, "clipd_heartbeat_timestamp_seconds", **STUDIO) == NOON.timestamp()
    assert value(board, "clipd_events_trusted", **STUDIO) == 1
    assert value(board, "clipd_scan_duration_seconds", **STUDIO) == 0.25
    assert value(board, "clipd_jobs_total", **STUDIO, camera="cam1", verdict="complete") == 3
    assert value(board, "clipd_jobs_total", **STUDIO, camera="cam1", verdict="failed") == 1


def test_a_daemon_that_fell_silent_is_down_and_its_counters_are_gone() -> None:
    board = snapshot(machines=(machine(alive=False),))
    assert value(board, "clipd_up", **STUDIO) == 0
    assert not [name for name, _ in samples(board) if name == "clipd_jobs_total"]


def test_what_became_of_the_news_for_hooks_is_counted() -> None:
    board = snapshot(machines=(machine(hooks={"delivered": 5, "failed": 2, "dropped": 1}),))
    counts = {result: value(board, "clipd_hooks_total", **STUDIO, result=result) for result in board.machines[0].hooks}
    assert counts == {"delivered": 5, "failed": 2, "dropped": 1}


def test_the_time_of_jobs_is_a_cumulative_histogram() -> None:
    board = snapshot()
    steps = [
        (dict(labels)["le"], count)
        for (name, labels), count in samples(board).items()
        if name == "clipd_job_seconds_bucket"
    ]
    counts = [count for _, count in steps]
    assert counts == sorted(counts)
    assert dict(steps)["0.5"] == 1
    assert dict(steps)["5.0"] == 2
    assert dict(steps)["+Inf"] == value(board, "clipd_job_seconds_count", **STUDIO) == 3
    assert value(board, "clipd_job_seconds_sum", **STUDIO) == pytest.approx(5003.4)


@pytest.mark.parametrize("name", ['a"b', "line\nbreak", "back\\slash", 'x"} 1\nclipd_up{evil="', "目 ‮"])
def test_labels_from_outside_stay_labels(name: str) -> None:
    work = Work()
    work.count(job(name), Verdict.COMPLETE, 1.0)
    board = snapshot(machines=(machine(host=name, work=work),))
    assert value(board, "clipd_jobs_total", host=name, pid="42", camera=name, verdict="complete") == 1


def test_a_thousand_cameras_make_no_thousand_labels() -> None:
    work = Work()
    for number in range(1000):
        work.count(job(f"cam{number}"), Verdict.COMPLETE, 1.0)
    board = snapshot(machines=(machine(work=work),))
    found = [count for (name, _), count in samples(board).items() if name == "clipd_jobs_total"]
    assert len(found) == CAMERAS_COUNTED + 1
    assert sum(found) == 1000


def test_they_are_served_on_this_machine_alone_until_stopped() -> None:
    with socket.socket() as probe:
        probe.bind((metrics.ADDRESS, 0))
        port = probe.getsockname()[1]
    latest = [None, snapshot()]
    stop = metrics.serve(port, lambda: latest[-1])
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"clipd_queue_depth 2.0" in answer.read()
        latest.append(None)
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            assert b"clipd_queue_depth" not in answer.read()
        with pytest.raises(ConfigError, match="metrics_port"):
            metrics.serve(port, lambda: None)
    finally:
        stop()
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_what_was_asked_for_in_the_inbox_is_counted_by_answer_error_and_time() -> None:
    answers = Answers()
    asked = job()
    answers.count(asked, Outcome(Verdict.COMPLETE), 0.12)
    answers.count(asked, Outcome(Verdict.COMPLETE, status="partial"), 7.0)
    answers.count(asked, Outcome(Verdict.FAILED, error="Rejected"), 0.1)
    board = snapshot(machines=(machine(work=Work(answers=answers)),))
    assert value(board, "clip_requests_total", **STUDIO, camera="cam1", status="done") == 1
    assert value(board, "clip_requests_total", **STUDIO, camera="cam1", status="partial") == 1
    assert value(board, "clip_requests_total", **STUDIO, camera="cam1", status="failed") == 1
    assert value(board, "clip_errors_total", **STUDIO, type="Rejected") == 1
    assert value(board, "clip_latency_seconds_count", **STUDIO) == 2
    assert value(board, "clip_latency_seconds_bucket", **STUDIO, le="0.15") == 1
    assert value(board, "clip_latency_seconds_sum", **STUDIO) == 7.12
    assert value(board, "clip_queue_depth") == 0
