"""Filing: what is dropped under the same name while the answered one is moved away is never taken for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from clipd.delivery.filing import file_video, put_away
from clipd.errors import Superseded, Temporary
from clipd.files import atomic
from clipd.tree.layout import DONE, Layout
from clipd.tree.video import signature
from tests.unit.delivery.publication import a_layout

Before = Callable[[Callable[[], None]], None]


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return a_layout(tmp_path / "tree")


@pytest.fixture
def before_move(monkeypatch: pytest.MonkeyPatch) -> Before:
    """Have something done at the last moment before the first move."""

    def have_done(action: Callable[[], None]) -> None:
        actions, move = [action], atomic.move

        def late(source: Path, target: Path) -> bool:
            if actions:
                actions.pop()()
            return move(source, target)

        monkeypatch.setattr(atomic, "move", late)

    return have_done


def dropped(layout: Layout, words: str = "old", name: str = "door.json") -> Path:
    path = layout.inbox_of("events") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    temp = path.with_name(f".{name}.tmp")
    temp.write_text(words)
    os.utime(temp, ns=(0, len(words)))
    return temp.rename(path)


def test_what_was_answered_goes_beside_what_went_before(layout: Layout) -> None:
    for words in ("first", "second"):
        path = dropped(layout, words)
        told: list[Path] = []
        assert put_away(layout, path, DONE, signature(path), announce=told.append)
        assert [place.read_text() for place in told] == [words]
        assert not path.exists()
    assert {file.name: file.read_text() for file in (path.parent / DONE).iterdir()} == {
        "door.json": "first", "door.2.json": "second"
    }  # fmt: skip


def test_a_file_dropped_since_the_answer_stays(layout: Layout) -> None:
    seen = signature(dropped(layout))
    path = dropped(layout, "new one")
    assert not put_away(layout, path, DONE, seen)
    assert path.read_text() == "new one"
    assert not list((path.parent / DONE).iterdir())


def test_a_file_dropped_at_the_last_moment_goes_back(layout: Layout, before_move: Before) -> None:
    path = dropped(layout)
    before_move(lambda: void(dropped(layout, "new one")))
    assert not put_away(layout, path, DONE, signature(path))
    assert path.read_text() == "new one"
    assert not list((path.parent / DONE).iterdir())


def test_one_that_was_removed_is_no_error(layout: Layout) -> None:
    path = dropped(layout)
    seen = signature(path)
    path.unlink()
    assert not put_away(layout, path, DONE, seen)


def test_a_folder_is_known_by_the_file_in_it_that_was_answered(layout: Layout, before_move: Before) -> None:
    folder = dropped(layout, name="burst.json").parent / "burst"
    (folder / "pictures").mkdir(parents=True)
    request = folder / "request.json"
    request.write_text("{}")
    seen = signature(request)
    before_move(lambda: void(request.write_text('{"other": 1}')))
    assert not put_away(layout, folder, DONE, seen, at="request.json")
    assert request.read_text() == '{"other": 1}'
    assert put_away(layout, folder, DONE, signature(request), at="request.json")
    assert (folder.parent / DONE / "burst/pictures").is_dir()


def test_a_video_dropped_since_is_not_filed_as_the_one_that_was_analysed(layout: Layout, before_move: Before) -> None:
    target = layout.source / "cam1/s1/match.mp4"
    seen = signature(dropped(layout, name="match.mp4"))
    for when in ("before", "at the last moment"):
        video = dropped(layout, "another" if when == "before" else "old", name="match.mp4")
        if when != "before":
            before_move(lambda: void(dropped(layout, "another", name="match.mp4")))
        with pytest.raises(Superseded, match="another video by now"):
            file_video(video, target, seen)
        assert video.read_text() == "another"
        assert not target.exists()


@pytest.mark.parametrize("moment", ["before it is copied", "after it is published"])
def test_so_it_is_where_videos_are_carried_to_another_disk(
    layout: Layout, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    target = layout.source / "cam1/s1/match.mp4"
    video = dropped(layout, name="match.mp4")
    seen = signature(video)

    move = atomic.move

    def across(path: Path, place: Path) -> bool:
        if place != target:
            return move(path, place)
        if moment == "before it is copied":
            dropped(layout, "another", name="match.mp4")
        raise Temporary("no") from OSError(errno.EXDEV, "across")

    def publish(temp: Path, place: Path, *, replace: bool) -> bool:
        is_new = really(temp, place, replace=replace)
        dropped(layout, "another", name="match.mp4")
        return is_new

    really = atomic.publish
    monkeypatch.setattr(atomic, "move", across)
    if moment == "after it is published":
        monkeypatch.setattr(atomic, "publish", publish)
    with pytest.raises(Superseded):
        file_video(video, target, seen)
    assert video.read_text() == "another"
    assert [file.read_text() for file in target.parent.iterdir()] == (
        [] if moment == "before it is copied" else ["old"]
    )


def void(_: object) -> None:
    """Drop what a call gives."""
