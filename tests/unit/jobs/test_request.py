"""Requests: what people and programs write, and the period that it means."""

from __future__ import annotations

from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from clipd.errors import Rejected
from clipd.jobs.request import FootageRequest, Settings, asked, schema, understand
from clipd.model.instant import Period, parse_instant

UTC, BERLIN = ZoneInfo("UTC"), ZoneInfo("Europe/Berlin")
MOMENT = "2025-08-29T14:30:15"
NOW = parse_instant("2025-08-29T15:00:00Z", UTC)


def meant(zone: ZoneInfo = UTC, settings: Settings | None = None, **content: Any) -> tuple[float, float]:
    """Seconds before and after `MOMENT` in UTC at which the period begins and ends."""
    request = understand({"camera_id": "gate", **content})
    period = asked(request, settings or Settings(), zone, NOW).period
    moment = parse_instant(MOMENT, UTC)
    return float(period.start - moment), float(period.end - moment)


@pytest.mark.parametrize(
    ("content", "period"),
    [
        ({}, (-15, 5)),
        ({"duration": 20}, (-15, 5)),
        ({"duration": 60}, (-45, 15)),
        ({"pre_seconds": 3}, (-3, 5)),
        ({"post_seconds": 0}, (-15, 0)),
        ({"pre_seconds": 0.25, "post_seconds": 0.5}, (-0.25, 0.5)),
        ({"duration": 20, "pre_seconds": 2}, (-2, 18)),
        ({"duration": 20, "post_seconds": 2}, (-18, 2)),
        ({"duration": 20, "pre_seconds": 15, "post_seconds": 5}, (-15, 5)),
    ],
)
def test_the_period_lies_around_the_moment(content: dict[str, Any], period: tuple[float, float]) -> None:
    assert meant(timestamp=MOMENT, **content) == period


def test_the_usual_seconds_and_their_split_are_settings() -> None:
    settings = Settings(pre_seconds=1, post_seconds=3)
    assert meant(timestamp=MOMENT, settings=settings) == (-1, 3)
    assert meant(timestamp=MOMENT, duration=8, settings=settings) == (-2, 6)


def test_a_tenth_of_a_second_is_exact() -> None:
    request = understand({"camera_id": "gate", "timestamp": MOMENT, "pre_seconds": 0.1, "post_seconds": 0.2})
    assert asked(request, Settings(), UTC, NOW).period.seconds == Fraction(3, 10)


@pytest.mark.parametrize(
    "content",
    [
        {"start_time": "2025-08-29T14:30:00", "end_time": "2025-08-29T14:30:20"},
        {"start_time": "2025-08-29T16:30:00+02:00", "duration": 20},
        {"start_time": 1756477800, "end_time": "1756477820"},
        {"timestamp": MOMENT, "start_time": "2025-08-29T14:30:00", "end_time": "2025-08-29T14:30:20"},
    ],
)
def test_a_period_may_be_given_by_its_ends(content: dict[str, Any]) -> None:
    assert meant(**content) == (-15, 5)


def test_a_time_without_an_offset_is_the_cameras_own() -> None:
    assert meant(BERLIN, timestamp="2025-08-29T16:30:15") == (-15, 5)
    assert meant(BERLIN, timestamp="2025-08-29T14:30:15Z") == (-15, 5)


def test_a_time_of_day_alone_is_the_last_such_before_the_request() -> None:
    assert meant(timestamp="14:30:15") == (-15, 5)
    assert meant(timestamp="15:30:15") == (-15 - 23 * 3600, 5 - 23 * 3600)


def test_a_time_that_happens_twice_is_refused_with_both_readings() -> None:
    with pytest.raises(Rejected, match=r"twice.*02:30:00\+02:00.*02:30:00\+01:00"):
        meant(BERLIN, timestamp="2025-10-26T02:30:00")
    assert (
        meant(BERLIN, timestamp="2025-10-26T02:30:00+02:00")[1]
        - meant(BERLIN, timestamp="2025-10-26T02:30:00+01:00")[1]
        == -3600
    )


def test_a_time_that_never_happens_is_refused() -> None:
    with pytest.raises(Rejected, match="does not happen"):
        meant(BERLIN, timestamp="2025-03-30T02:30:00")


