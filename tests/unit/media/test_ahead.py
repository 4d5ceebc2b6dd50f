from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing

import pytest

from clipd.media.ahead import ahead


def running() -> list[str]:
    return [thread.name for thread in threading.enumerate() if thread.name == "ahead"]


def test_items_come_in_order_and_the_thread_ends() -> None:
    assert list(ahead(iter(range(500)), 4)) == list(range(500))
    assert running() == []


def test_an_error_comes_out_where_the_item_would_have() -> None:
    def broken() -> Iterator[int]:
        yield 1
        raise LookupError("here")

    got = []
    with pytest.raises(LookupError, match="here"):
        got.extend(ahead(broken(), 4))
    assert running() == []


def test_closing_ends_the_thread_and_closes_what_it_was_reading() -> None:
    closed = []

    def endless() -> Iterator[int]:
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    with closing(ahead(endless(), 2)) as items:
        assert next(items) == 1
    assert closed == ["ahead"]
    assert running() == []


def test_it_works_ahead_no_further_than_told() -> None:
    asked = 0

    def counted() -> Iterator[int]:
        nonlocal asked
        for number in range(100):
            asked += 1
            yield number

    with closing(ahead(counted(), 3)) as items:
        for got in items:
            assert asked <= got + 1 + 3 + 1
            if got == 50:
                break
