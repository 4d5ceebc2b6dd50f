"""Sources and sidecars that mean harm, through the real daemon: refused with words, and everything else goes on."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.e2e.test_main_job import clip
from tests.e2e.tree import Tree
from tests.footage import make


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A server that nobody must call."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        yield server


def test_hostile_sources_fail_with_words_and_reach_nothing(tmp_path: Path, listener: socket.socket) -> None:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}, "retry": {"source_patience_seconds": 0.0}})
    film = make(tmp_path / "film.mp4", count=60, size=(160, 96))
    secret = make(tmp_path / "secret.mp4", count=60, size=(160, 96))
    fine = tree.add_source(film, "match.mp4")
    folder = fine.parent
    port = listener.getsockname()[1]
    playlist = f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:{port}/x.ts\n#EXTINF:5,\n{secret}\n"
    (folder / "playlist.mp4").write_text(playlist)
    (folder / "concat.mp4").write_text(f"ffconcat version 1.0\nfile '{secret}'\n")
    (folder / "empty.mp4").write_bytes(b"")
    (folder / "cut_off.mp4").write_bytes(film.read_bytes()[:2000])
    (folder / "text.mp4").write_text("this is no video\n" * 100)
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    (folder / "link.mp4").symlink_to(secret)
    (folder / "out").symlink_to(tmp_path)
    paths = {
        **{name: f"cam1/s1/{name}.mp4" for name in
           ("playlist", "concat", "empty", "cut_off", "text", "folder", "fifo", "link")},
        "linked_folder": "cam1/s1/out/secret.mp4",
        "dots": "../../../secret.mp4",
        "absolute": str(secret),
        "url": f"http://127.0.0.1:{port}/x.mp4",
    }  # fmt: skip
    hostile = tree.write_sidecar(
        [{**clip(name, 0, 9), "source_path": path} for name, path in paths.items()], video="nothing_of_this_name"
    )
    good = tree.write_sidecar([clip("goal", 0, 9)])
    tree.once(expect=1)
    assert tree.clip(good, "goal")["status"] == "Complete"
    stands = {name: tree.clip(hostile, name)["status"] for name in paths}
    waits = {"absolute", "url"}  # they name nothing below the source folder; such a file may still come
    assert stands == {name: "Process" if name in waits else "Failed" for name in paths}
    assert all(tree.clip(hostile, name)["error"] for name in set(paths) - waits)
    with pytest.raises(BlockingIOError):
        listener.accept()
    assert [path.name for path in tree.layout.outputs.rglob("*.mp4")] == ["match_goal.mp4"]
    assert oracle.violations(tree.layout) == []


@pytest.mark.parametrize(
    "content",
    [
        b"[" * 100_000,
        b'[{"name": "a", "name": "b", "status": "Process"}]',
        b'[{"name": "a", "start_frame": NaN, "status": "Process"}]',
        b'[{"name": "a", "priority": ' + b"9" * 5000 + b', "status": "Process"}]',
        b'[{"name": "a\\ud800", "status": "Process"}]',
        b'{"clips": {"name": "a"}}',
        '[{"name": "a"}]'.encode("utf-16"),
        b"\xff\xfe\x00",
        b"",
        b" " * (100 << 20),
    ],
    ids=["deep", "twice", "nan", "digits", "surrogate", "shape", "utf-16", "bytes", "empty", "large"],
)
def test_a_sidecar_that_is_none_is_told_and_left_alone(tmp_path: Path, content: bytes) -> None:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}})
    tree.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
    hostile = tree.write_sidecar("", video="hostile")
    hostile.write_bytes(content)
    good = tree.write_sidecar([clip("goal", 0, 9)])
    ended = tree.once(expect=1)
    assert "hostile_clips.json" in ended.stdout
    assert hostile.read_bytes() == content
    assert tree.clip(good, "goal")["status"] == "Complete"


def test_sidecars_that_are_no_files_are_passed_over(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {"clips": {"formats": ["h264"]}})
    tree.add_source(make(tmp_path / "film.mp4", count=12, size=(64, 48)), "match.mp4")
    good = tree.write_sidecar([clip("goal", 0, 9)])
    os.mkfifo(good.with_name("fifo_clips.json"))
    good.with_name("link_clips.json").symlink_to(good)
    good.with_name("folder_clips.json").mkdir()
    tree.once()
    assert tree.clip(good, "goal")["status"] == "Complete"
    assert len(oracle.all_receipts(tree.layout)) == 1
