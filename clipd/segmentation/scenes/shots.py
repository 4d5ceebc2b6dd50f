"""`shots`, the default: hard cuts and gradual changes, told from motion, flashes and changes of light.

A frame that changes more than its neighbours is a candidate. Whether it is a cut is then looked at closely: what was
seen before must not be found again after it, neither moved nor brighter (`likeness`), while the frames on either side
are like each other; and what was seen before must not come back a few frames later, as after a flash. The close look
costs a millisecond, but only candidates get it. Fades and dissolves come from `gradual`; hard cuts inside are dropped.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np

from clipd.media.glance import Glance, Rows
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes.content import Change, Weights
from clipd.segmentation.scenes.gradual import Gradual
from clipd.segmentation.scenes.gradual import Settings as GradualSettings
from clipd.segmentation.scenes.likeness import Settings as LikenessSettings
from clipd.segmentation.scenes.likeness import likeness

PICTURE_WIDTH = 80


class Settings(Section):
    """What is a candidate, and what a cut."""

    least_change: float = setting(
        1.5, "A smaller change of luma and chroma (as in `content`) is never looked at.", unit="steps of 0..255", ge=0
    )
    prominence: float = setting(
        1.15, "A candidate changes the picture this many times as much as the frames around do, by their median.", ge=1
    )
    likeness: float = setting(
        0.62, "Above this what was seen before is found again: the same shot, in motion or another light.", gt=0, le=1
    )
    drop: float = setting(
        0.15, "By this much at least both sides must be more alike in themselves than to each other.", ge=0, le=1
    )
    flash_frames: int = setting(
        4, "What returns within so many frames was interrupted by a flash, not cut.", unit="frames", ge=0, le=16
    )
    compare: LikenessSettings = setting(LikenessSettings(), "How pictures are compared.")
    gradual: GradualSettings = setting(GradualSettings(), "What is a gradual change.")


@dataclass(frozen=True)
class Seen:
    """A frame as it is kept for a while; `change` from the one before, as in `content`."""

    number: int
    seconds: float
    change: float
    picture: Rows


class Shots:
    """Finds hard cuts and gradual changes."""

    name: ClassVar[str] = "shots"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._side = max(5, settings.flash_frames + 1)
        self._change = Change(Weights())
        self._gradual = Gradual(settings.gradual)
        self._seen: deque[Seen] = deque(maxlen=2 * self._side + 1)
        self._hard: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame and judges one a few frames back."""
        self._gradual.feed(glance)
        height = max(8, round(PICTURE_WIDTH * glance.luma.shape[0] / glance.luma.shape[1]))
        picture = cv2.resize(glance.luma, (PICTURE_WIDTH, height), interpolation=cv2.INTER_AREA)
        self._seen.append(Seen(glance.number, glance.seconds, self._change.of(glance), np.asarray(picture, np.uint8)))
        self._judge(len(self._seen) - 1 - self._side)

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        for place in range(max(1, len(self._seen) - self._side), len(self._seen)):
            self._judge(place)
        soft = [Cut(**{**vars(cut), "detector": self.name}) for cut in self._gradual.finish()]
        hard = [cut for cut in self._hard if not any((s.start_frame or 0) <= cut.frame <= s.frame for s in soft)]
        return tuple(sorted([*soft, *hard], key=lambda cut: cut.frame))

    def _judge(self, place: int) -> None:
        if place >= 1 and self._is_candidate(place):
            score = self._certainty(place)
            if score > 0:
                seen = self._seen[place]
                self._hard.append(Cut(seen.number, seen.seconds, score, self.name))

    def _is_candidate(self, place: int) -> bool:
        seen, change = self._seen, self._seen[place].change
        around = [seen[other].change for other in range(max(1, place - 4), min(len(seen), place + 5))]
        nearest = [seen[other].change for other in (place - 1, place + 1) if 1 <= other < len(seen)]
        return (
            change >= self._settings.least_change
            and change >= max(nearest, default=0.0)
            and change > self._settings.prominence * float(np.median(around)) * (len(around) > 1)
        )

    def _certainty(self, place: int) -> float:
        """How sure a cut is, 0..1; 0 is none."""
        settings = self._settings
        across = self._alike(place - 1, place)
        if across > settings.likeness:
            return 0.0
        within = max(self._alike(place - 2, place - 1), 0.0), max(self._alike(place, place + 1), 0.0)
        if across > min(within) - settings.drop:
            return 0.0
        for gap in range(1, settings.flash_frames + 1):
            if max(self._alike(place - 1, place + gap), self._alike(place - 1 - gap, place)) > settings.likeness:
                return 0.0
        return 1.0 - across

    def _alike(self, first: int, second: int) -> float:
        """How alike two of the kept frames are; a frame that is not there is like none."""
        if first < 0 or second >= len(self._seen):
            return 1.0 if second - first == 1 else 0.0
        pictures = self._seen[first].picture, self._seen[second].picture
        found = likeness(*pictures, self._settings.compare)
        if found is None:
            return 1.0 if abs(float(pictures[0].mean()) - float(pictures[1].mean())) < 8 else 0.0
        return found
