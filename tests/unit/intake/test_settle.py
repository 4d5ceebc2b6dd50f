"""Settling: never early, at once when the kernel knows better, and indifferent to clocks that are off."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.files.walk import Look
from clipd.intake.settle import MARGIN_SECONDS, Settling
from tests.fake_clock import NOON

NOW = NOON.timestamp()
SETTLE = 2.0
DAY = 86400.0


def stamped(age: float, ctime_age: float | None = None, size: int = 10, inode: int = 1) -> Look:
    """A look whose stamps are so many seconds old at `NOW`."""
    change = age if ctime_age is None else ctime_age
    return Look(size, round((NOW - age) * 1e9), round((NOW - change) * 1e9), inode)


@pytest.fixture
def settling() -> Settling:
    return Settling(SETTLE)


def wait(settling: Settling, look: Look, after: float = 0.0, *, skew: float = 0.0, closed: bool = False) -> float:
    """What settling says `after` seconds from NOW; the share's clock is `skew` ahead of the stamps' one."""
    return settling.wait("a", look, monotonic=1000.0 + after, share_now=NOW + after + skew, closed=closed)


def test_a_file_whose_stamps_are_old_counts_at_the_first_look_so_that_a_start_is_quick(settling: Settling) -> None:
    assert wait(settling, stamped(SETTLE + MARGIN_SECONDS)) == 0
    assert wait(settling, stamped(DAY)) == 0


@pytest.mark.parametrize("age", [0.0, SETTLE, SETTLE + MARGIN_SECONDS - 0.01])
def test_a_file_that_changed_lately_waits_the_settle_time_also_at_the_start(settling: Settling, age: float) -> None:
    assert wait(settling, stamped(age)) == SETTLE


def test_it_counts_after_holding_still_over_two_looks(settling: Settling) -> None:
    look = stamped(0)
    assert wait(settling, look) == SETTLE
    assert wait(settling, look, 1.5) == pytest.approx(0.5)
    assert wait(settling, look, 2.0) == 0


@pytest.mark.parametrize("change", [{"size": 11}, {"mtime_ns": 5}, {"inode": 2}, {"ctime_ns": 5}], ids=str)
def test_any_change_begins_the_wait_anew(settling: Settling, change: dict[str, int]) -> None:
    look = stamped(-DAY)._replace(ctime_ns=stamped(-2 * DAY).ctime_ns)  # stamps that say nothing
    wait(settling, look)
    assert wait(settling, look._replace(**change), 1.9) == SETTLE
    assert wait(settling, look._replace(**change), 3.8) == pytest.approx(0.1)


def test_a_file_that_grows_for_ever_never_counts(settling: Settling) -> None:
    for tick in range(200):
        assert wait(settling, stamped(-tick * 0.5, size=tick), tick * 0.5) > 0


def test_an_old_mtime_that_a_copying_program_set_does_not_count(settling: Settling) -> None:
    assert wait(settling, stamped(DAY, ctime_age=0)) == SETTLE


def test_a_fresh_mtime_with_an_old_change_time_does_not_count(settling: Settling) -> None:
    assert wait(settling, stamped(0, ctime_age=DAY)) == SETTLE


def test_the_kernels_word_that_it_was_closed_counts_at_once(settling: Settling) -> None:
    assert wait(settling, stamped(0), closed=True) == 0


def test_a_close_does_not_speak_for_what_is_written_after_it(settling: Settling) -> None:
    assert wait(settling, stamped(0), closed=True) == 0
    assert wait(settling, stamped(0, size=11), 0.1) == SETTLE


def test_stamps_in_the_future_wait_over_two_looks_and_no_longer(settling: Settling) -> None:
    look = stamped(-DAY)
    assert wait(settling, look) == SETTLE
    assert wait(settling, look, SETTLE) == 0


@pytest.mark.parametrize("skew", [-DAY, -30.0, 30.0, DAY])
def test_what_counts_is_the_shares_clock_not_ours(skew: float) -> None:
    ours = Settling(SETTLE)
    fresh = stamped(0)._replace(mtime_ns=round((NOW + skew) * 1e9), ctime_ns=round((NOW + skew) * 1e9))
    old = fresh._replace(mtime_ns=fresh.mtime_ns - round(60e9), ctime_ns=fresh.ctime_ns - round(60e9))
    assert wait(ours, fresh, skew=skew) == SETTLE
    assert wait(ours, old, skew=skew) == 0


def test_what_settled_is_forgotten_and_waits_again_when_it_changes(settling: Settling) -> None:
    look = stamped(0)
    wait(settling, look)
    assert wait(settling, look, SETTLE) == 0
    assert wait(settling, look, SETTLE + 0.1) == SETTLE


def test_what_is_gone_is_forgotten(settling: Settling) -> None:
    look = stamped(0)
    wait(settling, look)
    settling.forget("a")
    settling.forget("a")
    assert wait(settling, look, 1.9) == SETTLE


def test_files_are_told_apart(settling: Settling) -> None:
    wait(settling, stamped(0))
    assert settling.wait("b", stamped(0), monotonic=1001.9, share_now=NOW + 1.9) == SETTLE


def test_without_a_settle_time_nothing_waits() -> None:
    assert wait(Settling(0.0), stamped(0)) == 0


@given(
    st.lists(st.tuples(st.floats(0.01, 3), st.booleans()), min_size=1, max_size=30),
    st.floats(0, 1),
)
def test_it_never_counts_before_it_held_still_for_the_settle_time(steps, grain: float) -> None:
    """Whatever the rhythm of writes and looks: a stamp is at most `grain` older than the write."""
    settling = Settling(SETTLE)
    now, changed, size = 0.0, 0.0, 0
    for pause, writes in steps:
        now += pause
        if writes:
            changed, size = now, size + 1
        look = Look(size, round((NOW + changed - grain) * 1e9), round((NOW + changed - grain) * 1e9), 1)
        if settling.wait("a", look, monotonic=now, share_now=NOW + now) == 0:
            assert now - changed >= SETTLE - 1e-6
