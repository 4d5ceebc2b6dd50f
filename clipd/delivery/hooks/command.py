"""A hook that runs a program: a list of arguments, never a shell, so that no name can become a command."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO

from clipd.delivery.hooks.hook import Hook
from clipd.delivery.hooks.news import PLACEHOLDER, News, Undelivered

OWN_PREFIX = "CLIPD_"
LOOK_SECONDS = 0.25
"""How often a running program is looked at."""
TAIL_BYTES = 300
"""How much of a failed program's last words is shown."""


def send(hook: Hook, news: News, given_up: threading.Event) -> None:
    """Run the program in the tree's root with the news as arguments, environment and JSON on standard input.

    clipd's own settings in the environment are not passed on: they may hold secrets of other hooks. With the program
    goes all that it started, when its time is up.

    Raises:
        Undelivered: it cannot be run, took too long, or ended with another code than 0.
    """
    values = news.values()
    command = [PLACEHOLDER.sub(lambda found: values[found[1]], argument) for argument in hook.command or ()]
    environment = {name: value for name, value in os.environ.items() if not name.startswith(OWN_PREFIX)}
    environment.update({OWN_PREFIX + name.upper(): value for name, value in values.items()})
    try:
        with tempfile.TemporaryFile() as told, tempfile.TemporaryFile() as said:
            told.write(news.body())
            told.seek(0)
            process = subprocess.Popen(  # noqa: S603 - a list of arguments that the administrator wrote, no shell
                command,
                cwd=news.root,
                env=environment,
                stdin=told,
                stdout=subprocess.DEVNULL,
                stderr=said,
                start_new_session=True,
            )
            try:
                _wait(process, hook.timeout_seconds, given_up)
            finally:
                _end(process)
            tail = _tail(said) if process.returncode else ""
    except OSError as error:
        gone = isinstance(error, FileNotFoundError | PermissionError | NotADirectoryError)
        raise Undelivered(f"it cannot be run: {error.strerror}", hopeless=gone) from None
    if process.returncode:
        raise Undelivered(f"it ended with code {process.returncode}{': ' + tail if tail else ''}")


def _tail(said: IO[bytes]) -> str:
    said.seek(max(0, said.seek(0, os.SEEK_END) - TAIL_BYTES))
    return said.read().decode("utf-8", "replace").strip()


def _wait(process: subprocess.Popen[bytes], seconds: float, given_up: threading.Event) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            process.wait(min(LOOK_SECONDS, seconds))
        except subprocess.TimeoutExpired:
            if given_up.is_set():
                raise Undelivered("it was stopped, clipd ends") from None
            if time.monotonic() >= deadline:
                raise Undelivered(f"it took longer than {seconds:g} s") from None
        else:
            return


def _end(process: subprocess.Popen[bytes]) -> None:
    """Make sure that nothing of it goes on."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.kill()
        process.wait()
