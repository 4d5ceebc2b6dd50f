"""Mounts: the filesystem of a folder, read from a list of mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipd.files.mounts import filesystem_type, is_remote


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    root = tmp_path.resolve()
    here = str(root).replace(" ", "\\040")
    file = tmp_path / "mounts"
    file.write_text(
        "\n".join(
            (
                "/dev/vda / ext4 rw 0 0",
                "sysfs /sys sysfs rw 0 0",
                f"server:/x {here}/nfs nfs4 rw 0 0",
                f"/dev/sdb {here}/nfs/local xfs rw 0 0",
                f"//server/y {here}/our\\040share cifs rw 0 0",
                f"me@host:/ {here}/ssh fuse.sshfs rw 0 0",
                f"/dev/sdc {here}/twice ext4 rw 0 0",
                f"server:/z {here}/twice nfs rw 0 0",
            )
        )
        + "\n"
    )
    return file


@pytest.mark.parametrize(
    ("folder", "kind", "remote"),
    [
        ("", "ext4", False),
        ("nfs", "nfs4", True),
        ("nfs/cam1/s1", "nfs4", True),
        ("nfs2", "ext4", False),
        ("nfs/local/cam1", "xfs", False),
        ("our share/cam1", "cifs", True),
        ("ssh", "fuse.sshfs", True),
        ("twice", "nfs", True),
    ],
)
def test_the_innermost_and_latest_mount_counts(mounts: Path, tmp_path: Path, folder: str, kind: str, remote) -> None:
    assert filesystem_type(tmp_path / folder, mounts) == kind
    assert is_remote(tmp_path / folder, mounts) is remote


def test_a_link_is_followed_to_where_it_leads(mounts: Path, tmp_path: Path) -> None:
    (tmp_path / "nfs").mkdir()
    (tmp_path / "link").symlink_to("nfs")
    assert filesystem_type(tmp_path / "link", mounts) == "nfs4"


def test_without_a_list_of_mounts_nothing_is_known_and_all_is_local(tmp_path: Path) -> None:
    assert filesystem_type(tmp_path, tmp_path / "none") == ""
    assert not is_remote(tmp_path, tmp_path / "none")


def test_this_machine_says_something_of_its_root() -> None:
    assert filesystem_type(Path("/"))
