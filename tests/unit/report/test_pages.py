"""The page: well-formed whatever is on it, harmless whatever it was made from, and written only when it is time."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from clipd.errors import Temporary
from clipd.report.pages import CHART_HEIGHT, Pages, Settings, bars, draw_again, duration, link, page
from clipd.report.snapshot import Disk, Failures, Hour, Queue, Snapshot, Unreadable
from clipd.tree.layout import Directories, Layout
from tests.page import Page
from tests.place import laid_out
from tests.unit.report.board import OUT, machine, snapshot

HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)",
    "{{ 7 * 7 }}{% raw %}",
    "</title></style></script><svg/onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; 100%",
    "-rf ~ $(reboot) `id`",
)


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return laid_out(tmp_path / "tree")


def shown(layout: Layout, board: Snapshot) -> Page:
    return Page(page(board, layout, Settings()).decode())


def test_everything_is_on_the_page(layout: Layout) -> None:
    words = shown(layout, snapshot()).words
    for piece in (
        "wedding", "working", "goal", "encoding · 50 % (30 of 60)", "12 per second", "2 s left", "studio",
        "the span ends behind the last frame", "Process to try again", "in 3 s", "2 notes", "50.0 GiB free",
        "1.0 GiB stay free", "file events", "203 done", "2 failed", "data/y_clips.json", "next look in 30 s",
    ):  # fmt: skip
        assert piece in words


@pytest.mark.parametrize("text", HOSTILE)
def test_what_came_from_outside_is_text_and_nothing_else(layout: Layout, text: str) -> None:
    plain = shown(layout, snapshot())
    board = snapshot(
        f"{text} / {text}", text, tree=text, written_by=text, machines=(machine(host=text, cameras=(text,)),)
    )
    hostile = shown(layout, board)
    assert hostile.tags == plain.tags
    assert [(tag, name) for tag, name, _ in hostile.attributes] == [(tag, name) for tag, name, _ in plain.attributes]
    assert " ".join(text.split()) in hostile.words


def test_what_turns_or_hides_text_is_shown_as_what_it_is(layout: Layout) -> None:
    source = shown(layout, snapshot("match / gpj\u202e4pm\x1b[31m\x00\ud800", "a\u2066b\nc")).source
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00\x1b]", source)
    assert r"gpj\u202e4pm\x1b[31m\x00\ud800" in source
    assert r"a\u2066b c" in source


@pytest.mark.parametrize(
    "board",
    [
        snapshot(running=(), queue=Queue(0, 0, "", (), ()), failures=Failures(0, ()), unreadable=Unreadable(0, ()),
                 recent=(), machines=(), disk=None, last_24_hours=(Hour(0, 0),) * 24),
        snapshot(paused=True),
        snapshot(disk=Disk(1, 100, 50)),
        snapshot(disk=Disk(0, 0, 50)),
        snapshot(failures=Failures(500, snapshot().failures.listed * 30), running=snapshot().running * 60),
        snapshot(queue=Queue(90_000, 40_000, "", snapshot().queue.held * 30, snapshot().queue.next * 30)),
        snapshot(machines=(machine(), machine(host="old", alive=False, age_seconds=7000.0, workers=1))),
    ],
)  # fmt: skip
def test_every_state_of_a_tree_makes_a_whole_page(layout: Layout, board: Snapshot) -> None:
    assert shown(layout, board).words


def test_what_stops_the_work_is_said_on_top(layout: Layout) -> None:
    assert "No clipd is running" in shown(layout, snapshot(machines=())).words
    assert "1 of 1 worker busy" in shown(layout, snapshot(machines=(machine(workers=1),))).words
    news = {"delivered": 5, "failed": 2, "dropped": 1}
    assert "hooks: 2 failed, 1 dropped" in shown(layout, snapshot(machines=(machine(hooks=news),))).words
    assert "Remove the file PAUSE" in shown(layout, snapshot(paused=True)).words
    assert "No new clip is begun: it is before 19:00." in shown(layout, snapshot(held_back="it is before 19:00")).words
    assert "Make room" in shown(layout, snapshot(disk=Disk(1, 100, 50))).words
    for words in ("No clipd is running", "Remove the file PAUSE", "Make room"):
        assert words not in shown(layout, snapshot()).words


IDLE = {"running": (), "queue": Queue(0, 0, "", (), ()), "failures": Failures(0, ()), "unreadable": Unreadable(0, ())}
SOME = Failures(2, snapshot().failures.listed)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({}, ["all done"]),
        ({"failures": SOME}, ["2 failed"]),
        ({"inbox_failures": SOME}, ["2 failed"]),
        ({"unreadable": Unreadable(3, ())}, ["3 cannot be read"]),
        ({"failures": SOME, "inbox_failures": SOME, "unreadable": Unreadable(3, ())}, ["4 failed, 3 cannot be read"]),
        ({"failures": SOME, "running": snapshot().running}, ["working", "2 failed"]),
        ({"failures": SOME, "machines": ()}, ["not running", "2 failed"]),
    ],
)
def test_the_head_says_that_all_is_done_only_where_nothing_failed(
    layout: Layout, changes: dict[str, Any], told: list[str]
) -> None:
    source = shown(layout, snapshot(**{**IDLE, **changes})).source
    assert re.findall(r'class="pill [a-z]+"[^>]*>([^<]*)<', source) == told


def test_failures_of_the_inbox_are_listed_with_what_to_do(layout: Layout) -> None:
    words = shown(layout, snapshot(**IDLE, inbox_failures=SOME)).words
    assert "2 from the inbox. What was dropped lies in the folder failed beside its answer: mend it there" in words
    assert "the span ends behind the last frame" in words
    assert "Process to try again" not in words


def test_it_needs_no_network_and_runs_no_script_but_its_own(layout: Layout) -> None:
    made = shown(layout, snapshot())
    made.files(layout.status_page.parent)
    assert not re.search(r"""(src|href|url|import|fetch)\s*[=(]\s*["']?\s*(https?:)?//""", made.source)
    policy = next(value for tag, _, value in made.attributes if tag == "meta" and "default-src 'none'" in value)
    script = re.search("<script>(.*?)</script>", made.source, re.DOTALL)
    assert script is not None
    digest = base64.b64encode(hashlib.sha256(script[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not [name for _, name, _ in made.attributes if name.startswith("on") or name == "style"]


def test_results_link_to_the_files_that_are_there(layout: Layout) -> None:
    assert "no longer there" in shown(layout, snapshot()).words
    for suffix in ("mp4", "jpg", "json"):
        path = layout.root / f"{OUT}/a b#1?.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    made = shown(layout, snapshot())
    found = {path.resolve() for path in made.files(layout.status_page.parent)}
    for suffix in ("mp4", "jpg", "json"):
        assert (layout.root / f"{OUT}/a b#1?.{suffix}").resolve() in found
    assert "a%20b%231%3F.mp4" in made.source


def test_drawn_again_it_shows_and_links_no_file_that_is_gone_since(layout: Layout) -> None:
    made = [layout.root / f"{OUT}/a b#1?.{suffix}" for suffix in ("mp4", "jpg", "json")]
    made[0].parent.mkdir(parents=True)
    for path in made:
        path.touch()
    Pages(layout, Settings()).write(snapshot())
    assert {path.name for path in Page(layout.status_page.read_text()).files(layout.status_page.parent)} >= {
        path.name for path in made
    }
    for path in made:
        path.unlink()
    draw_again(layout, Settings())
    drawn = Page(layout.status_page.read_text())
    assert "a%20b" not in drawn.source
    assert drawn.source == page(snapshot(), layout, Settings()).decode()


@pytest.mark.parametrize("data", [b"", b"{}", None])
def test_a_page_that_cannot_be_drawn_again_stays(layout: Layout, data: bytes | None) -> None:
    draw_again(layout, Settings())
    assert not layout.status_page.exists()
    Pages(layout, Settings()).write(snapshot())
    before = layout.status_page.read_bytes()
    layout.status_data.unlink()
    if data is not None:
        layout.status_data.write_bytes(data)
    draw_again(layout, Settings())
    assert layout.status_page.read_bytes() == before


@pytest.mark.parametrize("path", ["../../etc/passwd", "/etc/passwd", "a/../../x", "", ".."])
def test_no_link_leaves_the_tree(layout: Layout, path: str) -> None:
    assert link(layout, path) == ""


def test_outputs_beside_the_tree_are_linked_too(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "tree", Directories(outputs=str(tmp_path / "big disk")))
    path = layout.relative(tmp_path / "big disk" / "x.mp4")
    assert link(layout, path) == "../../../../big%20disk/x.mp4"


def test_the_chart_shows_a_single_failure_among_many(layout: Layout) -> None:
    drawn = bars((Hour(0, 0), Hour(500, 1), Hour(250, 0)))
    assert drawn[0]["complete"] == drawn[0]["failed"] == 0
    assert drawn[1]["failed"] >= 3
    assert drawn[1]["complete"] + drawn[1]["failed"] <= CHART_HEIGHT
    assert drawn[2]["complete"] == pytest.approx(CHART_HEIGHT / 2, rel=0.05)
    assert bars((Hour(0, 0),) * 24)


def test_durations_read_well() -> None:
    told = [duration(seconds) for seconds in (0.42, 8, 89, 200, 7500, 100_000, 400_000)]
    assert told == ["0.4 s", "8 s", "89 s", "3 min", "2 h 5 min", "27 h", "4 days"]


def test_three_files_are_written_whole_and_status_json_has_its_keys_in_order(layout: Layout) -> None:
    pages = Pages(layout, Settings())
    pages.write(snapshot())
    status = json.loads(layout.status_data.read_bytes())
    assert list(status) == [field.name for field in fields(Snapshot)]
    assert status["running"][0]["fraction"] == 0.5
    assert b"clipd_queue_depth 2.0" in layout.metrics.read_bytes()
    assert b"</html>" in layout.status_page.read_bytes()
    assert sorted(path.name for path in layout.state.iterdir()) == ["metrics.prom", "status", "status.json"]


def test_disabled_means_no_file_but_metrics_over_http_still_have_something_to_tell(layout: Layout) -> None:
    assert not Pages(layout, Settings(enabled=False)).due(0.0, 1, busy=True)
    pages = Pages(layout, Settings(enabled=False, metrics_port=9000))
    assert pages.due(0.0, 1, busy=True)
    pages.write(snapshot())
    assert pages.latest == snapshot()
    assert not list(layout.state.iterdir())


def test_it_is_written_soon_when_something_changes_and_rarely_when_nothing_does(layout: Layout) -> None:
    pages = Pages(layout, Settings(every_seconds=2, at_least_seconds=10))
    assert pages.due(100.0, "a", busy=False)
    pages.written(100.0, 100.01, "a")
    assert not pages.due(101.0, "b", busy=True)
    assert pages.due(102.1, "b", busy=False)
    assert pages.due(102.1, "a", busy=True)
    assert not pages.due(109.0, "a", busy=False)
    assert pages.due(110.1, "a", busy=False)


def test_a_tree_so_large_that_writing_takes_long_is_written_less_often(layout: Layout) -> None:
    pages = Pages(layout, Settings(every_seconds=2))
    pages.written(50.0, 51.0, "a")
    pages.written(100.0, 101.0, "a")
    assert not pages.due(115.0, "b", busy=True)
    assert pages.due(121.5, "b", busy=True)


def test_a_template_of_another_version_costs_the_page_and_not_the_daemon(layout: Layout) -> None:
    other = SimpleNamespace(recent=(), last_24_hours=snapshot().last_24_hours)
    with pytest.raises(Temporary, match="status page"):
        page(cast("Snapshot", other), layout, Settings())
