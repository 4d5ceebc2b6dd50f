"""A compound: several pieces, of one or several videos, to be made into one film."""

from __future__ import annotations

from dataclasses import dataclass

from clipd.model.clip import Clip


@dataclass(frozen=True)
class Part:
    """One part of a compound."""

    clip: Clip
    is_named: bool
    """Is it a clip of the sidecar, rather than a span of the compound's own?"""


@dataclass(frozen=True)
class Compound:
    """An entry of a sidecar's `compounds`. Its parts are clips that it names, or spans of its own.

    `key` is how it is found again, as a clip's, with `+` before it.
    """

    key: str
    name: str
    parts: tuple[Part, ...]
    output_resolution: tuple[int, int] | None = None
    """The box that every part is fitted into; None for that of the largest part."""
    priority: int = 0
    modified_at: str | None = None
    notes: tuple[str, ...] = ()
