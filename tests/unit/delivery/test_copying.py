"""Copying: proven before it has its name, never over another's file, never from outside the outputs."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.copying import copy, planned, wanted
from clipd.delivery.destinations import Destination
from clipd.delivery.destinations.directory import Directory
from clipd.errors import Rejected, Temporary
from clipd.files import atomic
from clipd.tree.layout import Layout
from clipd.tree.record import Output, Receipt
from tests.unit.delivery.publication import a_layout, publish

BIG = os.urandom(2_500_000)
VIDEO = "h264/cam1/s1/match_j1.mp4"


class Archive:
    """A folder that gets copies, and the tree that they come from."""

    def __init__(self, tmp_path: Path) -> None:
        self.layout: Layout = a_layout(tmp_path / "tree")
        self.folder = tmp_path / "archive"
        self.folder.mkdir()
        self.destination = Destination(directory=str(self.folder))
        self.store = Directory(self.destination, self.layout.root)

    def copy(self, *receipts: Receipt, alive: Callable[[], None] = lambda: None) -> tuple[Output, ...]:
        return copy(self.layout, receipts, self.destination, "cam1", self.store, alive)

    @property
    def files(self) -> dict[str, bytes]:
        return {p.relative_to(self.folder).as_posix(): p.read_bytes() for p in self.folder.rglob("*") if p.is_file()}


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path)


def test_all_of_a_publication_is_copied_by_the_names_it_has_below_the_outputs(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=BIG, json=b"{}")
    assert archive.copy(receipt) == receipt.outputs
    assert archive.files == {VIDEO: BIG, "h264/cam1/s1/match_j1.json": b"{}"}
    assert archive.copy(receipt) == receipt.outputs


def test_truth_sheets_go_first(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=BIG, json=b"{}")
    steps: list[int] = []

    def alive() -> None:
        steps.append(len([name for name in archive.files if name.endswith(".json")]))
        if len(steps) > 4:
            raise Temporary("stop")

    with pytest.raises(Temporary):
        archive.copy(receipt, alive=alive)
    assert list(archive.files) == ["h264/cam1/s1/match_j1.json"]


def test_a_former_publication_of_the_same_clip_is_replaced(archive: Archive) -> None:
    first = publish(archive.layout, mp4=b"one")
    archive.copy(first)
    second = publish(archive.layout, mp4=BIG, number=2)
    archive.copy(first, second)
    assert archive.files == {VIDEO: BIG}


@pytest.mark.parametrize("theirs", [b"theirs", b"own"[::-1], b""])
def test_another_file_is_never_replaced(archive: Archive, theirs: bytes) -> None:
    receipt = publish(archive.layout, mp4=b"own")
    (archive.folder / VIDEO).parent.mkdir(parents=True)
    (archive.folder / VIDEO).write_bytes(theirs)
    with pytest.raises(Rejected, match="another file"):
        archive.copy(receipt)
    assert archive.files == {VIDEO: theirs}


def test_a_file_that_comes_to_the_name_meanwhile_stays(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=b"own")

    def alive() -> None:
        (archive.folder / VIDEO).write_bytes(b"theirs")

    with pytest.raises(Temporary, match="while it was being copied"):
        archive.copy(receipt, alive=alive)
    assert archive.files == {VIDEO: b"theirs"}
    with pytest.raises(Rejected, match="another file"):
        archive.copy(receipt)


def test_a_copy_that_is_damaged_on_the_way_never_gets_its_name(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=BIG)

    class Damaging(Directory):
        def read(self, name: str) -> Iterator[bytes]:
            data = b"".join(super().read(name))
            yield data[:-1] + bytes([data[-1] ^ 1])

    archive.store = Damaging(archive.destination, archive.layout.root)
    with pytest.raises(Temporary, match="differs"):
        archive.copy(receipt)
    assert archive.files == {}


def test_an_output_that_was_changed_since_is_not_copied(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=b"published")
    archive.layout.at(receipt.outputs[0].path).write_bytes(b"meddled!!")
    with pytest.raises(Rejected, match="no longer what was published"):
        archive.copy(receipt)
    assert archive.files == {}


def test_an_output_that_is_gone_is_told(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=b"published")
    archive.layout.at(receipt.outputs[0].path).unlink()
    with pytest.raises(Rejected, match="gone"):
        archive.copy(receipt)


@pytest.mark.parametrize("path", ["clipd.yaml", "data/prept/03_CLIPPED/../../../clipd.yaml", "/etc/passwd"])
def test_a_receipt_that_names_something_else_copies_nothing(archive: Archive, path: str) -> None:
    forged = replace(publish(archive.layout, mp4=b"x"), outputs=(Output(path, 1, "0" * 64, "video"),))
    assert archive.copy(forged) == ()
    assert archive.files == {}


def test_a_link_on_the_way_copies_nothing(archive: Archive, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/passwd.mp4").write_bytes(b"x")
    archive.layout.outputs.mkdir(parents=True)
    (archive.layout.outputs / "h264").symlink_to(tmp_path / "secret")
    path = archive.layout.relative(archive.layout.outputs / "h264/passwd.mp4")
    forged = replace(publish(archive.layout, job="j2"), outputs=(Output(path, 1, "0" * 64, "video"),))
    with pytest.raises((Rejected, Temporary)):
        archive.copy(forged)
    assert archive.files == {}


def test_what_killed_attempts_left_is_removed(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=BIG)
    stray = archive.store.stage(VIDEO, archive.layout.at(receipt.outputs[0].path), lambda: None)
    assert archive.files.keys() == {stray}
    archive.copy(receipt)
    assert archive.files == {VIDEO: BIG}


def test_a_destination_that_is_not_mounted_is_not_made(archive: Archive) -> None:
    receipt = publish(archive.layout, mp4=b"x")
    archive.folder.rmdir()
    with pytest.raises(Temporary, match="mounted"):
        archive.copy(receipt)
    assert not archive.folder.exists()
    archive.folder.mkdir()
    archive.destination = Destination(directory=str(archive.folder), marker=".archive")
    archive.store = Directory(archive.destination, archive.layout.root)
    with pytest.raises(Temporary, match="has no .archive"):
        archive.copy(receipt)
    (archive.folder / ".archive").touch()
    archive.copy(receipt)
    assert (archive.folder / VIDEO).read_bytes() == b"x"


def test_plans_name_the_destination_and_the_file(archive: Archive) -> None:
    both = (Destination(directory="/mnt/a/"), Destination(url="s3://b/p", formats=("ffv1",)))
    assert planned(both, VIDEO, "cam1") == (f"/mnt/a/{VIDEO}",)
    assert planned(both, "ffv1/x.mkv", "cam1") == ("/mnt/a/ffv1/x.mkv", "s3://b/p/ffv1/x.mkv")
    receipt = publish(archive.layout, mp4=b"x", json=b"{}")
    assert wanted(archive.layout, receipt, both[0], "cam1") == receipt.outputs
    assert wanted(archive.layout, receipt, both[1], "cam1") == ()


def test_killed_before_any_change_the_next_attempt_ends_alike_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Stop(BaseException):
        pass

    def killed(archive: Archive, receipt: Receipt, stop_at: int) -> int:
        seen = 0

        def counted(call: Callable[..., Any]) -> Callable[..., Any]:
            def counting(*arguments: Any, **keywords: Any) -> Any:
                nonlocal seen
                if seen == stop_at:
                    raise Stop
                seen += 1
                return call(*arguments, **keywords)

            return counting

        with monkeypatch.context() as patch:
            for name in ("sync", "publish"):
                patch.setattr(atomic, name, counted(getattr(atomic, name)))
            patch.setattr(Path, "unlink", counted(lambda _path, **_: None))  # a killed process clears nothing up
            archive.copy(receipt)
        return seen

    whole = {VIDEO: BIG, "h264/cam1/s1/match_j1.json": b"{}"}
    plain = Archive(tmp_path / "plain")
    count = killed(plain, publish(plain.layout, mp4=BIG, json=b"{}"), -1)
    assert plain.files == whole
    assert count >= 4
    for stop_at in range(count):
        archive = Archive(tmp_path / str(stop_at))
        receipt = publish(archive.layout, mp4=BIG, json=b"{}")
        with pytest.raises(Stop):
            killed(archive, receipt, stop_at)
        assert {
            name: data for name, data in archive.files.items() if not name.endswith(".tmp")
        }.items() <= whole.items()
        archive.copy(receipt)
        assert archive.files == whole, stop_at
