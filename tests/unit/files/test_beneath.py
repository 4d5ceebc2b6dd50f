"""Removal below a folder: exactly the file that is meant, and no link is followed anywhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipd.errors import Rejected
from clipd.files.beneath import remove_beneath, size_beneath


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "outputs"
    (root / "h264/cam").mkdir(parents=True)
    (root / "h264/cam/a.mp4").write_bytes(b"12345")
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside/a.mp4").write_bytes(b"12345")
    return root


def test_a_file_of_the_right_size_goes(root: Path) -> None:
    assert size_beneath(root, "h264/cam/a.mp4") == 5
    assert not remove_beneath(root, "h264/cam/a.mp4", 4)
    assert remove_beneath(root, "h264/cam/a.mp4", 5)
    assert not (root / "h264/cam/a.mp4").exists()
    assert not remove_beneath(root, "h264/cam/a.mp4", 5)
    assert size_beneath(root, "nowhere/a.mp4") is None


@pytest.mark.parametrize("below", ["../outside/a.mp4", "h264/../../outside/a.mp4", "/etc/passwd", "", "a\0b"])
def test_a_path_that_leaves_the_folder_is_refused(root: Path, below: str) -> None:
    with pytest.raises(Rejected):
        remove_beneath(root, below, 5)
    assert (root.parent / "outside/a.mp4").exists()


def test_no_link_is_followed(root: Path) -> None:
    (root / "h264/link").symlink_to(root.parent / "outside")
    (root / "h264/cam/link.mp4").symlink_to(root.parent / "outside/a.mp4")
    for below in ("h264/link/a.mp4", "h264/cam/link.mp4"):
        with pytest.raises(Rejected):
            size_beneath(root, below)
        with pytest.raises(Rejected):
            remove_beneath(root, below, 5)
    assert (root.parent / "outside/a.mp4").exists()
    assert (root / "h264/cam/link.mp4").is_symlink()


def test_only_regular_files_go(root: Path) -> None:
    os.mkfifo(root / "h264/fifo")
    for below in ("h264/fifo", "h264/cam"):
        with pytest.raises(Rejected):
            remove_beneath(root, below, 0)


def test_the_folder_itself_may_be_a_link(root: Path, tmp_path: Path) -> None:
    (tmp_path / "mounted").symlink_to(root)
    assert remove_beneath(tmp_path / "mounted", "h264/cam/a.mp4", 5)
