"""`scene`: the score that FFmpeg's `select='gt(scene,0.3)'` decides on.

Between successive frames it is min(m, |m - m'|) / 100, m the mean absolute difference of luma on 0..255 (range kept as
coded), m' the one before (documented with FFmpeg's `select` and `scdet` filters). It looks back only, so it can decide
at once; it is blind to a cut right after one, and to cuts between shots of like brightness.
"""

from __future__ import annotations

from typing import ClassVar

from clipd.media.glance import Glance
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut


class Settings(Section):
    """How much change makes a cut."""

    threshold: float = setting(
        0.3, "A frame whose score exceeds this begins a shot; 0.3 is the recipe most people use.", gt=0, le=1
    )


class SceneScore:
    """Yields the score of each frame."""

    def __init__(self) -> None:
        self._before = 0.0

    def of(self, change: float) -> float:
        """0..1, of a frame with this mean absolute difference of luma; 0 for the first frame."""
        before, self._before = self._before, change
        return min(change, abs(change - before), 100.0) / 100


class Scene:
    """Finds frames whose score exceeds the threshold."""

    name: ClassVar[str] = "scene"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._score = SceneScore()
        self._cuts: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame."""
        score = self._score.of(glance.changes[0])
        if score > self._settings.threshold:
            self._cuts.append(Cut(glance.number, glance.seconds, score, self.name))

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        return tuple(self._cuts)
