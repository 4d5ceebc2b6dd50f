"""Links in the inbox of the real daemon, fetched from a server on this machine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tree import Tree, save, wait_until
from tests.footage import make
from tests.web_server import Site, serving


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = make(tmp_path_factory.mktemp("film") / "film.mp4", count=50, size=(320, 240), options={"crf": "4", "g": "1"})
    return path.read_bytes()


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


def a_tree(tmp_path: Path, **links: Any) -> Tree:
    return Tree.at(tmp_path / "tree", {"links": {"hosts": ["127.0.0.1"], "timeout_seconds": 5, **links}})


def drop(tree: Tree, name: str, content: Any) -> Path:
    path = tree.layout.inbox_of("links") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    save(path, content)
    return path


def answer(tree: Tree, path: Path) -> dict[str, Any]:
    file = tree.layout.answer(path)
    return json.loads(file.read_text()) if file.exists() else {}


def is_answered(tree: Tree, path: Path) -> bool:
    return answer(tree, path).get("completed_at") is not None and not path.exists()


def nothing_is_left(tree: Tree) -> bool:
    return not any(tree.layout.downloads.iterdir()) and not any((tree.layout.state / "links").iterdir())


def test_a_link_becomes_a_video_in_the_source_tree_and_is_segmented(tmp_path: Path, site: Site, film: bytes) -> None:
    tree = a_tree(tmp_path)
    shortcut = drop(tree, "cam1/may/match.url", f"[InternetShortcut]\r\nURL={site.put('/the%20final.mp4', film)}\r\n")
    tree.once()
    said = answer(tree, shortcut)
    assert (said["status"], said["path"]) == ("done", "data/source/cam1/may/the final.mp4")
    assert (shortcut.parent / "done/match.url").exists()
    assert (tree.root / said["path"]).read_bytes() == film
    assert (tree.layout.sidecars / "cam1/may/the final_clips.json").exists()
    assert nothing_is_left(tree)
    assert "done" in tree.run("status", "--all").stdout


def test_each_link_of_a_list_is_answered_and_nothing_is_overwritten(tmp_path: Path, site: Site, film: bytes) -> None:
    tree = a_tree(tmp_path)
    other = tree.add_source(make(tmp_path / "other.mp4", count=5), "match.mp4")
    before = other.read_bytes()
    site.put("/match.mp4", film)
    entries = [
        {"url": site.url("/match.mp4"), "camera": "cam1", "session": "s1", "segment": False},
        {"url": site.url("/match.mp4"), "camera": "../..", "session": "s1", "name": "../x", "segment": False},
        {"url": site.url("/none.mp4")},
        {"url": "https://example.org/x.mp4"},
        {"url": "file:///etc/passwd"},
    ]
    path = drop(tree, "several.json", entries)
    tree.once(expect=1)
    said = answer(tree, path)
    assert said["status"] == "partial"
    lines = said["links"]
    assert [line["status"] for line in lines] == ["done", "done", "failed", "failed", "failed"]
    assert lines[0]["path"] == "data/source/cam1/s1/match-2.mp4"
    assert other.read_bytes() == before
    assert (tree.root / lines[1]["path"]).resolve().is_relative_to(tree.layout.source)
    for line, words in zip(lines[2:], ("404", "links.hosts", "http or https"), strict=True):
        assert words in line["message"]
    assert (path.parent / "done/several.json").exists()
    assert nothing_is_left(tree)


def test_killed_in_the_middle_the_next_daemon_goes_on_where_it_was(tmp_path: Path, site: Site, film: bytes) -> None:
    tree = a_tree(tmp_path, timeout_seconds=60)
    url = site.put("/match.mp4", film, stop_after=len(film) // 2)
    path = drop(tree, "x.json", {"url": url, "camera": "cam1", "session": "s1", "segment": False})

    def part() -> int:
        return sum(file.stat().st_size for file in tree.layout.downloads.rglob("*.part"))

    with tree.daemon() as daemon:
        wait_until(lambda: part() > len(film) // 4, "half of it")
        wait_until(lambda: answer(tree, path).get("status") == "processing", "the answer to say so")
        shown = tree.run("status").stdout
        assert "fetching" in shown
        daemon.kill()
    site.go_on.set()
    count = len(site.asked)
    with tree.daemon():
        wait_until(lambda: is_answered(tree, path), "the video", seconds=30)
    assert (tree.layout.source / "cam1/s1/match.mp4").read_bytes() == film
    assert any(asked[1].startswith("bytes=") for asked in site.asked[count:])
    assert nothing_is_left(tree)


def test_a_link_that_is_removed_is_not_fetched_any_further_and_one_dropped_again_is(
    tmp_path: Path, site: Site, film: bytes
) -> None:
    tree = a_tree(tmp_path)
    url = site.put("/match.mp4", film, stop_after=len(film) // 2)
    content = {"url": url, "camera": "cam1", "session": "s1", "segment": False}
    path = drop(tree, "x.json", content)
    with tree.daemon() as daemon:
        wait_until(lambda: bool(list(tree.layout.downloads.rglob("*.part"))), "it to begin")
        path.unlink()
        wait_until(lambda: "superseded" in daemon.log, "it to end", seconds=15)
        site.go_on.set()
        for _ in range(2):
            drop(tree, "x.json", content)
            wait_until(lambda: is_answered(tree, path), "the video", seconds=30)
    assert "the same video is there already" in answer(tree, path)["message"]
    assert [file.name for file in (tree.layout.source / "cam1/s1").iterdir()] == ["match.mp4"]
    assert (path.parent / "done/x.2.json").exists()
