"""Showing: what the daemon lets people see. Its heartbeat, the history, the status page and the metrics.

It stands apart from the daemon because losing any of it costs nothing: an error here is logged, and work goes on.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from loguru import logger

from clipd.clock import Clock, stamp
from clipd.errors import ClipdError
from clipd.model.job import Job
from clipd.model.outcome import Outcome, Verdict
from clipd.report import history, metrics
from clipd.report.health import ASKED, Health, Work, forget_gone, write_health
from clipd.report.history import Ending, History
from clipd.report.pages import Pages, Settings
from clipd.report.snapshot import Observer, Situation
from clipd.tree.layout import Layout


class Showing:
    """What one daemon shows."""

    def __init__(self, layout: Layout, settings: Settings, host: str, clock: Clock) -> None:
        """Nothing is written before the first call."""
        self._layout, self._host, self._clock = layout, host, clock
        self._history = History(layout, host)
        self._pages = Pages(layout, settings)
        self._observer = Observer(layout, self._history, settings.results)
        self._begun: dict[str, float] = {}
        self.work = Work()
        """What was done since the start, counted for the heartbeat."""

    def renew(self, settings: Settings) -> None:
        """Take new settings."""
        self._pages.settings = settings
        self._observer.results = settings.results

    def serve(self, port: int | None) -> Callable[[], None]:
        """Serve the metrics on `port` of this machine, if one is given; the result ends that."""
        return (lambda: None) if port is None else metrics.serve(port, lambda: self._pages.latest)

    def begun(self, job: Job) -> None:
        """An attempt at `job` begins."""
        self._begun[job.id] = self._clock.monotonic()

    def ended(self, job: Job, outcome: Outcome) -> None:
        """Count an attempt that ended, and write down what it finished."""
        began = self._begun.pop(job.id, None)
        seconds = None if began is None else round(self._clock.monotonic() - began, 2)
        self.work.count(job, outcome.verdict, seconds)
        verdict = outcome.verdict
        if job.kind in ASKED and verdict in (Verdict.COMPLETE, Verdict.FAILED):
            since = max(0.0, (self._clock.now() - job.requested_at).total_seconds())
            self.work.answers.count(job, outcome, round(since, 3))
        if verdict is Verdict.COMPLETE or verdict is Verdict.FAILED:
            self._history.add(
                Ending(
                    at=stamp(self._clock.now()),
                    job=job.id,
                    clip=job.name,
                    camera=job.camera,
                    host=self._host,
                    verdict=verdict,
                    seconds=seconds,
                    products=history.products(self._layout, outcome.outputs),
                    notes=len(outcome.warnings),
                    words=outcome.message[: history.WORDS_CHARACTERS],
                )
            )

    def beat(self, path: Path, health: Health) -> float | None:
        """Leave the heartbeat at `path`; the share's clock minus ours, in seconds, as its stamp tells it."""
        try:
            write_health(path, health)
            return path.stat().st_mtime - time.time()
        except (ClipdError, OSError) as error:
            logger.warning("the share cannot be written: {}", error)
            return None

    def forget_gone(self, share_offset: float) -> None:
        """Remove the last words of daemons that are long gone; `share_offset` is the share's clock minus ours, in s."""
        try:
            forget_gone(self._layout, share_offset, self._host)
        except ClipdError as error:
            logger.warning("notes of former daemons stay for now: {}", error)

    def page(self, situation: Callable[[], Situation], token: object, *, busy: bool) -> None:
        """Write the status page and the metrics, when `token` differs from last time or the last ones are old."""
        if self._pages.due(self._clock.monotonic(), token, busy=busy):
            self.page_now(situation(), token)

    def page_now(self, situation: Situation, token: object = None) -> None:
        """Write the status page and the metrics."""
        began = self._clock.monotonic()
        try:
            self._pages.write(self._observer.look(situation, self._clock.now()))
        except (ClipdError, OSError) as error:
            logger.warning("the status page cannot be written: {}", error)
        self._pages.written(began, self._clock.monotonic(), token)
