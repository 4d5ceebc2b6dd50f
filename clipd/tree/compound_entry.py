"""One compound of a sidecar as a model: which parts it joins, in words for people and as JSON Schema for editors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from clipd.model import slip
from clipd.model.clip import Clip
from clipd.model.compound import Compound, Part
from clipd.model.resolution import parse_resolution
from clipd.tree.clip_entry import (
    Anything,
    ClipEntry,
    Moment,
    Paths,
    Priority,
    Resolution,
    StatusWord,
    Text,
    Word,
    WrongValueError,
    as_clip,
)

MOST_PARTS = 1000
HOW = 'write a list of parts, such as [{"clip": "goal_1"}, {"source_path": ..., "start": 1, "end": 2}]'


def _parts(value: object) -> object:
    if not isinstance(value, list) or not value:
        raise ValueError(HOW)
    if len(value) > MOST_PARTS:
        raise ValueError(f"{len(value)} parts are too many; at most {MOST_PARTS} are joined")
    for number, part in enumerate(value, 1):
        if not isinstance(part, dict):
            raise ValueError(
                f'part {number} is no object; write {{"clip": ID}} or {{"source_path": ..., "start": ..., "end": ...}}'
            )
    return value


class CompoundEntry(BaseModel):
    """Several pieces joined into one film, in this order."""

    model_config = ConfigDict(
        extra="allow", frozen=True, json_schema_extra={"anyOf": [{"required": ["name"]}, {"required": ["id"]}]}
    )

    id: Word = Field(None, description="Never changes and occurs once in the file; it is found again by it.")
    name: Word = Field(None, description="Becomes part of the output's name.", examples=["all_goals"])
    parts: Annotated[list[dict[str, Anything]], BeforeValidator(_parts)] = Field(
        description='Clips of this sidecar ({"clip": id or name}) or pieces of any source (source_path with start and '
        "end, or start_frame and end_frame, and a crop if wanted).",
        examples=[[{"clip": "goal_1"}, {"source_path": "cam1/s1/match.mp4", "start": 12.5, "end": 20}]],
    )
    output_resolution: Resolution = Field(
        None, description="The box that every part is fitted into; that of the largest part where it is absent."
    )
    priority: Priority = Field(0, description="Higher is sooner.", examples=[10])
    status: StatusWord = Field(None, description="Process makes it; Draft leaves it alone.")
    export_path: Paths = Field(None, description="Written by clipd: where the outputs are.")
    modified_at: Moment = Field(None, description="Written by clipd and by editors.")
    error: Text = Field(None, description="Written by clipd: what is wrong, where, and the mend.")


class SidecarObject(BaseModel):
    """A sidecar with room for more than its clips."""

    model_config = ConfigDict(extra="allow", frozen=True)

    clips: list[ClipEntry] = Field([], description="The clips of the video.")
    compounds: list[CompoundEntry] = Field([], description="Films that join several clips or pieces.")


def as_compound(raw: Mapping[str, Any], key: str, name: str, clip_named: Callable[[str], Clip | None]) -> Compound:
    """The compound that a raw entry asks for; `clip_named` finds a clip of the same sidecar by id or name.

    Raises:
        WrongValueError: something in it is wrong.
        Rejected: something in a clip that it names is.
    """
    try:
        entry = CompoundEntry.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        words = first["ctx"]["error"] if "error" in first.get("ctx", {}) else first["msg"]
        if first["type"] == "missing":
            words = f"parts is missing; {HOW}{slip.instead('parts', set(raw) - set(CompoundEntry.model_fields))}"
        raise WrongValueError(str(first["loc"][0]) if first["loc"] else "", str(words)) from None
    parts = tuple(_part(part, number, name, clip_named) for number, part in enumerate(entry.parts, 1))
    return Compound(
        key=key,
        name=name,
        parts=parts,
        output_resolution=parse_resolution(entry.output_resolution),
        priority=entry.priority,
        modified_at=entry.modified_at if isinstance(entry.modified_at, str) else None,
        notes=tuple(f"part {number}: {note}" for number, part in enumerate(parts, 1) for note in part.clip.notes),
    )


def _part(raw: Mapping[str, Any], number: int, name: str, clip_named: Callable[[str], Clip | None]) -> Part:
    if "clip" not in raw:
        try:
            return Part(as_clip(raw, f"{number}", f"{name} part {number}"), is_named=False)
        except WrongValueError as error:
            where = f"{error.field}: " if error.field else ""
            raise WrongValueError("parts", f"part {number}: {where}{error}") from None
    wanted = raw["clip"]
    if isinstance(wanted, bool) or not isinstance(wanted, str | int):
        raise WrongValueError("parts", f"part {number}: clip must be the id or the name of a clip, in quotes")
    clip = clip_named(str(wanted))
    if clip is None:
        raise WrongValueError("parts", f"part {number}: this sidecar has no clip {str(wanted)!r}")
    return Part(clip, is_named=True)
