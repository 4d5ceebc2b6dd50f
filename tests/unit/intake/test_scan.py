"""The scan: the whole tree in slices, hints for what just happened, and never a read too many or too few."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clipd.errors import Deferred
from clipd.files.walk import NOT_THERE_YET
from clipd.intake.admit import Admission
from clipd.intake.scan import Scan
from clipd.intake.settle import MARGIN_SECONDS, Settling
from clipd.intake.sources.sidecars import Sidecars
from clipd.tree.layout import Directories, Layout
from tests.fake_clock import FakeClock

SETTLE = 2.0
LONG_AGO = SETTLE + MARGIN_SECONDS + 1


class Counted(Sidecars):
    """Sidecars, whose readings are counted."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree

    def admit(self, layout: Layout, path: Path) -> Admission:
        """Reads a sidecar, and counts it."""
        self.tree.reads.append(self.tree.name(path))
        self.tree.broken(path)
        return super().admit(layout, path)


class Tree:
    """A sidecar tree, a scan of it that counts what it reads, and a clock that stands still.

    Change times cannot be set: files are saved at the real time, so with each save the share's clock (ours and
    `offset`) becomes the real one. From then on it moves as ours does; what is looked at `LONG_AGO` later has settled.
    """

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root, Directories())
        self.layout.sidecars.mkdir(parents=True)
        self.clock = FakeClock(datetime.now(UTC))
        self.reads: list[str] = []
        self.told: list[tuple[str, str]] = []
        self.offset = 0.0
        self.broken: Callable[[Path], None] = lambda path: None
        self.scan = Scan(
            layout=self.layout,
            clock=self.clock,
            ignore=NOT_THERE_YET,
            settling=Settling(SETTLE),
            share_offset=lambda: self.offset,
            report=lambda path, words: self.told.append((path, words)),
            source=Counted(self),
        )

    def name(self, path: str | Path) -> str:
        """A path below the sidecar folder, short."""
        return os.path.relpath(path, self.layout.sidecars).removesuffix("_clips.json")

    def path(self, name: str) -> Path:
        """The sidecar of this short name."""
        return self.layout.sidecars / f"{name}_clips.json"

    def save(self, name: str, *clips: str, text: str | None = None) -> str:
        """Save a sidecar with these clips to do, in place; its path."""
        path = self.path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            json.dumps([{"id": c, "name": c, "status": "Process"} for c in clips]) if text is None else text
        )
        self.offset = time.time() - self.clock.now().timestamp()
        return str(path)

    def walk(self) -> list[str]:
        """One whole walk; what it looked at."""
        self.reads.clear()
        return [self.name(path) for path in self.scan.walk()]

    def settled_walk(self) -> list[str]:
        """One whole walk of a tree where nothing has changed for long."""
        self.clock.pass_(LONG_AGO)
        return self.walk()

    def hint(self, name: str, *, closed: bool = False) -> None:
        """The kernel says that something happened to a sidecar."""
        self.scan.hint(str(self.path(name)), closed=closed)

    @property
    def jobs(self) -> list[str]:
        """What is asked for: `<sidecar>: <clip>`."""
        return sorted(
            f"{self.name(self.layout.root / job.origin)}: {job.key.removeprefix('id:')}" for job in self.scan.jobs
        )


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


