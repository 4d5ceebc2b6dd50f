"""Write-backs change their clip and nothing else, and every interleaving with somebody's save loses neither."""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.merge import merge
from clipd.delivery.writeback import WriteBack, edit, write_back
from clipd.errors import Deferred, Rejected, Temporary
from clipd.files import atomic, contested, openers
from clipd.tree import sidecar

CLIPS: list[dict[str, Any]] = [
    {"id": "a", "name": "one", "status": "Process", "note": ""},
    {"id": "b", "name": "two", "status": "Process", "note": ""},
]
CHANGES = {"status": "Complete", "export_path": ["h264/one.mp4"]}
NOON = datetime(2026, 1, 31, 12, tzinfo=UTC)


def text(clips: list[dict[str, Any]] = CLIPS) -> bytes:
    return json.dumps(clips, indent=2).encode() + b"\n"


def noted(data: bytes, note: str, key: str = "id:b") -> bytes:
    """What a person's save makes of `data`."""
    return sidecar.patch(data, key, {"note": note})


def answered(data: bytes) -> bytes:
    """What our write-back makes of `data`."""
    return sidecar.patch(data, "id:a", CHANGES)


@pytest.fixture(params=["exchange", "replace", "no links"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """What the filesystem can do."""
    if request.param != "exchange":
        monkeypatch.setattr(atomic, "_libc_renameat2", lambda: None)
    if request.param == "no links":

        def refuse(*_args: object, **_options: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        monkeypatch.setattr(os, "link", refuse)
    return str(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    made = tmp_path / "match_clips.json"
    made.write_bytes(text())
    return made


class Waits:
    """A clock that only counts; each wait runs the next of the things that happen meanwhile."""

    def __init__(self, *happenings: Callable[[], object]) -> None:
        self.seconds: list[float] = []
        self.happenings = list(happenings)

    def __call__(self, seconds: float) -> None:
        self.seconds.append(seconds)
        if self.happenings:
            self.happenings.pop(0)()


def write(path: Path, **options: Any) -> WriteBack:
    settings: dict[str, Any] = {"expect": lambda entry: entry.due, "settle": Waits(), "now": lambda: NOON}
    return write_back(path, "id:a", changes=CHANGES, **settings | options)


def save(path: Path, data: bytes) -> None:
    """A save by rename."""
    temp = path.with_name("#save")
    temp.write_bytes(data)
    temp.rename(path)


def once(action: Callable[[], object]) -> Callable[[Path], None]:
    todo = [action]
    return lambda _: todo.pop()() if todo else None  # type: ignore[func-returns-value]


def names(path: Path) -> list[str]:
    return sorted(entry.name for entry in path.parent.iterdir())


class TestPlainly:
    def test_the_clip_is_written_and_nothing_else(self, path, way) -> None:
        assert write(path).result == "written"
        assert path.read_bytes() == answered(text())
        assert names(path) == [path.name]

    def test_nothing_waits_when_nobody_has_the_file_open(self, path) -> None:
        waits = Waits()
        write(path, settle=waits)
        assert waits.seconds == []

    def test_without_the_kernels_word_the_displaced_file_must_hold_still(self, path, monkeypatch, way) -> None:
        monkeypatch.setattr(openers, "nobody_writes", lambda path: None)
        waits = Waits()
        assert write(path, settle=waits, settle_seconds=0.3).result == "written"
        assert waits.seconds == ([] if way == "no links" else [0.3])
        assert names(path) == [path.name]

    def test_already(self, path, way) -> None:
        path.write_bytes(answered(text()))
        before = path.stat()
        assert write(path, expect=lambda entry: True).result == "already"
        assert path.stat() == before

    def test_remove(self, path, way) -> None:
        path.write_bytes(text([{**CLIPS[0], "error": "x"}]))
        write(path, remove=("error",))
        assert path.read_bytes() == text([{**CLIPS[0], **CHANGES}])

    def test_a_changed_clip_is_left_to_the_person(self, path, way) -> None:
        done = write(path, expect=lambda entry: False)
        assert (done.result, path.read_bytes()) == ("superseded", text())
        assert "one was changed meanwhile" in done.message

    def test_a_clip_that_exists_twice_is_left_to_the_person(self, path) -> None:
        path.write_bytes(text([CLIPS[0], CLIPS[0]]))
        assert write(path).result == "superseded"

    def test_a_missing_clip_or_file_is_not_brought_back(self, path, way) -> None:
        path.write_bytes(text(CLIPS[1:]))
        assert write(path).result == "gone"
        path.unlink()
        assert write(path).result == "gone"
        assert names(path) == []

    def test_mode_and_owner_are_kept(self, path, way) -> None:
        path.chmod(0o604)
        if os.geteuid() == 0:
            os.chown(path, 1234, 2345)
        before = path.stat()
        write(path)
        after = path.stat()
        assert stat.S_IMODE(after.st_mode) == 0o604
        assert (after.st_uid, after.st_gid) == (before.st_uid, before.st_gid)

    def test_a_full_disk_changes_nothing(self, path, monkeypatch, way) -> None:
        real = os.fsync

        def refuse(descriptor: int) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(Deferred):
            write(path)
        monkeypatch.setattr(os, "fsync", real)
        assert (path.read_bytes(), names(path)) == (text(), [path.name])

    def test_a_whole_folder_that_is_gone(self, path) -> None:
        path.unlink()
        path.parent.rmdir()
        assert write(path).result == "gone"

    def test_an_io_error_of_the_exchange_is_temporary_and_leaves_no_stray_for_long(self, path, monkeypatch) -> None:
        def refuse(*_arguments: object) -> None:
            raise OSError(errno.EIO, "Input/output error")

        with monkeypatch.context() as patched:
            patched.setattr(atomic, "_renameat2", refuse)
            with pytest.raises(Temporary, match="Input/output error"):
                write(path)
        assert path.read_bytes() == text()
        assert write(path).result == "written"
        assert names(path) == [path.name]

    def test_a_link_in_the_sidecars_place_is_refused(self, path) -> None:
        path.rename(path.with_name("real"))
        path.symlink_to("real")
        with pytest.raises(Rejected, match="symbolic link"):
            write(path)


class TestHalfWritten:
    def test_a_sidecar_in_the_middle_of_a_save_is_waited_for(self, path, way) -> None:
        path.write_bytes(text()[:20])
        waits = Waits(lambda: None, lambda: path.write_bytes(text()))
        assert write(path, settle=waits).result == "written"
        assert path.read_bytes() == answered(text())

    def test_one_that_stays_so_is_temporary_and_untouched(self, path, way) -> None:
        path.write_bytes(b"[{]")
        waits = Waits()
        with pytest.raises(Temporary, match="cannot be read just now: line 1, column 3"):
            write(path, settle=waits)
        assert sum(waits.seconds) < 1
        assert (path.read_bytes(), names(path)) == (b"[{]", [path.name])

    def test_an_editor_that_moves_the_old_file_away_first(self, path, way) -> None:
        path.unlink()
        assert write(path, settle=Waits(lambda: path.write_bytes(text()))).result == "written"


class TestSaveBetweenReadAndWrite:
    @pytest.mark.parametrize("how", [save, Path.write_bytes])
    def test_both_stand(self, path, way, how) -> None:
        assert write(path, after_read=once(lambda: how(path, noted(text(), "mine")))).result == "written"
        assert path.read_bytes() == answered(noted(text(), "mine"))
        assert names(path) == [path.name]

    def test_a_cancelled_clip_is_left_alone(self, path, way) -> None:
        draft = sidecar.patch(text(), "id:a", {"status": "Draft"})
        assert write(path, after_read=once(lambda: save(path, draft))).result == "superseded"
        assert path.read_bytes() == draft

    def test_a_deleted_file_is_not_brought_back(self, path, way) -> None:
        assert write(path, after_read=once(path.unlink)).result == "gone"
        assert names(path) == []

    def test_saves_without_end_are_put_off(self, path, way) -> None:
        count = iter(range(1000))
        with pytest.raises(Temporary, match="saved over and over"):
            write(path, after_read=lambda _: save(path, noted(text(), str(next(count)))))
        assert json.loads(path.read_bytes())[1]["note"] == str(next(count) - 1)
        assert names(path) == [path.name]


class Interpose:
    """Lets things happen right before and right after the exchanges, in turn."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **happenings: Callable[[], object]) -> None:
        exchange, self.calls = atomic.exchange, 0

        def interposed(one: Path, other: Path) -> bool:
            self.calls += 1
            happenings.pop(f"before_{self.calls}", lambda: None)()
            done = exchange(one, other)
            happenings.pop(f"after_{self.calls}", lambda: None)()
            return done

        monkeypatch.setattr(atomic, "exchange", interposed)


class TestSaveAroundTheExchange:
    @pytest.mark.parametrize("how", [save, Path.write_bytes])
    def test_right_before(self, path, monkeypatch, how) -> None:
        steps = Interpose(monkeypatch, before_1=lambda: how(path, noted(text(), "mine")))
        assert write(path).result == "written"
        assert path.read_bytes() == answered(noted(text(), "mine"))
        assert (names(path), steps.calls) == ([path.name], 3)

    def test_before_and_again_before_it_is_given_back(self, path, monkeypatch) -> None:
        second = noted(noted(text(), "first"), "second")
        Interpose(
            monkeypatch,
            before_1=lambda: save(path, noted(text(), "first")),
            before_2=lambda: save(path, second),
            before_3=lambda: save(path, noted(second, "third")),
        )
        assert write(path).result == "written"
        assert path.read_bytes() == answered(noted(second, "third"))
        assert names(path) == [path.name]

    def test_right_after_by_rename(self, path, monkeypatch) -> None:
        Interpose(monkeypatch, after_1=lambda: save(path, noted(text(), "mine")))
        assert write(path).result == "written"
        assert path.read_bytes() == noted(text(), "mine"), "the save is the person's last word"

    def test_a_cancelled_clip_right_before(self, path, monkeypatch) -> None:
        draft = sidecar.patch(text(), "id:a", {"status": "Draft"})
        Interpose(monkeypatch, before_1=lambda: save(path, draft))
        assert write(path).result == "superseded"
        assert (path.read_bytes(), names(path)) == (draft, [path.name])

    def test_deleted_right_before(self, path, monkeypatch) -> None:
        Interpose(monkeypatch, before_1=path.unlink)
        assert write(path).result == "gone"
        assert names(path) == []

    def test_saved_and_then_deleted_while_it_is_given_back(self, path, monkeypatch) -> None:
        Interpose(monkeypatch, before_1=lambda: save(path, noted(text(), "x")), before_2=path.unlink)
        assert write(path).result == "gone"
        assert names(path) == []

    def test_who_cannot_be_held_back_may_lose_an_edit_so_it_is_merged(self, path, monkeypatch) -> None:
        """Somebody saves, somebody else reads our file in the gap and saves on top of it."""
        monkeypatch.setattr(openers, "_lease", lambda descriptor, kind: None)
        Interpose(
            monkeypatch,
            before_1=lambda: save(path, noted(text(), "first")),
            before_2=lambda: save(path, sidecar.patch(path.read_bytes(), "id:b", {"rating": 5})),
        )
        assert write(path).result == "written"
        assert json.loads(path.read_bytes()) == [
            {**CLIPS[0], **CHANGES},
            {**CLIPS[1], "note": "first", "rating": 5},
        ]
        assert names(path) == [path.name]

    def test_and_what_contradicts_is_kept_as_a_conflict_copy(self, path, monkeypatch) -> None:
        monkeypatch.setattr(openers, "_lease", lambda descriptor, kind: None)
        Interpose(
            monkeypatch,
            before_1=lambda: save(path, noted(text(), "first")),
            before_2=lambda: save(path, noted(path.read_bytes(), "second")),
        )
        done = write(path)
        assert done.result == "conflict"
        assert done.conflict_copy is not None
        assert done.conflict_copy.name.startswith("match_clips.conflict-20260131T120000Z-")
        assert not done.conflict_copy.name.endswith("_clips.json")
        assert done.conflict_copy.name in done.message
        assert done.conflict_copy.read_bytes() == noted(text(), "first")
        assert path.read_bytes() == answered(noted(text(), "second"))
        assert names(path) == sorted([path.name, done.conflict_copy.name])


class TestWritersInPlace:
    def test_into_the_displaced_file(self, path, monkeypatch, way) -> None:
        """An editor opened the sidecar before we replaced it, and writes afterwards."""
        if way == "no links":
            pytest.skip("nothing can be kept there")
        editor = path.open("r+b")

        def finish() -> None:
            editor.write(noted(text(), "late"))
            editor.truncate()
            editor.close()

        assert write(path, settle=Waits(lambda: None, finish)).result == "written"
        assert path.read_bytes() == answered(noted(text(), "late"))
        assert names(path) == [path.name]

    def test_a_late_cancel_wins(self, path, way) -> None:
        if way == "no links":
            pytest.skip("nothing can be kept there")
        editor = path.open("r+b")
        draft = sidecar.patch(text(), "id:a", {"status": "Draft"})

        def finish() -> None:
            with editor:
                editor.write(draft)
                editor.truncate()

        assert write(path, settle=Waits(finish)).result == "superseded"
        assert path.read_bytes() == draft

    def test_late_into_a_file_that_was_saved_again(self, path) -> None:
        editor = path.open("r+b")

        def finish() -> None:
            save(path, sidecar.patch(path.read_bytes(), "id:b", {"rating": 5}))
            with editor:
                editor.write(noted(text(), "late"))
                editor.truncate()

        assert write(path, settle=Waits(finish)).result == "written"
        assert json.loads(path.read_bytes()) == [{**CLIPS[0], **CHANGES}, {**CLIPS[1], "note": "late", "rating": 5}]

    def test_garbage_that_is_written_late_is_kept_beside(self, path) -> None:
        editor = path.open("r+b")

        def finish() -> None:
            with editor:
                editor.write(b"[half a s")
                editor.truncate()

        done = write(path, settle=Waits(finish))
        assert (done.result, path.read_bytes()) == ("conflict", answered(text()))
        assert done.conflict_copy is not None
        assert done.conflict_copy.read_bytes() == b"[half a s"

    def test_one_who_never_closes_does_not_hold_us_up(self, path) -> None:
        with path.open("r+b"):
            waits = Waits()
            assert write(path, settle=waits).result == "written"
            assert sum(waits.seconds) <= 1


class TestDeath:
    """What a process leaves when it dies between two steps, and what the next write-back makes of it."""

    def die(self, path: Path, monkeypatch: pytest.MonkeyPatch, **happenings: Callable[[], object]) -> None:
        with monkeypatch.context() as patched:
            Interpose(patched, **happenings)
            patched.setattr(atomic, "remove", lambda path: None)
            with pytest.raises(KeyboardInterrupt):
                write(path)

    @staticmethod
    def dies() -> None:
        raise KeyboardInterrupt

    def test_before_the_exchange(self, path, monkeypatch) -> None:
        self.die(path, monkeypatch, before_1=self.dies)
        assert len(names(path)) == 2
        assert write(path).result == "written"
        assert (path.read_bytes(), names(path)) == (answered(text()), [path.name])

    def test_after_the_exchange(self, path, monkeypatch) -> None:
        self.die(path, monkeypatch, after_1=self.dies)
        assert write(path, expect=lambda entry: True).result == "already"
        assert (path.read_bytes(), names(path)) == (answered(text()), [path.name])

    def test_while_somebodys_save_is_out_of_place(self, path, monkeypatch) -> None:
        self.die(path, monkeypatch, before_1=lambda: save(path, noted(text(), "mine")), after_1=self.dies)
        assert path.read_bytes() == answered(text())
        assert write(path).result == "written"
        assert (path.read_bytes(), names(path)) == (answered(noted(text(), "mine")), [path.name])

    def test_and_somebody_else_saved_since(self, path, monkeypatch) -> None:
        self.die(path, monkeypatch, before_1=lambda: save(path, noted(text(), "mine")), after_1=self.dies)
        save(path, noted(text(), "other"))
        done = write(path)
        assert done.result == "conflict"
        assert done.conflict_copy is not None
        assert done.conflict_copy.read_bytes() == noted(text(), "mine")
        assert path.read_bytes() == answered(noted(text(), "other"))

    def test_others_temporary_files_are_left_alone(self, path) -> None:
        others = [".match_clips.json.abc.tmp", ".match_clips.json.swp", f".other_clips.json.{'0' * 16}-{'0' * 16}.tmp"]
        for name in others:
            path.with_name(name).write_bytes(b"[]")
        write(path)
        assert names(path) == sorted([path.name, *others])


class TestEdit:
    def test_several_clips_in_one_write(self, path, way) -> None:
        done = edit(path, ["id:a", "id:b"], {"status": "Draft"}, settle=Waits())
        assert done.result == "written"
        assert path.read_bytes() == text([{**clip, "status": "Draft"} for clip in CLIPS])
        assert edit(path, ["id:a"], {"status": "Draft"}, settle=Waits()).result == "already"

    def test_a_clip_that_is_not_there(self, path) -> None:
        with pytest.raises(Rejected, match='no clip can be found by "id:c"'):
            edit(path, ["id:a", "id:c"], {"status": "Draft"}, settle=Waits())
        assert path.read_bytes() == text()


class TestMerge:
    BASE = text()

    def test_changes_to_different_keys_are_joined(self) -> None:
        late = sidecar.patch(noted(self.BASE, "n"), "id:a", {"x": 1}, remove=("note",))
        assert merge(self.BASE, late, answered(self.BASE)) == sidecar.patch(
            noted(answered(self.BASE), "n"), "id:a", {"x": 1}, remove=("note",)
        )

    @pytest.mark.parametrize(
        "late",
        [
            noted(text(), "two"),
            sidecar.patch(text(), "id:b", {}, remove=("note",)),
            text(CLIPS[:1]),
            text([*CLIPS, {"id": "c"}]),
            text(CLIPS[::-1]),
            text([CLIPS[0], CLIPS[0]]),
            b'{"clips": []}',
            b"[",
        ],
    )
    def test_contradictions_are_not_guessed(self, late) -> None:
        assert merge(self.BASE, late, noted(self.BASE, "one")) is None

    def test_keys_around_the_clips_count(self) -> None:
        base, late = (b'{"clips": %s, "v": %d}' % (text(), version) for version in (1, 2))
        assert merge(base, late, answered(base)) is None

    def test_a_clip_that_the_present_file_lacks(self) -> None:
        assert merge(self.BASE, noted(self.BASE, "x"), text(CLIPS[:1])) is None

    def test_equal_is_equal(self) -> None:
        assert merge(self.BASE, self.BASE, b"anything") == b"anything"
        assert merge(b"anything", self.BASE, self.BASE) == self.BASE


def test_a_reader_in_the_gap_waits_and_reads_the_newest(path, monkeypatch) -> None:
    """Between exchange and giving back nobody reads the state that lacks a save."""
    descriptor = os.open(path, os.O_RDWR)
    with openers.held_back(descriptor) as held:
        if not held:
            pytest.skip("this kernel or filesystem has no leases")
        with pytest.raises(BlockingIOError):
            os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    os.close(os.open(path, os.O_RDONLY | os.O_NONBLOCK))
    os.close(descriptor)
    opened: list[int] = []
    steps = Interpose(
        monkeypatch,
        before_1=lambda: save(path, noted(text(), "mine")),
        after_1=lambda: opened.append(path.stat().st_ino),
    )
    swapped = contested.swap(path, contested.look(path, 10_000), answered(text()))
    assert (swapped.placed, steps.calls) == (False, 2)
    assert swapped.left is not None
    assert swapped.left.path.stat().st_ino == opened[0]
    assert swapped.left.path.read_bytes() == noted(text(), "mine") == path.read_bytes()
