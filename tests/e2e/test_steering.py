"""Steering by files and settings, through the real daemon: pauses, orders, hooks, retention."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tree import Tree, wait_until
from tests.footage import footage, make

LONG = "intel_one-by-one-person-detection.mp4"


def clip(name: str, first: int, last: int, status: str = "Process", **more: object) -> dict[str, object]:
    return {"id": f"id-{name}", "name": name, "source_path": "cam1/s1/match.mp4", "start_frame": first,
            "end_frame": last, "status": status, "export_path": None, **more}  # fmt: skip


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make(tmp_path / "film.mp4", count=60, size=(160, 96))


def a_tree(tmp_path: Path, **settings: Any) -> Tree:
    return Tree.at(tmp_path / "tree", {"clips": {"formats": ["ffv1"]}, **settings})


def status(tree: Tree, sidecar: Path, name: str) -> str:
    return str(tree.clip(sidecar, name)["status"])


def order(tree: Tree, name: str) -> Path:
    path = tree.layout.control(name)
    path.touch()
    return path


def the_record(tree: Tree) -> dict[str, Any]:
    (path,) = tree.layout.records.glob("*.json")
    content: dict[str, Any] = json.loads(path.read_text())
    return content


def test_a_pause_holds_new_work_back_until_it_is_removed(tmp_path: Path, film: Path) -> None:
    tree = a_tree(tmp_path)
    tree.add_source(film, "match.mp4")
    pause = order(tree, "PAUSE")
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    with tree.daemon() as daemon:
        wait_until(lambda: "paused" in daemon.log, "the pause to be seen")
        assert "PAUSE" in tree.run("why", "goal").stdout
        assert status(tree, sidecar, "goal") == "Process"
        pause.unlink()
        wait_until(lambda: status(tree, sidecar, "goal") == "Complete", "the clip to complete")


def test_a_hard_pause_stops_what_runs_and_counts_no_attempt(tmp_path: Path) -> None:
    tree = a_tree(tmp_path)
    tree.add_source(footage(LONG), "match.mp4")
    sidecar = tree.write_sidecar([clip("long", 0, 1393)])
    with tree.daemon() as daemon:
        wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run")
        pause = tree.layout.control("PAUSE")
        pause.write_text("hard\n")
        wait_until(lambda: not tree.strays(), "the attempt to stop", seconds=10)
        assert status(tree, sidecar, "long") == "Process"
        assert not list(tree.layout.outputs.rglob("*.mkv"))
        wait_until(lambda: the_record(tree)["attempt_by"] is None, "the attempt to be closed")
        assert (the_record(tree)["failures"], the_record(tree)["losses"]) == (0, 0)
        pause.unlink()
        wait_until(lambda: bool(list(tree.layout.progresses.glob("*.json"))), "the clip to run again")
        assert the_record(tree)["failures"] == 0
        assert "begun again later" in daemon.log
        order(tree, "CANCEL-long")
        wait_until(lambda: status(tree, sidecar, "long") == "Draft", "the clip to be cancelled", seconds=10)
        wait_until(lambda: not tree.layout.control("CANCEL-long").exists(), "the order to go")
        wait_until(lambda: not tree.strays(), "the attempt to stop", seconds=10)


def test_orders_retry_what_failed_and_answer_what_they_cannot_do(tmp_path: Path, film: Path) -> None:
    tree = a_tree(tmp_path, retry={"first_wait_seconds": 600.0})
    source = tree.add_source(film, "match.mp4")
    film_bytes = source.read_bytes()
    source.write_bytes(film_bytes[: len(film_bytes) // 2])  # its index is missing: it fails, or is taken to be arriving
    sidecar = tree.write_sidecar([clip("one", 0, 9, "Failed", error="it was so"), clip("two", 0, 9, "Failed"),
                                  clip("draft", 0, 9, "Draft", error="old"), clip("late", 50, 99)])  # fmt: skip
    source.write_bytes(film_bytes)
    with tree.daemon() as daemon:
        wait_until(lambda: status(tree, sidecar, "late") == "Failed", "the wrong clip to fail")
        retry = order(tree, "RETRY-match_one")
        wait_until(lambda: status(tree, sidecar, "one") == "Complete", "the first to complete", seconds=15)
        assert not retry.exists()
        assert status(tree, sidecar, "two") == "Failed"
        order(tree, "RETRY-all.txt")
        wait_until(lambda: status(tree, sidecar, "two") == "Complete", "the second to complete", seconds=15)
        assert status(tree, sidecar, "draft") == "Draft"
        hostile = order(tree, "RETRY-..; $(touch x) ‮\x1b[31m")
        refusal = tree.layout.control(f"{hostile.name}.unknown")
        wait_until(refusal.exists, "the hostile order to be answered", seconds=5)
        assert "no clip is called" in refusal.read_text()
        order(tree, "CANCEL-draft")
        answer = tree.layout.control("CANCEL-draft.unknown")
        wait_until(answer.exists, "the cancellation to be answered", seconds=5)
        assert "match / draft is Draft" in answer.read_text()
        assert "\x1b[31m" not in daemon.log.replace("\x1b[0m", "")
    assert not list(tree.layout.orders.rglob("RETRY*"))


def test_a_retry_does_not_wait_for_the_back_off(tmp_path: Path, film: Path) -> None:
    tree = a_tree(tmp_path, retry={"first_wait_seconds": 600.0, "source_patience_seconds": 0.0})
    source = tree.layout.source / "cam1/s1/match.mp4"
    tree.add_source(film, "match.mp4")
    whole = film.read_bytes()
    source.write_bytes(b"\0" * len(whole))
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    with tree.daemon():
        wait_until(
            lambda: bool(list(tree.layout.records.glob("*.json"))) and the_record(tree)["next_try_at"] is not None,
            "the first attempt to fail",
        )
        source.write_bytes(whole)
        time.sleep(1.0)
        assert status(tree, sidecar, "goal") == "Process"
        order(tree, "RETRY-goal")
        wait_until(lambda: status(tree, sidecar, "goal") == "Complete", "the clip to complete", seconds=15)


def test_one_of_two_daemons_carries_an_order_out(tmp_path: Path, film: Path) -> None:
    tree = a_tree(tmp_path)
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip(f"c{n}", n, n + 9, "Failed") for n in range(4)])
    with tree.daemon() as one, tree.daemon() as two:
        for name in ("RETRY-c0", "RETRY-c1", "RETRY-c2", "RETRY-c3"):
            order(tree, name)
        wait_until(lambda: {c["status"] for c in tree.clips(sidecar)} == {"Complete"}, "all to complete", seconds=30)
        log = one.log + two.log
    for name in ("RETRY-c0", "RETRY-c1", "RETRY-c2", "RETRY-c3"):
        assert log.count(f"order {name}:") == 1


def test_outside_the_hours_of_work_clips_wait_and_say_until_when(tmp_path: Path, film: Path) -> None:
    today = time.localtime().tm_wday
    day = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")[(today + 3) % 7]
    tree = a_tree(tmp_path, schedule={"windows": [f"{day} 10:00-11:00"]})
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 9)])
    assert f"the next window opens {day.title()} " in tree.once().stdout
    assert status(tree, sidecar, "goal") == "Process"


@dataclass
class Listener:
    """A web server that keeps what it is posted; the first answers are as told."""

    answers: list[int] = field(default_factory=list)
    hang: threading.Event = field(default_factory=threading.Event)
    got: list[tuple[dict[str, str], bytes]] = field(default_factory=list)
    port: int = 0


@contextmanager
def listening(*answers: int, hanging: bool = False) -> Iterator[Listener]:
    listener = Listener(list(answers))

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            listener.got.append((dict(self.headers.items()), body))
            if hanging:
                listener.hang.wait(60)
            self.send_response(listener.answers.pop(0) if listener.answers else 204)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    listener.port = server.server_port
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield listener
    finally:
        listener.hang.set()
        server.shutdown()
        thread.join()
        server.server_close()


SCRIPT = """
import json, os, sys
told = json.load(sys.stdin)
with open("told.jsonl", "a") as file:
    line = [sys.argv[1:], told["clip"], os.environ["CLIPD_STATUS"], os.environ.get("CLIPD_HOOKS")]
    print(json.dumps(line), file=file)
