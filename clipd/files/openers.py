"""Who else has a file open? Linux file leases answer, and can make openers wait for the blink of an eye.

They know this machine's programs only, need the file to be ours (or CAP_LEASE), and some filesystems have none: every
answer may be "unknown", and nothing may depend on more.
"""

from __future__ import annotations

import fcntl
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from clipd.files.mounts import is_remote


@contextmanager
def held_back(descriptor: int) -> Iterator[bool]:
    """Whoever opens the file while the block runs waits for its end; yields whether the kernel grants that.

    The block must be short, must not open the file itself, and ends with the process, however that ends.
    """
    granted = _lease(descriptor, fcntl.F_WRLCK) is True
    try:
        yield granted
    finally:
        if granted:
            fcntl.fcntl(descriptor, fcntl.F_SETLEASE, fcntl.F_UNLCK)


def nobody_writes(path: Path) -> bool | None:
    """Does nobody have the file open for writing? None where the kernel does not say, as on shares."""
    if is_remote(path.parent):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        return _lease(descriptor, fcntl.F_RDLCK)
    finally:
        os.close(descriptor)


def _lease(descriptor: int, kind: int) -> bool | None:
    try:
        # The default signal for "somebody wants to open it" ends the process; this one is ignored by default.
        fcntl.fcntl(descriptor, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(descriptor, fcntl.F_SETLEASE, kind)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
