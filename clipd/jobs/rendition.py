"""Renditions: the files that one clip becomes, a format times a crop variation each."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TypeVar

from clipd.jobs.naming import output_stem
from clipd.model.crop import Variation
from clipd.model.setting import Section, setting

Entry = TypeVar("Entry")


class Variations(Section):
    """Several crops of each clip (`--multi-crop`)."""

    enabled: bool = setting(False, "Make every variation below instead of only the crop itself.")
    variations: tuple[Variation, ...] = setting(
        ("original", "wide", "full"),
        "original: the crop itself; wide: enlarged about its centre; full: the whole picture.",
        min_length=1,
    )
    wide_factor: float = setting(1.5, "How much wider and higher `wide` is than the crop.", ge=1, le=100)
    camera_types: tuple[str, ...] = setting(
        (), "Only for cameras so named (equal, beginning so, or a pattern such as cam*); empty means all."
    )
    exclude_camera_types: tuple[str, ...] = setting((), "Not for cameras so named.")


@dataclass(frozen=True)
class Rendition:
    """One file to make. `stem` is its name without extension, `folder` its final folder below the outputs."""

    format: str
    variation: Variation
    stem: str
    folder: str
    processor: str | None = None
    """`package.module:function` that makes it, instead of the format itself."""


def names_camera(patterns: tuple[str, ...], camera: str) -> bool:
    """Is `camera` named by one of `patterns`, in any case: equal, its beginning, or a pattern with `*` and `?`?"""
    folded = camera.casefold()
    wanted = [pattern.casefold() for pattern in patterns if pattern]
    return any(folded.startswith(pattern) or fnmatchcase(folded, pattern) for pattern in wanted)


def variations_for(settings: Variations, camera: str) -> tuple[Variation, ...]:
    """The variations that clips of `camera` are made in."""
    named = not settings.camera_types or names_camera(settings.camera_types, camera)
    if not settings.enabled or not named or names_camera(settings.exclude_camera_types, camera):
        return ("original",)
    return tuple(dict.fromkeys(settings.variations))


def name_rendition(rendition: Rendition, video_stem: str, clip_name: str, suffix: str) -> Rendition:
    """`rendition` with its name: `<video>_<clip>`, `_wide` or `_full` for a variation, and the format's suffix."""
    ending = ("" if rendition.variation == "original" else f"_{rendition.variation}") + suffix
    return replace(rendition, stem=output_stem(video_stem, f"{clip_name}{ending}"))
