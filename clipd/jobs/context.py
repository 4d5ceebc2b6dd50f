"""What a running job may use; made by the lifecycle for each attempt."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clipd.media.door import Limits


@dataclass(frozen=True)
class Context:
    """The surroundings of one run."""

    staging: Path
    """An empty folder on the destination's filesystem; every file is written into it, flat."""
    source: Path
    """The source video, absolute."""
    source_name: str
    """The same relative to the root, for people."""
    cache: Path | None
    """A local folder for what only speeds things up."""
    threads: int
    """Codec threads that this worker may use."""
    limits: Limits
    checkpoint: Callable[[str, int, int], None]
    """`checkpoint(stage, done, total)`: call it for every frame. It is cheap; it raises when the job must stop."""
    last_words: str = ""
    """How the former attempt's process was lost, if it was, and by its own doing."""
