"""The settings of segmentation as a whole: the mode, a profile, and a section for each step.

A profile is a named set of numbers beneath what a person set: `applied` joins the two. Until then the settings hold
only what was asked for, so that another profile can be chosen without undoing anything.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Literal, TypeVar, get_args

from pydantic import ValidationError, field_validator, model_validator

from clipd.errors import ConfigError
from clipd.model.setting import Section, over, setting
from clipd.segmentation.debug import Settings as DebugSettings
from clipd.segmentation.edges import Settings as EdgeSettings
from clipd.segmentation.highlights.anchors import Settings as AnchorSettings
from clipd.segmentation.highlights.boundaries import Settings as BoundarySettings
from clipd.segmentation.highlights.excitement import Formula
from clipd.segmentation.highlights.excitement import Settings as WeightSettings
from clipd.segmentation.highlights.filters import Settings as FilterSettings
from clipd.segmentation.highlights.quality import Settings as QualitySettings
from clipd.segmentation.highlights.windows import Settings as WindowSettings
from clipd.segmentation.likeness import Settings as LikenessSettings
from clipd.segmentation.profiles import PROFILES
from clipd.segmentation.scenes import DETECTORS
from clipd.segmentation.shots import Settings as ShotSettings


class Settings(Section):
    """How a video becomes clips."""

    mode: Literal["v1", "v2"] = setting(
        "v2", "v2 finds highlights (loud and lively moments), v1 cuts the whole video into its scenes."
    )
    profile: str = setting("default", f"A set of numbers for a kind of footage: {', '.join(PROFILES)}.")
    detectors: tuple[str, ...] = setting(
        ("scene",),
        f"The detectors (of {', '.join(DETECTORS)}) whose cuts the numbers of both modes count; clips keep clear of "
        "the cuts of all that ran. Empty: all cuts count.",
    )
    excitement: Formula = setting(
        "weighted", "How loudness and motion join: weighted (a sum) or product (only what is loud and lively at once)."
    )
    weights: WeightSettings = setting(WeightSettings(), "What loudness and motion count for.")
    anchors: AnchorSettings = setting(AnchorSettings(), "The moments that clips are built around.")
    boundaries: BoundarySettings = setting(BoundarySettings(), "Where clips may begin and end.")
    windows: WindowSettings = setting(WindowSettings(), "How far clips reach around their moment.")
    quality: QualitySettings = setting(QualitySettings(), "What makes a clip good.")
    filters: FilterSettings = setting(FilterSettings(), "Which clips are dropped.")
    likeness: LikenessSettings = setting(LikenessSettings(), "When two clips show the same.")
    edges: EdgeSettings = setting(EdgeSettings(), "How clips keep clear of the neighbouring shots.")
    shots: ShotSettings = setting(ShotSettings(), "The spans of scene mode (v1).")
    debug: DebugSettings = setting(DebugSettings(), "What the debug file holds.")

    @field_validator("profile")
    @classmethod
    def _known_profile(cls, name: str) -> str:
        if name not in PROFILES:
            raise ValueError(f"{name!r} is no profile; there are {', '.join(PROFILES)}")
        return name

    @field_validator("detectors")
    @classmethod
    def _known_detectors(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in DETECTORS:
                raise ValueError(f"{name!r} is no detector; there are {', '.join(DETECTORS)}")
        return names

    @model_validator(mode="after")
    def _goes_with_profile(self) -> Settings:
        _sections(self)
        return self


Chosen = TypeVar("Chosen", bound=Settings)
"""Settings, or those of a job that has more of its own."""


def applied(settings: Chosen) -> Chosen:
    """`settings` with the numbers of their profile wherever the person set none."""
    return settings.model_copy(update=_sections(settings))


def _sections(settings: Settings) -> dict[str, Section]:
    """The sections that the profile has numbers for, those of the person above them."""
    sections = {}
    for name, numbers in PROFILES[settings.profile].items():
        own: Section = getattr(settings, name)
        sections[name] = type(own).model_validate({**numbers, **own.model_dump(exclude_unset=True)})
    return sections


def with_overrides(settings: Chosen, overrides: Mapping[str, str]) -> Chosen:
    """`settings` with single ones set anew, named by path: `{"windows.min_seconds": "4", "mode": "v1"}`.

    Raises:
        ConfigError: no setting has that name (the words name near ones), or the value does not fit.
    """
    values: Any = settings.model_dump(exclude_unset=True)
    known = list(_names(type(settings)))
    for key, value in overrides.items():
        if key not in known:
            raise ConfigError(_unknown(key, known))
        values = over(values, _nested(key, value))
    try:
        return type(settings).model_validate(values)
    except ValidationError as error:
        problem = error.errors()[0]
        path = ".".join(str(part) for part in problem["loc"])
        words = str(problem["msg"]).removeprefix("Value error, ")
        wrong = [
            f"{key} = {value!r}" for key, value in overrides.items() if f"{key}.".startswith(f"{path}." if path else "")
        ]
        raise ConfigError(f"{', '.join(wrong)}: {words[:1].lower()}{words[1:]}") from error


def _names(model: type[Section], above: str = "") -> Iterator[str]:
    """The path of every single setting."""
    for name, field in model.model_fields.items():
        kinds = [
            kind
            for kind in (field.annotation, *get_args(field.annotation))
            if isinstance(kind, type) and issubclass(kind, Section)
        ]
        for kind in kinds:
            yield from _names(kind, f"{above}{name}.")
        if not kinds:
            yield f"{above}{name}"


def _unknown(key: str, known: list[str]) -> str:
    inside = [name for name in known if name.startswith(f"{key}.")]
    if inside:
        return f"{key} is a group of settings; say which one: {', '.join(inside)}"
    last = key.rpartition(".")[2]
    same = [name for name in known if name.rpartition(".")[2] == last]
    tails = {name.rpartition(".")[2]: name for name in known}
    near = get_close_matches(key, known, n=3) or [tails[tail] for tail in get_close_matches(last, tails, n=3)]
    words = ", ".join(dict.fromkeys([*same, *near])) or ", ".join(
        dict.fromkeys(name.partition(".")[0] for name in known)
    )
    return f"there is no setting {key!r}; did you mean {words}?"


def _nested(key: str, value: str) -> dict[str, Any]:
    head, _, rest = key.partition(".")
    return {head: _nested(rest, value) if rest else value}
