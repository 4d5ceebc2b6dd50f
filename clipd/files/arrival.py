"""Is somebody still writing a large file? Asked of the kernel, where it knows."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path


def has_writer(path: Path) -> bool:
    """Does a process of this machine have the file open for writing, as far as the kernel tells?

    A read lease is granted only on a file that nobody has open for writing. Filesystems without leases, and files of
    other users, say nothing: the answer is then False.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    finally:
        os.close(descriptor)
    return False
