"""One entry of a sidecar as a model: what may stand in it, in words for people and as JSON Schema for their editors.

Keys that are not named here are people's and other programs' own; they are kept and ignored.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, WithJsonSchema

from clipd.model import slip
from clipd.model.clip import Clip, Status
from clipd.model.crop import CropPath, Rect
from clipd.model.resolution import parse_resolution
from clipd.model.timespan import FrameSpan, Span, TimeSpan, parse_seconds

LAST_FRAME = 10**9
"""A year of video at 30 frames a second; larger numbers are slips."""
LAST_PIXEL = 10**6

Keyframes = dict[str, list[int | float]]


class WrongValueError(ValueError):
    """A value of a clip is wrong: `field` is its key, the words say what would be right."""

    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field


def _frame(value: object) -> object:
    if value is None:
        return None
    number = _whole(value)
    if number is None or not 0 <= number <= LAST_FRAME:
        raise ValueError("write a whole number of frames from 0, such as 250")
    return number


def _whole(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != int(value):
        return None
    return int(value)


def _time(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("write seconds (12.5) or HH:MM:SS.mmm (00:00:12.500)")
    parse_seconds(value)
    return value


def _name(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, str | int | None):
        raise ValueError("write a text in quotes")
    return value


def _path(value: object) -> object:
    if value is None or (isinstance(value, str) and "\0" not in value):
        return value
    raise ValueError("write a path below the source folder in quotes, such as cam1/s1/match.mp4")


def _keyframes(value: object) -> object:
    if value is None:
        return None
    if not isinstance(value, dict):
        raise ValueError('write {"frame": [x, y, width, height]}, such as {"250": [100, 50, 640, 480]}')
    for frame, rect in value.items():
        if not (frame.isascii() and frame.isdigit() and len(frame) <= 10 and int(frame) <= LAST_FRAME):
            raise ValueError(f"{json.dumps(frame)} is not a frame number; write a whole number in quotes, such as 250")
        if not (isinstance(rect, list) and len(rect) == 4 and all(map(_is_pixels, rect))):
            raise ValueError(f"the rectangle at frame {frame} must be [x, y, width, height] in pixels")
        if any(number != int(number) for number in rect) and all(abs(number) <= 1 for number in rect):
            raise ValueError(
                f"the rectangle at frame {frame} is given in fractions; write [x, y, width, height] in pixels of the "
                "picture, such as [100, 50, 640, 480]"
            )
        if round(rect[2]) < 1 or round(rect[3]) < 1:
            raise ValueError(f"the rectangle at frame {frame} is empty; width and height must be 1 or more")
    return value


def _is_pixels(value: object) -> bool:
    return not isinstance(value, bool) and isinstance(value, int | float) and abs(value) <= LAST_PIXEL


def _interpolation(value: object) -> object:
    word = value.strip().casefold() if isinstance(value, str) else value
    if word not in (None, "linear", "smooth"):
        raise ValueError("write linear or smooth")
    return word


def _resolution(value: object) -> object:
    if isinstance(value, list) and len(value) == 2 and all(_whole(side) is not None for side in value):
        value = f"{_whole(value[0])}x{_whole(value[1])}"
    if not isinstance(value, str | None):
        raise ValueError("write 1080p, 720p, 1280x720, [1280, 720] or original")
    parse_resolution(value)
    return value


def _flag(value: object) -> object:
    if value is not None and not isinstance(value, bool):
        raise ValueError("write true or false")
    return bool(value)


def _priority(value: object) -> object:
    number = 0 if value is None else _whole(value)
    if number is None or abs(number) > 10**6:
        raise ValueError("write a whole number, higher is sooner, such as 10")
    return number


def _status(value: object) -> object:
    if not isinstance(value, str | None):
        raise ValueError(f"write one of {', '.join(Status)}, or a word of your own")
    return value


Word = Annotated[str | int | None, BeforeValidator(_name)]
Priority = Annotated[int, BeforeValidator(_priority)]
Frame = Annotated[int | None, BeforeValidator(_frame)]
Time = Annotated[str | int | float | None, BeforeValidator(_time)]
Crop = Annotated[Keyframes | None, BeforeValidator(_keyframes)]
Resolution = Annotated[
    str | None,
    BeforeValidator(_resolution),
    WithJsonSchema({"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "integer"}}, {"type": "null"}]}),
]
StatusWord = Annotated[
    str | None,
    BeforeValidator(_status),
    WithJsonSchema({"anyOf": [{"enum": [str(status) for status in Status]}, {"type": "string"}, {"type": "null"}]}),
]


# Keys that clipd writes or ignores: editors are told their types, but no clip is refused for them.
Text = Annotated[Any, WithJsonSchema({"type": ["string", "null"]})]
Moment = Annotated[Any, WithJsonSchema({"type": ["string", "number", "null"]})]
Paths = Annotated[Any, WithJsonSchema({"type": ["array", "string", "null"], "items": {"type": "string"}})]
Anything = Annotated[Any, WithJsonSchema({})]


class ClipEntry(BaseModel):
    """A clip: which piece of which video, cropped how, and whether to make it."""

    model_config = ConfigDict(
        extra="allow", frozen=True, json_schema_extra={"anyOf": [{"required": ["name"]}, {"required": ["id"]}]}
    )

    id: Word = Field(None, description="Never changes and occurs once in the file; the clip is found again by it.")
    name: Word = Field(None, description="Becomes part of the output's name.", examples=["goal_1"])
    source_path: Annotated[str | None, BeforeValidator(_path)] = Field(
        None,
        description="The video, below the source folder; where it is absent, the one at the sidecar's mirrored place.",
        examples=["cam1/s1/match.mp4"],
    )
    proxy_path: Text = Field(None, description="Kept and ignored.")
    start_frame: Frame = Field(None, ge=0, description="First frame, counted from 0.", examples=[250])
    end_frame: Frame = Field(None, ge=0, description="Last frame, included: 250 to 749 is 500 frames.", examples=[749])
    start: Time = Field(
        None, description="Instead of frames: seconds or HH:MM:SS.mmm.", examples=[12.5, "00:00:12.500"]
    )
    end: Time = Field(
        None, description="Instead of frames: the time at which the clip is over.", examples=[20, "00:00:20.000"]
    )
    crop_keyframes: Crop = Field(
        None,
        description="At a frame of the source the rectangle [x, y, width, height]; in between it is interpolated.",
        examples=[{"250": [100, 50, 640, 480], "500": [300, 80, 640, 480]}],
    )
    crop_keyframes_proxy: Anything = Field(None, description="Kept and ignored.")
    crop_interpolation: Annotated[Literal["linear", "smooth"] | None, BeforeValidator(_interpolation)] = Field(
        None, description="How the crop moves between keyframes; linear where it is absent."
    )
    output_resolution: Resolution = Field(
        None,
        description="A box that the picture is fitted into, its aspect kept.",
        examples=["1080p", "1280x720", "original"],
    )
    upscale: Annotated[bool, BeforeValidator(_flag)] = Field(False, description="May the picture be enlarged?")
    priority: Priority = Field(0, description="Higher is sooner.", examples=[10])
    status: StatusWord = Field(
        None,
        description="Process makes the clip; Draft leaves it alone; clipd answers Complete or Failed. "
        "Other words are left alone.",
    )
    export_path: Paths = Field(None, description="Written by clipd: where the outputs are.")
    created_at: Moment = Field(None, description="Kept and ignored.")
    modified_at: Moment = Field(None, description="Written by clipd and by editors.")
    error: Text = Field(None, description="Written by clipd: what is wrong, where, and the mend.")


def as_clip(raw: Mapping[str, Any], key: str, name: str) -> Clip:
    """The clip that a raw entry asks for.

    Raises:
        WrongValueError: something in it is wrong.
    """
    try:
        entry = ClipEntry.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        words = first["ctx"]["error"] if "error" in first.get("ctx", {}) else first["msg"]
        raise WrongValueError(str(first["loc"][0]) if first["loc"] else "", str(words)) from None
    crop, notes = _crop(entry)
    return Clip(
        key=key,
        name=name,
        source_path=entry.source_path.strip() or None if entry.source_path else None,
        span=_span(entry),
        crop=crop,
        output_resolution=parse_resolution(entry.output_resolution),
        upscale=entry.upscale,
        priority=entry.priority,
        modified_at=entry.modified_at if isinstance(entry.modified_at, str) else None,
        notes=notes,
    )


def _span(entry: ClipEntry) -> Span:
    by_frames = [field for field in ("start_frame", "end_frame") if getattr(entry, field) is not None]
    by_times = [field for field in ("start", "end") if getattr(entry, field) is not None]
    if by_frames and by_times:
        raise WrongValueError(
            by_times[0], f"{by_frames[0]} and {by_times[0]} are both given; keep the frames or the times, not both"
        )
    if not by_frames and not by_times:
        wanted = ("start_frame", "end_frame", "start", "end")
        slips = next(filter(None, (slip.instead(one, _unknown(entry)) for one in wanted)), "")
        raise WrongValueError("", f"it has no span; give start_frame and end_frame, or start and end{slips}")
    if len(by_frames or by_times) == 1:
        only = (by_frames or by_times)[0]
        other = {"start_frame": "end_frame", "end_frame": "start_frame", "start": "end", "end": "start"}[only]
        raise WrongValueError(only, f"{only} is given without {other}; give both{slip.instead(other, _unknown(entry))}")
    try:
        if entry.start_frame is not None and entry.end_frame is not None:
            return FrameSpan(entry.start_frame, entry.end_frame)
        assert entry.start is not None and entry.end is not None  # noqa: S101, PT018 - counted above
        return TimeSpan(parse_seconds(entry.start), parse_seconds(entry.end))
    except ValueError as error:
        raise WrongValueError((by_frames or by_times)[1], str(error)) from None


def _unknown(entry: ClipEntry) -> list[str]:
    return list(entry.model_extra or ())


def _crop(entry: ClipEntry) -> tuple[CropPath | None, tuple[str, ...]]:
    if not entry.crop_keyframes:
        return None, ()
    notes, keyframes = [], []
    for frame, rect in sorted(entry.crop_keyframes.items(), key=lambda pair: int(pair[0])):
        whole = [round(number) for number in rect]
        if whole != rect:
            notes.append(f"crop at frame {frame}: {rect} was rounded to {whole}")
        keyframes.append((int(frame), Rect(*whole)))
    try:
        return CropPath(tuple(keyframes), entry.crop_interpolation or "linear"), tuple(notes)
    except ValueError as error:
        raise WrongValueError("crop_keyframes", str(error)) from None
