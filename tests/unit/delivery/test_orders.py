"""Orders: which clips a name means, and what is done with them, in real sidecars and records."""

from __future__ import annotations

import json
import unicodedata
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.orders import Carried, Desk, carry_out
from clipd.errors import Rejected
from clipd.files import lease
from clipd.model.job import job_id
from clipd.tree import record as records
from clipd.tree.control import Order, Verb
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish
from clipd.tree.record import Record
from tests.fake_clock import FakeClock


def clip(name: str, status: str, **more: Any) -> dict[str, Any]:
    return {"id": f"id-{name}", "name": name, "start_frame": 0, "end_frame": 9, "status": status, **more}


class Place:
    """A tree with two sidecars."""

    def __init__(self, root: Path) -> None:
        self.layout = Layout(root, Directories())
        establish(self.layout)
        self.clock = FakeClock()
        self.desk = Desk(self.layout, lease.Settings(lease_seconds=1, heartbeat_seconds=0.3), (), "Error", self.clock)
        self.write(
            "one", clip("goal", "Failed"), clip("same", "Error"), clip("wait", "Process"), clip("done", "Complete")
        )
        self.write("two", clip("same", "failed"), clip("draft", "Draft", error="old"), clip("tör/chen", "Process"))

    def path(self, video: str) -> Path:
        return self.layout.sidecars / "cam" / "day" / f"{video}_clips.json"

    def write(self, video: str, *clips: dict[str, Any]) -> None:
        self.path(video).parent.mkdir(parents=True, exist_ok=True)
        self.path(video).write_text(json.dumps(clips))

    def order(self, verb: Verb, words: str) -> Carried:
        return carry_out(Order(verb, words, self.layout.control(f"{verb.value}-x")), self.desk)

    def standing(self, status: str) -> set[str]:
        return {
            f"{video}/{entry['name']}"
            for video in ("one", "two")
            for entry in json.loads(self.path(video).read_text())
            if entry["status"] == status
        }

    def job(self, video: str, name: str) -> str:
        return job_id("clip", self.layout.relative(self.path(video)), f"id:id-{name}")


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize("words", ["goal", "id-goal", "id:id-goal", "one / goal", "one_goal", "one_goal.txt"])
def test_a_failed_clip_is_retried_by_any_of_its_names(place: Place, words: str) -> None:
    carried = place.order(Verb.RETRY, words)
    assert place.standing("Process") == {"one/goal", "one/wait", "two/tör/chen"}
    assert carried.jobs == {place.job("one", "goal")}
    assert carried.sidecars == (str(place.path("one")),)


def test_a_job_id_means_its_clip(place: Place) -> None:
    place.order(Verb.RETRY, place.job("two", "same"))
    assert place.standing("failed") == set()
    assert place.standing("Error") == {"one/same"}


def test_a_name_that_two_failed_clips_have_retries_both(place: Place) -> None:
    place.order(Verb.RETRY, "same")
    assert {"one/same", "two/same"} <= place.standing("Process")


def test_all_are_the_failed_ones_and_nothing_else_is_touched(place: Place) -> None:
    carried = place.order(Verb.RETRY, "all")
    assert place.standing("Process") == {"one/goal", "one/same", "one/wait", "two/same", "two/tör/chen"}
    assert place.standing("Draft") == {"two/draft"}
    assert place.standing("Complete") == {"one/done"}
    assert "3 failed" in carried.words
    assert place.order(Verb.RETRY, "all").sidecars == ()


def test_a_waiting_clip_loses_its_wait_and_keeps_its_count(place: Place) -> None:
    job = place.job("one", "wait")
    records.write_record(
        place.layout, Record(job, failures=2, next_try_at="2030-01-01T00:00:00.000Z", last_error="x"), place.clock.now()
    )
    before = place.path("one").read_bytes()
    assert place.order(Verb.RETRY, "wait").jobs == {job}
    record = records.read_record(place.layout, job)
    assert (record.next_try_at, record.failures, record.last_error) == (None, 2, "x")
    assert place.path("one").read_bytes() == before


def test_a_clip_that_is_worked_on_keeps_its_record(place: Place) -> None:
    job = place.job("one", "wait")
    records.write_record(place.layout, Record(job, next_try_at="2030-01-01T00:00:00.000Z"), place.clock.now())
    with lease.claimed(place.layout.claim(job), place.desk.claims):
        place.order(Verb.RETRY, "wait")
    assert records.read_record(place.layout, job).next_try_at is not None


def test_a_cancelled_clip_is_draft_again(place: Place) -> None:
    # A Mac writes names decomposed, and no file name holds a slash.
    carried = place.order(Verb.CANCEL, unicodedata.normalize("NFD", "two_tör-chen"))
    assert place.standing("Draft") == {"two/draft", "two/tör/chen"}
    assert carried.jobs == {place.job("two", "tör/chen")}


@pytest.mark.parametrize(
    ("verb", "words", "answer"),
    [
        (Verb.RETRY, "nobody", "no clip is called 'nobody'"),
        (Verb.RETRY, "../../etc/passwd", "no clip is called"),
        (Verb.RETRY, "done", "one / done is Complete"),
        (Verb.RETRY, "draft", "two / draft is Draft"),
        (Verb.CANCEL, "goal", "one / goal is Failed"),
        (Verb.CANCEL, "all", "no clip is called 'all'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(place: Place, verb: Verb, words: str, answer: str) -> None:
    before = [place.path(video).read_bytes() for video in ("one", "two")]
    with pytest.raises(Rejected, match=answer.replace(".", r"\.")):
        place.order(verb, words)
    assert [place.path(video).read_bytes() for video in ("one", "two")] == before


def test_an_ambiguous_cancellation_is_asked_back(place: Place) -> None:
    place.write("two", clip("wait", "Process"))
    with pytest.raises(Rejected, match="may mean 2 clips") as refusal:
        place.order(Verb.CANCEL, "wait")
    assert f"CANCEL-{place.job('two', 'wait')}" in str(refusal.value)
    place.order(Verb.CANCEL, place.job("two", "wait"))
    assert place.standing("Process") == {"one/wait"}


def test_a_sidecar_that_cannot_be_read_does_not_hide_the_others(place: Place) -> None:
    place.path("broken").write_text("[{")
    place.order(Verb.RETRY, "goal")
    with pytest.raises(Rejected, match="1 file cannot be read"):
        place.order(Verb.RETRY, "nobody")


def test_a_clip_that_its_person_changed_meanwhile_is_left_alone(place: Place) -> None:
    path = place.path("one")
    desk = replace(place.desk, clock=_EditingClock(path))
    carry_out(Order(Verb.RETRY, "goal", path), desk)
    assert place.standing("Draft") == {"one/goal", "two/draft"}


class _EditingClock(FakeClock):
    """The person sets the clip to Draft right before the order is written."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def now(self) -> datetime:
        goal, *others = json.loads(self._path.read_text())
        self._path.write_text(json.dumps([{**goal, "status": "Draft"}, *others]))
        return super().now()
