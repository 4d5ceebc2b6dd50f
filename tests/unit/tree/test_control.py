"""Control files: what counts as one, who gets an order, and that a name is only ever a name."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipd.files.walk import NOT_THERE_YET
from clipd.tree import control
from clipd.tree.control import Order, Pause, Verb
from clipd.tree.layout import Directories, Layout


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    layout = Layout(tmp_path, Directories())
    layout.state.mkdir(parents=True)
    return layout


def orders(layout: Layout) -> list[tuple[Verb, str]]:
    return [(order.verb, order.words) for order in control.look(layout, NOT_THERE_YET).orders]


def the_order(layout: Layout, name: str) -> Order:
    layout.control(name).touch()
    (order,) = control.look(layout, NOT_THERE_YET).orders
    return order


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("PAUSE", "", Pause.SOFT),
        ("PAUSE", "hard", Pause.HARD),
        ("PAUSE", "\ufeffHard\r\n", Pause.HARD),
        ("PAUSE", "hardly", Pause.SOFT),
        ("PAUSE", "x" * 5000, Pause.SOFT),
        ("pause.txt", "hard", Pause.HARD),
        ("PAUSE-HARD", "", Pause.HARD),
        ("PAUSED", "", None),
        (".PAUSE.swp", "hard", None),
    ],
)
def test_a_pause_is_soft_unless_it_says_hard(layout: Layout, name: str, content: str, expected: Pause | None) -> None:
    layout.control(name).write_text(content)
    assert control.pause(layout) is expected


def test_a_pause_of_any_other_kind_is_a_soft_one(layout: Layout) -> None:
    os.mkfifo(layout.control("PAUSE"))
    assert control.pause(layout) is Pause.SOFT
    layout.control("PAUSE").unlink()
    layout.control("PAUSE").symlink_to("nowhere")
    assert control.pause(layout) is Pause.SOFT
    layout.control("PAUSE-HARD").touch()
    assert control.pause(layout) is Pause.HARD


def test_orders_are_files_with_a_verb_and_a_name(layout: Layout) -> None:
    for name in ("RETRY-goal_1", "retry-all", "CANCEL-a b-c", "RETRY-", "RETRY", "RETRY-x.part", "RETRY-y.unknown",
                 ".RETRY-z.tmp", "MARK-x", "version"):  # fmt: skip
        layout.control(name).touch()
    layout.control("RETRY-folder").mkdir()
    layout.control("RETRY-link").symlink_to(layout.control("version"))
    os.mkfifo(layout.control("RETRY-fifo"))
    assert orders(layout) == [(Verb.CANCEL, "a b-c"), (Verb.RETRY, "goal_1"), (Verb.RETRY, "all")]


@pytest.mark.parametrize(
    ("name", "names", "everything"),
    [
        ("RETRY-all", ("all",), True),
        ("RETRY-ALL.txt", ("ALL.txt", "ALL"), True),
        ("RETRY-goal.TXT", ("goal.TXT", "goal"), False),
        ("RETRY-.txt", (".txt",), False),
        ("CANCEL-all", ("all",), False),
    ],
)
def test_an_added_ending_is_forgiven(layout: Layout, name: str, names: tuple[str, ...], everything: bool) -> None:
    order = the_order(layout, name)
    assert (order.names, order.everything) == (names, everything)


def test_one_daemon_gets_an_order(layout: Layout) -> None:
    order = the_order(layout, "RETRY-goal")
    taken = control.take(layout, order, "one")
    assert taken is not None
    assert control.take(layout, order, "two") is None
    assert orders(layout) == []
    assert control.taken(layout, "one") == (taken,)
    assert control.taken(layout, "two") == ()
    control.close(layout, taken)
    assert control.taken(layout, "one") == ()
    assert sorted(path.name for path in layout.state.iterdir()) == ["orders"]


def test_the_orders_of_a_dead_daemon_are_laid_back(layout: Layout) -> None:
    control.lay_back(layout, ())
    control.take(layout, the_order(layout, "RETRY-goal"), "dead")
    control.take(layout, the_order(layout, "RETRY-other"), "alive")
    control.lay_back(layout, ("alive",))
    assert orders(layout) == [(Verb.RETRY, "goal")]
    assert len(control.taken(layout, "alive")) == 1


@pytest.mark.parametrize(
    "name", ["RETRY-" + "x" * 249, "RETRY-\udce4\udcff", "RETRY-a\nb; rm -rf ..", "RETRY-" + "ä" * 124]
)
def test_an_order_that_means_nothing_is_answered_beside_it(layout: Layout, name: str) -> None:
    order = control.take(layout, the_order(layout, name), "one")
    assert order is not None
    control.close(layout, order, f"no clip is called {order.words!r} \udce4")
    (answer,) = [path for path in layout.state.iterdir() if path.name.endswith(control.UNKNOWN)]
    assert answer.name.startswith("RETRY-")
    assert b"no clip is called" in answer.read_bytes()
    assert orders(layout) == []
    assert control.taken(layout, "one") == ()


def test_who_was_retried_lately_is_told_to_all(layout: Layout) -> None:
    assert control.retried(layout) == ()
    control.tell_retried(layout, ["a", "b"])
    control.tell_retried(layout, ["c", "a"])
    assert control.retried(layout) == ("c", "a", "b")


@pytest.mark.parametrize("content", [b"", b"{", b"5", b'{"a": 1}', b"[1, null]", b"\xff", b"[" * 100_000])
def test_what_is_no_list_of_retries_is_none(layout: Layout, content: bytes) -> None:
    layout.retried.write_bytes(content)
    assert control.retried(layout) == ()
