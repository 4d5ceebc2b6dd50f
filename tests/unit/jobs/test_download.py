"""Downloads, from a server on this machine: resumed, bounded, proven, and never led anywhere that is not listed."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import clipd
from clipd.errors import Deferred, Rejected, Superseded, Temporary
from clipd.jobs.download import Fetched, fetch
from clipd.jobs.link import Settings
from clipd.media.door import Limits
from tests.footage import make
from tests.web_server import Site, serving

SIZE = 400_000


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = make(tmp_path_factory.mktemp("film") / "film.mp4", count=50, size=(320, 240), options={"crf": "4", "g": "1"})
    data = path.read_bytes()
    assert len(data) > SIZE
    return data


@pytest.fixture
def site() -> Iterator[Site]:
    with serving() as site:
        yield site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "source" / ".clipd-downloads" / "j1"


def get(
    url: str, folder: Path, progress: Callable[[int, int], None] = lambda _done, _total: None, **settings: object
) -> Fetched:
    chosen = Settings(**{"hosts": ("127.0.0.1",), "timeout_seconds": 5, **settings})  # type: ignore[arg-type]
    return fetch(url, folder, chosen, Limits(), progress)


def test_a_video_is_fetched_whole_and_recalled(site: Site, folder: Path, film: bytes) -> None:
    steps: list[tuple[int, int]] = []
    url = site.put("/a/match%20one.mp4", film)
    fetched = get(url, folder, lambda done, total: steps.append((done, total)))
    assert (folder / fetched.file).read_bytes() == film
    assert (fetched.title, fetched.suffix, fetched.size, fetched.seconds) == ("match one", ".mp4", len(film), 2.0)
    assert steps[0] == (0, 0)
    count = len(site.asked)
    assert get(url, folder) == fetched
    assert len(site.asked) == count


def test_what_was_broken_off_is_gone_on_with(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, break_after=SIZE // 2)
    with pytest.raises(Temporary):
        get(url, folder)
    part = sum(path.stat().st_size for path in folder.glob("*.part"))
    assert 0 < part < len(film)
    site.pages["/match.mp4"].break_after = None
    fetched = get(url, folder)
    assert (folder / fetched.file).read_bytes() == film
    assert site.asked[-1][1] == f"bytes={part}-"


def test_it_ends_when_the_caller_says_so_and_leaves_no_process(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, stop_after=SIZE // 2)

    def stop(done: int, _total: int) -> None:
        if done:
            raise Superseded("not any more")

    with pytest.raises(Superseded):
        get(url, folder, stop)
    assert not children()
    site.go_on.set()
    assert (folder / get(url, folder).file).read_bytes() == film


def test_a_server_that_falls_silent_is_left_within_the_limit(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, stop_after=SIZE // 2)
    began = time.monotonic()
    with pytest.raises(Temporary, match="nothing came|timed out|Timeout"):
        get(url, folder, stall_seconds=3, timeout_seconds=30)
    assert time.monotonic() - began < 20
    assert list(folder.glob("*.part"))


def test_a_server_that_is_too_slow_is_said_in_plain_words(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, stop_after=SIZE // 2)
    with pytest.raises(Temporary) as told:
        get(url, folder, stall_seconds=30, timeout_seconds=1)
    assert str(told.value).startswith("Got error: ")
    assert str(told.value).isprintable()


def test_what_is_too_large_is_refused(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, size=10**12)
    with pytest.raises(Rejected, match="links.max_size"):
        get(url, folder, max_size=SIZE // 2)


def test_what_is_too_long_is_refused(site: Site, folder: Path, film: bytes) -> None:
    with pytest.raises(Rejected, match="links.max_duration_hours"):
        get(site.put("/match.mp4", film), folder, max_duration_hours=1 / 3600)


@pytest.mark.parametrize(
    ("kind", "data"),
    [
        ("video/mp4", b"<html>no</html>" * 1000),
        ("text/html", b"<html><body>hello</body></html>"),
        ("application/vnd.apple.mpegurl", b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
    ],
)
def test_what_is_no_video_is_refused(site: Site, folder: Path, kind: str, data: bytes) -> None:
    with pytest.raises((Rejected, Temporary)) as error:
        get(site.put("/x.mp4", data, kind=kind), folder)
    assert "root:" not in str(error.value)
    assert not list(folder.glob("*.mp4"))


@pytest.mark.parametrize(("status", "raised"), [(404, Rejected), (503, Temporary)])
def test_errors_of_the_server_say_whether_to_try_again(
    site: Site, folder: Path, status: int, raised: type[Exception]
) -> None:
    with pytest.raises(raised) as error:
        get(site.put("/x.mp4", b"", status=status), folder)
    assert type(error.value) is raised
    assert str(status) in str(error.value)


def test_a_server_that_is_not_there_is_tried_again(folder: Path) -> None:
    with pytest.raises(Temporary):
        get("http://127.0.0.1:9/match.mp4", folder)


@pytest.mark.parametrize("host", ["localhost", "169.254.169.254"])
def test_a_redirection_to_another_host_is_not_followed(site: Site, folder: Path, film: bytes, host: str) -> None:
    site.put("/there.mp4", film)
    url = site.put("/here.mp4", b"", status=302, location=site.url("/there.mp4", host))
    with pytest.raises(Rejected, match=r"links\.hosts"):
        get(url, folder)
    assert not [path for path, _ in site.asked if path == "/there.mp4"]


def test_a_redirection_within_the_host_is(site: Site, folder: Path, film: bytes) -> None:
    site.put("/there.mp4", film)
    assert get(site.put("/here.mp4", b"", status=302, location="/there.mp4"), folder).size == len(film)


def test_a_listed_name_that_leads_behind_the_firewall_is_refused(site: Site, folder: Path, film: bytes) -> None:
    site.put("/match.mp4", film)
    with pytest.raises(Rejected, match="private address 127.0.0.1"):
        get(site.url("/match.mp4", "localhost"), folder, hosts=("localhost",))
    fetched = get(site.url("/match.mp4", "localhost"), folder, hosts=("localhost", "127.0.0.0/8", "::1"))
    assert fetched.size == len(film)


@pytest.mark.parametrize("location", ["file:///etc/passwd", "ftp://127.0.0.1/x.mp4"])
def test_a_redirection_to_another_protocol_is_refused(site: Site, folder: Path, location: str) -> None:
    url = site.put("/here.mp4", b"", status=302, location=location)
    with pytest.raises((Rejected, Temporary)):
        get(url, folder)


def test_a_page_with_one_video_gives_it(site: Site, folder: Path, film: bytes) -> None:
    site.put("/there.mp4", film)
    page = b"<html><head><title>Sunday</title></head><body><video src='/there.mp4'></video></body></html>"
    fetched = get(site.put("/page", page, kind="text/html"), folder)
    assert fetched.size == len(film)
    assert "Sunday" in fetched.title


def test_neither_configuration_nor_plugins_nor_cookies_of_the_user_count(
    site: Site, folder: Path, film: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, mark = tmp_path / "home", tmp_path / "mark"
    plugins = home / ".config/yt-dlp/plugins/evil/yt_dlp_plugins/extractor"
    plugins.mkdir(parents=True)
    (plugins / "evil.py").write_text(f"open({str(mark)!r}, 'w').close()\n")
    (home / ".config/yt-dlp/config").write_text(f"--exec 'touch {mark}'\n--output /tmp/evil.mp4\n")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    assert get(site.put("/match.mp4", film), folder).size == len(film)
    assert not mark.exists()


def test_a_machine_without_yt_dlp_leaves_the_link_to_another(
    site: Site, folder: Path, film: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = site.put("/match.mp4", film)
    root = str(Path(clipd.__file__).parents[1])
    monkeypatch.setattr(sys, "path", [root, *(path for path in sys.path if "site-packages" not in path)])
    with pytest.raises(Deferred, match=r"clipd\[download\]"):
        get(url, folder)
    assert site.asked == []


def test_two_never_write_one_file(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, stop_after=SIZE // 2)
    met: list[str] = []

    def second(done: int, _total: int) -> None:
        if done and not met:
            with pytest.raises(Temporary, match="another process") as error:
                get(url, folder)
            met.append(str(error.value))
            site.go_on.set()

    assert get(url, folder, second).size == len(film)
    assert met


def test_a_downloader_that_is_killed_is_told_and_gone_on_with(site: Site, folder: Path, film: bytes) -> None:
    url = site.put("/match.mp4", film, stop_after=SIZE // 2)

    def kill(done: int, _total: int) -> None:
        if done:
            for child in children():
                os.kill(child, signal.SIGKILL)

    with pytest.raises(Temporary, match="without a word"):
        get(url, folder, kill)
    site.go_on.set()
    assert get(url, folder).size == len(film)


def children() -> list[int]:
    """The downloaders that run."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if any(word.endswith(b"jobs/downloader.py") for word in words) and str(os.getpid()).encode() in words:
                found.append(int(entry.name))
    return found
