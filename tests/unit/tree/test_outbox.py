"""The outbox: posted once, kept until done, and readable for whoever looks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from clipd.tree import outbox
from clipd.tree.layout import Directories, Layout
from clipd.tree.outbox import Load, Note

NOTE = Note("j1", "abc.1", "/mnt/archive", "match / goal", "cam1", "2026-05-01T12:00:00.000Z")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path, Directories())
    layout.receipts("j1").mkdir(parents=True)
    return layout


def test_what_is_posted_waits_and_is_posted_once(layout: Layout) -> None:
    assert outbox.post(layout, NOTE)
    assert not outbox.post(layout, NOTE)
    (path,) = outbox.pending(layout, NOTE.destination)
    assert outbox.read(path) == NOTE
    assert outbox.pending(layout, "elsewhere") == []
    assert outbox.counts(layout) == (1, 0)
    assert outbox.is_awaited(layout, "j1", "abc.1")
    assert not outbox.is_awaited(layout, "j1", "abc.2")


def test_what_is_done_is_proven_and_not_posted_again(layout: Layout) -> None:
    outbox.post(layout, NOTE)
    (path,) = outbox.pending(layout, NOTE.destination)
    outbox.close(layout, path, NOTE, {"files": []})
    assert outbox.pending(layout, NOTE.destination) == []
    assert not outbox.post(layout, NOTE)
    proof = layout.copy_proof(NOTE.destination, "j1", "abc.1")
    assert json.loads(proof.read_text()) == {"files": []}
    assert outbox.post(layout, replace(NOTE, receipt="abc.2"))


def test_what_is_given_up_is_told_until_it_is_taken_up_again(layout: Layout) -> None:
    outbox.post(layout, NOTE)
    (path,) = outbox.pending(layout, NOTE.destination)
    outbox.give_up(layout, path, replace(NOTE, error="no\n" * 1000))
    assert outbox.counts(layout) == (0, 1)
    assert not outbox.post(layout, NOTE)
    assert not outbox.is_awaited(layout, "j1", "abc.1")
    (load,) = outbox.loads(layout)
    assert (load.destination, load.pending, load.failed) == ("/mnt/archive", 0, 1)
    assert len(load.error) == outbox.WORDS_CHARACTERS
    assert outbox.take_up(layout, NOTE.destination) == 1
    assert outbox.counts(layout) == (1, 0)


def test_a_note_keeps_what_was_learned(layout: Layout) -> None:
    outbox.post(layout, NOTE)
    (path,) = outbox.pending(layout, NOTE.destination)
    outbox.rewrite(path, replace(NOTE, tries=3, error="away"))
    assert list(outbox.loads(layout)) == [Load("/mnt/archive", 1, 0, "away")]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"job": 1}', b"\xff", b"x" * (1 << 17)])
def test_what_is_no_note_is_none(layout: Layout, data: bytes) -> None:
    path = layout.copy_note(NOTE.destination, "j1", "abc.1")
    path.parent.mkdir(parents=True)
    path.write_bytes(data)
    assert outbox.read(path) is None
    assert list(outbox.loads(layout)) == []


def test_no_outbox_is_no_trouble(layout: Layout) -> None:
    assert outbox.counts(layout) == (0, 0)
    assert outbox.pending(layout, "x") == []
    assert list(outbox.loads(layout)) == []
