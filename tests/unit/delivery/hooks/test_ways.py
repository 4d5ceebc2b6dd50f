"""The ways of telling: a program without a shell, a signed post, Apprise; and that no secret gets out."""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from clipd.delivery.hooks import WAYS, Hook, News
from clipd.delivery.hooks.news import Undelivered
from clipd.delivery.hooks.webhook import signature

SECRET = "s3cr3t"
TELL = """
import json, os, sys
ours = {name: value for name, value in os.environ.items() if name.startswith("CLIPD_")}
open("told.json", "w").write(json.dumps([sys.argv[1:], json.load(sys.stdin), ours, os.getcwd()]))
"""


def news(root: Path, **more: Any) -> News:
    return News(**{
        "id": "n1", "status": "failed", "clip": "match / goal", "job": "j", "camera": "cam", "session": "day",
        "sidecar": "s.json", "key": "id:1", "outputs": ("h264/a.mp4", "ffv1/a.mkv"), "message": "why", "host": "h",
        "warnings": ("w",), "at": "now", "root": root, **more,
    })  # fmt: skip


def send(hook: Hook, told: News, given_up: threading.Event | None = None) -> None:
    WAYS[hook.way](hook, told, given_up or threading.Event())


def python(root: Path, code: str, *arguments: str, **more: Any) -> Hook:
    (root / "hook.py").write_text(code)
    return Hook(command=(sys.executable, str(root / "hook.py"), *arguments), **more)


