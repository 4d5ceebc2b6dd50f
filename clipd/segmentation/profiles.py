"""Profiles: named sets of numbers for kinds of footage, a visible table. What a profile leaves out is as by default.

To add one: a line in the table. A number that a person sets stands above its profile's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, TypeAlias

Numbers: TypeAlias = Mapping[str, Mapping[str, float | int | bool | str]]
"""Like the settings of segmentation: sections of numbers."""

PROFILES: Final[Mapping[str, Numbers]] = {
    "default": {},
    # Crowd and commentator tell; the build-up is long, and after the deed comes the cheer. One wide view of the field
    # looks much like another, so only true repeats count as the same.
    "sport": {
        "weights": {"loudness": 0.7, "motion": 0.3},
        "anchors": {"spacing_seconds": 8.0},
        "windows": {"start_default_seconds": 10.0, "min_seconds": 8.0},
        "likeness": {"distance": 6.0},
    },
    # The voice tells, and a clip begins and ends in a pause. The same faces are seen all the time: never the same clip.
    "talk": {
        "weights": {"loudness": 0.85, "motion": 0.15},
        "anchors": {"action_above": 3.0, "per_minute": 4.0},
        "boundaries": {"scene": 0.25, "audio_dip": 0.55, "fade": 0.1, "motion_valley": 0.1},
        "windows": {"end_default_seconds": 20.0, "min_seconds": 10.0},
        "likeness": {"distance": -1.0},
    },
    # A camera that hangs still, with no cuts and often no sound: what moves tells, rarely, and clips begin and end when
    # nothing moves. All pictures are alike by nature.
    "cctv": {
        "weights": {"loudness": 0.2, "motion": 0.8},
        "anchors": {"excitement_above": 1.0, "spacing_seconds": 10.0, "per_minute": 2.0},
        "boundaries": {"scene": 0.1, "audio_dip": 0.1, "fade": 0.1, "motion_valley": 0.7},
        "windows": {"start_default_seconds": 5.0, "end_default_seconds": 10.0},
        "likeness": {"distance": -1.0},
    },
}
