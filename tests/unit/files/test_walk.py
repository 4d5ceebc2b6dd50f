"""Walking: every wanted regular file, in a stable order, and nothing else; what fails is told and the rest counts."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from clipd.files.walk import NOT_THERE_YET, Look, any_of, files, look


def make(root: Path, names: Iterable[str]) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def nothing_is(folder: str, error: OSError) -> None:
    pytest.fail(f"{folder} is unreadable: {error}")


def walked(root: Path, ignore: tuple[str, ...] = (), suffix: str = ".json") -> list[str]:
    """The names found below `root`; nothing may be unreadable."""
    found = files(root, wanted=lambda name: name.endswith(suffix), ignore=ignore, unreadable=nothing_is)
    return [os.path.relpath(path, root) for path, _ in found]


def test_files_come_sorted_before_the_folders_beside_them(tmp_path: Path) -> None:
    make(tmp_path, ["b/z.json", "b/a/y.json", "z.json", "a.json", "a/x.json", "b/b.json", "B/x.json"])
    assert walked(tmp_path) == ["a.json", "z.json", "B/x.json", "a/x.json", "b/b.json", "b/z.json", "b/a/y.json"]


def test_only_wanted_names_are_found(tmp_path: Path) -> None:
    make(tmp_path, ["a.json", "a.txt", "json"])
    assert walked(tmp_path) == ["a.json"]


def test_odd_names_are_names(tmp_path: Path) -> None:
    names = ["-rf.json", "a b.json", "quo'te\".json", "été.json", "new\nline.json", "http:x.json", "caf\udce9.json"]
    make(tmp_path, names)
    assert sorted(walked(tmp_path)) == sorted(names)


def test_ignored_files_and_whole_folders_are_passed_over(tmp_path: Path) -> None:
    make(
        tmp_path,
        [
            "a.json",
            ".a.json",
            "~a.json",
            ".git/b.json",
            "@eaDir/b.json",
            "x.sync-conflict-2026.json",
            "lost+found/b.json",
        ],
    )
    assert walked(tmp_path, NOT_THERE_YET) == ["a.json"]


@pytest.mark.parametrize(
    "name",
    [".x.AbC123", "a.part", "a.tmp", "~a", "a~", ".stfolder", "@eaDir", "a.sync-conflict-20260501-120000.json",
     "a.crdownload", ".hidden", "a.swp", "#recycle"],
)  # fmt: skip
def test_names_that_are_not_there_yet(name: str) -> None:
    assert any_of(NOT_THERE_YET).match(name)


@pytest.mark.parametrize("name", ["a", "-a", "a.json", "part", "a.tmp.json", "tmp", "a~b", "$a", "_a"])
def test_names_that_are_there(name: str) -> None:
    assert not any_of(NOT_THERE_YET).match(name)


def test_without_patterns_nothing_is_ignored() -> None:
    assert not any_of(()).match("")
    assert not any_of(()).match("a")


def test_links_devices_and_fifos_are_no_files_and_links_to_folders_lead_nowhere(tmp_path: Path) -> None:
    make(tmp_path, ["tree/a.json", "outside/b.json"])
    tree = tmp_path / "tree"
    (tree / "link.json").symlink_to("a.json")
    (tree / "dangling.json").symlink_to("nowhere")
    (tree / "out").symlink_to(tmp_path / "outside")
    (tree / "round").symlink_to(tree)
    os.mkfifo(tree / "fifo.json")
    (tree / "folder.json").mkdir()
    assert walked(tree) == ["a.json"]


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    told: list[str] = []
    found = files(tmp_path / "none", wanted=bool, ignore=(), unreadable=lambda folder, _: told.append(folder))
    assert list(found) == []
    assert told == [str(tmp_path / "none")]


def test_a_folder_that_vanishes_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    make(tmp_path, ["a/x.json", "b/x.json", "c/x.json"])
    told: list[str] = []
    found = files(tmp_path, wanted=bool, ignore=(), unreadable=lambda folder, _: told.append(folder))
    first = next(found)[0]
    (tmp_path / "b/x.json").unlink()
    (tmp_path / "b").rmdir()
    assert [first, *(path for path, _ in found)] == [str(tmp_path / "a/x.json"), str(tmp_path / "c/x.json")]
    assert told == [str(tmp_path / "b")]


def test_a_file_that_vanishes_is_not_there(tmp_path: Path) -> None:
    make(tmp_path, ["a.json", "b.json"])
    found = files(tmp_path, wanted=bool, ignore=(), unreadable=nothing_is)
    next(found)
    (tmp_path / "b.json").unlink()
    assert list(found) == []


def test_a_file_that_cannot_be_looked_at_is_told_and_the_rest_is_found(tmp_path: Path) -> None:
    make(tmp_path, ["a/x.json", "b/x.json"])
    told: list[str] = []

    def wanted(_: str) -> bool:
        # A loop of links where the folder was: looking at what was listed there fails, and not for being gone.
        if (tmp_path / "a").is_dir():
            (tmp_path / "a/x.json").unlink()
            (tmp_path / "a").rmdir()
            (tmp_path / "a").symlink_to("a")
        return True

    found = files(tmp_path, wanted=wanted, ignore=(), unreadable=lambda path, _: told.append(path))
    assert [path for path, _ in found] == [str(tmp_path / "b/x.json")]
    assert told == [str(tmp_path / "a/x.json")]


def test_looks_are_equal_until_the_file_changes(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text("1")
    before = look(path)
    assert before == look(path)
    assert before is not None
    assert before.size == 1
    assert [seen for _, seen in files(tmp_path, wanted=bool, ignore=(), unreadable=lambda *_: None)] == [before]
    os.utime(path, ns=(before.mtime_ns, before.mtime_ns))
    path.rename(tmp_path / "b.json")
    path.write_text("2")
    os.utime(path, ns=(before.mtime_ns, before.mtime_ns))
    assert look(path) != before


def test_a_look_follows_no_link_and_finds_nothing_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("long content")
    (tmp_path / "link").symlink_to("file")
    assert look(tmp_path / "link") != look(tmp_path / "file")
    assert look(tmp_path / "none") is None
    assert look(tmp_path / "file" / "below") is None


@pytest.mark.parametrize(
    ("pattern", "taken", "left"),
    [
        ("word", ["word"], ["Word", "words", "a word"]),
        ("begin*", ["begin", "begins"], ["Begin", "abegin"]),
        ("*.end", [".end", "a.end"], ["a.ends", "aXend"]),
        ("*mid*", ["mid", "amidst"], ["mad"]),
        ("a?c", ["abc"], ["ac", "abbc"]),
        ("[ab]*", ["a", "bc"], ["c"]),
        ("*[.]x", ["a.x"], ["ax"]),
        ("*", ["", "a"], []),
    ],
)
def test_patterns_mean_what_they_mean_to_a_shell(pattern: str, taken: list[str], left: list[str]) -> None:
    assert [name for name in (*taken, *left) if any_of(("no such", pattern)).match(name)] == taken


def test_packed_looks_are_equal_when_the_looks_are_whatever_the_stamps() -> None:
    looks = [Look(1, mtime, ctime, 2) for mtime in (-1, 0, 1 << 40, (1 << 63) + 5) for ctime in (-(1 << 62), 3)]
    assert len({look.packed for look in looks}) == len(looks)
    assert Look(1, -5, 3, (1 << 64) - 1).packed == Look(1, -5, 3, (1 << 64) - 1).packed
