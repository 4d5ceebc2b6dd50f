"""Room on the disk: work that would eat into the reserve waits."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipd.errors import Deferred
from clipd.files.space import Settings, free_bytes, require


def test_there_is_room_for_what_leaves_the_reserve(tmp_path: Path) -> None:
    require(tmp_path, 1000, Settings(reserve=0))


def test_work_that_would_eat_into_the_reserve_waits_and_says_how_much_it_needs(tmp_path: Path) -> None:
    with pytest.raises(Deferred, match=r"disk full: .* free at .*, about 1.0KiB needed and 1.0EiB kept in reserve"):
        require(tmp_path, 1024, Settings(reserve=1 << 60))


def test_the_reserve_counts_against_what_is_needed(tmp_path: Path) -> None:
    half = free_bytes(tmp_path) // 2
    require(tmp_path, half // 2, Settings(reserve=half))
    with pytest.raises(Deferred):
        require(tmp_path, 2 * half, Settings(reserve=half))


def test_a_folder_that_is_to_be_made_has_the_room_of_its_parent(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "not" / "there" / "yet") == pytest.approx(free_bytes(tmp_path), rel=0.01)
