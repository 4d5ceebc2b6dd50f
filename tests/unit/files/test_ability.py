from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from clipd.files.ability import probe_folder, try_folder, try_move

MEMORY = Path("/dev/shm")


def test_a_local_folder_takes_everything_and_nothing_is_left(tmp_path: Path) -> None:
    able = try_folder(tmp_path)
    assert not able.trouble
    assert able.links
    assert abs(able.clock_offset) < 2
    assert not list(tmp_path.iterdir())


def test_the_clock_of_the_folder_is_measured_against_the_one_given(tmp_path: Path) -> None:
    assert try_folder(tmp_path, lambda: time.time() - 100).clock_offset == pytest.approx(100, abs=2)


def test_what_refuses_is_told_in_the_systems_words(tmp_path: Path) -> None:
    assert try_folder(tmp_path / "missing").trouble == "No such file or directory"
    (tmp_path / "file").touch()
    assert try_folder(tmp_path / "file").trouble == "Not a directory"


def test_a_move_within_one_filesystem_works_and_leaves_nothing(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    assert try_move(tmp_path, other) == ""
    assert not list(other.iterdir())
    assert list(tmp_path.iterdir()) == [other]


@pytest.mark.skipif(not os.access(MEMORY, os.W_OK), reason="there is no second filesystem to write to")
def test_a_move_to_another_filesystem_is_refused(tmp_path: Path) -> None:
    if tmp_path.stat().st_dev == MEMORY.stat().st_dev:
        pytest.skip("the tests run on that filesystem themselves")
    before = set(MEMORY.iterdir())
    assert "cross-device" in try_move(tmp_path, MEMORY)
    assert not list(tmp_path.iterdir())
    assert not [path for path in set(MEMORY.iterdir()) - before if "clipd" in path.name]


def test_a_probe_folder_goes_with_what_is_in_it(tmp_path: Path) -> None:
    with probe_folder(tmp_path) as folder:
        assert folder.name.startswith(".")
        (folder / "x").touch()
    assert not list(tmp_path.iterdir())
