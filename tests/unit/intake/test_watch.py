"""Watching: what the kernel tells becomes hints, and where it cannot tell, that is known."""

from __future__ import annotations

import errno
import logging
import os
import queue
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loguru import logger

from clipd.intake.watch import Hint, Settings, Watch

EVENTS = Settings(mode="events")


@pytest.fixture
def hints() -> queue.SimpleQueue[Hint]:
    return queue.SimpleQueue()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "sidecars"
    (made / "cam1").mkdir(parents=True)
    return made


@pytest.fixture
def watch(folder: Path, hints: queue.SimpleQueue[Hint]) -> Iterator[Watch]:
    made = Watch((folder,), EVENTS, hints.put)
    yield made
    made.stop()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What is logged."""
    lines: list[str] = []
    sink = logger.add(lambda message: lines.append(message.record["message"]), level="INFO")
    yield lines
    logger.remove(sink)


def until(hints: queue.SimpleQueue[Hint], wanted: Hint) -> list[Hint]:
    """The hints up to and with `wanted`."""
    found = []
    while wanted not in found:
        found.append(hints.get(timeout=10))
    return found


def test_a_file_saved_in_place_is_told_and_its_close_is_told_apart(watch: Watch, folder: Path, hints) -> None:
    assert watch.trusted
    path = folder / "cam1" / "match_clips.json"
    with path.open("w") as file:
        file.write("[]")
        file.flush()
        assert Hint(str(path), closed=True) not in until(hints, Hint(str(path), closed=False))
    until(hints, Hint(str(path), closed=True))


def test_a_file_renamed_into_place_is_told_as_closed_there_and_gone_here(watch: Watch, folder: Path, hints) -> None:
    temporary, path = folder / "cam1" / ".match.tmp", folder / "cam1" / "match_clips.json"
    temporary.write_text("[]")
    temporary.rename(path)
    assert Hint(str(temporary), closed=False) in until(hints, Hint(str(path), closed=True))


def test_a_deletion_is_told(folder: Path, hints: queue.SimpleQueue[Hint]) -> None:
    path = folder / "cam1" / "match_clips.json"
    path.write_text("[]")
    watch = Watch((folder,), EVENTS, hints.put)
    path.unlink()
    until(hints, Hint(str(path), closed=False))
    watch.stop()


def test_new_and_moved_folders_are_told_and_watched(watch: Watch, folder: Path, hints) -> None:
    (folder / "cam2").mkdir()
    until(hints, Hint(str(folder / "cam2"), closed=False))
    (folder / "cam2").rename(folder / "cam3")
    until(hints, Hint(str(folder / "cam3"), closed=True))
    path = folder / "cam3" / "match_clips.json"
    path.write_text("[]")
    until(hints, Hint(str(path), closed=True))


def test_a_save_makes_nobody_look_at_the_whole_folder(watch: Watch, folder: Path, hints) -> None:
    path = folder / "cam1" / "match_clips.json"
    path.write_text("[]")
    until(hints, Hint(str(path), closed=True))
    path.unlink()
    (folder / "end").write_text("")
    found = until(hints, Hint(str(folder / "end"), closed=True))
    assert {hint.path for hint in found} <= {str(path), str(folder / "end")}


def test_reading_is_not_told(watch: Watch, folder: Path, hints) -> None:
    path = folder / "cam1" / "match_clips.json"
    path.write_text("[]")
    (folder / "begin").mkdir()
    until(hints, Hint(str(folder / "begin"), closed=False))
    path.read_text()
    (folder / "end").write_text("")
    assert str(path) not in {hint.path for hint in until(hints, Hint(str(folder / "end"), closed=True))}


def test_names_that_are_no_unicode_are_told(watch: Watch, folder: Path, hints) -> None:
    path = folder / "caf\udce9_clips.json"
    path.write_text("[]")
    until(hints, Hint(str(path), closed=True))


def test_events_are_no_longer_trusted_when_the_watched_folder_is_gone(watch: Watch, folder: Path) -> None:
    assert watch.trusted
    shutil.rmtree(folder)
    folder.mkdir()
    deadline = time.monotonic() + 10
    while watch.trusted:
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_polling_watches_nothing(folder: Path, hints) -> None:
    watch = Watch((folder,), Settings(mode="polling"), hints.put)
    assert not watch.trusted
    (folder / "a").write_text("")
    watch.stop()
    assert hints.empty()


def test_a_folder_that_is_not_there_cannot_be_trusted_to_tell(folder: Path, tmp_path: Path, hints) -> None:
    watch = Watch((folder, tmp_path / "none"), EVENTS, hints.put)
    assert not watch.trusted
    watch.stop()


def test_a_share_is_polled_and_that_is_said_unless_events_are_asked_for(
    folder: Path, hints, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("clipd.intake.watch.is_remote", lambda _: True)
    watch = Watch((folder,), Settings(mode="auto"), hints.put)
    assert not watch.trusted
    watch.stop()
    assert len(said) == 1
    assert "events of other machines do not arrive: looking every 5 s" in said[0]
    watch = Watch((folder,), EVENTS, hints.put)
    assert watch.trusted
    watch.stop()


class NoRoom:
    """An observer on a machine whose limits are reached."""

    number = errno.ENOSPC
    emitters: tuple[object, ...] = ()

    def schedule(self, *_: object, **__: object) -> str:
        return "watch"

    def start(self) -> None:
        raise OSError(self.number, os.strerror(self.number))

    def is_alive(self) -> bool:
        return False


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "fs.inotify.max_user_watches"),
        (errno.EMFILE, "fs.inotify.max_user_instances"),
        (errno.EPERM, "not permitted"),
    ],
)
def test_where_watches_cannot_be_had_one_warning_says_why_and_it_goes_on(
    folder: Path, hints, said: list[str], monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    monkeypatch.setattr("clipd.intake.watch.Observer", NoRoom)
    monkeypatch.setattr(NoRoom, "number", number)
    watch = Watch((folder,), EVENTS, hints.put)
    assert not watch.trusted
    watch.stop()
    assert len(said) == 1
    assert words in said[0]
    assert "looking every 5 s instead" in said[0]


def test_dropped_events_have_everything_looked_at(tmp_path: Path) -> None:
    hints: queue.SimpleQueue[Hint] = queue.SimpleQueue()
    watch = Watch((tmp_path,), Settings(mode="events"), hints.put)
    try:
        logging.getLogger("watchdog.observers.inotify_c").warning("Inotify queue overflowed")
        assert hints.get(timeout=5) == Hint(str(tmp_path), closed=False)
    finally:
        watch.stop()


def test_walking_and_reading_a_watched_tree_makes_no_events(tmp_path: Path) -> None:
    (tmp_path / "cam1").mkdir()
    (tmp_path / "cam1" / "a_clips.json").write_text("[]")
    hints: queue.SimpleQueue[Hint] = queue.SimpleQueue()
    watch = Watch((tmp_path,), Settings(mode="events"), hints.put)
    try:
        for path in tmp_path.rglob("*"):
            if path.is_file():
                path.read_text()
        (tmp_path / "mark").touch()
        heard = {hints.get(timeout=5).path}
        assert heard == {str(tmp_path / "mark")}
    finally:
        watch.stop()


def test_a_file_renamed_in_from_elsewhere_is_told_as_closed(watch: Watch, folder: Path, hints) -> None:
    outside = folder.with_name("outside.json")
    outside.write_text("[]")
    path = outside.rename(folder / "cam1" / "match_clips.json")
    until(hints, Hint(str(path), closed=True))


def test_a_file_that_is_being_written_is_not(watch: Watch, folder: Path, hints) -> None:
    path = folder / "cam1" / "match_clips.json"
    with path.open("w") as file:
        file.write("[")
        file.flush()
        assert until(hints, Hint(str(path), closed=False))
    until(hints, Hint(str(path), closed=True))