def test_a_period_across_a_change_of_clocks_has_its_true_length() -> None:
    request = understand({"camera_id": "x", "start_time": "2025-10-26T01:30:00", "end_time": "2025-10-26T03:30:00"})
    period = asked(request, Settings(longest_seconds=20_000), BERLIN, NOW).period
    assert period.seconds == 3 * 3600


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"camera_id": None, "timestamp": MOMENT}, "camera_id: write the name"),
        ({"camera_id": "../gate", "timestamp": MOMENT}, "is a path"),
        ({"camera_id": "/gate", "timestamp": MOMENT}, "is a path"),
        ({"timestamp": True}, "timestamp: true is no time"),
        ({"timestamp": ["now"]}, "is no time"),
        ({"timestamp": "yesterday"}, "'yesterday' is no time"),
        ({}, "no time is asked for"),
        ({"timestamp": MOMENT, "duration": "20"}, 'duration: "20" is no number of seconds'),
        ({"timestamp": MOMENT, "pre_seconds": -1}, "pre_seconds: -1 is out of range; write a number of seconds"),
        ({"timestamp": MOMENT, "pre_seconds": 0, "post_seconds": 0}, "nothing is asked for"),
        ({"timestamp": MOMENT, "duration": 10, "pre_seconds": 15}, "duration is 10 s"),
        ({"timestamp": MOMENT, "duration": 10, "pre_seconds": 5, "post_seconds": 4}, "duration is 10 s"),
        ({"timestamp": MOMENT, "duration": 3601}, "the longest clip is 3600 s"),
        ({"start_time": MOMENT}, "start_time is given without end_time"),
        ({"end_time": MOMENT}, "end_time is given without start_time"),
        ({"start_time": MOMENT, "end_time": MOMENT}, "is not after"),
        ({"start_time": MOMENT, "end_time": "2025-08-29T14:31:00", "pre_seconds": 3}, "pre_seconds and start_time"),
        ({"timestamp": "2025-08-29T14:00:00", "start_time": MOMENT, "duration": 9}, "lies outside"),
        ({"timestamp": MOMENT, "clip_id": "../x"}, "cannot be part of a file name"),
        ({"timestamp": MOMENT, "clip_id": ".."}, "cannot be part of a file name"),
        ({"timestamp": MOMENT, "clip_id": "x" * 200}, "at most 120"),
        ({"timestamp": MOMENT, "clip_id": {}}, "clip_id: write a name"),
        ({"timestamp": MOMENT, "delivery": "best"}, "is none of auto, copy, exact"),
        ({"timestamp": MOMENT, "gap": 3}, "is none of collapse, black, fail"),
        ({"timestamp": MOMENT, "force": "yes"}, "force: write true or false"),
        ({"timestamp": MOMENT, "priority": 1.5}, "priority: write a whole number"),
        ({"timestamp": MOMENT, "post_second": 1}, "did you mean post_seconds"),
    ],
)
def test_what_is_wrong_is_told_with_what_would_be_right(content: dict[str, Any], words: str) -> None:
    with pytest.raises(Rejected) as caught:
        meant(**content)
    assert words in str(caught.value)


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(Rejected, match=r"camera_id: .*; timestamp: .*; pre_seconds: "):
        understand({"camera_id": [], "timestamp": {}, "pre_seconds": "x"})


def test_a_camera_that_is_called_otherwise_is_pointed_at() -> None:
    with pytest.raises(Rejected, match="camera_id is missing.*did you mean camera_id"):
        understand({"camera": "gate", "timestamp": MOMENT})


def test_keys_of_other_programs_are_named_and_pass() -> None:
    request = understand({"camera_id": 7, "timestamp": MOMENT, "operator_note": "x", "delivery": "EXACT", "gap": None})
    assert isinstance(request, FootageRequest)
    assert (request.camera, request.delivery, request.gap) == ("7", "exact", None)
    assert request.notes == ('the key "operator_note" means nothing here',)


def test_the_moment_is_kept_beside_the_period() -> None:
    request = understand({"camera_id": "gate", "timestamp": MOMENT, "duration": 4})
    moment = parse_instant(MOMENT, UTC)
    found = asked(request, Settings(), UTC, NOW)
    assert (found.moment, found.period) == (moment, Period(moment - 3, moment + 1))


def test_the_schema_names_every_key() -> None:
    keys = schema()["properties"]
    assert {"camera_id", "timestamp", "duration", "pre_seconds", "start_time", "clip_id", "gap"} <= keys.keys()
    assert schema()["required"] == ["camera_id"]
