"""A cut: where one shot ends and the next begins; and a stretch: a run of frames that have something in common."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cut:
    """A change of shot. Frames are counted in presentation order from 0, seconds from the first frame."""

    frame: int
    """The first frame that belongs to the new shot alone; in a gradual change, the first one after it."""
    seconds: float
    """When `frame` is shown."""
    score: float
    """How sure the detector is, 0..1, by its own measure."""
    detector: str
    """The detector's name in the table."""
    kind: str = "cut"
    """`cut` (hard), `fade-in` (from one colour), `fade-out` (to one colour) or `dissolve`."""
    start_frame: int | None = None
    """The first frame of a gradual change, which shows both shots or neither; None for a hard cut."""


@dataclass(frozen=True)
class Stretch:
    """A run of frames, half-open: `start_frame` is the first of it, `end_frame` the first after it."""

    start_frame: int
    end_frame: int
    start_seconds: float
    end_seconds: float