"""


def test_hooks_are_told_once_of_each_outcome_and_a_hanging_one_holds_nothing_up(tmp_path: Path, film: Path) -> None:
    with listening(503) as listener, listening(hanging=True) as sleeper:
        script = tmp_path / "told.py"
        script.write_text(SCRIPT)
        tree = a_tree(
            tmp_path,
            hooks=[
                {"command": [sys.executable, str(script), "--", "{status}", "{clip}; rm -rf $HOME", "{output}"]},
                {"webhook": f"http://user:pass-word@127.0.0.1:{listener.port}/in?token=t0ken", "secret": "s3cr3t"},
                {"webhook": f"http://127.0.0.1:{sleeper.port}/", "timeout_seconds": 40, "on": ["failed", "complete"]},
                {"command": ["false"], "on": "failed"},
            ],
        )
        tree.add_source(film, "match.mp4")
        sidecar = tree.write_sidecar([clip("-rf `id`", 0, 9), clip("wrong", 50, 99), clip("fine", 0, 4)])
        with tree.daemon() as daemon:
            wait_until(
                lambda: {c["status"] for c in tree.clips(sidecar)} == {"Complete", "Failed"}, "the clips", seconds=20
            )
            told = tree.root / "told.jsonl"
            wait_until(lambda: told.exists() and told.read_text().count("\n") == 3, "the command to run", seconds=10)
            wait_until(lambda: len(listener.got) == 4, "the webhook to be told", seconds=10)
            assert len(sleeper.got) == 1
            began = time.monotonic()
            assert daemon.stop() == 0
            assert time.monotonic() - began < 15
        lines = {line[1]: line for line in map(json.loads, told.read_text().splitlines())}
        output = "data/prept/03_CLIPPED/ffv1/cam1/s1/match_fine.mkv"
        assert lines["match / fine"] == [
            ["--", "complete", "match / fine; rm -rf $HOME", output], "match / fine", "complete", None,
        ]  # fmt: skip
        assert lines["match / wrong"][2] == "failed"
        assert lines["match / -rf `id`"][0][2] == "match / -rf `id`; rm -rf $HOME"
        for headers, body in listener.got:
            assert headers["X-Clipd-Signature"] == "sha256=" + hmac.new(b"s3cr3t", body, hashlib.sha256).hexdigest()
            assert headers["Authorization"].startswith("Basic ")
        ids = [json.loads(body)["id"] for _, body in listener.got]
        assert len(set(ids)) == 3
        assert ids[0] == ids[1]  # it answered 503 at first
        assert "command false" in daemon.log
        assert "dropped" in daemon.log
        everything = daemon.log + "".join(
            path.read_text(errors="replace") for path in tree.layout.state.rglob("*") if path.is_file()
        )
        for secret in ("s3cr3t", "pass-word", "t0ken"):
            assert secret not in everything


def test_retention_shows_its_plan_and_is_applied_only_when_it_is_told_to(tmp_path: Path, film: Path) -> None:
    tree = a_tree(
        tmp_path,
        clips={"formats": ["ffv1", "h264"]},
        retention={"rules": [{"formats": ["ffv1"], "older_than_days": 0}]},
    )
    source = tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 9), clip("kept", 0, 4)])

    def outputs() -> set[str]:
        return {path.relative_to(tree.layout.outputs).as_posix() for path in tree.layout.outputs.rglob("*.*")}

    tree.once()
    before, made = sidecar.read_bytes(), outputs()
    assert "ffv1/cam1/s1/match_goal.mkv" in made
    assert "2 outputs would go" in tree.run("retention").stdout
    assert outputs() == made

    grown = tree.layout.outputs / "ffv1/cam1/s1/match_kept.mkv"
    grown.write_bytes(grown.read_bytes() + b"mine")  # of another size: no longer the file of the receipt
    tree.layout.outputs.joinpath("ffv1/cam1/s1/own.mkv").write_bytes(b"a person's")
    left = {name for name in made if "ffv1/cam1/s1/match_goal" not in name} | {"ffv1/cam1/s1/own.mkv"}
    with tree.daemon(CLIPD_RETENTION__DRY_RUN="false") as daemon:
        wait_until(lambda: "retention: removed" in daemon.log, "an output to go", seconds=15)
        assert outputs() == left
    assert sidecar.read_bytes() == before
    assert source.exists()
    assert "removed by retention on" in tree.run("why", "goal").stdout
