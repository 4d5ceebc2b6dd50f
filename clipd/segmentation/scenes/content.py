"""`content`: a cut is where brightness and colour change by more than a threshold.

The change is the weighted mean of the mean absolute differences of luma and of both chroma planes. Simple and quick to
understand; fast motion and flashes fool it.
"""

from __future__ import annotations

from typing import ClassVar

from clipd.media.glance import Glance
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut


class Weights(Section):
    """How luma and chroma are weighed against each other."""

    luma: float = setting(1.0, "The weight of the change of luma.", ge=0)
    chroma: float = setting(
        1.0, "The weight of each chroma plane's change; colours differ less than brightness does.", ge=0
    )


class Settings(Weights):
    """How much change makes a cut, and how soon the next may follow."""

    threshold: float = setting(13.0, "A change above this is a cut.", unit="steps of 0..255", gt=0)
    shortest_seconds: float = setting(
        0.25, "No cut this soon after another: of a flurry of changes only the first counts.", unit="s", ge=0
    )


class Change:
    """Tells how much a frame differs from the one before."""

    def __init__(self, weights: Weights) -> None:
        total = weights.luma + 2 * weights.chroma or 1.0
        self._luma, self._chroma = weights.luma / total, weights.chroma / total

    def of(self, glance: Glance) -> float:
        """0..255, the weighted mean over the planes; 0 for the first frame."""
        luma, blue, red = glance.changes
        return self._luma * luma + self._chroma * (blue + red)


class Content:
    """Finds frames that differ from the one before by more than a threshold."""

    name: ClassVar[str] = "content"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._change = Change(settings)
        self._cuts: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame."""
        change = self._change.of(glance)
        if change <= self._settings.threshold:
            return
        if self._cuts and glance.seconds - self._cuts[-1].seconds < self._settings.shortest_seconds:
            return
        score = min(1.0, change / (2 * self._settings.threshold))
        self._cuts.append(Cut(glance.number, glance.seconds, score, self.name))

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        return tuple(self._cuts)
