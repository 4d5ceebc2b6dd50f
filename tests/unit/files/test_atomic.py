"""Files appear, change and vanish whole, and what the system refuses is said in the right class."""

from __future__ import annotations

import errno
import os
import socket
import stat
import threading
from pathlib import Path

import pytest

from clipd.errors import Deferred, Rejected, Temporary
from clipd.files import atomic


def names(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir())


def fail_with(number: int):
    def refuse(*_args, **_kwargs):
        raise OSError(number, os.strerror(number))

    return refuse


def without_renameat2(monkeypatch: pytest.MonkeyPatch, number: int = errno.EINVAL) -> None:
    monkeypatch.setattr(atomic, "_renameat2", fail_with(number))


class TestWrite:
    def test_new_file_has_the_usual_mode_and_nothing_is_left_over(self, tmp_path: Path) -> None:
        atomic.write(tmp_path / "a.json", b"one")
        assert (tmp_path / "a.json").read_bytes() == b"one"
        umask = os.umask(0)
        os.umask(umask)
        assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~umask
        assert names(tmp_path) == ["a.json"]

    def test_a_replaced_file_keeps_its_mode_and_attributes(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b"one")
        path.chmod(0o640)
        try:
            os.setxattr(path, "user.note", b"kept")
        except OSError:
            note = None
        else:
            note = b"kept"
        atomic.write(path, b"two")
        assert path.read_bytes() == b"two"
        assert stat.S_IMODE(path.stat().st_mode) == 0o640
        if note:
            assert os.getxattr(path, "user.note") == note

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root may give files away")
    def test_a_replaced_file_keeps_its_owner(self, tmp_path: Path) -> None:
        path = tmp_path / "a.json"
        path.write_bytes(b"one")
        os.chown(path, 12345, 23456)
        atomic.write(path, b"two")
        assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)

    def test_mode_overrides(self, tmp_path: Path) -> None:
        atomic.write(tmp_path / "a", b"", mode=0o600)
        assert stat.S_IMODE((tmp_path / "a").stat().st_mode) == 0o600

    @pytest.mark.parametrize("name", ["x" * 255, "ä" * 127, "-y.json", "a\nb", os.fsdecode(b"\xff\xfe.json")])
    def test_any_name_that_the_filesystem_takes(self, tmp_path: Path, name: str) -> None:
        atomic.write(tmp_path / name, b"one")
        atomic.write(tmp_path / name, b"two")
        assert (tmp_path / name).read_bytes() == b"two"
        assert names(tmp_path) == [name]

    def test_a_failed_fsync_keeps_the_old_content_and_discards_the_temp(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "a").write_bytes(b"old")
        calls: list[int] = []

        def refuse(descriptor: int) -> None:
            calls.append(descriptor)
            raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(os, "fsync", refuse)
        with pytest.raises(Temporary, match=r"writing .*a: Input/output error") as caught:
            atomic.write(tmp_path / "a", b"new")
        assert not isinstance(caught.value, Deferred)
        assert len(calls) == 1, "a failed fsync is not tried again"
        assert (tmp_path / "a").read_bytes() == b"old"
        assert names(tmp_path) == ["a"]

    def test_undurable_writes_sync_nothing(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(os, "fsync", fail_with(errno.EIO))
        atomic.write(tmp_path / "a", b"new", durable=False)
        assert (tmp_path / "a").read_bytes() == b"new"

    def test_a_full_disk_defers(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(os, "write", fail_with(errno.ENOSPC))
        with pytest.raises(Deferred, match="No space left"):
            atomic.write(tmp_path / "a", b"new")
        assert names(tmp_path) == []

    def test_short_writes_are_continued(self, tmp_path, monkeypatch) -> None:
        real = os.write
        monkeypatch.setattr(os, "write", lambda descriptor, data: real(descriptor, data[:3]))
        atomic.write(tmp_path / "a", b"0123456789")
        assert (tmp_path / "a").read_bytes() == b"0123456789"


WAYS = ["renameat2", "link", "reserve"]


def take_away(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if way != "renameat2":
        without_renameat2(monkeypatch)
    if way == "reserve":
        monkeypatch.setattr(os, "link", fail_with(errno.EPERM))


@pytest.mark.parametrize("way", WAYS)
class TestCreate:
    def test_writes_if_absent(self, tmp_path, monkeypatch, way) -> None:
        take_away(way, monkeypatch)
        assert atomic.create(tmp_path / "a", b"one")
        assert not atomic.create(tmp_path / "a", b"two")
        assert (tmp_path / "a").read_bytes() == b"one"
        assert names(tmp_path) == ["a"]

    def test_one_of_many_wins(self, tmp_path, monkeypatch, way) -> None:
        take_away(way, monkeypatch)
        won: list[bytes] = []
        gate = threading.Barrier(8)

        def contend(number: int) -> None:
            gate.wait()
            if atomic.create(tmp_path / "a", b"%d" % number):
                won.append(b"%d" % number)

        threads = [threading.Thread(target=contend, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) == 1
        assert (tmp_path / "a").read_bytes() == won[0]
        assert names(tmp_path) == ["a"]

    def test_publish_without_replacing(self, tmp_path, monkeypatch, way) -> None:
        take_away(way, monkeypatch)
        (tmp_path / "s").write_bytes(b"new")
        (tmp_path / "t").write_bytes(b"old")
        assert not atomic.publish(tmp_path / "s", tmp_path / "t", replace=False)
        assert (tmp_path / "t").read_bytes() == b"old"
        assert atomic.publish(tmp_path / "s", tmp_path / "u", replace=False)
        assert (tmp_path / "u").read_bytes() == b"new"
        assert names(tmp_path) == ["t", "u"]

    def test_publish_all_stops_at_a_name_that_is_taken(self, tmp_path, monkeypatch, way) -> None:
        take_away(way, monkeypatch)
        moves = [(tmp_path / f"s{number}", tmp_path / f"t{number}") for number in range(4)]
        for source, _ in moves:
            source.write_bytes(b"new")
        for number in (1, 2):
            (tmp_path / f"t{number}").write_bytes(b"old")
        assert atomic.publish_all(moves, replaceable={tmp_path / "t1"}) == moves[2:]
        assert names(tmp_path) == ["s2", "s3", "t0", "t1", "t2"]
        assert (tmp_path / "t1").read_bytes() == b"new"
        assert (tmp_path / "t2").read_bytes() == b"old"
        assert atomic.publish_all(moves[2:], replaceable={tmp_path / "t2"}) == []
        assert names(tmp_path) == ["t0", "t1", "t2", "t3"]


def test_a_link_whose_answer_was_lost_counts(tmp_path, monkeypatch) -> None:
    without_renameat2(monkeypatch)
    real = os.link

    def link_and_forget(source, target, **options):
        real(source, target, **options)
        raise FileExistsError(errno.EEXIST, "File exists")

    monkeypatch.setattr(os, "link", link_and_forget)
    assert atomic.create(tmp_path / "a", b"one")
    assert names(tmp_path) == ["a"]


class TestPublish:
    def test_replaces_and_moves_between_folders(self, tmp_path) -> None:
        (tmp_path / "staging").mkdir()
        (tmp_path / "staging" / "s").write_bytes(b"new")
        (tmp_path / "t").write_bytes(b"old")
        assert atomic.publish(tmp_path / "staging" / "s", tmp_path / "t")
        assert (tmp_path / "t").read_bytes() == b"new"
        assert names(tmp_path / "staging") == []

    def test_a_failed_fsync_publishes_nothing(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "s").write_bytes(b"new")
        monkeypatch.setattr(os, "fsync", fail_with(errno.EIO))
        with pytest.raises(Temporary):
            atomic.publish(tmp_path / "s", tmp_path / "t")
        assert not (tmp_path / "t").exists()

    def test_a_folder_in_the_way_is_rejected(self, tmp_path) -> None:
        (tmp_path / "s").write_bytes(b"new")
        (tmp_path / "t").mkdir()
        with pytest.raises(Rejected, match=r"publishing .*t"):
            atomic.publish(tmp_path / "s", tmp_path / "t")


class TestExchange:
    def test_swaps(self, tmp_path) -> None:
        (tmp_path / "a").write_bytes(b"A")
        (tmp_path / "b").write_bytes(b"B")
        assert atomic.exchange(tmp_path / "a", tmp_path / "b")
        assert (tmp_path / "a").read_bytes() + (tmp_path / "b").read_bytes() == b"BA"

    def test_false_when_the_target_is_gone(self, tmp_path) -> None:
        (tmp_path / "a").write_bytes(b"A")
        assert not atomic.exchange(tmp_path / "a", tmp_path / "b")
        assert names(tmp_path) == ["a"]

    @pytest.mark.parametrize("number", [errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EPERM])
    def test_unsupported_is_its_own_error(self, tmp_path, monkeypatch, number) -> None:
        without_renameat2(monkeypatch, number)
        with pytest.raises(atomic.Unsupported):
            atomic.exchange(tmp_path / "a", tmp_path / "b")

    def test_a_libc_without_the_call_is_unsupported(self, tmp_path, monkeypatch) -> None:
        monkeypatch.setattr(atomic, "_libc_renameat2", lambda: None)
        with pytest.raises(atomic.Unsupported):
            atomic.exchange(tmp_path / "a", tmp_path / "b")


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        *[(number, Deferred) for number in (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ESTALE, errno.ENOTCONN)],
        *[(number, Deferred) for number in (errno.ENODEV, errno.EHOSTDOWN, errno.EMFILE)],
        *[(number, Temporary) for number in (errno.EIO, errno.EACCES, errno.EPERM)],
        (errno.ENOENT, atomic.Missing),
        *[(number, Rejected) for number in (errno.ENAMETOOLONG, errno.ELOOP, errno.EISDIR)],
    ],
)
def test_an_os_error_answers_try_again(number, kind) -> None:
    error = atomic.as_clipd_error(OSError(number, os.strerror(number)), "reading /x/y")
    assert type(error) is kind
    assert str(error) == f"reading /x/y: {os.strerror(number)}"


def test_folders_that_cannot_be_synced_are_taken_at_their_word(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(os, "fsync", fail_with(errno.EINVAL))
    atomic.fsync_directory(tmp_path)
    monkeypatch.setattr(os, "fsync", fail_with(errno.EIO))
    with pytest.raises(Temporary):
        atomic.fsync_directory(tmp_path)


def test_remove_and_size(tmp_path) -> None:
    (tmp_path / "a").write_bytes(b"123")
    assert atomic.size_of(tmp_path / "a") == 3
    atomic.remove(tmp_path / "a")
    atomic.remove(tmp_path / "a")
    assert atomic.size_of(tmp_path / "a") is None
    assert atomic.size_of(tmp_path / "no" / "a") is None


class TestReadRegular:
    def test_content_and_look(self, tmp_path) -> None:
        (tmp_path / "a").write_bytes(b"123")
        data, seen = atomic.read_regular(tmp_path / "a", 3)
        assert (data, seen.st_size) == (b"123", 3)

    def test_missing(self, tmp_path) -> None:
        with pytest.raises(atomic.Missing):
            atomic.read_regular(tmp_path / "a", 3)

    def test_too_large(self, tmp_path) -> None:
        with (tmp_path / "a").open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(Rejected, match="at most 1,000"):
            atomic.read_regular(tmp_path / "a", 1000)

    def test_no_link_fifo_folder_device_or_socket(self, tmp_path) -> None:
        (tmp_path / "file").write_bytes(b"secret")
        (tmp_path / "link").symlink_to("file")
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "folder").mkdir()
        with socket.socket(socket.AF_UNIX) as door:
            door.bind(os.fspath(tmp_path / "socket"))
            for path in [*(tmp_path / name for name in ("link", "fifo", "folder", "socket")), Path("/dev/zero")]:
                with pytest.raises(Rejected, match="put the file itself there"):
                    atomic.read_regular(path, 1000)

    def test_a_link_put_there_after_the_first_look_is_not_followed(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "secret").write_bytes(b"secret")
        (tmp_path / "a").write_bytes(b"a")
        real = os.open

        def swap_and_open(path, flags, *rest, **options):
            (tmp_path / "a").unlink()
            (tmp_path / "a").symlink_to("secret")
            return real(path, flags, *rest, **options)

        monkeypatch.setattr(os, "open", swap_and_open)
        with pytest.raises(Rejected):
            atomic.read_regular(tmp_path / "a", 1000)

    def test_a_change_while_reading_is_temporary(self, tmp_path, monkeypatch) -> None:
        (tmp_path / "a").write_bytes(b"123")
        real = os.read

        def read_while_somebody_writes(descriptor: int, count: int) -> bytes:
            data = real(descriptor, count)
            with (tmp_path / "a").open("ab") as file:
                file.write(b"more")
            return data

        monkeypatch.setattr(os, "read", read_while_somebody_writes)
        with pytest.raises(Temporary, match="changed while it was read"):
            atomic.read_regular(tmp_path / "a", 1000)


def test_temporary_names_are_ignored_by_scans_and_differ(tmp_path) -> None:
    long = tmp_path / ("é" * 127)
    one, two = atomic.temporary(long), atomic.temporary(long)
    assert one != two
    assert one.parent == tmp_path
    assert one.name.startswith(".")
    assert one.name.endswith(".tmp")
    assert len(os.fsencode(one.name)) <= 255
    assert atomic.temporary(long, "x") != atomic.temporary(tmp_path / ("é" * 126 + "e"), "x")


def test_folders_are_made_within_one_that_is_there_and_never_in_place_of_one_that_is_away(tmp_path: Path) -> None:
    within = tmp_path / "share/.clipd"
    with pytest.raises(Deferred, match="is not there; is the share mounted"):
        atomic.make_folder(within / "status", within)
    assert names(tmp_path) == []
    within.parent.mkdir()
    with pytest.raises(Deferred):
        atomic.make_folder(within / "outbox/nas", within)
    assert names(within.parent) == []
    within.mkdir()
    for _ in range(2):
        atomic.make_folder(within / "outbox/nas/failed", within)
    assert (within / "outbox/nas/failed").is_dir()
    with pytest.raises(Deferred):
        atomic.make_folder(tmp_path / "else/where", within)
    assert names(tmp_path) == ["share"]
