"""Frames spread evenly over each video, or over the part of it that a row names."""

from __future__ import annotations

from typing import Any

from clipd.jobs.rows import pictures
from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.model.setting import Section, setting


class Settings(Section):
    """How many frames, and as what."""

    num_frames: int = setting(16, "Frames of each row, the first and the last among them.", ge=1, le=100_000)
    format: pictures.Format = setting("jpeg", "jpeg: a file for each; npz: one file with arrays.")
    quality: int = setting(2, "Of a JPEG: 2 is best, 31 is worst.", ge=2, le=31)
    resolution: str | None = setting(None, "A box that JPEGs are shrunk into, such as 480p or 320x240; null: none.")


def run(around: Surroundings, settings: Settings) -> dict[str, Any]:
    """The frames, with their numbers in the file and times."""
    with around.loader() as loader:
        numbers = loader.uniform_indices(settings.num_frames).tolist()
        return pictures.extracted(
            around,
            loader,
            numbers,
            format=settings.format,
            quality=settings.quality,
            resolution=settings.resolution,
        )


FUNCTION = RowFunction("extract_keyframes", Settings, run)
