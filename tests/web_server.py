"""A web server on this machine for tests: files with ranges, and every bad manner of servers that links may lead to."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PIECE = 1 << 14


@dataclass
class Page:
    """What stands under a path."""

    data: bytes = b""
    status: int = 200
    kind: str = "video/mp4"
    location: str = ""
    """Redirect to there."""
    size: int | None = None
    """The length that is claimed, where it is another one."""
    stop_after: int | None = None
    """Send so many bytes, then nothing, until `go_on` is set."""
    break_after: int | None = None
    """Send so many bytes, then hang up."""


@dataclass
class Site:
    """A running server: its pages, and what was asked for."""

    port: int = 0
    pages: dict[str, Page] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)
    """Path and range of each request, HEAD left out."""
    go_on: threading.Event = field(default_factory=threading.Event)

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of a page."""
        return f"http://{host}:{self.port}{path}"

    def put(self, path: str, data: bytes = b"", **more: object) -> str:
        """Put a page there; its address."""
        self.pages[path] = Page(data, **more)  # type: ignore[arg-type]
        return self.url(path)


@contextmanager
def serving() -> Iterator[Site]:
    """A server for the time of the block."""
    site = Site()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.0"

        def log_message(self, *_: object) -> None:
            """Nothing."""

        def do_HEAD(self) -> None:
            self._answer(lambda _page, _start: None)

        def do_GET(self) -> None:
            site.asked.append((self.path, self.headers.get("Range", "")))
            self._answer(self._send)

        def _answer(self, body: Callable[[Page, int], None]) -> None:
            page = site.pages.get(self.path.partition("?")[0])
            if page is None:
                self.send_error(404)
                return
            wanted = self.headers.get("Range", "").removeprefix("bytes=").partition("-")
            start = int(wanted[0]) if wanted[0].isdigit() else 0
            size = len(page.data) if page.size is None else page.size
            is_part = page.status == 200 and bool(wanted[1])
            self.send_response(206 if is_part else page.status)
            self.send_header("Content-Type", page.kind)
            self.send_header("Accept-Ranges", "bytes")
            if page.location:
                self.send_header("Location", page.location)
            if is_part:
                self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
            self.send_header("Content-Length", str(size - start))
            self.end_headers()
            body(page, start)

        def _send(self, page: Page, start: int) -> None:
            try:
                for at in range(start, len(page.data), PIECE):
                    if page.break_after is not None and at >= page.break_after:
                        return
                    if page.stop_after is not None and at >= page.stop_after:
                        site.go_on.wait(60)
                    self.wfile.write(page.data[at : at + PIECE])
            except OSError:
                return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    site.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        site.go_on.set()
        server.shutdown()
        thread.join()
        server.server_close()
