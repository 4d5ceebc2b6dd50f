"""What runs on a worker's machine: the task that does a job on its bench, and what is asked of it out of band."""

from __future__ import annotations

import pickle

from distributed import Worker, WorkerPlugin, get_worker

from clipd import __version__
from clipd.model.job import Job
from clipd.worker.bench import Bench, deferral

BENCH = "clipd-bench"
REFUSED_SECONDS = 30.0
"""How soon a job is handed out again that a worker could not take because of how it was set up."""


class Attachment(WorkerPlugin):  # type: ignore[misc]
    """Ties a bench to a Dask worker."""

    name = BENCH

    def __init__(self, bench: Bench) -> None:
        self.bench = bench

    def teardown(self, worker: Worker) -> None:  # noqa: ARG002 - Dask's signature
        """The connection is gone: nobody waits for answers."""
        self.bench.let_go()


def work(share: str, version: str, packed: bytes, topic: str) -> bytes:
    """The task, on a worker: do the job on the worker's bench; the pickled `Ended`."""
    job, arguments = pickle.loads(packed)  # noqa: S301 - from our daemon, as is this very task
    worker = get_worker()
    plugin = worker.plugins.get(BENCH)
    if not isinstance(plugin, Attachment):
        return _refusal(job, f"the Dask worker {worker.address} was not started by: clipd worker")
    bench = plugin.bench
    if version != __version__:
        return _refusal(
            job, f"the worker {worker.name} runs clipd {__version__}, the daemon {version}; install the same"
        )
    if share != bench.share:
        return _refusal(job, f"the worker {worker.name} serves another tree (share {bench.share}, not {share})")
    worker.log_event(topic, {"job": job.id, "worker": worker.address})
    return pickle.dumps(bench.do(job, arguments))


def _refusal(job: Job, why: str) -> bytes:
    return pickle.dumps(deferral(job, why, REFUSED_SECONDS))


def stop_attempt(job: str, why: str, dask_worker: Worker) -> None:
    """Out of band, on a worker: stop the attempt at `job`."""
    plugin = dask_worker.plugins.get(BENCH)
    if isinstance(plugin, Attachment):
        plugin.bench.cancel(job, why)


def is_awake() -> bool:
    """Out of band, on a worker: an answer is all that is wanted."""
    return True
