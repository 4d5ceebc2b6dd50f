"""Event clips from real footage and from pictures, asked for in the inbox of the real daemon."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
import pytest

from clipd.tree import record as records
from tests.e2e.tree import Tree, wait_until
from tests.footage import footage

FRIDAY = "mdn_friday.mp4"
COUNT = 8


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    tree = Tree.at(tmp_path / "tree")
    tree.add_source(footage(FRIDAY), "match.mp4")
    return tree


def ask(tree: Tree, name: str, **content: Any) -> Path:
    path = tree.layout.inbox_of("events") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    return path


def drop(tree: Tree, name: str, **content: Any) -> None:
    """Ask under a name that another request may have, which is how programs do it."""
    ask(tree, f".{name}.tmp", **content).rename(tree.layout.inbox_of("events") / name)


def is_answered(tree: Tree, event: str) -> bool:
    try:
        said = answer(tree, "door")
    except FileNotFoundError:
        return False
    return said["event_id"] == event and said["completed_at"] is not None


def answer(tree: Tree, name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((tree.layout.inbox_of("events") / f"{name}.status.json").read_text())
    return content


def seconds(path: Path, kind: str = "video") -> Fraction:
    with av.open(str(path)) as container:
        stream = getattr(container.streams, kind)[0]
        return Fraction(stream.duration * stream.time_base)


def take_pictures(folder: Path, names: list[str]) -> list[Path]:
    folder.mkdir(parents=True, exist_ok=True)
    with av.open(str(footage(FRIDAY))) as container:
        frames = [
            frame.to_ndarray(format="bgr24") for frame, _ in zip(container.decode(video=0), range(40), strict=False)
        ]
    paths = [folder / name for name in names]
    for number, path in enumerate(paths):
        assert cv2.imwrite(str(path), frames[number * 3])
    return paths


def test_an_event_in_a_video_is_cut_with_the_seconds_around_it_and_its_own_sound(tree: Tree) -> None:
    ask(tree, "door.json", event_id="door-42", video_path="data/source/cam1/s1/match.mp4", start=3, end="00:00:03.5",
        pre_seconds=1, post_seconds=0.5)  # fmt: skip
    tree.once()
    said = answer(tree, "door")
    assert (said["event_id"], said["status"]) == ("door-42", "done")
    clip = tree.root / said["path"]
    assert clip.name == "door-42_clip.mp4"
    assert (said["start_time"], said["end_time"]) == (2.0, 4.0)
    assert abs(seconds(clip) - 2) < Fraction(1, 20)
    sheet = json.loads(clip.with_suffix(".json").read_text())
    assert "sound copied" in sheet["method"]
    assert (tree.layout.inbox_of("events") / "done/door.json").exists()
    assert not tree.strays()


def test_what_the_video_does_not_have_is_named_and_offsets_may_be_negative(tree: Tree) -> None:
    ask(tree, "early.yaml", event_id="early", video_path="cam1/s1/match.mp4", start_offset_seconds=-2,
        end_offset_seconds=1.5)  # fmt: skip
    tree.once()
    said = answer(tree, "early")
    assert said["status"] == "done"
    assert "the video begins 2.000 s after the wanted start" in said["message"]
    assert abs(seconds(tree.root / said["path"]) - Fraction(3, 2)) < Fraction(1, 20)


def test_an_event_may_end_where_the_video_begins(tree: Tree) -> None:
    ask(tree, "zero.json", event_id="zero", video_path="cam1/s1/match.mp4", start_offset_seconds=-5,
        end_offset_seconds=0)  # fmt: skip
    tree.once()
    assert "the video begins 5.000 s after the wanted start" in answer(tree, "zero")["message"]


def test_a_folder_of_pictures_becomes_a_film_and_the_broken_one_is_named(tree: Tree) -> None:
    folder = tree.layout.inbox_of("events") / "fire"
    pictures = take_pictures(folder, [f"shot{number}.jpg" for number in range(1, 12)])
    pictures[4].write_bytes(b"no picture at all")
    ask(tree, "fire/event.json", event_id="fire-1", fps=4)
    tree.once()
    said = answer(tree, "fire")
    assert said["status"] == "done"
    assert "shot5.jpg is left out" in said["message"]
    clip = tree.root / said["path"]
    assert seconds(clip) == Fraction(10, 4)
    with av.open(str(clip)) as container:
        shown = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)]
    assert len(shown) == 10
    tenth = cv2.imread(str(tree.layout.inbox_of("events") / "done/fire/shot11.jpg"), cv2.IMREAD_GRAYSCALE)
    assert float(np.abs(shown[-1].astype(int) - tenth).mean()) < 6


def test_pictures_become_a_gif_where_it_is_asked_for_and_a_video_is_preferred_where_there_is_one(tree: Tree) -> None:
    take_pictures(tree.root / "pictures", ["a1.png", "a2.png", "a10.png"])
    named = [f"pictures/{name}" for name in ("a10.png", "a1.png", "a2.png")]
    ask(tree, "gif.json", event_id="gif", image_paths=named, output_format="gif", fps=2)
    ask(tree, "both.json", event_id="both", image_paths=named, video_path="cam1/s1/match.mp4", start=2)
    tree.once()
    gif = tree.root / answer(tree, "gif")["path"]
    assert gif.suffix == ".gif"
    with av.open(str(gif)) as container:
        assert container.streams.video[0].width == 320
        assert len(list(container.decode(video=0))) == 3
    both = json.loads((tree.root / answer(tree, "both")["path"]).with_suffix(".json").read_text())
    assert both["source"]["path"] == "data/source/cam1/s1/match.mp4"


def test_a_clip_that_is_there_is_kept_unless_force_is_asked_for(tree: Tree) -> None:
    ask(tree, "one.json", event_id="e", video_path="cam1/s1/match.mp4", start=1, pre_seconds=0, post_seconds=1)
    tree.once()
    clip = tree.root / answer(tree, "one")["path"]
    before = clip.stat().st_mtime_ns
    ask(tree, "two.json", event_id="e", video_path="cam1/s1/match.mp4", start=1.0, pre_seconds=0, post_seconds=1)
    tree.once()
    assert answer(tree, "two")["status"] == "done"
    assert clip.stat().st_mtime_ns == before
    ask(tree, "two.json", event_id="e", video_path="cam1/s1/match.mp4", start=3, pre_seconds=0, post_seconds=2,
        force=True)  # fmt: skip
    tree.once()
    assert clip.stat().st_mtime_ns != before
    assert abs(seconds(clip) - 2) < Fraction(1, 20)


def test_other_pictures_under_a_used_name_are_refused_and_the_same_ones_answered(tree: Tree) -> None:
    for name, pictures in (("one", ["1.jpg", "2.jpg"]), ("two", ["1.jpg", "2.jpg"]), ("three", ["1.jpg"])):
        take_pictures(tree.layout.inbox_of("events") / name, pictures)
        ask(tree, f"{name}/event.json", event_id="e")
    tree.once(expect=1)
    assert [answer(tree, name)["status"] for name in ("one", "two", "three")] == ["done", "done", "failed"]
    assert "e is already data/" in answer(tree, "three")["message"]


WRONG: tuple[tuple[dict[str, Any], str], ...] = (
    ({}, "event_id is missing"),
    ({"event_id": "a/b"}, "cannot be part of a file name"),
    ({"event_id": "x1"}, "neither a video nor a picture"),
    ({"event_id": "x2", "video_path": "/etc/passwd", "start": 1}, "leaves the tree"),
    ({"event_id": "x3", "video_path": "../../x.mp4", "start": 1}, "leaves the tree"),
    ({"event_id": "x4", "video_path": "cam1/s1/match.mp4", "start": 2, "end": 1}, "before start"),
    ({"event_id": "x5", "video_path": "cam1/s1/match.mp4", "start": 99}, "is not in the video"),
    ({"event_id": "x6", "video_path": "cam1/s1/match.mp4", "start": 1, "pre_seconds": 301}, "from 0 to 300"),
    ({"event_id": "x7", "video_path": "cam1/s1/match.mp4", "start": 1, "force": "yes"}, "true or false"),
    ({"event_id": "x8", "video_path": "cam1/s1/match.mp4"}, "start is missing"),
)


def test_what_cannot_be_made_is_answered_with_words_and_kept_and_the_rest_goes_on(tree: Tree) -> None:
    for number, (content, _) in enumerate(WRONG):
        ask(tree, f"wrong{number}.json", **content)
    (tree.layout.inbox_of("events") / "bad.json").write_text('{"event_id": "x",}')
    ask(tree, "right.json", event_id="right", video_path="cam1/s1/match.mp4", start=1, pre_seconds=0, post_seconds=0.2)
    tree.once(expect=1)
    for number, (_, words) in enumerate(WRONG):
        said = answer(tree, f"wrong{number}")
        assert said["status"] == "failed"
        assert words in said["message"]
        assert (tree.layout.inbox_of("events") / f"failed/wrong{number}.json").exists()
    assert "line 1" in answer(tree, "bad")["message"]
    assert answer(tree, "right")["status"] == "done"


def test_events_switched_off_are_answered_so(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "off", {"events": {"enabled": False}})
    ask(tree, "e.json", event_id="e", video_path="cam1/s1/match.mp4", start=1)
    tree.once(expect=1)
    assert "switched off" in answer(tree, "e")["message"]


def test_an_event_waits_for_its_video_and_goes_on_when_it_comes(tree: Tree) -> None:
    ask(tree, "late.json", event_id="late", video_path="cam1/s1/late.mp4", start=1)
    with tree.daemon():
        wait_until(lambda: (tree.layout.inbox_of("events") / "late.status.json").exists()
                   and answer(tree, "late")["status"] == "waiting", "the answer waiting")  # fmt: skip
        shutil.copyfile(footage(FRIDAY), tree.layout.source / "cam1/s1/late.mp4")
        wait_until(lambda: answer(tree, "late")["status"] == "done", "the clip")


def test_an_event_is_asked_for_by_hand_and_waited_for(tree: Tree) -> None:
    with tree.daemon():
        span = ("--start", "2", "--pre", "0", "--post", "0.5")
        said = tree.run("event", "hand", "--video", "cam1/s1/match.mp4", *span, "--wait").stdout
        assert "done: data/prept/03_CLIPPED/h264/cam1/s1/hand_clip.mp4" in said
        wrong = tree.run("event", "late", "--video", "cam1/s1/match.mp4", "--start", "99", "--wait", expect=1)
        assert "is not in the video" in wrong.stdout


def test_of_two_descriptions_of_a_folder_none_is_taken_and_a_folder_in_it_is_an_event_of_its_own(tree: Tree) -> None:
    moment = {"video_path": "cam1/s1/match.mp4", "start": 1, "pre_seconds": 0, "post_seconds": 0.2}
    for name in ("door/event.json", "door/event.yaml", "hall/event.json", "hall/back/event.json"):
        ask(tree, name, event_id=name.replace("/", "-"), **moment)
    tree.once(expect=1)
    said = {name: answer(tree, name) for name in ("door", "hall", "hall/back")}
    assert [one["status"] for one in said.values()] == ["failed", "failed", "done"]
    assert "event.json and by event.yaml" in said["door"]["message"]
    assert "back/event.json" in said["hall"]["message"]
    inbox = tree.layout.inbox_of("events")
    assert (inbox / "failed/door/event.yaml").exists()
    assert (inbox / "hall/failed/event.json").exists()
    assert (inbox / "hall/done/back/event.json").exists()


def test_folders_with_dots_in_their_names_are_answered_each(tree: Tree) -> None:
    names = ("2026-05-01_14.30.15", "2026-05-01_14.30.45")
    for name in names:
        ask(tree, f"{name}/event.json", event_id=f"at {name}", video_path="cam1/s1/match.mp4", start=1)
    tree.once()
    assert [answer(tree, name)["event_id"] for name in names] == [f"at {name}" for name in names]


def test_what_is_dropped_again_after_a_kill_is_tried_again(tree: Tree) -> None:
    video = tree.layout.source / "cam1/s1/match.mp4"
    good = video.read_bytes()
    video.write_bytes(b"no video")
    os.utime(video, (0, 0))
    ask(tree, "door.json", event_id="door", video_path="cam1/s1/match.mp4", start=1)
    tree.once(expect=1)
    forget_the_telling(tree, answer(tree, "door")["job"])
    video.write_bytes(good)
    ask(tree, "door.json", event_id="door", video_path="cam1/s1/match.mp4", start=1)
    tree.once()
    assert answer(tree, "door")["status"] == "done"


def forget_the_telling(tree: Tree, job: str) -> None:
    """As if the process had been killed before it could note that the person was told of the failure."""
    record = records.read_record(tree.layout, job)
    assert (record.state, record.failure_told) == ("failed", True)
    records.write_record(tree.layout, replace(record, failure_told=False), datetime.now(UTC))


def test_each_request_of_one_name_is_answered_though_the_next_is_dropped_with_the_answer(tree: Tree) -> None:
    with tree.daemon():
        for number in range(COUNT):
            drop(tree, "door.json", event_id=f"event {number}", video_path="cam1/s1/match.mp4", start=number / 10)
            end = time.monotonic() + 60
            while not is_answered(tree, f"event {number}"):
                assert time.monotonic() < end, f"event {number} has no answer"
                time.sleep(0.0005)
    receipts = [json.loads(path.read_text()) for path in tree.layout.all_receipts.glob("*/*.json")]
    assert len(receipts) == COUNT
