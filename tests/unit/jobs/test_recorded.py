"""Recorded moments: which frames are delivered, by copy and exactly, and what is said of those that are not."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from clipd.errors import Rejected
from clipd.jobs.clip import Settings
from clipd.jobs.context import Context
from clipd.jobs.recorded import Made, Order, deliver
from clipd.jobs.request import Delivery, GapPolicy
from clipd.media.door import Limits
from clipd.recordings.coverage import cover
from tests.footage import decoded_from_the_start, make
from tests.unit.recordings.camera import BEGIN, NOON_AFTER, cut, indexed, named, period
from tests.unit.recordings.conftest import _closed

__all__ = ["_closed"]

PEOPLE = "intel_one-by-one-person-detection.mp4"


def made(
    folder: Path,
    first: float,
    last: float,
    delivery: Delivery = "auto",
    gap: GapPolicy = "collapse",
    **settings: object,
) -> Made:
    index = indexed(folder / "recordings", **settings)
    coverage = cover(index, "gate", period(first, last), NOON_AFTER)
    order = Order(folder / "recordings", coverage, delivery, gap, "clip", "h264/gate", "h264/gate", Fraction(1, 10))
    staging = folder / "staging"
    staging.mkdir()
    context = Context(staging, folder, "x", None, 1, Limits(), lambda stage, done, total: None)
    return deliver(order, Settings(), context)


def shown(result: Made) -> tuple[float, float]:
    """The seconds of the footage at which the clip begins and ends."""
    begin = Fraction(int(BEGIN.timestamp()))
    return float(result.start - begin), float(result.end - begin)


def record(folder: Path, *seconds: int, length: int = 5, suffix: str = ".mp4") -> None:
    for second in seconds:
        cut(folder / "recordings" / named(second, suffix), second, second + length)


def frames(folder: Path) -> list[str]:
    return decoded_from_the_start(next((folder / "staging").glob("clip.*")), 0)


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The fingerprints of the first 20 s."""
    return decoded_from_the_start(cut(tmp_path_factory.mktemp("original") / "film.mp4", 0, 20), 0)


def test_a_copy_begins_with_the_sync_frame_before(tmp_path: Path, original: list[str]) -> None:
    record(tmp_path, 0, 5, 10)
    result = made(tmp_path, 3.45, 12)
    assert shown(result) == (3, 12)
    assert frames(tmp_path) == original[30:120]
    assert not result.gaps
    assert [part.frames for part in result.shown] == [20, 50, 20]


def test_a_copy_of_whole_recordings_holds_all_of_them(tmp_path: Path, original: list[str]) -> None:
    record(tmp_path, 0, 5, 10)
    assert shown(made(tmp_path, 6, 11, "copy")) == (5, 15)
    assert frames(tmp_path) == original[50:150]


def test_exact_shows_the_frames_of_the_period_and_the_one_it_begins_in(tmp_path: Path) -> None:
    record(tmp_path, 0, 5)
    result = made(tmp_path, 3.45, 6.25, "exact")
    assert shown(result) == (3.4, 6.3)
    assert sum(part.frames for part in result.shown) == 29 == len(frames(tmp_path))
    assert result.seconds == Fraction(29, 10)


def test_exact_is_a_copy_where_it_can_be(tmp_path: Path, original: list[str]) -> None:
    record(tmp_path, 0, 5)
    result = made(tmp_path, 3, 10, "exact")
    assert "copied" in result.method
    assert frames(tmp_path) == original[30:100]


def test_a_gap_is_left_out_by_a_copy_and_the_clip_is_as_much_shorter(tmp_path: Path, original: list[str]) -> None:
    record(tmp_path, 0, 10)
    result = made(tmp_path, 2, 13)
    assert result.seconds == 6
    assert [(gap.reason, gap.period) for gap in result.gaps] == [("missing", period(5, 10))]
    assert frames(tmp_path) == [*original[20:50], *original[100:130]]


@pytest.mark.parametrize(("first", "last", "black"), [(2, 12, (30, 80)), (12, 20, (30, 80)), (7, 12, (0, 30))])
def test_a_gap_is_black_for_just_as_long(tmp_path: Path, first: int, last: int, black: tuple[int, int]) -> None:
    record(tmp_path, 0, 10)
    result = made(tmp_path, first, last, gap="black")
    assert result.seconds == last - first
    with av.open(str(next((tmp_path / "staging").glob("clip.*")))) as film:
        dark = [n for n, frame in enumerate(film.decode(video=0)) if np.mean(frame.to_ndarray(format="gray")) < 10]
    assert dark == list(range(*black))


def test_black_and_a_copy_contradict_each_other(tmp_path: Path) -> None:
    record(tmp_path, 0, 10)
    with pytest.raises(Rejected, match="ask for gap: collapse"):
        made(tmp_path, 2, 13, "copy", "black")


def test_what_cannot_be_copied_is_encoded_and_said(tmp_path: Path) -> None:
    record(tmp_path, 0)
    make(tmp_path / "recordings" / named(5), count=50, size=(320, 180), rate=10)
    result = made(tmp_path, 2, 8, foreign="keep")
    assert "encoded" in result.method
    assert "fitted" in result.method
    assert any("copying is not possible" in warning for warning in result.warnings)
    assert result.seconds == 6
    assert len(frames(tmp_path)) == 60


def test_where_only_copying_is_allowed_that_is_refused(tmp_path: Path) -> None:
    record(tmp_path, 0)
    make(tmp_path / "recordings" / named(5), count=50, size=(320, 180), rate=10)
    with pytest.raises(Rejected, match="ask for delivery: exact"):
        made(tmp_path, 2, 8, "copy", foreign="keep")


def test_an_overlap_is_shown_once(tmp_path: Path, original: list[str]) -> None:
    record(tmp_path, 0, 10)
    record(tmp_path, 3, length=8)
    assert shown(made(tmp_path, 1, 14)) == (1, 14)
    assert frames(tmp_path) == original[10:140]


def test_recordings_of_containers_without_a_clock_of_their_own_meet_to_the_frame(
    tmp_path: Path, original: list[str]
) -> None:
    record(tmp_path, 0, 5, 10, suffix=".ts")
    assert shown(made(tmp_path, 2, 13)) == (2, 13)
    assert frames(tmp_path) == original[20:130]


@pytest.mark.parametrize("delivery", ["auto", "exact"])
def test_a_period_may_end_at_any_frame_of_a_group(tmp_path: Path, delivery: Delivery) -> None:
    group = 10
    film = tmp_path / "recordings" / named(0)
    film.parent.mkdir(parents=True)
    make(film, count=120, rate=10, options={"bf": "3", "b_strategy": "0"}, gop_size=group)
    for last in range(20, 20 + 2 * group):
        again = tmp_path / str(last)
        again.mkdir()
        (again / "recordings").symlink_to(film.parent.parent)
        result = made(again, 1.5, last / 10, delivery)
        first = 1.0 if delivery == "auto" else 1.5
        assert shown(result)[0] == first
        assert shown(result)[1] >= last / 10
        assert len(frames(again)) == sum(part.frames for part in result.shown)
        assert not result.gaps
