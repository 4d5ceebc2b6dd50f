"""The numbers of a run over a dataset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

ERRORS_SHOWN = 100
"""How many failures the numbers name; all of them stand in the results."""


@dataclass(frozen=True)
class RowError:
    """One failure, named by its line."""

    line: int
    id: str | None
    kind: str
    message: str


@dataclass(frozen=True)
class ProcessingStats:
    """How far a dataset is, over all its runs; `processed + failed + skipped == total_videos`.

    A row counts as a video: one that stands in three rows counts three times.
    """

    total_videos: int = 0
    """Rows of the table."""
    processed: int = 0
    """Rows with a result."""
    failed: int = 0
    skipped: int = 0
    """Rows that were not run: the run was stopped before them, or was asked for others."""
    resumed: int = 0
    """Rows that an earlier run had finished, with a result or a failure; they count above too."""
    total_time: float = 0.0
    """Seconds of work on all finished rows, whoever did it."""
    wall_time: float = 0.0
    """Seconds that this run took."""
    errors: tuple[RowError, ...] = ()
    """The first failures, by line; at most `ERRORS_SHOWN`."""

    @property
    def success_rate(self) -> float:
        """The part of the finished rows that have a result, 0 to 1."""
        return self.processed / max(1, self.processed + self.failed)

    @property
    def avg_time_per_video(self) -> float:
        """Seconds of work per finished row."""
        return self.total_time / max(1, self.processed + self.failed)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as in `processing_stats.json`; times in seconds to the millisecond."""
        return {
            "total_videos": self.total_videos,
            "processed": self.processed,
            "failed": self.failed,
            "skipped": self.skipped,
            "resumed": self.resumed,
            "success_rate": round(self.success_rate, 6),
            "total_time": round(self.total_time, 3),
            "wall_time": round(self.wall_time, 3),
            "avg_time_per_video": round(self.avg_time_per_video, 3),
            "errors": [
                {key: value for key, value in vars(error).items() if value is not None} for error in self.errors
            ],
        }
