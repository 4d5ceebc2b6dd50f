"""What each video holds: container, codec, size, exact count of frames, rate, duration, sound."""

from __future__ import annotations

from typing import Any

from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.model.setting import Section


class Settings(Section):
    """There is nothing to choose."""


def run(around: Surroundings, _: Settings) -> dict[str, Any]:
    """The facts; `path` is left out, for the row names it."""
    with around.loader() as loader:
        facts = loader.get_metadata()
    return {key: value for key, value in facts.items() if key not in ("path", "backend", "device")}


FUNCTION = RowFunction("metadata", Settings, run)
