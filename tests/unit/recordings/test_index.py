"""The index: what a scan and hints find, what is remembered, and how many files it bears."""

from __future__ import annotations

import os
import sqlite3
from fractions import Fraction
from pathlib import Path

import pytest

from clipd.errors import Rejected
from clipd.model.instant import Period
from clipd.recordings.index import Index
from tests.unit.recordings.camera import cut, indexed, named, opened, period

DAY = 1_756_425_600
"""2025-08-29T00:00:00Z."""


def stand(folder: Path, *paths: str, size: int = 1) -> Path:
    """Files of these paths, with nothing of a video in them."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(bytes(size))
    return folder


def starts(index: Index, camera: str, first: float = 0, last: float = 86_400) -> list[str]:
    span = Period(DAY + Fraction(first), DAY + Fraction(last))
    return [recording.path for recording in index.around(camera, span)]


def test_a_scan_finds_what_is_named_like_a_recording(tmp_path: Path) -> None:
    stand(
        tmp_path,
        "gate/gate_20250829_000000.mp4",
        "gate/2025-08-29/gate_20250829_000005.TS",
        "yard/2025-08-29_00-00-10-500000.mp4",
        "flat_20250829_000001.mkv",
        "gate/notes.txt",
        "gate/holiday.mp4",
        "gate/.gate_20250829_000010.mp4",
        "gate/gate_20250829_000010.mp4.part",
        "gate/gate_20250829_256199.mp4",
    )
    index = opened(tmp_path)
    found = index.scan(0)
    assert found.changed == {"gate", "yard", "flat"}
    assert (found.unnamed, found.unnamed_examples) == (2, ("gate/gate_20250829_256199.mp4", "gate/holiday.mp4"))
    assert index.cameras() == ("flat", "gate", "yard")
    assert starts(index, "gate") == ["gate/gate_20250829_000000.mp4", "gate/2025-08-29/gate_20250829_000005.TS"]
    (yard,) = index.around("yard", period(0, 1))
    assert yard.start == DAY + Fraction(21, 2)
    assert index.totals("gate") == (2, 2)


def test_a_second_scan_tells_only_what_changed(tmp_path: Path) -> None:
    stand(tmp_path, *(f"{camera}/{camera}_20250829_00000{n}.mp4" for camera in ("a", "b", "c") for n in (0, 5)))
    index = indexed(tmp_path)
    assert index.scan(1).changed == frozenset()
    stand(tmp_path, "a/a_20250829_000009.mp4")
    (tmp_path / "b/b_20250829_000000.mp4").unlink()
    assert index.scan(2).changed == {"a", "b"}
    assert starts(index, "b") == ["b/b_20250829_000005.mp4"]
    assert index.scanned_at() == 2


def test_a_folder_that_cannot_be_read_loses_nothing(tmp_path: Path) -> None:
    root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
    index = indexed(root)
    root.rename(tmp_path / "away")
    assert index.scan(1).unreadable == (str(root),)
    assert index.cameras() == ("a",)


def test_hints_bring_in_change_and_take_out_single_files(tmp_path: Path) -> None:
    index = indexed(stand(tmp_path, "a/a_20250829_000000.mp4"))
    fresh = stand(tmp_path, "a/a_20250829_000005.mp4") / "a/a_20250829_000005.mp4"
    assert index.hint(fresh) == "a"
    assert starts(index, "a") == ["a/a_20250829_000000.mp4", "a/a_20250829_000005.mp4"]
    fresh.write_bytes(bytes(77))
    index.hint(fresh)
    assert index.newest("a").size == 77
    fresh.unlink()
    assert index.hint(fresh) is None
    assert starts(index, "a") == ["a/a_20250829_000000.mp4"]


@pytest.mark.parametrize(
    "name", ["a/.a_20250829_000005.mp4", "a/notes.txt", "a/holiday.mp4", "../a_20250829_000005.mp4"]
)
def test_a_hint_at_anything_else_changes_nothing(tmp_path: Path, name: str) -> None:
    root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
    index = indexed(root)
    stand(root, name)
    assert index.hint(root / name) is None
    assert index.scan(1).changed == frozenset()


def test_links_are_no_recordings(tmp_path: Path) -> None:
    root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
    link = root / "a/a_20250829_000005.mp4"
    link.symlink_to(stand(tmp_path, "elsewhere.mp4") / "elsewhere.mp4")
    index = indexed(root)
    assert index.hint(link) is None
    assert starts(index, "a") == ["a/a_20250829_000000.mp4"]


def test_names_that_are_no_text_are_taken_if_the_camera_s_is(tmp_path: Path) -> None:
    for path in (b"gate/\xe9/gate_20250829_000000.mp4", b"caf\xe9/caf\xe9_20250829_000000.mp4"):
        stand(tmp_path, os.fsdecode(path))
    index = opened(tmp_path)
    assert index.scan(0).unnamed == 1
    (found,) = index.around("gate", period(0, 1))
    assert index.refresh(found) == found


class TestCache:
    def test_what_one_process_scanned_another_knows(self, tmp_path: Path) -> None:
        root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
        first = indexed(root, tmp_path / "cache")
        second = opened(root, tmp_path / "cache")
        assert second.cameras() == ("a",)
        first.hint(stand(root, "b/b_20250829_000000.mp4") / "b/b_20250829_000000.mp4")
        assert second.cameras() == ("a", "b")

    def test_other_settings_forget_it(self, tmp_path: Path) -> None:
        root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
        indexed(root, tmp_path / "cache").close()
        other = opened(root, tmp_path / "cache", time_zone="Asia/Tokyo")
        assert (other.cameras(), other.scanned_at()) == ((), None)

    @pytest.mark.parametrize("damage", [b"no database", b""])
    def test_a_damaged_one_is_made_anew(self, tmp_path: Path, damage: bytes) -> None:
        root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / "recordings.sqlite").write_bytes(damage * 300)
        assert indexed(root, tmp_path / "cache").cameras() == ("a",)

    def test_one_damaged_within_is_made_anew(self, tmp_path: Path) -> None:
        root = stand(tmp_path / "recordings", *(f"a/a_20250829_00{n // 60:02}{n % 60:02}.mp4" for n in range(600)))
        indexed(root, tmp_path / "cache").close()
        file = tmp_path / "cache" / "recordings.sqlite"
        data = bytearray(file.read_bytes())
        data[8192:24_576] = os.urandom(16_384)
        file.write_bytes(data)
        assert indexed(root, tmp_path / "cache").totals("a") == (600, 600)

    def test_one_that_another_process_holds_is_left_to_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
        (tmp_path / "cache").mkdir()
        holder = sqlite3.connect(tmp_path / "cache" / "recordings.sqlite")
        holder.execute("BEGIN EXCLUSIVE")
        monkeypatch.setattr("clipd.recordings.index.BUSY_SECONDS", 0)
        assert indexed(root, tmp_path / "cache").cameras() == ("a",)
        holder.execute("CREATE TABLE mine (a)")
        holder.commit()

    def test_none_that_can_be_kept_is_no_reason_to_stop(self, tmp_path: Path) -> None:
        root = stand(tmp_path / "recordings", "a/a_20250829_000000.mp4")
        (tmp_path / "cache").write_bytes(b"a file")
        assert indexed(root, tmp_path / "cache").cameras() == ("a",)

    def test_a_file_is_opened_once_while_it_stays_as_it_is(self, tmp_path: Path) -> None:
        root = tmp_path / "recordings"
        path = cut(root / named(0), 0, 5)
        index = indexed(root, tmp_path / "cache")
        known = index.newest("gate")
        before = index.measure(known)
        assert before.extent.length == 5
        stamp, content = path.stat(), path.read_bytes()
        # The same size and time: whatever is in it now is not looked at.
        path.write_bytes(bytes(len(content)))
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert index.measure(known) == before
        index.close()
        assert indexed(root, tmp_path / "cache").measure(known) == before
        os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
        assert indexed(root, tmp_path / "cache").measure(known).extent is None


class TestAround:
    def test_the_neighbours_of_a_moment_are_found_among_many(self, tmp_path: Path) -> None:
        stand(tmp_path, *(f"a/a_20250829_{n // 720:02}{n // 12 % 60:02}{n * 5 % 60:02}.mp4" for n in range(4000)))
        index = indexed(tmp_path)
        found = [path[-10:-4] for path in starts(index, "a", 3601, 3609)]
        assert found == ["005950", "005955", "010000", "010005", "010010"]

    def test_a_file_that_is_large_for_its_place_is_found_from_afar(self, tmp_path: Path) -> None:
        stand(tmp_path, *(f"a/a_20250829_00{n // 12 % 60:02}{n * 5 % 60:02}.mp4" for n in range(600)), size=100)
        stand(tmp_path, "a/a_20250829_001002.mp4", size=100 * 200)
        assert "a/a_20250829_001002.mp4" in starts(indexed(tmp_path), "a", 1500, 1510)
        assert "a/a_20250829_001002.mp4" not in starts(indexed(tmp_path, longest_hours=0.1), "a", 1500, 1510)


@pytest.mark.parametrize(
    ("camera", "words"),
    [("Gate", "did you mean gate"), ("gat", "did you mean gate"), ("roof", "there are gate, yard")],
)
def test_an_unknown_camera_is_refused_with_near_names(tmp_path: Path, camera: str, words: str) -> None:
    index = indexed(stand(tmp_path, "gate/gate_20250829_000000.mp4", "yard/yard_20250829_000000.mp4"))
    index.require_camera("gate")
    with pytest.raises(Rejected, match=words):
        index.require_camera(camera)


def test_a_camera_is_refused_where_there_are_none(tmp_path: Path) -> None:
    with pytest.raises(Rejected, match="nothing is recorded yet"):
        indexed(tmp_path).require_camera("gate")