class TestCommand:
    def test_values_come_as_arguments_environment_and_json(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLIPD_HOOKS", SECRET)
        hook = python(tmp_path, TELL, "--", "{clip}={status}", "{output}", "{}", "$HOME `id`")
        send(hook, news(tmp_path, clip="-rf ‮ä\0\udce4 $(id)", message="two\nlines"))
        arguments, told, environment, folder = json.loads((tmp_path / "told.json").read_text())
        assert arguments == ["--", "-rf ‮ä�? $(id)=failed", "h264/a.mp4", "{}", "$HOME `id`"]
        assert told["clip"] == "-rf ‮ä\0\udce4 $(id)"
        assert told["outputs"] == ["h264/a.mp4", "ffv1/a.mkv"]
        assert "root" not in told
        assert environment["CLIPD_MESSAGE"] == "two\nlines"
        assert environment["CLIPD_OUTPUTS"] == "h264/a.mp4\nffv1/a.mkv"
        assert "CLIPD_HOOKS" not in environment
        assert Path(folder) == tmp_path

    def test_a_failing_program_shows_its_last_words(self, tmp_path: Path) -> None:
        with pytest.raises(Undelivered, match="code 3: x+ the end"):
            send(
                python(tmp_path, "import sys; print('x' * 9999 + ' the end', file=sys.stderr); sys.exit(3)"),
                news(tmp_path),
            )

    def test_a_line_for_a_shell_is_refused_with_the_words_it_means(self) -> None:
        with pytest.raises(ValidationError, match=r'write a list of words, .*: \[/usr/bin/tell, "\{clip\}"\]'):
            Hook(command="/usr/bin/tell {clip}")  # type: ignore[arg-type]

    def test_a_program_that_is_not_there_is_hopeless(self, tmp_path: Path) -> None:
        with pytest.raises(Undelivered) as error:
            send(Hook(command=("/nowhere/at all",)), news(tmp_path))
        assert error.value.hopeless

    def test_a_slow_program_is_ended_with_all_that_it_started(self, tmp_path: Path) -> None:
        code = (
            "import subprocess, sys, time\nsubprocess.Popen(['sleep', '61.5'])\nopen('up', 'w').close()\ntime.sleep(60)"
        )
        hook = python(tmp_path, code, timeout_seconds=1.5)
        with pytest.raises(Undelivered, match=r"longer than 1\.5 s"):
            send(hook, news(tmp_path))
        assert (tmp_path / "up").exists()
        deadline = time.monotonic() + 5
        while _sleepers():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_a_program_that_reads_nothing_is_fine(self, tmp_path: Path) -> None:
        send(Hook(command=("true",)), news(tmp_path, message="x" * 300_000))

    def test_a_program_that_reads_late_gets_everything(self, tmp_path: Path) -> None:
        code = "import json, sys, time; time.sleep(0.8); sys.exit(len(json.load(sys.stdin)['message']) != 300000)"
        send(python(tmp_path, code), news(tmp_path, message="x" * 300_000))

    def test_it_is_ended_when_clipd_ends(self, tmp_path: Path) -> None:
        given_up = threading.Event()
        given_up.set()
        began = time.monotonic()
        with pytest.raises(Undelivered, match="clipd ends"):
            send(Hook(command=("sleep", "30")), news(tmp_path), given_up)
        assert time.monotonic() - began < 5


def _sleepers() -> list[str]:
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            if b"61.5" in path.read_bytes() and b"sleep\0" in path.read_bytes():
                found.append(str(path))
        except OSError:
            continue
    return found


@contextmanager
def answering(*codes: int, headers: dict[str, str] | None = None) -> Iterator[SimpleNamespace]:
    got: list[tuple[str, dict[str, str], bytes]] = []
    left = list(codes)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            got.append((self.path, dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(left.pop(0))
            for name, value in (headers or {}).items():
                self.send_header(name, value)
            self.end_headers()

        do_GET = do_POST  # noqa: N815 - the library's name

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield SimpleNamespace(port=server.server_port, got=got)
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class TestWebhook:
    def test_the_news_is_posted_and_signed(self, tmp_path: Path) -> None:
        with answering(204) as server:
            told = news(tmp_path)
            send(Hook(webhook=f"http://me:p%40ss@127.0.0.1:{server.port}/in?q=1#x", secret=SECRET), told)
        ((path, headers, body),) = server.got
        assert path == "/in?q=1"
        assert json.loads(body)["message"] == "why"
        assert headers["X-Clipd-Signature"] == signature(SECRET, body)
        assert headers["X-Clipd-Delivery"] == "n1"
        assert headers["Authorization"] == "Basic bWU6cEBzcw=="
        assert headers["Content-Type"] == "application/json"

    def test_the_signature_is_the_published_one(self) -> None:
        # RFC 4231, test case 2.
        expected = "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        assert signature("Jefe", b"what do ya want for nothing?") == expected

    @pytest.mark.parametrize(("code", "hopeless"), [(500, False), (503, False), (429, False), (404, True), (401, True)])
    def test_an_error_says_whether_another_try_helps(self, tmp_path: Path, code: int, hopeless: bool) -> None:
        with answering(code) as server, pytest.raises(Undelivered, match=str(code)) as error:
            send(Hook(webhook=f"http://127.0.0.1:{server.port}/{SECRET}"), news(tmp_path))
        assert error.value.hopeless is hopeless
        assert SECRET not in str(error.value)

    @pytest.mark.parametrize("code", [301, 302, 307, 308])
    def test_a_redirection_is_not_followed(self, tmp_path: Path, code: int) -> None:
        with (
            answering(204) as other,
            answering(code, headers={"Location": f"http://127.0.0.1:{other.port}/"}) as server,
        ):
            with pytest.raises(Undelivered, match=str(code)):
                send(Hook(webhook=f"http://127.0.0.1:{server.port}/"), news(tmp_path))
            assert other.got == []

    def test_nobody_there_is_worth_another_try(self, tmp_path: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        with pytest.raises(Undelivered, match="refused") as error:
            send(Hook(webhook=f"http://127.0.0.1:{port}/"), news(tmp_path))
        assert not error.value.hopeless

    @pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n"])
    def test_a_broken_answer_is_worth_another_try(self, tmp_path: Path, answer: bytes) -> None:
        with socket.create_server(("127.0.0.1", 0)) as server:

            def speak() -> None:
                connection, _ = server.accept()
                with connection:
                    connection.recv(65536)
                    connection.sendall(answer)

            thread = threading.Thread(target=speak)
            thread.start()
            with pytest.raises(Undelivered) as error:
                send(Hook(webhook=f"http://127.0.0.1:{server.getsockname()[1]}/{SECRET}"), news(tmp_path))
            thread.join()
        assert not error.value.hopeless
        assert SECRET not in str(error.value)

    def test_a_silent_server_is_left_after_the_timeout(self, tmp_path: Path) -> None:
        with (
            socket.create_server(("127.0.0.1", 0)) as server,
            pytest.raises(Undelivered, match=r"did not answer within 0\.2 s"),
        ):
            send(Hook(webhook=f"http://127.0.0.1:{server.getsockname()[1]}/", timeout_seconds=0.2), news(tmp_path))


class _FakeApprise(ModuleType):
    """What Apprise looks like from here."""

    NotifyType = SimpleNamespace(SUCCESS="success", FAILURE="failure")

    def __init__(self, understands: bool = True, delivers: bool = True) -> None:
        super().__init__("apprise")
        self.understands, self.delivers = understands, delivers
        self.told: list[Any] = []
        self.__spec__ = SimpleNamespace()  # type: ignore[assignment]

    def Apprise(self) -> Any:  # noqa: N802 - the library's name
        return SimpleNamespace(add=lambda url: self.told.append(url) or self.understands, notify=self._notify)

    def _notify(self, **said: str) -> bool:
        self.told.append(said)
        return self.delivers


class TestApprise:
    def test_the_news_is_handed_over(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        fake = _FakeApprise()
        monkeypatch.setitem(sys.modules, "apprise", fake)
        send(Hook(apprise=f"ntfy://{SECRET}"), news(tmp_path))
        assert fake.told == [
            f"ntfy://{SECRET}",
            {"title": "clipd: match / goal failed", "body": "why\nh264/a.mp4\nffv1/a.mkv\nw", "notify_type": "failure"},
        ]

    @pytest.mark.parametrize(("understands", "hopeless"), [(False, True), (True, False)])
    def test_what_it_cannot_do_is_told_without_the_address(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, understands: bool, hopeless: bool
    ) -> None:
        monkeypatch.setitem(sys.modules, "apprise", _FakeApprise(understands, delivers=False))
        hook = Hook(apprise=f"ntfy://{SECRET}")
        with pytest.raises(Undelivered) as error:
            send(hook, news(tmp_path))
        assert error.value.hopeless is hopeless
        assert SECRET not in str(error.value) + hook.label

    def test_without_the_library_the_settings_say_how_to_get_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
        with pytest.raises(ValidationError, match=r"pip install 'clipd\[notify\]'"):
            Hook(apprise=f"ntfy://{SECRET}")


class TestSettings:
    @pytest.mark.parametrize(
        "wrong",
        [
            {},
            {"command": ["a"], "webhook": "http://x/"},
            {"command": []},
            {"command": [""]},
            {"command": ["a", "{statsu}"]},
            {"command": ["a\0b"]},
            {"command": ["a"], "secret": SECRET},
            {"webhook": f"ftp://{SECRET}/"},
            {"webhook": f"file:///{SECRET}"},
            {"webhook": f"http:///{SECRET}"},
            {"webhook": f"http://x/{SECRET} y"},
            {"webhook": f"http://x:99999/{SECRET}"},
            {"webhook": f"http://x/{SECRET}\r\nEvil: 1"},
            {"webhook": "http://x/", "secret": ""},
            {"webhook": "http://x/", "on": []},
            {"webhook": "http://x/", "on": ["retry"]},
            {"webhook": "http://x/", "timeout_seconds": 0},
        ],
    )
    def test_a_wrong_hook_is_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            Hook(**wrong)

    def test_nothing_secret_is_shown(self) -> None:
        hook = Hook(webhook=f"https://u:{SECRET}@host.example/{SECRET}", secret=SECRET)
        assert hook.label == "webhook at host.example"
        assert SECRET not in f"{hook!r}{hook}{hook.model_dump()}{hook.model_dump_json()}"

    def test_a_command_is_tried_once_and_a_webhook_four_times(self) -> None:
        assert Hook(command=("a",)).tries == 1
        assert Hook(webhook="http://x/").tries == 4
        assert Hook(command=("a",), retries=2).tries == 3
