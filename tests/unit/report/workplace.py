"""A tree with a real, small video and sidecars, for the reports that look at both."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from clipd.jobs.clip import Settings
from clipd.media.door import Limits
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish

LIMITS = Limits()
CLIPS = Settings()


def clip(name: str = "goal", /, **more: Any) -> dict[str, Any]:
    """A clip to do: frames 10 to 19."""
    return {"id": name, "name": name, "start_frame": 10, "end_frame": 19, "status": "Process", **more}


class Workplace:
    """A tree at `root`; `film` is a video of 60 frames, 96x64, 25 a second."""

    def __init__(self, root: Path, film: Path) -> None:
        self.layout = Layout(root, Directories())
        self.film = film
        establish(self.layout)
        self.layout.sidecars.mkdir(parents=True)

    def add_video(self, name: str = "cam1/s1/match.mp4") -> Path:
        """Put the film into the source tree."""
        path = self.layout.source / name
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.film, path)
        return path

    def save(self, *clips: Any, name: str = "cam1/s1/match_clips.json", text: str | None = None) -> Path:
        """Save a sidecar."""
        path = self.layout.sidecars / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(clips, indent=1) if text is None else text)
        return path

    def everything(self) -> list[tuple[str, int]]:
        """All that lies in the tree, to see that nothing changed."""
        return sorted((str(path), path.lstat().st_mtime_ns) for path in self.layout.root.rglob("*"))
