"""Health: what daemons say of themselves, and what is said to systemd."""

from __future__ import annotations

import json
import os
import socket
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.report.health import STALE_SECONDS, Health, notify, read_healths, write_health
from clipd.tree.layout import Directories, Layout

ALIVE = Health(
    host="here", pid=os.getpid(), daemon="d1", version="1.0", at="", workers=2, running=["job"],
    waiting={"other": "its turn"}, unreadable={"x": "line 1"}, events=True, paused=False,
)  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, Directories())


def said(seconds_ago: float, **changes: object) -> Health:
    return replace(ALIVE, at=stamp(datetime.now(UTC) - timedelta(seconds=seconds_ago)), **changes)


def test_what_a_daemon_says_is_read_on_every_machine(layout: Layout) -> None:
    here, there = said(0), said(1, host="there")
    write_health(layout.heartbeat("here.1"), here)
    write_health(layout.heartbeat("there.7"), there)
    assert read_healths(layout) == [here, there]


def test_a_daemon_that_is_silent_for_long_is_gone(layout: Layout) -> None:
    write_health(layout.heartbeat("here.1"), said(STALE_SECONDS - 5))
    write_health(layout.heartbeat("here.2"), said(STALE_SECONDS + 5))
    assert [round(health.age_seconds) for health in read_healths(layout)] == [STALE_SECONDS - 5]


def test_a_machine_whose_clock_runs_ahead_is_alive(layout: Layout) -> None:
    write_health(layout.heartbeat("here.1"), said(-3600))
    assert len(read_healths(layout)) == 1


def test_where_nobody_said_anything_nobody_is_there(layout: Layout) -> None:
    assert read_healths(layout) == []


@pytest.mark.parametrize(
    "note", [b"", b"{", b"[]", b"5", b"{}", b"\0\0", b'{"host": "x"}', b"[" * 100_000, b'{"at": 5}', b'{"at": "soon"}']
)
def test_a_damaged_note_is_passed_over_and_the_others_count(layout: Layout, note: bytes) -> None:
    write_health(layout.heartbeat("here.1"), said(0))
    layout.heartbeat("torn.1").write_bytes(note)
    assert len(read_healths(layout)) == 1


@pytest.mark.parametrize("at", ["soon", "", 5, None, "2026-05-01T12:00:00", "9999-12-31T23:59:59-14:00"])
def test_a_note_with_a_strange_time_ends_nothing(layout: Layout, at: object) -> None:
    write_health(layout.heartbeat("here.1"), said(0))
    content = json.loads(layout.heartbeat("here.1").read_text())
    layout.heartbeat("odd.1").write_text(json.dumps({**content, "at": at}))
    assert ALIVE.daemon in [health.daemon for health in read_healths(layout)]


@pytest.mark.parametrize("name", ["notify", "@clipd-test-{pid}"], ids=["path", "abstract"])
def test_systemd_is_told_where_it_listens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    address = name.format(pid=os.getpid()) if name.startswith("@") else str(tmp_path / name)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.settimeout(5)
        listener.bind("\0" + address[1:] if address.startswith("@") else address)
        monkeypatch.setenv("NOTIFY_SOCKET", address)
        notify("READY=1")
        assert listener.recv(100) == b"READY=1"


def test_without_systemd_nothing_happens(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    notify("READY=1")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    notify("READY=1")
