"""Frames at a rate: what each video shows every so many seconds, by the true times of its frames."""

from __future__ import annotations

from typing import Any

from clipd.errors import Rejected
from clipd.jobs.rows import pictures
from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.model.setting import Section, setting


class Settings(Section):
    """How many frames a second, and as what."""

    fps: float = setting(1.0, "Frames for each second.", unit="frames/s", gt=0, le=1000)
    max_frames: int = setting(10_000, "A row with more is refused, rather than filling the disk.", ge=1)
    format: pictures.Format = setting("jpeg", "jpeg: a file for each; npz: one file with arrays, held in memory.")
    quality: int = setting(2, "Of a JPEG: 2 is best, 31 is worst.", ge=2, le=31)
    resolution: str | None = setting(None, "A box that JPEGs are shrunk into, such as 480p or 320x240; null: none.")


def run(around: Surroundings, settings: Settings) -> dict[str, Any]:
    """The frames, with their numbers in the file and times.

    Raises:
        Rejected: they are more than the settings allow.
    """
    with around.loader() as loader:
        if loader.duration * settings.fps > settings.max_frames:
            raise Rejected(
                f"{loader.duration:.1f} s at {settings.fps:g} frames per second are more than {settings.max_frames} "
                "frames; ask for fewer, or raise max_frames"
            )
        numbers = loader.fps_indices(settings.fps).tolist()
        return pictures.extracted(
            around,
            loader,
            numbers,
            format=settings.format,
            quality=settings.quality,
            resolution=settings.resolution,
        )


FUNCTION = RowFunction("extract_frames", Settings, run)
