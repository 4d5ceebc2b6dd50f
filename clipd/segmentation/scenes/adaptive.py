"""`adaptive`: a cut is where the picture changes far more than it does in the frames around.

The same change as `content`, divided by its mean over a few frames on either side: fast motion raises both. It decides
a few frames late, which nobody notices.
"""

from __future__ import annotations

from collections import deque
from typing import ClassVar

from clipd.media.glance import Glance
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes.content import Change, Weights


class Settings(Weights):
    """How far a cut must stand out."""

    ratio: float = setting(3.0, "A cut changes the picture this many times as much as the frames around do.", gt=1)
    least_change: float = setting(
        7.0, "Below this nothing is a cut, however quiet the rest.", unit="steps of 0..255", ge=0
    )
    window_frames: int = setting(2, "How many frames on either side are the neighbourhood.", unit="frames", ge=1, le=60)


class Adaptive:
    """Finds frames that stand out of their neighbourhood."""

    name: ClassVar[str] = "adaptive"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._change = Change(settings)
        self._window: deque[tuple[int, float, float]] = deque(maxlen=2 * settings.window_frames + 1)
        self._cuts: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame and judges the one in the middle of the window."""
        self._window.append((glance.number, glance.seconds, self._change.of(glance)))
        self._judge(len(self._window) - 1 - self._settings.window_frames)

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        for place in range(max(1, len(self._window) - self._settings.window_frames), len(self._window)):
            self._judge(place)
        return tuple(self._cuts)

    def _judge(self, place: int) -> None:
        if place < 1 or len(self._window) < 3:
            return
        number, seconds, change = self._window[place]
        side = self._settings.window_frames
        near = [entry[2] for entry in list(self._window)[max(0, place - side) : place + side + 1] if entry[0]]
        around = (sum(near) - change) / max(1, len(near) - 1)
        ratio = change / max(around, change / 1e3, 1e-6)
        if change >= self._settings.least_change and ratio >= self._settings.ratio:
            self._cuts.append(Cut(number, seconds, min(1.0, ratio / (2 * self._settings.ratio)), self.name))
