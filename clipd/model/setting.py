"""How a part of clipd declares its settings: beside the code they steer, each with default, unit and reason.

`config` joins the sections into one file; `config/clipd.example.yaml` and the JSON Schema are written from them.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A group of settings: immutable, and an unknown key is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", validate_default=True)


def setting(default: Any, why: str, *, unit: str | None = None, **limits: Any) -> Any:
    """One setting: its default, a sentence on what it does and why, its unit, and pydantic's limits (`ge=0`)."""
    return Field(default, description=why, json_schema_extra={"unit": unit} if unit else None, **limits)
