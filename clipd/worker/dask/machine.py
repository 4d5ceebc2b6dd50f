"""The machine that works for a cluster: a Dask worker with a bench, which comes back to its scheduler."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Mapping
from pathlib import Path

import dask
from distributed import Security, Status, Worker
from loguru import logger

from clipd.worker.bench import Bench
from clipd.worker.dask.connection import AGAIN_SECONDS, security, words
from clipd.worker.dask.task import Attachment
from clipd.worker.executor import Settings


async def attach(bench: Bench, worker: Worker) -> None:
    """Let a Dask worker that was started otherwise use `bench`."""
    await worker.plugin_add(Attachment(bench))


def serve(
    address: str,
    bench: Bench,
    settings: Settings,
    *,
    name: str,
    resources: Mapping[str, float],
    scratch: Path,
    stopped: threading.Event,
    stop_seconds: float,
) -> None:
    """Work for the scheduler at `address` until `stopped`; comes back to it whenever the connection is lost.

    Args:
        address: tls:// or tcp://, host and port.
        bench: what the work is done on.
        settings: for the certificates.
        name: under which people know this worker.
        resources: what it has, by the names of Dask's resources.
        scratch: a local folder for Dask's own files.
        stopped: when to end.
        stop_seconds: how long running jobs may go on then.

    Raises:
        ConfigError: a certificate is missing.
    """
    quick = {
        # It looks at every thread a hundred times a second, and ours only wait.
        "distributed.worker.profile.enabled": False,
        # Nor is anybody shown how busy its event loop and its machine are.
        "distributed.admin.tick.interval": "1s",
        "distributed.admin.system-monitor.interval": "5s",
        # Within one try, Dask waits longer and longer between its attempts to connect.
        "distributed.comm.timeouts.connect": f"{settings.connect_seconds:g}s",
    }
    with dask.config.set(quick):
        logging.getLogger("distributed").setLevel(logging.CRITICAL)
        asyncio.run(
            _serve(address, bench, security(settings, address), name, resources, scratch, stopped, stop_seconds)
        )


async def _serve(
    address: str,
    bench: Bench,
    certificates: Security,
    name: str,
    resources: Mapping[str, float],
    scratch: Path,
    stopped: threading.Event,
    stop_seconds: float,
) -> None:
    stopping = asyncio.ensure_future(asyncio.to_thread(stopped.wait))
    scratch.mkdir(parents=True, exist_ok=True)
    while not stopped.is_set():
        worker = Worker(
            address, nthreads=bench.slots, name=name, resources=dict(resources), security=certificates,
            memory_limit=0, local_directory=str(scratch), plugins=(Attachment(bench),),
        )  # fmt: skip
        logger.info("looking for the scheduler {}", address)
        starting = asyncio.ensure_future(_started(worker))
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            break
        if trouble := starting.result():
            logger.warning("no connection to {}: {}", address, trouble)
            await asyncio.wait({stopping}, timeout=AGAIN_SECONDS)
            continue
        logger.info("works for {} as {}, {} at a time", address, name, bench.slots)
        finished = asyncio.ensure_future(worker.finished())
        await asyncio.wait({finished, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.is_set():
            worker.status = Status.paused  # no further tasks are sent here
            await asyncio.to_thread(bench.stop, stop_seconds)
            await worker.close(executor_wait=False)
        else:
            logger.warning("the connection to {} was lost; what is being worked on goes on", address)
            await asyncio.wait({stopping}, timeout=AGAIN_SECONDS)
    await asyncio.to_thread(bench.stop, stop_seconds)


async def _started(worker: Worker) -> str:
    """Start a Dask worker; why it did not, or ""."""
    try:
        await worker
    except (OSError, TimeoutError, RuntimeError, ValueError) as error:
        return words(error.__cause__ or error)
    return ""