class TestWalk:
    def test_it_finds_what_every_settled_sidecar_asks_for_at_any_depth(self, tree: Tree) -> None:
        for name, clips in {
            "top": "a",
            "cam1/x": "bc",
            "cam1/s1/y": "d",
            "cam2/a/b/c/d/z": "e",
            "cam3/empty": "",
        }.items():
            tree.save(name, *clips)
        assert tree.settled_walk() == ["top", "cam1/x", "cam1/s1/y", "cam2/a/b/c/d/z", "cam3/empty"]
        assert tree.jobs == ["cam1/s1/y: d", "cam1/x: b", "cam1/x: c", "cam2/a/b/c/d/z: e", "top: a"]

    def test_an_unchanged_tree_is_not_read(self, tree: Tree) -> None:
        for number in range(20):
            tree.save(f"cam1/s1/{number}", "a")
        tree.save("cam1/s1/broken", text="[")
        tree.settled_walk()
        assert len(tree.reads) == 21
        tree.clock.pass_(SETTLE)
        tree.scan.look_again(1.0)
        for _ in range(3):
            assert len(tree.settled_walk()) == 21
            assert tree.reads == []

    def test_only_what_changed_is_read(self, tree: Tree) -> None:
        for name in ("cam1/a", "cam1/b", "cam1/c"):
            tree.save(name, "x")
        tree.settled_walk()
        tree.save("cam1/b", "x", "y")
        tree.settled_walk()
        assert tree.reads == ["cam1/b"]
        assert tree.jobs == ["cam1/a: x", "cam1/b: x", "cam1/b: y", "cam1/c: x"]

    def test_a_clip_that_no_longer_asks_is_no_job(self, tree: Tree) -> None:
        tree.save("cam1/a", "x", "y")
        tree.settled_walk()
        tree.save("cam1/a", "y")
        tree.settled_walk()
        assert tree.jobs == ["cam1/a: y"]

    def test_what_is_gone_is_forgotten_at_the_end(self, tree: Tree) -> None:
        for name in ("cam1/a", "cam1/b"):
            tree.save(name, "x")
        tree.settled_walk()
        tree.path("cam1/a").unlink()
        tree.walk()
        assert tree.jobs == ["cam1/b: x"]

    def test_it_can_be_taken_in_slices_and_hints_come_in_between(self, tree: Tree) -> None:
        for name in ("cam1/a", "cam1/c", "cam1/d"):
            tree.save(name, "x")
        tree.clock.pass_(LONG_AGO)
        walk = tree.scan.walk()
        assert tree.name(next(walk)) == "cam1/a"
        assert tree.jobs == ["cam1/a: x"]
        tree.save("cam1/b", "new")  # the listing of this folder has been taken: the walk will not see it
        tree.hint("cam1/b", closed=True)
        tree.save("cam1/a", "y")
        tree.hint("cam1/a", closed=True)
        tree.path("cam1/c").unlink()
        tree.hint("cam1/c")
        tree.clock.pass_(LONG_AGO)
        assert [tree.name(path) for path in walk] == ["cam1/d"]
        assert tree.jobs == ["cam1/a: y", "cam1/b: new", "cam1/d: x"]

    def test_a_walk_that_is_never_finished_forgets_nothing(self, tree: Tree) -> None:
        for name in ("cam1/a", "cam1/b"):
            tree.save(name, "x")
        tree.settled_walk()
        next(tree.scan.walk())
        assert tree.jobs == ["cam1/a: x", "cam1/b: x"]

    def test_names_that_are_not_there_yet_are_passed_over(self, tree: Tree) -> None:
        for name in (".hidden", "~lock", "x.sync-conflict-1", ".git/x", "@eaDir/x", "cam1/.stfolder/x"):
            tree.save(name, "x")
        tree.save("cam1/-odd 'name'", "x")
        assert tree.settled_walk() == ["cam1/-odd 'name'"]

    def test_a_pattern_added_later_takes_its_files_out(self, tree: Tree) -> None:
        tree.save("archive/old", "x")
        tree.save("cam1/new", "x")
        tree.settled_walk()
        tree.scan.ignore = (*NOT_THERE_YET, "archive")
        tree.walk()
        assert tree.jobs == ["cam1/new: x"]

    def test_a_sidecar_that_became_a_link_is_no_sidecar(self, tree: Tree, tmp_path: Path) -> None:
        tree.save("cam1/a", "x")
        tree.settled_walk()
        tree.path("cam1/a").rename(tmp_path / "elsewhere")
        tree.path("cam1/a").symlink_to(tmp_path / "elsewhere")
        tree.settled_walk()
        assert tree.jobs == []


