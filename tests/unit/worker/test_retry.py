"""Waits between attempts: doubling, and bounded."""

from __future__ import annotations

import pytest

from clipd.worker.retry import Settings, wait_seconds

SETTINGS = Settings(first_wait_seconds=5, longest_wait_seconds=60)


def test_waits_double_up_to_the_longest() -> None:
    assert [wait_seconds(failures, SETTINGS) for failures in range(1, 7)] == [5, 10, 20, 40, 60, 60]


@pytest.mark.parametrize("failures", [100, 10**9])
def test_many_failures_wait_no_longer_than_the_longest(failures: int) -> None:
    assert wait_seconds(failures, SETTINGS) == 60


def test_before_any_failure_the_first_wait_counts() -> None:
    assert wait_seconds(0, SETTINGS) == 5


def test_a_first_wait_beyond_the_longest_is_cut() -> None:
    assert wait_seconds(1, Settings(first_wait_seconds=100, longest_wait_seconds=60)) == 60
