"""Downloading: one video from a link into a folder, by a process of its own that can be stopped at any moment.

The folder is the job's own and stays until its video is filed: what was fetched of it is gone on with after a crash,
on whatever machine. A video that is there whole is proven by probing it, before anybody is told of it.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter

from clipd.errors import Deferred, MediaError, Rejected, Temporary
from clipd.files import atomic
from clipd.jobs import downloader
from clipd.jobs.link import Settings
from clipd.media.door import Limits
from clipd.media.probe import SourceInfo, probe
from clipd.tree.layout import is_video

LOOK_SECONDS = 0.5
"""How often the caller is told how far it is, also while nothing comes."""
LINE_BYTES = 1 << 16
SUFFIXES = {
    "mov": ".mp4", "matroska": ".mkv", "mpegts": ".ts", "avi": ".avi", "flv": ".flv", "asf": ".wmv", "mpeg": ".mpg",
    "ogg": ".ogv", "mxf": ".mxf", "gif": ".gif",
}  # fmt: skip
"""How a file is called whose address says nothing, by the first of libavformat's names for its container."""
NOTE = "fetched.json"
NOTE_BYTES = 1 << 16

Progress = Callable[[int, int], None]
"""Told `done` of `total` bytes (0 where it is not known); raises when the download is to stop."""


@dataclass(frozen=True)
class Fetched:
    """A video that lies in its folder, whole and readable."""

    file: str
    """Its name there."""
    title: str
    suffix: str
    size: int
    seconds: float | None
    warnings: tuple[str, ...]


def fetch(url: str, folder: Path, settings: Settings, limits: Limits, progress: Progress) -> Fetched:
    """Fetch the video behind `url` into `folder`, or recall that this was done.

    Raises:
        Rejected: there is no video, it is too large or too long, or the way to it leads to hosts that are not listed.
        Temporary: the server is away, too slow, or broke off; what was fetched stays, and the next attempt goes on.
        Deferred: this machine has no yt-dlp.
    """
    if (known := _recalled(folder)) is not None:
        return known
    with atomic.translated(f"making {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    order = {
        "url": url, "folder": str(folder), "hosts": list(settings.hosts), "max_size": int(settings.max_size),
        "max_seconds": settings.max_duration_hours * 3600, "timeout_seconds": settings.timeout_seconds,
        "path": [path for path in sys.path if path],  # never its own folder, where strangers' files lie
    }  # fmt: skip
    with _downloader(order, folder) as process:
        told = _follow(process, settings.stall_seconds, progress)
    fetched = _proven(folder, told, settings, limits)
    atomic.write(folder / NOTE, json.dumps(asdict(fetched)).encode())
    return fetched


def _recalled(folder: Path) -> Fetched | None:
    try:
        known = _READER.validate_json(atomic.read_regular(folder / NOTE, NOTE_BYTES)[0])
    except (atomic.Missing, Rejected, ValueError):
        return None
    return known if "/" not in known.file and atomic.size_of(folder / known.file) == known.size else None


@contextmanager
def _downloader(order: dict[str, Any], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The process; whatever happens in the block, it is gone afterwards."""
    keep = {name: os.environ[name] for name in ("PATH", "LANG", "SSL_CERT_FILE", "SSL_CERT_DIR") if name in os.environ}
    environment = {**keep, "HOME": str(folder), "YTDLP_NO_PLUGINS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    process = subprocess.Popen(  # noqa: S603 - our own file by our own Python, no shell
        [sys.executable, "-P", downloader.__file__, str(os.getpid())],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    try:
        with suppress(BrokenPipeError):
            assert process.stdin is not None  # noqa: S101 - it is a pipe
            process.stdin.write(json.dumps(order).encode() + b"\n")
            process.stdin.flush()
        yield process
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()


def _follow(process: subprocess.Popen[bytes], stall_seconds: float, progress: Progress) -> dict[str, Any]:
    """Pass on what the process tells, until it tells how it ended."""
    assert process.stdout is not None  # noqa: S101 - it is a pipe
    descriptor = process.stdout.fileno()
    done, total, grew, rest = 0, 0, time.monotonic(), b""
    while True:
        progress(done, total)
        if select.select([descriptor], [], [], LOOK_SECONDS)[0]:
            data = os.read(descriptor, LINE_BYTES)
            if not data:
                raise Temporary("the download ended without a word")
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                words = json.loads(line)
                if "done" not in words:
                    return dict(words)
                if words["done"] != done:
                    grew = time.monotonic()
                done, total = int(words["done"]), int(words["total"])
        if time.monotonic() - grew > stall_seconds:
            raise Temporary(f"nothing came for {stall_seconds:g} s (links.stall_seconds), after {done:,} bytes")


def _proven(folder: Path, told: dict[str, Any], settings: Settings, limits: Limits) -> Fetched:
    if told.get("lacks"):
        raise Deferred(str(told["error"]))
    if "error" in told:
        raise (Rejected if told.get("never") else Temporary)(_plain(str(told["error"])))
    name = str(told["file"])
    path = folder / name
    try:
        info = probe(path, limits)
    except MediaError as error:
        atomic.remove(path)
        raise Rejected(f"what the link leads to is no video: {error}") from error
    seconds = None if info.duration is None else float(info.duration)
    if seconds is not None and seconds > settings.max_duration_hours * 3600:
        atomic.remove(path)
        raise Rejected(f"it is {seconds / 3600:.1f} hours long, longer than links.max_duration_hours allows")
    atomic.sync(path)
    warnings = ("it has no sound: in one file the site offers it only without",) if told.get("without_sound") else ()
    return Fetched(name, str(told.get("title") or ""), _suffix(name, info), path.stat().st_size, seconds, warnings)


def _suffix(name: str, info: SourceInfo) -> str:
    if is_video(name):
        return Path(name).suffix.lower()
    first = info.container.partition(",")[0]
    if first not in SUFFIXES:
        raise Rejected(f"what the link leads to is a video in a container that is not cut here ({info.container})")
    return SUFFIXES[first]


def _plain(words: str) -> str:
    """The first line of what yt-dlp said, without its plea for bug reports."""
    return words.partition("; please report")[0].partition(" (caused by")[0].partition("\n")[0][:500]


_READER = TypeAdapter(Fetched)
