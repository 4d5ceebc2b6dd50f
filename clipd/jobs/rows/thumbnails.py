"""Small pictures of each video, from the middles of equal parts of it."""

from __future__ import annotations

from typing import Any

from clipd.jobs.rows import pictures
from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.model.setting import Section, setting


class Settings(Section):
    """How many, and how large."""

    count: int = setting(1, "Pictures of each row; one shows its middle.", ge=1, le=1000)
    width: int = setting(320, "The box that each is fitted into: width.", unit="pixels", ge=16, le=8192)
    height: int = setting(180, "The box that each is fitted into: height.", unit="pixels", ge=16, le=8192)
    quality: int = setting(3, "2 is best, 31 is worst.", ge=2, le=31)


def run(around: Surroundings, settings: Settings) -> dict[str, Any]:
    """The pictures, with the numbers of their frames and times."""
    with around.loader() as loader:
        parts = 2 * settings.count
        numbers = [loader.total_frames * part // parts for part in range(1, parts, 2)]
        thumbnails = pictures.write(
            around,
            loader,
            numbers,
            format="jpeg",
            quality=settings.quality,
            resolution=f"{settings.width}x{settings.height}",
        )
    return {"thumbnails": thumbnails}


FUNCTION = RowFunction("thumbnails", Settings, run)
