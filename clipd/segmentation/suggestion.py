"""A suggestion: a span of a video worth keeping, and why, as a person reads it in the sidecar."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Origin = Literal["v1", "v2"]


@dataclass(frozen=True)
class Suggestion:
    """One proposed clip. Frames are counted in presentation order from 0, seconds from the first frame shown."""

    name: str
    """Unique in its video, and the same for the same moment however often the video is analysed."""
    start_frame: int
    end_frame: int
    """The last frame of the clip (inclusive)."""
    start_seconds: float
    """When `start_frame` is shown."""
    end_seconds: float
    """When the frame after `end_frame` is shown; at the end of the video, its end."""
    quality: float
    """0..1, the higher the better."""
    reason: str
    """A sentence for a videographer."""
    anchor_seconds: float | None
    """The moment that the clip is about; None for a scene."""
    origin: Origin
    """The mode that found it."""

    @property
    def frame_count(self) -> int:
        """How many frames the clip holds."""
        return self.end_frame - self.start_frame + 1


def timecode(seconds: float) -> str:
    """`HH:MM:SS`, the second that has begun: how moments are named to people."""
    whole = max(0, int(seconds + 1e-9))
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}"
