"""Rounds with a clock that stands still and a tree whose files cost what the test says."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import cast

import pytest

from clipd.intake.rounds import Rounds
from clipd.intake.scans import Scans
from clipd.intake.watch import LONGEST_ROUND, Settings
from tests.fake_clock import FakeClock

EACH = 0.001
"""What looking at one file costs, in seconds."""


class Tree:
    """So many files; whoever walks by number `finds` sees something that no event told of."""

    def __init__(self, files: int) -> None:
        self.clock, self.files, self.changes, self.finds = FakeClock(), files, 0, -1
        self.at: list[float] = []
        """When each look was."""
        self.rounds = Rounds(cast(Scans, self), Settings(), self.clock, spent=self.clock.monotonic)

    def walk(self) -> Iterator[str]:
        for number in range(self.files):
            self.clock.pass_(EACH)
            self.at.append(self.clock.monotonic())
            if number == self.finds:
                self.changes += 1
            yield str(number)

    def go_round(self, *, trusted: bool = True) -> float:
        """Go on until a round is through; how long it took from its begin to its end."""
        self.at.clear()
        began, begun = self.clock.monotonic(), self.rounds.begun
        for _ in range(100_000):
            self.clock.pass_(max(0.0, self.rounds.due - self.clock.monotonic()))
            is_through = self.rounds.go_on(trusted=trusted)
            if self.rounds.begun > begun:
                began, begun = self.at[0] - EACH, self.rounds.begun
            if is_through:
                return self.clock.monotonic() - began
        raise AssertionError("the round has no end")

    def share(self, seconds: float) -> float:
        """The most of any such span of time that the looks of the last round took."""
        return max(
            EACH * sum(1 for other in self.at if start <= other < start + seconds) / seconds for start in self.at
        )


def test_the_first_round_is_in_haste_and_the_next_ones_are_spread_evenly() -> None:
    tree = Tree(200)
    assert tree.go_round() == pytest.approx(0.2)
    assert tree.go_round() == pytest.approx(0.2 * 100 / 0.15, rel=0.1)
    assert tree.share(40) < 0.0018
    assert tree.rounds.seconds == pytest.approx(0.2)


def test_a_small_tree_is_looked_at_once_in_every_rescan_seconds() -> None:
    tree = Tree(3)
    begins = []
    for _ in range(5):
        tree.go_round()
        begins.append(tree.at[0])
    assert [later - former for former, later in pairwise(begins)] == pytest.approx([60.0] * 4)


def test_a_huge_tree_is_looked_at_within_ten_times_that() -> None:
    tree = Tree(4000)
    tree.go_round()
    assert tree.go_round() == pytest.approx(LONGEST_ROUND * 60.0, rel=0.05)


def test_what_no_event_told_of_ends_the_rests_of_that_round_only() -> None:
    tree = Tree(200)
    tree.go_round()
    tree.finds = 0
    assert tree.go_round() < 1.0
    tree.finds = -1
    assert tree.go_round() > 60.0


def test_without_events_there_is_no_rest_but_between_rounds() -> None:
    tree = Tree(200)
    tree.go_round(trusted=False)
    ended = tree.clock.monotonic()
    assert tree.go_round(trusted=False) == pytest.approx(0.2)
    assert tree.at[0] - EACH == pytest.approx(ended + Settings().interval_seconds)


def test_events_that_are_lost_end_a_rest_at_once() -> None:
    tree = Tree(200)
    tree.go_round()
    tree.rounds.go_on(trusted=True)
    assert tree.rounds.due > tree.clock.monotonic()
    tree.rounds.go_on(trusted=False)
    assert tree.rounds.in_haste
    assert tree.rounds.due <= tree.clock.monotonic()


def test_a_round_asked_for_in_a_calm_one_begins_at_once_and_from_the_start() -> None:
    tree = Tree(200)
    tree.go_round()
    tree.rounds.go_on(trusted=True)
    tree.rounds.soon()
    assert tree.go_round() == pytest.approx(0.2)
    assert len(tree.at) == 200


def test_a_round_asked_for_in_a_hasty_one_follows_it() -> None:
    tree = Tree(200)
    tree.rounds.go_on(trusted=True)
    tree.rounds.soon()
    tree.go_round()
    ended = tree.clock.monotonic()
    assert tree.go_round() == pytest.approx(0.2)
    assert tree.at[0] - EACH == pytest.approx(ended)
