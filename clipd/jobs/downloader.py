"""The process that fetches one video: the only place that knows yt-dlp.

It stands apart because what it runs speaks with strangers. It ends with the worker that started it, reads no
configuration, plug-ins or cookies, and is held to its bounds by an audit hook, under yt-dlp and all its extractors: no
name is looked up that is not listed, no address reached behind the firewall (`clipd.model.hosts`), no program started,
nothing written outside its folder. What it is told comes as JSON on standard input; what it tells are lines of JSON on
standard output: `{"done": bytes, "total": bytes}`, and at the end `{"file": name, ...}` or `{"error": words}`.
"""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import re
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

PR_SET_PDEATHSIG = 1
STEM = "video"
LOCK = "lock"
TELL_SECONDS = 0.25
PASSING = (408, 425, 429)
"""Client errors that pass by themselves (RFC 9110, RFC 8470, RFC 6585); other ones do not."""
FORMATS = "b[protocol^=http]/b[protocol^=m3u8]/bv[protocol^=http]/bv[protocol^=m3u8]"
"""One file, over HTTP: joining two would take another program."""

MARKS = re.compile(r"^(?:ERROR:|\[download\]|\s)+")
"""What yt-dlp begins its errors with."""

PROGRAMS = frozenset(
    ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn")
)
OTHER_NETWORK = frozenset(("socket.bind", "socket.sendto", "socket.sendmsg", "ftplib.connect", "smtplib.connect"))
CHANGES = frozenset(
    ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "os.chmod", "os.chown", "os.truncate")
)
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Bounds:
    """What this process may not do; `refused` keeps in words what was tried."""

    def __init__(self, hosts: Any, folder: Path) -> None:
        """`hosts` is a `clipd.model.hosts.Hosts`."""
        self._hosts, self._folder = hosts, os.path.realpath(folder)
        self.refused: list[str] = []

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        """An audit hook. Raises `PermissionError`."""
        if event == "socket.getaddrinfo":
            host = arguments[0].decode("ascii", "replace") if isinstance(arguments[0], bytes) else str(arguments[0])
            if not self._hosts.allow(host):
                self._refuse(f"the link leads to {host}, which is not among the hosts listed in links.hosts")
        elif event == "socket.connect":
            address = arguments[1][0] if isinstance(arguments[1], tuple) else ""
            if not self._hosts.reach(str(address)):
                self._refuse(f"the link leads to the private address {address}, which is not listed in links.hosts")
        elif event in PROGRAMS or event in OTHER_NETWORK:
            self._refuse(f"fetching it would take another program or protocol ({event})")
        elif event == "open":
            path, flags = arguments[0], arguments[2]
            if isinstance(path, str | bytes) and isinstance(flags, int) and flags & WRITING:
                self._keep_inside(path)
        elif event in CHANGES:
            for path in arguments[: 2 if event in ("os.rename", "os.link") else 1]:
                if isinstance(path, str | bytes):
                    self._keep_inside(path)

    def _keep_inside(self, path: str | bytes) -> None:
        real = os.path.realpath(os.fsdecode(path))
        if real not in (os.devnull, self._folder) and not real.startswith(self._folder + os.sep):
            self._refuse(f"fetching it would write {real}")

    def _refuse(self, words: str) -> None:
        self.refused.append(words)
        raise PermissionError(words)


class Silent:
    """yt-dlp's words go nowhere but into `last`, which is told when it fails."""

    def __init__(self) -> None:
        self.last = ""

    def debug(self, _words: str) -> None:
        """Nothing."""

    info = warning = debug

    def error(self, words: str) -> None:
        """Keep it, without what only a terminal wants of it."""
        self.last = MARKS.sub("", words)


class Limits:
    """How long and how large a video may be, asked by yt-dlp before it fetches and while it does."""

    def __init__(self, order: dict[str, Any], tell: Callable[[dict[str, Any]], None], bounds: Bounds) -> None:
        self._order, self._tell, self._bounds = order, tell, bounds
        self._told_at = 0.0

    def fits(self, info: dict[str, Any], **_: Any) -> str | None:
        """Why the video that `info` describes is not fetched; None when it is."""
        length, longest = info.get("duration"), self._order["max_seconds"]
        if info.get("is_live") or info.get("live_status") in ("is_live", "is_upcoming"):
            return self._refuse("it is a live stream, which has no end")
        if isinstance(length, int | float) and length > longest:
            return self._refuse(f"it is {length / 3600:.1f} hours long, longer than links.max_duration_hours allows")
        return None

    def progress(self, state: dict[str, Any]) -> None:
        """Tell how far it is. Raises yt-dlp's `DownloadCancelled` when it is too large."""
        from yt_dlp.utils import DownloadCancelled

        done = int(state.get("downloaded_bytes") or 0)
        total = int(state.get("total_bytes") or 0)
        if max(done, total) > self._order["max_size"]:
            raise DownloadCancelled(
                self._refuse(f"it holds {max(done, total):,} bytes, more than links.max_size allows")
            )
        now = time.monotonic()
        if now - self._told_at >= TELL_SECONDS:
            self._told_at = now
            self._tell({"done": done, "total": total or int(state.get("total_bytes_estimate") or 0)})

    def _refuse(self, words: str) -> str:
        self._bounds.refused.append(words)
        return words


