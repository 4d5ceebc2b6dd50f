"""Events: something that happened in a video or in a row of pictures, as people and programs write it.

All refusals are `Rejected`, with words that name the key, what stands there and what would be right.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from clipd.errors import Rejected
from clipd.jobs import fields
from clipd.jobs.pictures import Settings as PictureSettings
from clipd.model.setting import Section, setting
from clipd.model.timespan import parse_seconds

OutputFormat = Literal["mp4", "gif"]

FOLDER_REQUEST = "event"
"""How the request is called, without suffix, that describes the folder it lies in."""
MOST_AROUND = 300
"""Seconds that may be asked for before or after an event."""
EARLIEST, LATEST = -30, 3600
"""Seconds between which offsets lie."""


class Settings(Section):
    """Event clips, from videos and from pictures."""

    enabled: bool = setting(True, "Are events made into clips? Where not, every request is answered so.")
    pre_seconds: float = setting(
        5.0, "How much before an event belongs to its clip, where the request does not say.", unit="s", ge=0, le=300
    )
    post_seconds: float = setting(
        5.0, "How much after an event belongs to its clip, where the request does not say.", unit="s", ge=0, le=300
    )
    pictures: PictureSettings = setting(PictureSettings(), "How pictures become a film.")


def _path(value: object) -> object:
    if value is not None and (not isinstance(value, str) or not value.strip() or "\0" in value):
        raise ValueError('write a path below the root of the tree in quotes, such as "data/source/cam1/s1/match.mp4"')
    return value


def _paths(value: object) -> object:
    if not isinstance(value, list | None) or any(_path(path) is None for path in value or ()):
        raise ValueError('write a list of paths, such as ["cam1/a.jpg", "cam1/b.jpg"]')
    return value


def _time(value: object) -> object:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("write seconds from the start of the video (12.5) or HH:MM:SS.mmm")
    return parse_seconds(value)


Seconds = Annotated[Any, BeforeValidator(_time)]
Around = Annotated[Any, fields.between(0, MOST_AROUND)]
Offset = Annotated[Any, fields.between(EARLIEST, LATEST)]


class Written(BaseModel):
    """An event as it stands in a request. Keys that are not named here are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    event_id: Annotated[str, fields.name("door-42")] = Field(description="Its name; becomes `<event_id>_clip.mp4`.")
    video_path: Annotated[str | None, BeforeValidator(_path)] = Field(
        None, description="The video, below the root, the source folder or the recordings."
    )
    start: Seconds = Field(None, description="When it begins: seconds from the start of the video, or HH:MM:SS.mmm.")
    end: Seconds = Field(None, description="When it ends; it has no length where this is absent.")
    pre_seconds: Around = Field(None, description="How much before it to show, 0 to 300.")
    post_seconds: Around = Field(None, description="How much after it to show, 0 to 300.")
    start_offset_seconds: Offset = Field(
        None,
        description="In place of start and pre_seconds: where the clip begins, -30 to 3600 s in the video.",
    )
    end_offset_seconds: Offset = Field(None, description="In place of end and post_seconds: where the clip ends.")
    image_paths: Annotated[list[str] | None, BeforeValidator(_paths)] = Field(
        None, description="Pictures, used where there is no video; absent: those of the request's own folder."
    )
    fps: Annotated[Any, fields.between(1, 60)] = Field(
        None, description="Pictures a second; absent: their own times, or 2."
    )
    output_format: Annotated[OutputFormat | None, fields.one_of(*get_args(OutputFormat))] = Field(
        None, description="mp4 or gif, for pictures."
    )
    camera_id: Annotated[str | None, BeforeValidator(_path)] = Field(None, description="The camera it belongs to.")
    force: Annotated[bool, fields.flag] = Field(False, description="Make the clip again, though it is there?")


@dataclass(frozen=True)
class Event:
    """An event as clipd takes it. Seconds count from the first frame of the video."""

    event_id: str
    video_path: str | None
    start: Fraction | None
    end: Fraction | None
    pre_seconds: Fraction | None
    post_seconds: Fraction | None
    image_paths: tuple[str, ...] | None
    fps: Fraction | None
    output_format: OutputFormat
    camera: str | None


def understood(content: Mapping[str, Any]) -> Event:
    """The event that a request asks for.

    Raises:
        Rejected: something in it is wrong.
    """
    written = fields.checked(Written, content, 'an event needs a name, such as {"event_id": "door-42"}')
    start, end, pre, post = _span(written)
    return Event(
        event_id=written.event_id,
        video_path=written.video_path,
        start=start,
        end=end,
        pre_seconds=pre,
        post_seconds=post,
        image_paths=None if written.image_paths is None else tuple(written.image_paths),
        fps=written.fps,
        output_format=written.output_format or "mp4",
        camera=written.camera_id,
    )


def question(event: Event) -> object:
    """What of `event` decides its clip."""
    return asdict(event)


def _span(written: Written) -> tuple[Fraction | None, Fraction | None, Fraction | None, Fraction | None]:
    """Start, end, and what is shown around them; offsets say all of it."""
    offsets = (written.start_offset_seconds, written.end_offset_seconds)
    if any(offset is not None for offset in offsets):
        if times := [name for name in ("start", "end") if getattr(written, name) is not None]:
            raise Rejected(
                f"{' and '.join(times)}: start_offset_seconds and end_offset_seconds say where the clip begins and "
                f"ends; leave the offsets out, or {' and '.join(times)}"
            )
        if None in offsets:
            raise Rejected("start_offset_seconds and end_offset_seconds belong together; give both")
        start, end = Fraction(offsets[0]), Fraction(offsets[1])
        if end < start:
            raise Rejected(f"end_offset_seconds: {float(end):g} is before start_offset_seconds, {float(start):g}")
        return start, end, Fraction(0), Fraction(0)
    if written.start is None and written.end is not None:
        raise Rejected("start is missing; give start with end")
    start = written.start
    end = start if written.end is None else written.end
    if start is not None and end is not None and end < start:
        raise Rejected(f"end: {float(end):g} s is before start, {float(start):g} s")
    return start, end, written.pre_seconds, written.post_seconds
