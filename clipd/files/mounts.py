"""On what kind of filesystem a folder lies: shares behave otherwise than disks of this machine."""

from __future__ import annotations

from pathlib import Path

REMOTE = {
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "vboxsf",
    "vmhgfs", "drvfs", "davfs", "virtiofs", "ncpfs", "ocfs2", "gfs2",
}  # fmt: skip
"""Filesystems that other machines write to without our kernel hearing of it; every `fuse.*` one counts too."""


def filesystem_type(folder: Path, mounts: Path = Path("/proc/mounts")) -> str:
    """The type of the filesystem that holds `folder` (`ext4`, `nfs4`, ...), from the list `mounts`; "" when unknown."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return ""
    here, best, kind = str(folder.resolve()), "", ""
    for line in lines:
        fields = line.split(" ")
        point = fields[1].replace("\\040", " ").replace("\\011", "\t").replace("\\134", "\\")
        if len(point) >= len(best) and (here == point or here.startswith(point.rstrip("/") + "/")):
            best, kind = point, fields[2]
    return kind


def is_remote(folder: Path, mounts: Path = Path("/proc/mounts")) -> bool:
    """Does `folder` lie on a share, or on a filesystem that may be one?"""
    kind = filesystem_type(folder, mounts)
    return kind in REMOTE or kind.startswith("fuse")