def fetch(order: dict[str, Any], tell: Callable[[dict[str, Any]], None], bounds: Bounds) -> dict[str, Any]:
    """Fetch what `order` names, or go on with it; the answer to tell."""
    import yt_dlp
    from yt_dlp.globals import plugin_dirs
    from yt_dlp.utils import YoutubeDLError

    class Client(yt_dlp.YoutubeDL):  # type: ignore[misc, no-any-unimported, unused-ignore]
        def build_request_director(self, handlers: Any, _preferences: Any = None) -> Any:
            # The others may bring networking of their own, which no audit hook sees.
            return super().build_request_director([one for one in handlers if one.RH_KEY == "Urllib"], ())

    plugin_dirs.value = []
    silent = Silent()
    try:
        with Client(_options(order, silent, Limits(order, tell, bounds))) as client:
            info = client.extract_info(order["url"], download=True)
    except (YoutubeDLError, OSError) as error:
        told = _trouble(error, silent.last)
    else:
        told = _answer(info)
    return {"error": bounds.refused[0], "never": True} if bounds.refused else told


def _options(order: dict[str, Any], silent: Silent, limits: Limits) -> dict[str, Any]:
    folder = Path(order["folder"])
    return {
        "quiet": True, "no_warnings": True, "noprogress": True, "logger": silent, "color": "never",
        "paths": {"home": str(folder)}, "outtmpl": f"{STEM}.%(ext)s", "format": FORMATS,
        "noplaylist": True, "playlistend": 2, "match_filter": limits.fits, "progress_hooks": [limits.progress],
        "continuedl": True, "nopart": False, "updatetime": False, "fixup": "never", "overwrites": False,
        "retries": 0, "extractor_retries": 0, "fragment_retries": 2, "file_access_retries": 0,
        "socket_timeout": order["timeout_seconds"], "proxy": "", "cachedir": False, "usenetrc": False,
        "ffmpeg_location": str(folder / "none"), "hls_prefer_native": True,
        "external_downloader": {"default": "native"},
        "enable_file_urls": False, "js_runtimes": {}, "remote_components": [],
    }  # fmt: skip


def _trouble(error: Exception, words: str) -> dict[str, Any]:
    """The answer when yt-dlp fails with `error`, saying `words`: is it worth another try?"""
    from yt_dlp.utils import DownloadError, ExtractorError, UnsupportedError

    cause = error.exc_info[1] if isinstance(error, DownloadError) and error.exc_info else error
    if isinstance(cause, UnsupportedError):
        return {"error": "there is no video at this link", "never": True}
    status = getattr(getattr(cause, "cause", None) or cause, "status", None)
    never = isinstance(cause, ExtractorError) and cause.expected
    if isinstance(status, int):
        never = 400 <= status < 500 and status not in PASSING
    return {"error": words or str(error), "never": never}


def _answer(info: Any) -> dict[str, Any]:
    """What was fetched: of a page with one video, that one."""
    if isinstance(info, dict) and "entries" in info:
        entries = [entry for entry in info["entries"] or () if entry]
        if len(entries) != 1:
            return {"error": "the link leads to several videos; name one of them", "never": True}
        info = entries[0]
    if not isinstance(info, dict):
        return {"error": "nothing was downloaded", "never": False}
    fetched = (info.get("requested_downloads") or [{}])[0]
    path = Path(str(fetched.get("filepath") or ""))
    if not path.is_file():
        return {"error": "nothing was downloaded", "never": False}
    mute = "none" in (fetched.get("acodec"), info.get("acodec"))
    return {"file": path.name, "title": str(info.get("title") or ""), "without_sound": mute}


def _serve(parent: int) -> None:
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    order = json.loads(sys.stdin.buffer.readline())
    sys.path[:] = order["path"]
    sys.dont_write_bytecode = True
    channel = os.fdopen(os.dup(1), "w", encoding="ascii")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)

    def tell(words: dict[str, Any]) -> None:
        print(json.dumps(words), file=channel, flush=True)

    from clipd.model.hosts import Hosts

    # A worker that was frozen may have left one of us behind: two must not write one file.
    lock = os.open(Path(order["folder"]) / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        tell({"error": "another process is still fetching it", "never": False})
        return
    bounds = Bounds(Hosts.of(order["hosts"]), Path(order["folder"]))
    sys.addaudithook(bounds)
    try:
        tell(fetch(order, tell, bounds))
    except ImportError as error:
        tell(
            {
                "error": f"yt-dlp is not installed on this machine ({error}); pip install 'clipd[download]'",
                "lacks": True,
            }
        )


if __name__ == "__main__":
    _serve(int(sys.argv[1]))