class TestSettling:
    def test_what_changed_lately_is_not_read_at_the_start_either(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.walk()
        assert tree.reads == []
        assert tree.jobs == []
        tree.clock.pass_(SETTLE - 0.1)
        tree.scan.look_again(1.0)
        assert tree.reads == []
        tree.clock.pass_(0.2)
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/a: x"]
        assert tree.scan.unsettled == {}

    def test_a_file_that_goes_on_changing_goes_on_waiting(self, tree: Tree) -> None:
        for number in range(10):
            tree.save("cam1/a", *map(str, range(number)))
            tree.hint("cam1/a")
            tree.clock.pass_(SETTLE - 0.1)
            tree.scan.look_again(1.0)
        assert tree.reads == []

    def test_a_closed_file_is_read_at_once(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.hint("cam1/a", closed=True)
        assert tree.jobs == ["cam1/a: x"]

    def test_a_file_that_waits_and_goes_is_forgotten(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.walk()
        tree.path("cam1/a").unlink()
        tree.clock.pass_(SETTLE)
        tree.scan.look_again(1.0)
        assert tree.scan.unsettled == {}
        assert tree.reads == []

    def test_the_shares_own_clock_decides(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.scan.share_offset = lambda: -3600.0  # its stamps are an hour behind, so this file is an hour ahead
        tree.settled_walk()
        assert tree.reads == []
        tree.scan.share_offset = lambda: 3600.0
        tree.walk()
        assert tree.reads == ["cam1/a"]

    def test_a_save_while_it_was_read_is_read_again(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")

        def save_in_between(_: Path) -> None:
            tree.broken = lambda path: None
            tree.save("cam1/a", "x", "y")

        tree.broken = save_in_between
        tree.settled_walk()
        tree.settled_walk()
        assert tree.reads == ["cam1/a"]
        assert tree.jobs == ["cam1/a: x", "cam1/a: y"]


def test_a_file_that_vanishes_while_it_is_read_is_forgotten_without_a_word(tree: Tree) -> None:
    def vanish(path: Path) -> None:
        path.unlink()
        path.lstat()

    tree.save("cam1/a", "x")
    tree.broken = vanish
    assert tree.settled_walk() == ["cam1/a"]
    assert tree.told == []
    assert dict(tree.scan.unsettled) == {}
    assert list(tree.scan.seen) == []


def test_whatever_the_system_says_of_a_file_is_told_and_the_walk_goes_on(tree: Tree) -> None:
    def stale(path: Path) -> None:
        if path.name.startswith("a"):
            raise OSError(errno.ESTALE, "Stale file handle")

    tree.save("cam1/a", "x")
    tree.save("cam1/b", "y")
    tree.broken = stale
    tree.settled_walk()
    tree.settled_walk()
    assert [words for _, words in tree.told] == [f"reading {tree.path('cam1/a')}: Stale file handle"]
    assert tree.jobs == ["cam1/b: y"]


class TestHints:
    def test_a_hint_for_an_unchanged_sidecar_costs_no_read(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.settled_walk()
        tree.hint("cam1/a", closed=True)
        assert tree.reads == ["cam1/a"]

    def test_a_deleted_sidecar_is_forgotten_at_once(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.save("cam1/a2", "x")
        tree.settled_walk()
        tree.path("cam1/a").unlink()
        tree.hint("cam1/a")
        assert tree.jobs == ["cam1/a2: x"]

    def test_a_new_folder_is_looked_into(self, tree: Tree) -> None:
        tree.save("cam1/s1/a", "x")
        tree.save("cam1/s1/deep/b", "x")
        tree.clock.pass_(LONG_AGO)
        tree.scan.hint(str(tree.layout.sidecars / "cam1"))
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/s1/a: x", "cam1/s1/deep/b: x"]

    def test_a_big_new_folder_is_looked_into_in_slices(self, tree: Tree) -> None:
        for name in "abc":
            tree.save(f"cam1/{name}", "x")
        tree.clock.pass_(LONG_AGO)
        tree.scan.hint(str(tree.layout.sidecars / "cam1"))
        found = []
        while tree.scan.busy:
            tree.scan.look_again(0.0)
            found.append(len(tree.jobs))
        assert found == [1, 2, 3, 3]

    def test_a_moved_folder_is_forgotten_where_it_was_and_found_where_it_is(self, tree: Tree) -> None:
        for name in ("cam1/s1/a", "cam1/s1/b", "cam1/s10/c"):
            tree.save(name, "x")
        tree.settled_walk()
        before, after = tree.layout.sidecars / "cam1/s1", tree.layout.sidecars / "cam2/s1"
        after.parent.mkdir()
        before.rename(after)
        tree.scan.hint(str(before))
        assert tree.scan.busy
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/s10/c: x"]
        tree.scan.hint(str(after), closed=True)
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/s10/c: x", "cam2/s1/a: x", "cam2/s1/b: x"]

    def test_a_deleted_folder_is_forgotten_with_all_that_was_in_it(self, tree: Tree) -> None:
        for name in ("cam1/s1/a", "cam1/s1/deep/b", "cam1/s2/c"):
            tree.save(name, "x")
        tree.settled_walk()
        tree.path("cam1/s1/a").unlink()
        tree.path("cam1/s1/deep/b").unlink()
        (tree.layout.sidecars / "cam1/s1/deep").rmdir()
        (tree.layout.sidecars / "cam1/s1").rmdir()
        tree.scan.hint(str(tree.layout.sidecars / "cam1/s1"))
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/s2/c: x"]

    def test_what_comes_to_the_place_of_a_folder_that_went_is_not_forgotten_with_it(self, tree: Tree) -> None:
        for name in ("cam1/s1/a", "cam1/s1/b"):
            tree.save(name, "x")
        tree.settled_walk()
        shutil.rmtree(tree.layout.sidecars / "cam1/s1")
        tree.scan.hint(str(tree.layout.sidecars / "cam1/s1"))
        tree.save("cam1/s1/a", "new")
        tree.hint("cam1/s1/a", closed=True)
        tree.scan.look_again(1.0)
        assert tree.jobs == ["cam1/s1/a: new"]

    @pytest.mark.parametrize("name", [".a", "~a", "x.sync-conflict-1", ".git/a", "cam1/@eaDir/a"])
    def test_a_hint_reads_nothing_that_a_walk_would_pass_over(self, tree: Tree, name: str) -> None:
        tree.save(name, "x")
        tree.hint(name, closed=True)
        tree.scan.hint(str(tree.path(name).parent), closed=True)
        assert tree.reads == []

    def test_other_files_are_none_of_its_business(self, tree: Tree) -> None:
        for name in ("notes.txt", "match.json", "clips.json", "_clips.json"):
            path = tree.layout.sidecars / name
            path.write_text("[")
            tree.scan.hint(str(path), closed=True)
        tree.scan.hint(str(tree.layout.sidecars / "never_was"))
        assert tree.reads == []
        assert tree.told == []

    def test_links_and_fifos_lead_nowhere(self, tree: Tree, tmp_path: Path) -> None:
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "secret_clips.json").write_text('[{"id": 1, "status": "Process"}]')
        (tree.layout.sidecars / "cam1").symlink_to(outside)
        tree.path("link").symlink_to(outside / "secret_clips.json")
        os.mkfifo(tree.path("fifo"))
        tree.clock.pass_(LONG_AGO)
        for name in ("cam1", "link_clips.json", "fifo_clips.json"):
            tree.scan.hint(str(tree.layout.sidecars / name), closed=True)
        assert tree.reads == []
        assert tree.jobs == []


class TestUnreadable:
    def test_an_unparseable_sidecar_is_told_once_and_never_touched(self, tree: Tree) -> None:
        path = tree.path("cam1/a")
        tree.save("cam1/a", text='[{"id": 1,}]')
        before = path.stat()
        for _ in range(4):
            tree.settled_walk()
            tree.clock.pass_(SETTLE)
            tree.scan.look_again(1.0)
        assert len(tree.told) == 1
        place, words = tree.told[0]
        assert place == "data/prept/_configs/cam1/a_clips.json"
        assert "line 1, column" in words
        assert list(tree.scan.unreadable) == [str(path)]
        assert (path.stat().st_mtime_ns, path.stat().st_ino, path.read_text()) == (
            before.st_mtime_ns, before.st_ino, '[{"id": 1,}]',
        )  # fmt: skip

    def test_a_half_saved_file_is_not_told_when_the_rest_comes_in_time(self, tree: Tree) -> None:
        tree.save("cam1/a", text='[{"id": "x", "status": "Pro')
        tree.hint("cam1/a", closed=True)
        assert tree.reads == ["cam1/a"]
        tree.clock.pass_(SETTLE / 2)
        tree.scan.look_again(1.0)
        tree.save("cam1/a", "x")
        tree.hint("cam1/a", closed=True)
        assert tree.jobs == ["cam1/a: x"]
        assert tree.told == []
        tree.clock.pass_(LONG_AGO)
        tree.scan.look_again(1.0)
        assert tree.told == []

    def test_while_it_is_half_saved_its_jobs_stand(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.settled_walk()
        tree.save("cam1/a", text="[")
        tree.hint("cam1/a", closed=True)
        assert tree.jobs == ["cam1/a: x"]

    def test_it_is_told_again_when_it_is_wrong_in_another_way_and_forgotten_when_it_is_right(self, tree: Tree) -> None:
        for text in ("[", "[5,", "[5,"):
            tree.save("cam1/a", text=text)
            tree.settled_walk()
            tree.clock.pass_(SETTLE)
            tree.scan.look_again(1.0)
            tree.clock.pass_(SETTLE)
            tree.scan.look_again(1.0)
        assert len(tree.told) == 2
        tree.save("cam1/a", "x")
        tree.settled_walk()
        assert tree.scan.unreadable == {}
        assert tree.jobs == ["cam1/a: x"]

    def test_its_clips_that_run_are_not_stopped(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.settled_walk()
        (job,) = tree.scan.jobs
        assert not tree.scan.refuses(job)
        tree.save("cam1/a", text="[")
        tree.settled_walk()
        tree.settled_walk()
        assert tree.jobs == []
        assert not tree.scan.refuses(job)
        tree.save("cam1/a", "y")
        tree.settled_walk()
        assert tree.scan.refuses(job)
        tree.path("cam1/a").unlink()
        tree.walk()
        assert not tree.scan.refuses(job)

    def test_clips_that_cannot_be_told_apart_are_told_and_the_others_are_jobs(self, tree: Tree) -> None:
        tree.save("cam1/a", "x", "twice", "twice")
        tree.settled_walk()
        assert tree.jobs == ["cam1/a: x"]
        assert ["another clip has the id" in words for _, words in tree.told] == [True, True]

    def test_what_is_wrong_with_clips_is_told_once_however_often_the_file_is_written(self, tree: Tree) -> None:
        clips = [{"id": i, "name": n, "status": "Process"} for i, n in (("x", "x"), ("twice", "a"), ("twice", "b"))]
        path = tree.save("cam1/a", text=json.dumps(clips))
        tree.settled_walk()
        tree.scan.read_again(path)
        clips[0]["status"] = "Complete"
        tree.save("cam1/a", text=json.dumps(clips, indent=2))
        tree.settled_walk()
        assert len(tree.told) == 2
        assert all("line 12" in words or "line 7" in words for words in tree.scan.refused[path])
        clips[1]["name"] = "c"
        tree.save("cam1/a", text=json.dumps(clips))
        tree.settled_walk()
        assert len(tree.told) == 3
        clips[1]["id"] = "once"
        tree.save("cam1/a", text=json.dumps(clips))
        tree.settled_walk()
        assert tree.scan.refused == {}

    def test_a_share_that_fails_for_a_while_is_asked_again(self, tree: Tree) -> None:
        def away(_: Path) -> None:
            raise Deferred("the share is away")

        tree.save("cam1/a", "x")
        tree.broken = away
        for _ in range(5):
            tree.settled_walk()
            tree.clock.pass_(SETTLE)
            tree.scan.look_again(1.0)
        assert tree.told == [("data/prept/_configs/cam1/a_clips.json", "the share is away")]
        tree.broken = lambda path: None
        tree.settled_walk()
        assert tree.jobs == ["cam1/a: x"]
        assert tree.scan.unreadable == {}

    def test_a_folder_that_cannot_be_listed_is_told_once_and_what_was_known_of_it_stands(self, tree: Tree) -> None:
        for name in ("cam1/s1/a", "cam2/b", "cam10/gone"):
            tree.save(name, "x")
        tree.settled_walk()
        tree.path("cam10/gone").unlink()
        tree.save("a", "x")
        tree.clock.pass_(LONG_AGO)
        folder, hidden = tree.layout.sidecars / "cam1", tree.layout.root / "hidden"
        for _ in range(2):
            walk = tree.scan.walk()
            next(walk)  # the sidecar folder has been listed, `cam1` in it has not
            folder.rename(hidden)
            folder.write_text("what cannot be listed")
            list(walk)
            folder.unlink()
            hidden.rename(folder)
        assert tree.told == [("data/prept/_configs/cam1", "cannot list this folder: Not a directory")]
        assert tree.jobs == ["a: x", "cam1/s1/a: x", "cam2/b: x"]
        tree.settled_walk()
        assert tree.scan.unreadable == {}

    def test_a_missing_sidecar_folder_is_told_once_and_its_return_is_noticed(self, tree: Tree) -> None:
        tree.save("cam1/a", "x")
        tree.settled_walk()
        away = tree.layout.root / "away"
        tree.layout.sidecars.rename(away)
        for _ in range(3):
            tree.walk()
        assert [path for path, _ in tree.told] == ["data/prept/_configs"]
        assert tree.jobs == ["cam1/a: x"]
        away.rename(tree.layout.sidecars)
        tree.walk()
        assert tree.scan.unreadable == {}
        assert tree.reads == []
