"""Indexes of recordings are closed with the test that opened them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.unit.recordings.camera import OPEN


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    while OPEN:
        OPEN.pop().close()
