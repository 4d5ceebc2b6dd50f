"""Timestamp requests: a camera, a moment, and how much around it; as people write them, and as clipd takes them.

What a written time means depends on the camera's zone, so a request keeps its times as they were written until `asked`
is told the zone. All refusals are `Rejected`, with words that name the key, what stands there and what would be right.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, tzinfo
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from clipd.errors import Rejected
from clipd.jobs import fields
from clipd.model import slip
from clipd.model.instant import Period, from_datetime, is_time_of_day, iso, parse_instant, parse_period
from clipd.model.setting import Section, setting

Delivery = Literal["auto", "copy", "exact"]
GapPolicy = Literal["collapse", "black", "fail"]

MOST_SECONDS = 10**6

Written = str | int | float


class Settings(Section):
    """Moments from camera recordings: how requests are understood and delivered."""

    pre_seconds: float = setting(
        15.0,
        "How much before the moment belongs to a clip; with post_seconds, how `duration` is split.",
        unit="s",
        ge=0,
    )
    post_seconds: float = setting(5.0, "How much after the moment belongs to a clip.", unit="s", ge=0)
    longest_seconds: float = setting(
        3600.0, "A request for a longer span is refused, because it is a slip or would fill the disk.", unit="s", gt=0
    )
    future_seconds: float = setting(
        3600.0,
        "How far in the future a span may end, to be delivered once it is recorded; later ones are refused as slips.",
        unit="s",
        ge=0,
    )
    wait_seconds: float = setting(
        120.0,
        "How long after the end of a span its recordings are waited for (and ones that are being written, after the "
        "request); then what is there is delivered as partial.",
        unit="s",
        ge=0,
    )
    look_seconds: float = setting(
        5.0, "How often a waiting request looks for itself; file events wake it sooner.", unit="s", gt=0
    )
    fresh_seconds: float = setting(
        1.0,
        "Before a gap is told, the camera's folder is listed anew, unless that was done less than this ago.",
        unit="s",
        ge=0,
    )
    delivery: Delivery = setting(
        "auto",
        "How a clip is made where its request does not say: auto copies the packets from the sync frame before the "
        "span where all recordings allow it, and is exact elsewhere; copy takes whole recordings; exact cuts to the "
        "frame, by encoding anew where a cut does not fall on a sync frame.",
    )
    gap: GapPolicy = setting(
        "collapse",
        "What happens where nothing was recorded and the request does not say: collapse leaves the gap out, black "
        "shows black for as long, fail delivers nothing.",
    )


def _text(value: object) -> object:
    if value is None or (isinstance(value, str) and value.strip()):
        return value if value is None else str(value).strip()
    raise ValueError("write a text in quotes")


def _camera(value: object) -> object:
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value.strip():
        raise ValueError('write the name of a camera in quotes, such as "camera1"; clipd cameras lists them')
    name = value.strip()
    if name.startswith("/") or ".." in name.split("/") or "\\" in name or not name.isprintable():
        raise ValueError(f"{json.dumps(name)} is a path, and no camera; write a name such as camera1")
    return name


def _time(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        words = "write it in quotes, such as 2026-01-31T14:30:15"
        raise ValueError(f"{json.dumps(value, default=str)} is no time; {words}")
    return value


def _whole(value: object) -> object:
    number = 0 if value is None else value
    if isinstance(number, bool) or not isinstance(number, int) or abs(number) > MOST_SECONDS:
        raise ValueError("write a whole number, higher is sooner, such as 10")
    return number


Text = Annotated[str | None, BeforeValidator(_text)]
Seconds = Annotated[
    Any,
    fields.between(0, MOST_SECONDS, "number of seconds"),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, {"type": "null"}]}),
]
Time = Annotated[Written | None, BeforeValidator(_time)]


class RequestEntry(BaseModel):
    """A moment from the recordings of a camera."""

    model_config = ConfigDict(extra="allow", frozen=True)

    camera_id: Annotated[str, BeforeValidator(_camera), Field(description="Whose recordings.", examples=["camera1"])]
    timestamp: Time = Field(
        None,
        description="The moment: with an offset, or by the camera's clock; a time of day alone is the last such one.",
        examples=["2025-08-29T14:30:15", "2025-08-29T14:30:15+02:00"],
    )
    duration: Seconds = Field(None, description="Seconds in all; what lies before the moment is three quarters of it.")
    pre_seconds: Seconds = Field(None, description="Seconds before the moment.", examples=[15])
    post_seconds: Seconds = Field(None, description="Seconds after the moment.", examples=[5])
    start_time: Time = Field(None, description="Instead of seconds around a moment: when the clip begins.")
    end_time: Time = Field(None, description="And when it ends.")
    clip_id: Annotated[str | None, fields.name("door-1", needed=False)] = Field(
        None, description="Names the clip: asked for again, it is answered without being made again."
    )
    delivery: Annotated[Delivery | None, fields.one_of(*get_args(Delivery))] = Field(
        None, description="auto: copied where possible; copy: whole recordings; exact: to the frame."
    )
    gap: Annotated[GapPolicy | None, fields.one_of(*get_args(GapPolicy))] = Field(
        None, description="Where nothing was recorded: leave it out, show black, or deliver nothing."
    )
    force: Annotated[bool, fields.flag] = Field(False, description="Make it again though it was made.")
    priority: Annotated[int, BeforeValidator(_whole)] = Field(0, description="Higher is sooner.")
    source: Text = Field(None, description="Who asks; repeated in the truth sheet.", examples=["alarm panel"])


@dataclass(frozen=True)
class FootageRequest:
    """What somebody wants to see. Times are as they were written; seconds are exact."""

    camera: str
    timestamp: Written | None
    duration: Fraction | None
    pre_seconds: Fraction | None
    post_seconds: Fraction | None
    start_time: Written | None
    end_time: Written | None
    clip_id: str | None
    delivery: Delivery | None
    gap: GapPolicy | None
    source: str | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Asked:
    """The period that a request means, and the moment in it that must not be missing; instants as in `Period`."""

    period: Period
    moment: Fraction | None


def understand(content: Mapping[str, Any]) -> FootageRequest:
    """The request that the keys and values of a file are.

    Raises:
        Rejected: they are none.
    """
    try:
        entry = RequestEntry.model_validate(content)
    except ValidationError as error:
        raise Rejected("; ".join(_words(problem, content) for problem in error.errors())) from None
    notes = [_unknown(key) for key in content if key not in RequestEntry.model_fields]
    return FootageRequest(
        camera=entry.camera_id,
        timestamp=entry.timestamp,
        duration=entry.duration,
        pre_seconds=entry.pre_seconds,
        post_seconds=entry.post_seconds,
        start_time=entry.start_time,
        end_time=entry.end_time,
        clip_id=entry.clip_id,
        delivery=entry.delivery,
        gap=entry.gap,
        source=entry.source,
        notes=tuple(notes),
    )


def asked(request: FootageRequest, settings: Settings, zone: tzinfo, before: Fraction) -> Asked:
    """The period that `request` means.

    Args:
        request: the request.
        settings: what is meant where it does not say.
        zone: that of the camera's clock.
        before: the instant at which it was written; a time of day alone is the last such time before it.

    Raises:
        Rejected: it means none, or one that is too long.
    """
    moment = None
    if request.timestamp is not None:
        moment = parse_instant(request.timestamp, zone, before=before)
    period = _between(request, zone) if _has_ends(request) else _around(request, settings, moment)
    if moment is not None and not period.start <= moment <= period.end:
        raise Rejected(
            f"timestamp {iso(moment, zone)} lies outside start_time to end_time, {iso(period.start, zone)} to "
            f"{iso(period.end, zone)}; leave one of the two out"
        )
    if period.seconds > Fraction(repr(settings.longest_seconds)):
        raise Rejected(
            f"{float(period.seconds):g} s are asked for; the longest clip is {settings.longest_seconds:g} s "
            "(requests.longest_seconds); ask for several shorter ones"
        )
    return Asked(period, moment)


def question(request: FootageRequest) -> object:
    """What of `request` decides its clip: not who asks, nor what is noted of it."""
    return asdict(replace(request, source=None, notes=()))


def still_means(request: FootageRequest, facts: Mapping[str, Any], before: Fraction) -> bool:
    """Does `request`, written at the instant `before`, mean the period that an answer with these `facts` shows?

    Only a time of day alone means another moment on another day. It is read by the clock of that answer.
    """
    if not is_time_of_day(request.timestamp):
        return True
    try:
        start, end = (datetime.fromisoformat(str(facts.get(key))) for key in ("start_time", "end_time"))
        moment = parse_instant(request.timestamp, start.tzinfo or UTC, before=before)
    except (ValueError, Rejected):
        return False
    return from_datetime(start) <= moment <= from_datetime(end)


def schema() -> dict[str, Any]:
    """The JSON Schema of a request."""
    made = RequestEntry.model_json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **made, "title": "clipd request"}


def _has_ends(request: FootageRequest) -> bool:
    return request.start_time is not None or request.end_time is not None


def _between(request: FootageRequest, zone: tzinfo) -> Period:
    for name in ("pre_seconds", "post_seconds"):
        if getattr(request, name) is not None:
            raise Rejected(f"{name} and start_time or end_time are both given; keep the times or the seconds around")
    if request.start_time is None:
        raise Rejected("end_time is given without start_time; give both")
    if request.end_time is not None:
        if request.duration is not None:
            raise Rejected("duration is given beside start_time and end_time; leave it out")
        return parse_period(request.start_time, request.end_time, zone)
    if not request.duration:
        raise Rejected("start_time is given without end_time; give both")
    start = parse_instant(request.start_time, zone, field="start_time")
    return Period(start, start + request.duration)


def _around(request: FootageRequest, settings: Settings, moment: Fraction | None) -> Period:
    if moment is None:
        raise Rejected(
            'no time is asked for; give "timestamp": "2026-01-31T14:30:15" or start_time and end_time in the same way'
        )
    pre, post = _seconds_around(request, settings)
    if not pre + post:
        raise Rejected("nothing is asked for: the seconds before and after the moment are 0; write more than 0")
    return Period(moment - pre, moment + post)


def _seconds_around(request: FootageRequest, settings: Settings) -> tuple[Fraction, Fraction]:
    usual = Fraction(repr(settings.pre_seconds)), Fraction(repr(settings.post_seconds))
    pre, post, whole = request.pre_seconds, request.post_seconds, request.duration
    if whole is None:
        return usual[0] if pre is None else pre, usual[1] if post is None else post
    if pre is None and post is None:
        share = usual[0] / sum(usual) if sum(usual) else Fraction(3, 4)
        return whole * share, whole * (1 - share)
    given = pre if pre is not None else post
    assert given is not None  # noqa: S101 - one of the two is
    if given > whole or (pre is not None and post is not None and pre + post != whole):
        raise Rejected(
            f"duration is {float(whole):g} s, which pre_seconds and post_seconds contradict; leave duration out"
        )
    return (pre, whole - pre) if pre is not None else (whole - given, given)


def _unknown(key: str) -> str:
    """What is said of a key that means nothing here; one that is nearly a known one is refused."""
    if near := slip.near(key, RequestEntry.model_fields):
        raise Rejected(f"{json.dumps(key, ensure_ascii=False)} is no key of a request; did you mean {near}?")
    return f"the key {json.dumps(key, ensure_ascii=False)} means nothing here"


def _words(problem: Any, content: Mapping[str, Any]) -> str:
    field = str(problem["loc"][0])
    if problem["type"] == "missing":
        near = difflib.get_close_matches(field, content, n=1, cutoff=0.5)
        meant = f"; {json.dumps(near[0])} stands there, did you mean {field}?" if near else ""
        return f'{field} is missing; write "{field}": "camera1"{meant}'
    error = problem.get("ctx", {}).get("error")
    return f"{field}: {error if error is not None else problem['msg']}"
