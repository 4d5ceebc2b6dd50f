"""Features: what one pass over a video measured, on a regular grid of time.

Seconds are counted from the first frame shown, which is frame 0 and the zero of a clip's `start` and `end`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clipd.segmentation.cut import Cut, Stretch


@dataclass(frozen=True)
class Features:
    """All that segmentation decides on. N frames, G points of the grid (`times[i] == i * step_seconds`)."""

    duration_seconds: float
    """From the first frame shown to the end of the last."""
    frame_times: NDArray[np.float64]
    """(N,) when each frame is shown, in seconds, strictly increasing."""
    step_seconds: float
    times: NDArray[np.float64]
    """(G,) the grid, in seconds."""
    loudness: NDArray[np.float64] | None
    """(G,) RMS in dB above -60 dBFS, never negative, smoothed; None where there is no audio."""
    motion: NDArray[np.float64]
    """(G,) mean absolute difference of small grey pictures, 0..255, smoothed; all 0 where there is no video."""
    loudness_z: NDArray[np.float64]
    """(G,) loudness as z-score; all 0 where there is no audio or it does not vary."""
    motion_z: NDArray[np.float64]
    """(G,) motion as z-score; all 0 where it does not vary."""
    cuts: tuple[Cut, ...]
    """By frame, from the detectors that were asked for."""
    black: tuple[Stretch, ...]
    freezes: tuple[Stretch, ...]
    pictures: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 18, 32), np.uint8))
    """(G, 18, 32) a tiny grey picture for each point of the grid, 0..255; none where they were not kept."""
    strip_times: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    """(K,) when each picture of the strip is shown, in seconds."""
    strip: NDArray[np.uint8] = field(default_factory=lambda: np.zeros((0, 0, 0), np.uint8))
    """(K, H * 3 / 2, W) small pictures spread over the video: luma, then both chroma planes (I420), as coded."""
    warnings: tuple[str, ...] = ()
    """What was met on the way (no audio, corrupt packets, ...), in words for a person."""

    @property
    def frame_count(self) -> int:
        """How many frames the video shows."""
        return len(self.frame_times)

    def plain(self) -> dict[str, Any]:
        """What was measured on the grid, as plain values rounded for reading; frames are counted, not listed."""
        return {
            "duration_seconds": round(self.duration_seconds, 6),
            "frame_count": self.frame_count,
            "step_seconds": self.step_seconds,
            "has_audio": self.loudness is not None,
            "loudness_db": None if self.loudness is None else _rounded(self.loudness),
            "loudness_z": _rounded(self.loudness_z),
            "motion": _rounded(self.motion),
            "motion_z": _rounded(self.motion_z),
            "cuts": {
                name: [asdict(cut) for cut in self.cuts if cut.detector == name]
                for name in dict.fromkeys(cut.detector for cut in self.cuts)
            },
            "black": [asdict(stretch) for stretch in self.black],
            "freezes": [asdict(stretch) for stretch in self.freezes],
            "warnings": list(self.warnings),
        }


def _rounded(curve: NDArray[np.float64]) -> list[float]:
    return [round(float(value), 4) for value in curve]
