"""`clipd worker`: this machine works for a Dask cluster, on the same tree, mounted wherever it is here.

Where Dask itself starts the workers (dask-jobqueue, Kubernetes), they get the same by `--preload clipd.cli.cluster`,
with the tree in CLIPD_ROOT.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
import uuid
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from loguru import logger

from clipd import log
from clipd.cli.app import ConfigFile, Root, app
from clipd.cli.run import tree_when_there
from clipd.config import Config, find, load
from clipd.errors import ConfigError
from clipd.files.ability import try_folder
from clipd.lifecycle import Workplace, process
from clipd.tree.layout import Layout
from clipd.tree.marker import require_same_share
from clipd.worker.bench import Bench
from clipd.worker.executor import SCHEMES
from clipd.worker.pool import Pool

if TYPE_CHECKING:
    from distributed import Worker

CLOCK_SECONDS = 60.0
"""How often the share's clock is compared with this machine's."""


@app.command()
def worker(
    address: Annotated[str, typer.Argument(metavar="ADDRESS", help="The Dask scheduler: tls://HOST:PORT or tcp://...")],
    root: Root = None,
    config: ConfigFile = None,
    slots: Annotated[int | None, typer.Option(help="Jobs worked on at the same time.", metavar="N", min=1)] = None,
    resource: Annotated[
        list[str] | None,
        typer.Option(help="What this machine has, such as gpu=1; may be given again.", metavar="NAME=N"),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Under which people know this worker; else the host's name.")] = None,
    ca_file: Annotated[str | None, typer.Option(help="Certificate of the authority, for tls://.")] = None,
    cert_file: Annotated[str | None, typer.Option(help="This machine's certificate, for tls://.")] = None,
    key_file: Annotated[str | None, typer.Option(help="The key of that certificate.")] = None,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = None,
) -> None:
    """Work for a Dask cluster on the tree that is mounted here, until stopped; started before or after the scheduler.

    The jobs come from a daemon: clipd run --dask ADDRESS. Settings of what is made come with them; how many processes
    and threads, memory and time limits, cache and log are this machine's own.
    """
    if not address.startswith(SCHEMES):
        raise ConfigError(f"ADDRESS = {address!r}: it must begin with {' or '.join(SCHEMES)}, such as tls://node1:8786")
    files = {"ca_file": ca_file, "cert_file": cert_file, "key_file": key_file}
    flags: dict[str, Any] = {
        "executor": {key: value for key, value in {**files, "slots": slots}.items() if value is not None}
    }
    if log_level:
        flags["log"] = {"level": log_level.upper()}
    there = tree_when_there(root, config, flags)
    if there is None:
        return
    settings, layout = there
    from clipd.worker.dask import machine

    log.start(settings.log, settings.root)
    bench = bench_of(settings, layout, name)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    machine.serve(
        address,
        bench,
        settings.executor,
        name=f"{name or socket.gethostname()}-{os.getpid()}",
        resources=_resources(settings, bench.slots, resource or []),
        scratch=settings.cache_folder / "dask",
        stopped=stopped,
        stop_seconds=settings.stop_seconds,
    )


async def dask_setup(worker: Worker) -> None:
    """Dask's own hook: make a worker that Dask started one that works on the tree of CLIPD_ROOT.

    Raises:
        ConfigError: there is no tree, or its settings are wrong.
    """
    settings = load(*find(None, None), {"executor": {"slots": worker.state.nthreads}})
    layout = Layout(settings.root, settings.directories)
    require_same_share(layout)
    from clipd.worker.dask import machine

    log.start(settings.log, settings.root)
    await machine.attach(bench_of(settings, layout, None), worker)


def bench_of(settings: Config, layout: Layout, name: str | None) -> Bench:
    """The bench of this machine: a local pool, and the way from a daemon's view of the work to this machine's."""
    slots = settings.executor.slots or settings.workers.worker_count
    workers = settings.workers.model_copy(update={"max_workers": slots})
    prepare = (settings.log, layout.root, False)
    home = Home(layout, name or socket.gethostname(), settings.cache_folder, workers.threads_each)
    return Bench(
        require_same_share(layout), lambda tell: Pool(workers, process, log.start, prepare, tell), home.arguments
    )


@dataclass
class Home:
    """What of a workplace belongs to the machine and not to the work."""

    layout: Layout
    host: str
    cache: Path
    threads: int
    id: str = ""
    share_offset: float = 0.0
    _next_look: float = 0.0

    def __post_init__(self) -> None:
        # As a daemon's id: an attempt that ended with this whole process is a loss, not the clip's failure.
        self.id = uuid.uuid4().hex

    def arguments(self, sent: tuple[Any, ...]) -> tuple[Any, ...]:
        """The arguments of `lifecycle.process` after the job, as they are here."""
        place, *more = sent
        return self.place(place), *more

    def place(self, sent: Workplace) -> Workplace:
        """The workplace of this machine, for work as `sent` says."""
        self._look_at_the_clock()
        own = {"cache": self.cache, "share_offset": self.share_offset}
        kinds = {
            kind: section.model_copy(
                update={name: own[name] for name in own.keys() & type(section).model_fields.keys()}
            )
            for kind, section in sent.kinds.items()
        }
        return replace(
            sent, layout=self.layout, host=self.host, daemon=self.id, cache=self.cache, threads=self.threads,
            kinds=kinds, share_offset=self.share_offset,
        )  # fmt: skip

    def _look_at_the_clock(self) -> None:
        if time.monotonic() < self._next_look:
            return
        ability = try_folder(self.layout.state)
        if ability.trouble:
            logger.warning("{}: {}", self.layout.state, ability.trouble)
        else:
            self.share_offset = ability.clock_offset
        self._next_look = time.monotonic() + CLOCK_SECONDS


def _resources(settings: Config, slots: int, given: list[str]) -> dict[str, float]:
    """What this worker has: as given, else enough of everything for all its slots."""
    resources = {name: amount * slots for name, amount in settings.executor.needs.items()}
    for words in given:
        name, _, amount = words.partition("=")
        try:
            resources[name] = float(amount)
        except ValueError:
            raise ConfigError(f"--resource {words}: it must be NAME=NUMBER, such as gpu=1") from None
    return resources
