"""A hand of the crew: the process that does one task after the other until nobody asks any more.

It is started with a fresh interpreter, and knows of its crew only a socket. Tasks come as pickles from its parent,
which is trusted; answers go back as bytes that the parent only has to read, because a hand works on files from anyone.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import cloudpickle

from clipd.worker.process import end_with, stand_back


def serve(descriptor: int, parent: int) -> None:
    """Take the call, and then tasks, from the socket `descriptor`; ends with the process `parent`."""
    end_with(parent, signal.SIGKILL)
    os.set_inheritable(descriptor, False)
    # What is printed must not mix with what the parent prints for programs to read.
    os.dup2(2, 1)
    connection = Connection(descriptor)
    memory, nice, call = pickle.loads(connection.recv_bytes())  # noqa: S301 - from our parent
    stand_back(nice, memory)
    work = _loaded(call, connection)
    while True:
        try:
            task = connection.recv_bytes()
        except (EOFError, ConnectionResetError):
            return
        connection.send_bytes(work(pickle.loads(task)))  # noqa: S301 - from our parent


def _loaded(call: bytes, connection: Connection) -> Callable[[Any], bytes]:
    """The call; nothing is said where it is there, else why not."""
    try:
        work: Callable[[Any], bytes] = cloudpickle.loads(call)
    except Exception as error:
        connection.send_bytes(f"{type(error).__name__}: {error}".encode("utf-8", "replace"))
        raise
    connection.send_bytes(b"")
    return work


def main(arguments: list[str]) -> None:
    """The two numbers that the crew gives on the command line."""
    descriptor, parent = map(int, arguments)
    serve(descriptor, parent)
    sys.exit(0)
