"""Health: what daemons say of themselves, and what is said to systemd."""

from __future__ import annotations

import json
import os
import socket
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.report.health import (
    FORMER_SECONDS,
    GONE_SECONDS,
    STALE_SECONDS,
    Health,
    forget_gone,
    notify,
    read_healths,
    read_notes,
    write_health,
)
from clipd.tree.layout import Layout
from tests.place import laid_out

ALIVE = Health(
    host="here", pid=os.getpid(), daemon="d1", version="1.0", at="", workers=2, running=["job"],
    waiting={"other": "its turn"}, unreadable={"x": "line 1"}, events=True, paused=False,
)  # fmt: skip


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path)


def said(seconds_ago: float, **changes: object) -> Health:
    """What a daemon said, by its own clock, so long ago."""
    return replace(ALIVE, at=stamp(datetime.now(UTC) - timedelta(seconds=seconds_ago)), **changes)


def leave(layout: Layout, name: str, health: Health, age_seconds: float = 0.0) -> Path:
    """Leave the note, stamped so long ago by the share."""
    path = layout.heartbeat(name)
    write_health(path, health)
    os.utime(path, (time.time() - age_seconds,) * 2)
    return path


def ages(layout: Layout, share_offset: float | None = None) -> list[int]:
    return [round(health.age_seconds) for health in read_notes(layout, share_offset)]


def test_what_a_daemon_says_is_read_on_every_machine(layout: Layout) -> None:
    here, there = said(0), said(1, host="there")
    write_health(layout.heartbeat("here.1"), here)
    write_health(layout.heartbeat("there.7"), there)
    assert [replace(health, age_seconds=0.0) for health in read_healths(layout)] == [here, there]


def test_a_daemon_that_is_silent_for_long_is_gone(layout: Layout) -> None:
    leave(layout, "here.1", said(0), STALE_SECONDS - 5)
    leave(layout, "here.2", said(0), STALE_SECONDS + 5)
    assert [round(health.age_seconds) for health in read_healths(layout)] == [STALE_SECONDS - 5]
    assert ages(layout) == [STALE_SECONDS - 5, STALE_SECONDS + 5]


@pytest.mark.parametrize("days", [-1, 1])
def test_a_machine_whose_clock_is_a_day_off_is_alive(layout: Layout, days: int) -> None:
    leave(layout, "here.1", said(86400 * days))
    assert ages(layout) == ages(layout, 0.0) == [0]


@pytest.mark.parametrize("offset", [-86400.0, 86400.0])
def test_where_the_shares_clock_is_a_day_off_age_is_told_by_that_clock(layout: Layout, offset: float) -> None:
    leave(layout, "here.1", said(0), -offset)
    leave(layout, "here.2", said(0), 100 - offset)
    assert ages(layout, offset) == [0, 100]
    assert [health.pid for health in read_healths(layout, offset)] == [ALIVE.pid]


def test_a_doubt_about_the_clocks_is_settled_by_making_a_file(layout: Layout) -> None:
    """Who only reads (`clipd status`) need not write, but where a note looks too old or comes from the future."""
    leave(layout, "here.1", said(0), 3.0)
    before = layout.state.stat().st_mtime_ns
    assert ages(layout) == [3]
    assert layout.state.stat().st_mtime_ns == before
    leave(layout, "here.1", said(0), -3600.0)
    assert ages(layout) == [0]
    assert layout.state.stat().st_mtime_ns != before
    assert [path.name for path in layout.state.iterdir()] == ["hosts"]


def test_what_the_killed_left_goes_at_last(layout: Layout) -> None:
    kept = {
        leave(layout, "here.1", said(0)),
        leave(layout, "here.2", said(0), FORMER_SECONDS - 60),
        leave(layout, "there.3", said(0), GONE_SECONDS - 60),
        leave(layout, "here.too.4", said(0), FORMER_SECONDS + 60),
    }
    leave(layout, "here.5", said(0), FORMER_SECONDS + 60)
    leave(layout, "there.6", said(0), GONE_SECONDS + 60)
    forget_gone(layout, 0.0, "here")
    assert set(layout.heartbeat("x").parent.iterdir()) == kept
    forget_gone(layout, -86400.0, "here")  # the share's clock is behind: nothing is as old as it looks
    assert set(layout.heartbeat("x").parent.iterdir()) == kept


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
