"""The page that the real daemon writes, read as a browser would: hostile names, dead links, what survives a restart."""

from __future__ import annotations

import json
import socket
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e.tree import Tree, save, wait_until
from tests.footage import footage, make
from tests.page import Page

NAMES = (
    "<script>alert(1)</script>",
    "\"><img src=x onerror='alert(1)'>",
    "100% #1? & more; it's",
    "-tor_übermut_目",
    "gpj\u202e4pm",
    "a\\b\tc",
)


def clip(name: str, first: int = 0, last: int = 4, status: str = "Process", video: str = "match") -> dict[str, object]:
    return {"id": f"id-{name}", "name": name, "source_path": f"cam1/s1/{video}.mp4", "start_frame": first,
            "end_frame": last, "status": status}  # fmt: skip


def page_of(tree: Tree) -> Page:
    return Page(tree.layout.status_page.read_text())


def status_of(tree: Tree) -> dict[str, object]:
    return json.loads(tree.layout.status_data.read_text())


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(
        tmp_path / "tree & co", {"clips": {"formats": ["h264"]}, "pages": {"every_seconds": 0.2}, "stop_seconds": 0.5}
    )


@pytest.fixture
def film(tmp_path: Path) -> Path:
    return make(tmp_path / "film.mp4", count=30, size=(160, 96))


def test_one_pass_leaves_a_page_that_tells_everything_and_whose_links_all_lead_somewhere(
    tree: Tree, film: Path
) -> None:
    odd = "fi#lm 100% 'ü'"
    tree.add_source(film, "match.mp4")
    tree.add_source(film, f"{odd}.mp4")
    sidecar = tree.write_sidecar([*(clip(name) for name in NAMES), clip("too_long", 0, 900)])
    tree.write_sidecar([clip("goal", video=odd)], video=odd)
    tree.write_sidecar([clip("early", video="not_yet")], video="not_yet")
    tree.write_sidecar('[{"name": "a",}]', video="broken")
    tree.once(expect=1)

    page = page_of(tree)
    assert {entry["status"] for entry in tree.clips(sidecar)} == {"Complete", "Failed"}
    assert page.tags.count("script") == 1
    assert not {name for _, name, _ in page.attributes if name.startswith("on")}
    assert "\u202e" not in page.source
    for words in (
        *NAMES[:4], r"gpj\u202e4pm", "30 frames", "Process to try again", "waiting for its source", "line 1, column",
        "No clipd is running",
    ):  # fmt: skip
        assert words in page.words
    files = page.files(tree.layout.status_page.parent)
    missing = [path for path in files if not path.is_file()]
    assert not missing
    assert {path.suffix for path in files} == {".mp4", ".jpg", ".json"}
    assert {path.stat().st_size for path in files if path.suffix == ".jpg"} != {0}

    status = status_of(tree)
    assert status["clips"] == {"waiting": 1, "running": 0, "complete": 7, "failed": 1, "draft": 0, "other": 0}
    metrics = {family.name: family for family in text_string_to_metric_families(tree.layout.metrics.read_text())}
    assert {sample.labels["state"]: sample.value for sample in metrics["clipd_clips"].samples} == status["clips"]
    assert tree.run("status").stdout.splitlines()[-1].endswith("data/.clipd/status/index.html")


def test_page_and_status_count_the_same_whatever_failed(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    tree.write_sidecar([clip("goal"), clip("late", 0, 900), clip("twin"), clip("twin")])
    dropped = {"requests/door.json": "{}", "events/lost.json": '{"event_id": "lost"}', "links/ftp.txt": "ftp://x/y.mp4",
               "datasets/empty.csv": "", "videos/cam1/s1/none.mp4": "no film"}  # fmt: skip
    for name, content in dropped.items():
        path = tree.layout.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    tree.once(expect=1)
    page = page_of(tree).words
    assert "6 failed, 2 cannot be read" in page
    for name in ("door", "lost", "ftp", "empty", "none"):
        assert name in page
    told = tree.run("status").stdout.splitlines()[-2]
    assert told == "0 running, 0 waiting, 6 failed, 2 unread, 1 done, 0 idle"


def test_while_it_works_the_page_shows_progress_and_the_port_the_same_metrics(tree: Tree) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    tree.add_source(footage("intel_one-by-one-person-detection.mp4"), "match.mp4")
    tree.write_sidecar([clip("long", 0, 1393), clip("next", 0, 9), clip("third", 0, 9)])
    seen: list[dict[str, object]] = []

    def shows_progress() -> bool:
        if tree.layout.status_data.exists():
            seen.extend(status_of(tree)["running"])  # type: ignore[arg-type]
        return any(item["fraction"] and item["speed"] for item in seen)

    with tree.daemon("--formats", "ffv1", "--metrics-port", str(port)):
        wait_until(shows_progress, "progress on the page")
        assert "working" in page_of(tree).words
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            served = {family.name for family in text_string_to_metric_families(answer.read().decode())}
        written = {family.name for family in text_string_to_metric_families(tree.layout.metrics.read_text())}
        assert served == written


def test_results_and_the_chart_survive_a_restart_and_a_mended_failure_goes(tree: Tree, film: Path) -> None:
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal"), clip("late", 0, 900)])
    tree.once(expect=1)
    save(sidecar, [tree.clip(sidecar, "goal"), {**tree.clip(sidecar, "late"), "end_frame": 9, "status": "Process"}])
    with tree.daemon():
        wait_until(lambda: status_of(tree)["failures"]["count"] == 0, "the failure to go")  # type: ignore[index]
        wait_until(lambda: len(status_of(tree)["recent"]) == 2, "both results")  # type: ignore[arg-type]
        last = status_of(tree)["last_24_hours"]
    assert {item["clip"] for item in status_of(tree)["recent"]} == {"match / goal", "match / late"}  # type: ignore[attr-defined]
    assert [sum(hour[kind] for hour in last) for kind in ("complete", "failed")] == [2, 1]  # type: ignore[attr-defined]


def test_what_retention_removed_is_no_longer_shown_or_linked_and_what_stays_is_said(tree: Tree, film: Path) -> None:
    file = tree.root / "clipd.yaml"
    file.write_text(file.read_text().replace("rules: []", "rules: [{older_than_days: 0}]"))
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal"), clip("again")])
    tree.once()
    tree.run("mark", str(sidecar), "again")
    assert "2 outputs would go" in tree.run("retention").stdout
    told = tree.run("retention", "--apply").stdout
    assert "match_again.mp4: its clip asks to be made again" in told
    assert told.splitlines()[-1].startswith("1 output removed, ")
    assert told.splitlines()[-1].endswith("; 1 stays, for the reason above")
    page = page_of(tree)
    assert "no longer there" in page.words
    assert {path.stem for path in page.files(tree.layout.status_page.parent)} == {"match_again"}


def test_a_pause_is_said_and_so_is_its_end(tree: Tree, film: Path) -> None:
    pause = tree.layout.state / "PAUSE"
    pause.touch()
    tree.add_source(film, "match.mp4")
    tree.write_sidecar([clip("goal")])
    with tree.daemon():
        wait_until(lambda: tree.layout.status_page.exists() and "Paused" in page_of(tree).words, "the pause to be said")
        pause.unlink()
        wait_until(lambda: status_of(tree)["clips"]["complete"] == 1, "the clip to complete")  # type: ignore[index]
        assert "Paused" not in page_of(tree).words
