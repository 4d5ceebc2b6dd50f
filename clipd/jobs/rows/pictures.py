"""Frames as files: a JPEG each, or all of them in one NPZ."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import numpy as np

from clipd.datasets.loader import VideoLoader
from clipd.files.atomic import translated
from clipd.jobs.rows.function import Surroundings
from clipd.media.images import as_frame, write_jpeg
from clipd.model.resolution import parse_resolution

Format = Literal["jpeg", "npz"]


def write(
    around: Surroundings,
    loader: VideoLoader,
    numbers: Sequence[int],
    *,
    format: Format,
    quality: int,
    resolution: str | None,
) -> list[dict[str, Any]]:
    """Write the frames of these numbers, ascending, into the row's folder; what to say of each.

    A frame that is asked for more than once is one JPEG. Memory is one frame for JPEG, all of them for NPZ.
    """
    if format == "npz":
        return _npz(around, loader, numbers)
    box = parse_resolution(resolution) or (loader.width, loader.height)
    written: dict[int, str] = {}
    for done, number in enumerate(numbers):
        around.checkpoint("extracting frames", done, len(numbers))
        if number not in written:
            path = around.folder / f"frame_{number + loader.first_frame:06d}.jpg"
            write_jpeg(as_frame(loader.get_frame(number)), path, box, quality=quality, sar=Fraction(1))
            written[number] = path.name
    return [_facts(loader, number) | {"path": f"{around.below}/{written[number]}"} for number in numbers]


def extracted(
    around: Surroundings,
    loader: VideoLoader,
    numbers: Sequence[int],
    *,
    format: Format,
    quality: int,
    resolution: str | None,
) -> dict[str, Any]:
    """Write the frames of these numbers as `write` does; what the row's result says of them."""
    frames = write(around, loader, numbers, format=format, quality=quality, resolution=resolution)
    said = {"num_frames": len(frames), "width": loader.width, "height": loader.height, "frames": frames}
    return {**said, "path": f"{around.below}/frames.npz"} if format == "npz" else said


def _npz(around: Surroundings, loader: VideoLoader, numbers: Sequence[int]) -> list[dict[str, Any]]:
    """`frames.npz`: frames (N, height, width, 3) uint8 RGB, indices (N,) int64, seconds (N,) float64."""
    around.checkpoint("extracting frames", 0, len(numbers))
    path: Path = around.folder / "frames.npz"
    facts = [_facts(loader, number) for number in numbers]
    with translated(f"writing {path.name}"), path.open("wb") as file:
        np.savez(
            file,
            frames=loader.sample_indices(numbers),
            indices=np.asarray([fact["index"] for fact in facts], dtype=np.int64),
            seconds=np.asarray([fact["seconds"] for fact in facts], dtype=np.float64),
        )
    return facts


def _facts(loader: VideoLoader, number: int) -> dict[str, Any]:
    """The frame's number in the whole file, and its time from the first frame of the row's part."""
    return {"index": loader.first_frame + number, "seconds": round(loader.time(number), 6)}
