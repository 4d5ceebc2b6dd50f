"""The herald: brings the news of outcomes to the hooks, each in a thread of its own with a queue of its own.

To tell never waits: a hook that is slow falls behind, and one that is too far behind misses news, which is said and
counted. Nothing here is on disk: an outcome's hooks are lost with a daemon that is killed; the sidecar is the record.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from loguru import logger

from clipd.clock import Clock
from clipd.delivery.hooks import WAYS, Hook, News, Send
from clipd.delivery.hooks.news import Undelivered

WAITING = 1000
"""News that may wait for one hook."""
FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0
LAST_SECONDS = 1.0
"""How long a hook that is given up gets to clear up."""


@dataclass(frozen=True)
class Count:
    """What became of the news."""

    delivered: int = 0
    failed: int = 0
    """All tries were in vain."""
    dropped: int = 0
    """The queue was full, or clipd ended first."""


class Herald:
    """Tells hooks; one courier for each."""

    def __init__(self, hooks: Sequence[Hook], clock: Clock, ways: Mapping[str, Send] = WAYS) -> None:
        """Threads start with the first news."""
        self._clock, self._ways = clock, ways
        self._couriers = [_Courier(hook, ways[hook.way]) for hook in hooks]
        self._retired: list[_Courier] = []

    def tell(self, news: News) -> None:
        """Pass the news on to every hook that wants it; never waits."""
        for courier in self._couriers:
            if news.status in courier.hook.on:
                courier.take(news)

    def renew(self, hooks: Sequence[Hook]) -> None:
        """Other hooks from now on; what the former ones were told they still deliver."""
        former = self._couriers
        stay = {courier.hook: courier for courier in former}
        self._couriers = [stay.pop(hook) if hook in stay else _Courier(hook, self._ways[hook.way]) for hook in hooks]
        for courier in former:
            if courier not in self._couriers:
                courier.close()
                self._retired.append(courier)

    @property
    def count(self) -> Count:
        """What became of the news so far."""
        couriers = (*self._couriers, *self._retired)
        return Count(
            *(sum(getattr(courier, name) for courier in couriers) for name in ("delivered", "failed", "dropped"))
        )

    def stop(self, seconds: float) -> None:
        """Let the couriers bring what they have for up to `seconds`; what is left then is dropped, and said."""
        deadline = self._clock.monotonic() + seconds
        couriers = (*self._couriers, *self._retired)
        for courier in couriers:
            courier.close()
        for courier in couriers:
            courier.join(max(0.0, deadline - self._clock.monotonic()))
        for courier in couriers:
            courier.give_up()
        last = self._clock.monotonic() + LAST_SECONDS
        for courier in couriers:
            courier.join(max(0.0, last - self._clock.monotonic()))
            courier.drop_the_rest()


class _Courier:
    """Brings the news to one hook, in order."""

    def __init__(self, hook: Hook, send: Send) -> None:
        self.hook, self._send = hook, send
        self.delivered = self.failed = self.dropped = 0
        self._queue: queue.SimpleQueue[News | None] = queue.SimpleQueue()
        self._given_up = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None

    def take(self, news: News) -> None:
        """Accept the news, or drop it where too much waits. Only one thread calls this."""
        if self._queue.qsize() >= WAITING:
            self.dropped += 1
            logger.bind(job=news.job).warning(
                "hook {}: the news that {} is {} is dropped, {} wait already ({} dropped so far)",
                self.hook.label, news.clip, news.status, WAITING, self.dropped,
            )  # fmt: skip
            return
        self._queue.put(news)
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._work, name=f"hook {self.hook.way}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Nothing more comes: end when all is delivered."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)

    def join(self, seconds: float) -> None:
        """Wait up to `seconds` for the end."""
        if self._thread is not None:
            self._thread.join(seconds)

    def give_up(self) -> None:
        """Stop what is being tried, and try nothing more."""
        if self._thread is not None and self._thread.is_alive():
            logger.warning("hook {}: clipd ends before it was done", self.hook.label)
            self._given_up.set()

    def drop_the_rest(self) -> None:
        """Count and tell what was never tried."""
        left = max(0, self._queue.qsize() - 1) if self._given_up.is_set() else 0
        if left:
            self.dropped += left
            logger.warning("hook {}: {} news are dropped, clipd ends", self.hook.label, left)

    def _work(self) -> None:
        while not self._given_up.is_set():
            news = self._queue.get()
            if news is None:
                return
            self._deliver(news)

    def _deliver(self, news: News) -> None:
        log = logger.bind(job=news.job)
        for number in range(1, self.hook.tries + 1):
            try:
                self._send(self.hook, news, self._given_up)
            except Undelivered as error:
                log.warning("hook {}: {} {}: {}", self.hook.label, news.clip, news.status, error)
                if error.hopeless or number == self.hook.tries or self._given_up.wait(_pause_seconds(number)):
                    break
            else:
                self.delivered += 1
                log.debug("hook {}: {} {}: delivered", self.hook.label, news.clip, news.status)
                return
        self.failed += 1
        log.error("hook {}: {} {}: given up", self.hook.label, news.clip, news.status)


def _pause_seconds(tries: int) -> float:
    return min(FIRST_WAIT_SECONDS * 2.0 ** (tries - 1), LONGEST_WAIT_SECONDS)
