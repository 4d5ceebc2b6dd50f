"""The watchman: stops an attempt when the claim is lost or the wish is another one, and costs nothing otherwise."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from clipd.delivery.origins import Wish
from clipd.delivery.watchman import LOOK_SECONDS, Watchman
from clipd.errors import ClaimLost, Deferred, Superseded, Temporary
from clipd.model.job import Job
from clipd.tree.layout import Layout
from clipd.tree.record import read_progress
from tests.fake_clock import NOON, FakeClock
from tests.place import laid_out

JOB = Job("job", "clip", "x_clips.json", "id:1", "match / goal", "cam1", "s1", 0, NOON)


@dataclass
class FakeClaim:
    """A claim that is held until it is not."""

    held: bool = True
    looks: int = 0

    def check(self) -> None:
        self.looks += 1
        if not self.held:
            raise ClaimLost("somebody took it")


@dataclass
class FakeOrigin:
    """A wish that the test changes."""

    stand: str = "as claimed"
    due: bool = True
    gone: bool = False
    half_written: bool = False
    reads: int = 0

    def read(self, _layout: Layout, _job: Job) -> Wish | None:
        self.reads += 1
        if self.half_written:
            raise Temporary("half-written")
        return None if self.gone else Wish(self.stand, "", (), 0.0, self.due, lambda: None)

    def answer(self, *_: Any, **__: Any) -> Any:
        raise NotImplementedError


@dataclass
class Post:
    """A watchman, the sidecar he watches, and his clock."""

    root: Path
    clock: FakeClock = field(default_factory=FakeClock)
    claim: FakeClaim = field(default_factory=FakeClaim)
    origin: FakeOrigin = field(default_factory=FakeOrigin)

    def __post_init__(self) -> None:
        self.layout = laid_out(self.root)
        self.sidecar = self.root / JOB.origin
        self.layout.marker.touch()
        self.saves = 0
        self.save()
        self.watchman = Watchman(JOB, self.layout, "here", self.claim, self.origin, self.clock)  # type: ignore[arg-type]
        self.watchman.guard(lambda wish: wish.stand == "as claimed")

    def save(self) -> None:
        """Somebody saves the sidecar."""
        self.saves += 1
        self.sidecar.write_text("x" * self.saves)

    def step(self, done: int = 1, stage: str = "encoding", seconds: float = LOOK_SECONDS) -> None:
        """The job reports a step, so many seconds after the last one."""
        self.clock.pass_(seconds)
        self.watchman.checkpoint(stage, done, 100)


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


class TestStops:
    def test_nothing_stops_a_job_that_is_still_wanted(self, post: Post) -> None:
        for done in range(20):
            post.step(done)
            post.save()

    def test_a_lost_claim_stops_it_at_the_next_look(self, post: Post) -> None:
        post.step()
        post.claim.held = False
        post.step(seconds=LOOK_SECONDS / 2)
        with pytest.raises(ClaimLost):
            post.step(seconds=LOOK_SECONDS / 2)

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            ({"gone": True}, "the clip or its sidecar was removed"),
            ({"due": False}, "the clip no longer asks for it"),
            ({"stand": "edited"}, "the clip was changed"),
        ],
    )
    def test_a_wish_that_is_another_one_stops_it_and_says_why(
        self, post: Post, change: dict[str, Any], words: str
    ) -> None:
        post.step()
        for name, value in change.items():
            setattr(post.origin, name, value)
        post.save()
        with pytest.raises(Superseded, match=words):
            post.step()

    def test_a_deleted_sidecar_stops_it(self, post: Post) -> None:
        post.step()
        post.sidecar.unlink()
        post.origin.gone = True
        with pytest.raises(Superseded, match="removed"):
            post.step()

    def test_a_share_that_is_away_is_no_deletion(self, post: Post) -> None:
        post.step()
        post.sidecar.unlink()
        post.layout.marker.unlink()
        post.origin.gone = True
        with pytest.raises(Deferred, match="not mounted"):
            post.step()

    def test_a_change_between_the_claim_and_the_first_look_is_noticed(self, post: Post) -> None:
        post.origin.stand = "edited before the watchman came"
        with pytest.raises(Superseded, match="changed"):
            post.step()

    def test_a_half_written_sidecar_stops_nothing_and_is_looked_at_again(self, post: Post) -> None:
        post.step()
        post.origin.half_written = True
        post.save()
        post.step()
        post.step()
        post.origin.half_written, post.origin.due = False, False
        with pytest.raises(Superseded):
            post.step()

    def test_before_there_is_a_guard_only_being_due_counts(self, tmp_path: Path) -> None:
        post = Post(tmp_path)
        fresh = Watchman(JOB, post.layout, "here", post.claim, post.origin, post.clock)  # type: ignore[arg-type]
        post.origin.stand = "whatever"
        fresh.check()
        post.origin.due = False
        post.save()
        with pytest.raises(Superseded):
            fresh.check()

    def test_check_looks_at_once_whatever_the_time(self, post: Post) -> None:
        post.step()
        post.claim.held = False
        with pytest.raises(ClaimLost):
            post.watchman.check()


class TestCosts:
    def test_a_frame_costs_no_look_within_a_second_of_the_last(self, post: Post) -> None:
        for done in range(250):
            post.step(done, seconds=0.01)
        assert post.claim.looks == 3
        assert post.origin.reads == 1

    def test_an_unchanged_sidecar_is_read_once(self, post: Post) -> None:
        for done in range(10):
            post.step(done)
        assert post.origin.reads == 1
        post.save()
        post.step()
        post.step()
        assert post.origin.reads == 2


class TestNotes:
    def test_the_first_step_of_each_stage_is_noted_at_once(self, post: Post) -> None:
        post.step(0, "indexing", seconds=0)
        post.step(1, "encoding", seconds=0)
        note = read_progress(post.layout, "job")
        assert note is not None
        assert (note.stage, note.done, note.total, note.host, note.pid) == ("encoding", 1, 100, "here", os.getpid())
        assert note.started_at == note.at == "2026-05-01T12:00:00.000Z"

    def test_the_speed_is_that_of_the_last_moments(self, post: Post) -> None:
        for done in range(0, 50, 10):
            post.step(done)
        note = read_progress(post.layout, "job")
        assert note is not None
        assert note.speed == pytest.approx(10.0)
        for done in range(50, 5000, 100):
            post.step(done)
        note = read_progress(post.layout, "job")
        assert note is not None
        assert note.speed == pytest.approx(100.0)

    def test_a_new_stage_has_a_speed_of_its_own(self, post: Post) -> None:
        post.step(90)
        post.step(0, "verifying")
        note = read_progress(post.layout, "job")
        assert note is not None
        assert note.speed is None
