"""What was finished lately is remembered over restarts, for all machines, and whatever else lies in its files."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.model.outcome import Verdict
from clipd.report.history import RECENT, Ending, History, Product, products
from clipd.tree.layout import Layout
from tests.fake_clock import NOON
from tests.place import laid_out


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


def ending(job: str = "j1", minutes_ago: float = 5, verdict: Verdict = Verdict.COMPLETE, host: str = "one") -> Ending:
    return Ending(
        stamp(NOON - timedelta(minutes=minutes_ago)), job, "match / goal", "cam1", host, verdict, 2.5,
        (Product("a/b.mp4", "a/b.jpg", "a/b.json"),), 1, "",
    )  # fmt: skip


def test_what_was_finished_is_there_after_a_restart(layout: Layout) -> None:
    History(layout, "one").add(ending())
    again = History(layout, "one")
    again.refresh(NOON)
    assert again.recent(Verdict.COMPLETE, 5) == (ending(),)
    assert again.per_hour(NOON)[-1] == (1, 0)


def test_every_machine_shows_the_work_of_all_as_it_comes(layout: Layout) -> None:
    one, two = History(layout, "one"), History(layout, "two")
    one.add(ending("j1"))
    two.add(ending("j2", host="two"))
    for history in (one, two):
        history.refresh(NOON)
        assert {each.job for each in history.recent(Verdict.COMPLETE, 5)} == {"j1", "j2"}
    two.add(ending("j3", verdict=Verdict.FAILED))
    one.refresh(NOON)
    one.refresh(NOON)
    assert one.per_hour(NOON)[-1] == (2, 1)


def test_each_hour_is_counted_apart_and_the_last_one_ends_now(layout: Layout) -> None:
    history = History(layout, "one")
    for number, minutes in enumerate((1, 59, 75, 23 * 60 + 30, 26 * 60)):
        history.add(ending(f"j{number}", minutes))
    history.refresh(NOON)
    hours = history.per_hour(NOON)
    assert len(hours) == 24
    assert [number for number, hour in enumerate(hours) if hour != (0, 0)] == [0, 22, 23]
    assert sum(complete for complete, _ in hours) == 4


def test_a_clip_that_ran_again_is_shown_once_as_it_ended_last(layout: Layout) -> None:
    history = History(layout, "one")
    history.add(ending("j1", 9))
    history.add(replace(ending("j1", 3), clip="match / renamed"))
    history.refresh(NOON)
    assert [each.clip for each in history.recent(Verdict.COMPLETE, 5)] == ["match / renamed"]
    assert history.per_hour(NOON)[-1] == (2, 0)


def test_memory_stays_small_however_much_is_finished(layout: Layout) -> None:
    history = History(layout, "one")
    for number in range(6 * RECENT):
        history.add(ending(f"j{number}", 300 - number / 2))
    history.refresh(NOON)
    recent = history.recent(Verdict.COMPLETE, 1000)
    assert [each.job for each in recent] == [f"j{number}" for number in range(6 * RECENT - 1, 5 * RECENT - 1, -1)]


@pytest.mark.parametrize(
    "line",
    [
        b"not json", b"[]", b"{}", b'{"at": 5}', b"\xff\xfe", b"[" * 5000, b"x" * 100_000,
        b'{"at":"yesterday","job":"j","clip":"c","camera":"c","host":"h","verdict":"complete"}',
        b'{"at":"2026-05-01T11:00:00Z","job":"j","clip":"c","camera":"c","host":"h","verdict":"wonderful"}',
        b'{"at":"2026-05-01T11:00:00Z","job":["j"],"clip":"c","camera":"c","host":"h","verdict":"complete"}',
        b'{"at":"2026-05-01T11:00:00Z","job":"j","clip":"c","camera":"c","host":"h","verdict":"complete","notes":1e400}',
    ],
)  # fmt: skip
def test_lines_that_are_none_are_passed_over(layout: Layout, line: bytes) -> None:
    History(layout, "one").add(ending())
    path = layout.history("one", "20260501")
    path.write_bytes(line + b"\n" + path.read_bytes())
    history = History(layout, "one")
    history.refresh(NOON)
    assert [each.job for each in history.recent(Verdict.COMPLETE, 5)] == ["j1"]


def test_a_line_torn_by_a_power_cut_costs_no_other(layout: Layout) -> None:
    path = layout.history("one", "20260501")
    History(layout, "one").add(ending("j1"))
    path.write_bytes(path.read_bytes() + b'{"at":"2026-05-0')
    history = History(layout, "one")
    history.refresh(NOON)
    history.add(ending("j2"))
    history.refresh(NOON)
    assert {each.job for each in history.recent(Verdict.COMPLETE, 5)} == {"j1", "j2"}


def test_files_go_after_two_days(layout: Layout) -> None:
    history = History(layout, "one")
    history.add(ending(minutes_ago=80 * 60))
    history.add(ending(minutes_ago=40 * 60))
    history.refresh(NOON)
    assert [path.name for path in layout.histories.iterdir()] == ["one.20260429.jsonl"]
    history.refresh(NOON + timedelta(days=3))
    assert not list(layout.histories.iterdir())
    assert history.per_hour(NOON) == ((0, 0),) * 24


def test_links_and_pipes_in_the_folder_are_neither_followed_nor_waited_for(layout: Layout, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"")
    layout.histories.mkdir(parents=True)
    layout.history("one", "20260501").symlink_to(other)
    os.mkfifo(layout.history("two", "20260501"))
    for host in ("one", "two"):
        history = History(layout, host)
        history.add(ending())
        history.refresh(NOON)
    assert other.read_bytes() == b""


def test_what_cannot_be_written_now_is_written_later(layout: Layout) -> None:
    layout.histories.write_text("in the way")
    history = History(layout, "one")
    history.add(ending())
    history.refresh(NOON)
    assert not history.recent(Verdict.COMPLETE, 5)
    layout.histories.unlink()
    history.refresh(NOON)
    assert history.recent(Verdict.COMPLETE, 5) == (ending(),)


def test_a_name_that_is_no_unicode_is_still_told(layout: Layout) -> None:
    history = History(layout, "one")
    history.add(replace(ending(), clip="match / \udc80"))
    history.refresh(NOON)
    assert history.recent(Verdict.COMPLETE, 5)[0].clip == "match / ?"


def test_products_name_only_what_is_there(layout: Layout) -> None:
    folder = layout.outputs / "h264"
    folder.mkdir(parents=True)
    (folder / "v1.2_goal.mp4").touch()
    (folder / "v1.2_goal.jpg").touch()
    video = layout.relative(folder / "v1.2_goal.mp4")
    assert products(layout, [video]) == (Product(video, video.replace(".mp4", ".jpg"), ""),)
