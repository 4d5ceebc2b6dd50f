"""Staging: a folder of its own for each attempt, gone afterwards; whoever takes a job sweeps the others' away."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipd.delivery.staging import abandoned, remove, staging, sweep
from clipd.errors import ClipdError
from clipd.tree.layout import Layout
from clipd.tree.record import ticket_for
from tests.place import laid_out


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


def left(layout: Layout, *names: str) -> list[Path]:
    """Staging folders that killed attempts left behind."""
    folders = [layout.stagings / name for name in names]
    for folder in folders:
        (folder / "deep").mkdir(parents=True)
        (folder / "match_goal.mp4").write_text("half")
    return folders


def test_an_attempt_has_an_empty_folder_that_is_gone_afterwards(layout: Layout) -> None:
    with staging(layout, "job", "token") as folder:
        assert folder == layout.staging("job", "token")
        assert list(folder.iterdir()) == []
        (folder / "match_goal.mp4").write_text("film")
    assert not folder.exists()


@pytest.mark.parametrize("error", [ZeroDivisionError, KeyboardInterrupt])
def test_it_is_gone_however_the_attempt_ends(layout: Layout, error: type[BaseException]) -> None:
    def attempt() -> None:
        with staging(layout, "job", "token") as folder:
            (folder / "match_goal.mp4").write_text("film")
            raise error

    with pytest.raises(error):
        attempt()
    assert list(layout.stagings.iterdir()) == []


def test_an_attempt_does_not_fail_for_what_cannot_be_tidied_up(layout: Layout) -> None:
    with staging(layout, "job", "token") as folder:
        folder.rmdir()
        folder.write_text("no folder any more")
    with staging(layout, "job", "token2") as folder:
        folder.rmdir()


def test_two_attempts_of_one_token_cannot_be(layout: Layout) -> None:
    with staging(layout, "job", "token"), pytest.raises(ClipdError, match="making"), staging(layout, "job", "token"):
        pass


def test_the_sweep_takes_every_folder_of_the_job_and_no_other(layout: Layout) -> None:
    one, two, *others = left(layout, "job.a", "job.b", "job2.a", "jo.b", "other.job")
    sweep(layout, "job")
    assert not one.exists()
    assert not two.exists()
    assert all(other.exists() for other in others)


def test_a_frozen_attempt_finds_its_files_gone(layout: Layout) -> None:
    with staging(layout, "job", "frozen") as folder:
        (folder / "match_goal.mp4").write_text("film")
        sweep(layout, "job")
        assert not (folder / "match_goal.mp4").exists()


def test_an_attempt_that_was_frozen_after_publishing_finds_its_ticket_torn(layout: Layout) -> None:
    with ticket_for(layout, "job", "frozen") as mine, ticket_for(layout, "job2", "alive") as others:
        sweep(layout, "job")
        assert not mine.exists()
        assert others.exists()


def test_without_any_staging_there_is_nothing_to_sweep(layout: Layout) -> None:
    sweep(layout, "job")
    assert list(abandoned(layout)) == []


def test_what_is_left_is_found_with_the_job_it_was_for(layout: Layout) -> None:
    one, two = left(layout, "job.a", "other.b")
    assert list(abandoned(layout)) == [("job", one), ("other", two)]
    remove(two)
    remove(two)
    assert list(abandoned(layout)) == [("job", one)]


def test_what_is_no_folder_is_none_of_ours(layout: Layout, tmp_path: Path) -> None:
    (outside,) = left(laid_out(tmp_path / "outside"), "precious")
    layout.stagings.mkdir(parents=True)
    (layout.stagings / ".DS_Store").write_text("")
    (layout.stagings / "job.file").write_text("")
    (layout.stagings / "job.link").symlink_to(outside)
    os.mkfifo(layout.stagings / "job.fifo")
    sweep(layout, "job")
    assert list(abandoned(layout)) == []
    assert (outside / "match_goal.mp4").exists()


def test_a_folder_that_cannot_be_listed_is_told(layout: Layout) -> None:
    layout.outputs.mkdir(parents=True)
    layout.stagings.write_text("in the way")
    with pytest.raises(ClipdError, match="listing"):
        sweep(layout, "job")
