"""Working ahead: an iterator runs in a thread of its own, a few items before they are needed.

Decoding and encoding release Python's lock, so that a decoder that works ahead keeps its cores busy while the encoders
work (and costs no more than the few pictures waiting). Errors come out where the item would have.
"""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterator
from queue import Empty, Full, Queue
from typing import TypeVar

Item = TypeVar("Item")

POLL_SECONDS = 0.1
"""How soon the thread notices that nobody wants the rest."""


class _End:
    """The last thing in the queue: the iterator is through, or failed with `error`."""

    def __init__(self, error: BaseException | None) -> None:
        self.error = error


def ahead(items: Iterator[Item], depth: int) -> Generator[Item, None, None]:
    """Yields what `items` yields, which is asked for up to `depth` items in advance, in another thread.

    Closing the result, or an error in its consumer, ends that thread before it returns, and closes `items` in it.
    """
    queue: Queue[Item | _End] = Queue(depth)
    unwanted = threading.Event()

    def put(item: Item | _End) -> bool:
        while not unwanted.is_set():
            try:
                queue.put(item, timeout=POLL_SECONDS)
            except Full:
                continue
            return True
        return False

    def work() -> None:
        error: BaseException | None = None
        try:
            for item in items:
                if not put(item):
                    break
        except BaseException as raised:  # noqa: BLE001 - carried over to the consumer, whatever it is
            error = raised
        if isinstance(items, Generator):
            items.close()
        put(_End(error))

    thread = threading.Thread(target=work, name="ahead", daemon=True)
    thread.start()
    try:
        while not isinstance(item := queue.get(), _End):
            yield item
        if item.error is not None:
            raise item.error
    finally:
        unwanted.set()
        _empty(queue)
        thread.join()


def _empty(queue: Queue[Item]) -> None:
    """Makes room, so that a thread that waits to put something goes on at once."""
    while True:
        try:
            queue.get_nowait()
        except Empty:
            return
