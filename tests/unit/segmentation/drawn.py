"""Features that no video was needed for: drawn from a seed, or by hand."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from clipd.segmentation.cut import Cut, Stretch
from clipd.segmentation.features import Features

STEP = 0.5


def features(
    seconds: float,
    *,
    fps: float = 25.0,
    loudness: Sequence[float] | None = None,
    motion: Sequence[float] | None = None,
    cuts: Sequence[Cut] = (),
    black: Sequence[Stretch] = (),
) -> Features:
    """Features by hand: z-scores on the grid, 0 where nothing is given; loudness None is a video without audio."""
    times = np.arange(max(1, int(np.ceil(seconds / STEP - 1e-9)))) * STEP
    loud, moving = np.zeros(len(times)), np.zeros(len(times))
    loud[: len(loudness or ())] = loudness or ()
    moving[: len(motion or ())] = motion or ()
    return Features(
        duration_seconds=seconds,
        frame_times=np.arange(round(seconds * fps)) / fps,
        step_seconds=STEP,
        times=times,
        loudness=None if loudness is None else 20 + 5 * loud,
        motion=5 + moving,
        loudness_z=loud,
        motion_z=moving,
        cuts=tuple(cuts),
        black=tuple(black),
        freezes=(),
    )


def hard(frame: int, fps: float = 25.0, score: float = 1.0) -> Cut:
    """A hard cut: `frame` is the first of the new shot."""
    return Cut(frame, frame / fps, score, "scene")


def gradual(start_frame: int, frame: int, kind: str = "dissolve", fps: float = 25.0) -> Cut:
    """A gradual change over the frames from `start_frame` to the one before `frame`."""
    return Cut(frame, frame / fps, 0.8, "gradual", kind, start_frame)


def random_features(seed: int) -> Features:
    """A video of some seconds to some minutes, with all that a video may have or lack."""
    dice = np.random.default_rng(seed)
    seconds = float(dice.choice([3.0, 12.34, 61.0, 130.0]) * dice.uniform(0.8, 1.2))
    fps = float(dice.choice([12.5, 25.0, 29.97, 60.0]))
    count = max(1, int(seconds * fps))
    frame_times = np.arange(count) / fps
    if dice.random() < 0.3:  # a variable rate
        frame_times = np.concatenate([[0.0], np.cumsum(dice.uniform(0.5, 1.5, count - 1) / fps)])
    seconds = float(frame_times[-1] + 1 / fps)
    times = np.arange(max(1, int(np.ceil(seconds / STEP - 1e-9)))) * STEP

    def curve(mean: float, spread: float, burst: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        raw = np.maximum(0.0, dice.normal(mean, spread, len(times)) + burst * (dice.random(len(times)) < 0.03))
        quiet = np.cumsum(dice.random(len(times)) < 0.05) % 4 == 0
        raw[quiet] = 0.0  # silence, standing pictures: plateaus
        return np.convolve(np.pad(raw, 1, mode="edge"), np.ones(3) / 3, "valid")

    def z(
        values: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    ) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.zeros_like(values) if values.std() < 1e-9 else (values - values.mean()) / values.std()

    audio = dice.random()
    loudness = curve(25, 8, 20)
    if audio < 0.15:
        loudness = np.zeros_like(loudness)
    motion = curve(4, 3, 15)
    cuts: dict[int, Cut] = {}
    at = int(dice.exponential(4 * fps))
    while at < count:
        length = int(dice.uniform(2, 2 + fps)) if dice.random() < 0.2 else 0
        kind = str(dice.choice(["dissolve", "fade-in", "fade-out"])) if length else "cut"
        frame = min(at + length, count)
        seconds_at = float(frame_times[frame]) if frame < count else seconds
        cuts[frame] = Cut(frame, seconds_at, float(dice.uniform(0.3, 1)), "scene", kind, at if length else None)
        at = frame + 1 + int(dice.exponential(float(dice.choice([0.2, 3.0])) * fps))
    black = []
    if dice.random() < 0.5 and count > 60:
        first = int(dice.integers(0, count - 50))
        black.append(Stretch(first, first + 40, float(frame_times[first]), float(frame_times[first + 40])))
    return Features(
        duration_seconds=seconds,
        frame_times=frame_times,
        step_seconds=STEP,
        times=times,
        loudness=None if audio > 0.85 else loudness,
        motion=motion,
        loudness_z=np.zeros_like(loudness) if audio > 0.85 else z(loudness),
        motion_z=z(motion),
        cuts=tuple(cuts.values()),
        black=tuple(black),
        freezes=(),
    )
