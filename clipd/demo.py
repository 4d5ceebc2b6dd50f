"""The demonstration: a small tree with footage that clipd draws itself, and a sidecar that asks for four clips."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

from clipd.errors import ConfigError
from clipd.media.drawing import ball_at, draw_match
from clipd.newtree import make
from clipd.tree.layout import Layout

MARK = ".clipd-demo"
"""Lies in the root of every demonstration, so that a second run knows its own."""
SECONDS, RATE, WIDTH, HEIGHT = 24, 25, 1280, 720
PLACE = ("pitch_cam", "2026-05-01")


def prepare(root: Path, progress: Callable[[int, int], None]) -> tuple[Layout, Path]:
    """Make the tree at `root` and put footage and a sidecar into it; its layout and the sidecar.

    A demonstration that is there already is kept: a second run finds the clips as the first one left them.

    Raises:
        ConfigError: something else lies at `root`.
    """
    _claim(root)
    layout, _ = make(root, {"clips": {"formats": ["h264", "ffv1"]}, "sources": {"settle_seconds": 0.0}})
    video = layout.source.joinpath(*PLACE) / "match.mp4"
    sidecar = layout.sidecars.joinpath(*PLACE) / f"match{layout.directories.sidecar_suffix}"
    for folder in (video.parent, sidecar.parent):
        folder.mkdir(parents=True, exist_ok=True)
    if not video.exists():
        drawn = video.with_name(".match.part.mp4")
        draw_match(drawn, seconds=SECONDS, width=WIDTH, height=HEIGHT, rate=RATE, progress=progress)
        drawn.rename(video)
    if not sidecar.exists():
        sidecar.write_text(json.dumps(_clips(), indent=2) + "\n")
    return layout, sidecar


def _claim(root: Path) -> None:
    """Mark `root` as a demonstration, unless something else lies there."""
    mark = root / MARK
    if mark.exists():
        return
    if root.exists() and not (root.is_dir() and next(root.iterdir(), None) is None):
        raise ConfigError(f"{root} is not empty; name an empty folder, or one that is not there yet")
    root.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _clips() -> list[dict[str, object]]:
    source = "/".join((*PLACE, "match.mp4"))
    whole = {"source_path": source, "status": "Process", "export_path": None}
    centre = {"100": [400, 180, 480, 360]}
    follow = {str(frame): _around_ball(frame) for frame in range(250, 400, 5)}
    return [
        {"id": "c1", "name": "kick_off", "start_frame": 0, "end_frame": 99, **whole},
        {"id": "c2", "name": "centre", "start_frame": 100, "end_frame": 224, "crop_keyframes": centre, **whole},
        {
            "id": "c3",
            "name": "follow_the_ball",
            "start_frame": 250,
            "end_frame": 399,
            "crop_keyframes": follow,
            **whole,
        },
        {"id": "c4", "name": "last_seconds", "start": "00:00:20", "end": 24, "output_resolution": "360p", **whole},
        {"id": "c5", "name": "not_yet", "start_frame": 450, "end_frame": 480, **whole, "status": "Draft"},
    ]


def _around_ball(frame: int) -> list[int]:
    x, y = ball_at(frame, RATE, WIDTH, HEIGHT)
    return [min(max(x - 160, 0), WIDTH - 320), min(max(y - 120, 0), HEIGHT - 240), 320, 240]
