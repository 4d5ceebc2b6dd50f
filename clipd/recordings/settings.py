"""The settings of recordings: how they are named, whose clock says what, and what counts as a gap."""

from __future__ import annotations

from typing import Literal

from pydantic import field_validator

from clipd.errors import ClipdError
from clipd.model.instant import find_zone
from clipd.model.setting import Section, setting
from clipd.recordings.names import Names


class Camera(Section):
    """What is particular about one camera."""

    time_zone: str | None = setting(
        None,
        "The zone of its clock, such as Europe/Berlin; null is that of all recordings.",
        examples=["Europe/Berlin"],
    )
    clock_ahead_seconds: float = setting(
        0.0,
        "How far its clock is ahead of the right time; negative where it is behind.",
        unit="s",
        ge=-86_400,
        le=86_400,
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        return _known_zone(name)


class Settings(Section):
    """What camera systems record, and how requests find it."""

    templates: tuple[str, ...] = setting(
        ("{camera}_{YYYYMMDD}_{HHMMSS}", "%path/%Y-%m-%d_%H-%M-%S-%f"),
        "How recordings are named, without extension: {camera}, {YYYYMMDD}, {HHMMSS}, {epoch}, {any} and others, or "
        "MediaMTX's recordPath (%path, %Y, %m, %d, %H, %M, %S, %f, %z, %s).",
    )
    suffixes: tuple[str, ...] = setting((".mp4", ".mkv", ".avi", ".ts"), "Extensions of recordings.")
    time_zone: str | None = setting(
        None,
        "The zone of the cameras' clocks, such as Europe/Berlin; null is the machine's own.",
        examples=["Europe/Berlin"],
    )
    cameras: dict[str, Camera] = setting(
        {}, "Cameras with a clock of their own, such as {gate: {time_zone: Asia/Tokyo, clock_ahead_seconds: 2.5}}."
    )
    settle_seconds: float = setting(
        4.0, "How long a recording must have held still before it counts as finished.", unit="s", ge=0
    )
    rescan_seconds: float = setting(
        300.0,
        "How often all recordings are listed anew, besides file events and the look before a gap is told.",
        unit="s",
        gt=0,
    )
    use_growing: bool = setting(
        False, "Use what is there of a recording that still grows (MPEG-TS, fragmented MP4) before it is finished."
    )
    join_seconds: float = setting(
        0.1,
        "A hole between two recordings that is shorter than this, or than a frame, is no gap.",
        unit="s",
        ge=0,
        le=60,
    )
    foreign: Literal["gap", "keep"] = setting(
        "gap", "What a recording of another picture size or codec than the others is: a gap, or kept and fitted in."
    )
    longest_hours: float = setting(
        2.0,
        "How long a recording may be beside shorter ones that begin after it; one on its own may have any length.",
        unit="hours",
        gt=0,
        le=48,
    )

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, name: str | None) -> str | None:
        return _known_zone(name)

    @field_validator("templates")
    @classmethod
    def _readable(cls, templates: tuple[str, ...]) -> tuple[str, ...]:
        try:
            Names(templates, ())
        except ClipdError as error:
            raise ValueError(str(error)) from None
        return templates

    @field_validator("suffixes")
    @classmethod
    def _with_dots(cls, suffixes: tuple[str, ...]) -> tuple[str, ...]:
        for suffix in suffixes:
            if not suffix.startswith(".") or len(suffix) < 2:
                raise ValueError(f"{suffix!r} is no extension; write .mp4")
        return suffixes


def _known_zone(name: str | None) -> str | None:
    try:
        find_zone(name)
    except ClipdError as error:
        raise ValueError(str(error)) from None
    return name
