"""How a part of clipd declares its settings: beside the code they steer, each with default, unit and reason.

`config` joins the sections into one file; `config/clipd.example.yaml` and the JSON Schema are written from them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, get_origin

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Section(BaseModel):
    """A group of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)

    @model_validator(mode="before")
    @classmethod
    def _lists_of_words(cls, values: Any) -> Any:
        return split_lists(cls, values)


def split_lists(model: type[BaseModel], values: Any) -> Any:
    """`values` with `a,b` made a list wherever `model` wants one: how lists are written in environment variables.

    There a JSON array is a list as well, which commas and sections in it ask for.
    """
    if not isinstance(values, dict):
        return values
    split = dict(values)
    for name, field in model.model_fields.items():
        value = split.get(name)
        if isinstance(value, str) and get_origin(field.annotation) is tuple:
            split[name] = _list(value)
    return split


def _list(text: str) -> list[Any]:
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    return value if isinstance(value, list) else [word.strip() for word in text.split(",") if word.strip()]


def over(base: Any, top: Any) -> Any:
    """`base` with the values of `top` laid over it, key by key where both are mappings."""
    if isinstance(base, Mapping) and isinstance(top, Mapping):
        return {**base, **{key: over(base.get(key), value) for key, value in top.items()}}
    return top


def setting(default: Any, why: str, *, unit: str | None = None, **limits: Any) -> Any:
    """One setting: its default, a sentence on what it does and why, its unit, and pydantic's limits (`ge=0`)."""
    return Field(default, description=why, json_schema_extra={"unit": unit} if unit else None, **limits)
