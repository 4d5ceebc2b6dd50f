"""`shots`, the default: hard cuts and gradual changes, told from motion, flashes and changes of light.

A frame that changes more than those beside it is a candidate, and looked at closely: is what was seen before found
again after it, wherever it moved and however bright it is now (`seen_again`), be it frames later, as after a flash?
How different are the colours, beyond what they differ by anyway at this moment? How far does the change stand out? The
three answers are weighed by a logistic function, whose weights were fitted to eye-checked and made films
(`scripts/bench/scenes.py`). The close look costs a few milliseconds, but few frames get it, and most of these not for
long. Fades and dissolves come from `gradual`; hard cuts inside of them are left out.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from itertools import chain
from math import exp, log
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance, Rows
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes.bars import Seen
from clipd.segmentation.scenes.content import Change, Weights
from clipd.segmentation.scenes.gradual import Gradual
from clipd.segmentation.scenes.gradual import Settings as GradualSettings
from clipd.segmentation.scenes.seen_again import Settings as SeenAgainSettings
from clipd.segmentation.scenes.seen_again import correlation, seen_again


class Settings(Section):
    """What is a candidate, and what a cut."""

    threshold: float = setting(0.3, "A cut is at least this sure.", gt=0, lt=1)
    least_change: float = setting(
        1.0, "A smaller change of the picture is never looked at.", unit="steps of 0..255", ge=0
    )
    prominence: float = setting(
        1.15, "A candidate changes the picture this many times as much as the frames around do, by their median.", ge=1
    )
    flash_frames: int = setting(
        4, "What is seen again within so many frames was interrupted by a flash, not cut.", unit="frames", ge=1, le=16
    )
    still: float = setting(
        0.85, "Above this correlation pixel by pixel nothing moved, and a close look is not needed.", gt=0, le=1
    )
    returning: float = setting(
        0.5, "What a flash interrupted comes back by a change this large, as a share of the candidate's; frames that "
        "change less after it show what it showed.", ge=0, le=1
    )  # fmt: skip
    mixed_stray: float = setting(
        0.1, "A frame this near to the line between its neighbours is a mixture of both, as after a change of the "
        "frame rate; squared, as a share of the line's length squared.", ge=0, le=1
    )  # fmt: skip
    same: float = setting(0.68, "More alike than this is one shot, whatever the colours do.", gt=0, le=1)
    bias: float = setting(2.7, "The logistic function's constant term.")
    likeness_weight: float = setting(-11.7, "Its weight of the likeness (0..1) of the frames before and after.")
    colour_weight: float = setting(14.4, "Its weight of the difference (-0.2..0.3) of their colours.")
    prominence_weight: float = setting(2.0, "Its weight of the logarithm (-1..1.5) of how far the change stands out.")
    picture_width: int = setting(
        80, "How wide the pictures are that are looked at closely.", unit="pixels", ge=40, le=160
    )
    compare: SeenAgainSettings = setting(SeenAgainSettings(), "How pictures are compared.")
    gradual: GradualSettings = setting(GradualSettings(), "What is a gradual change.")


class Frame(Seen):
    """A frame as it is kept for a while; `change` from the one before, as in `content`."""

    worked_out = "luma", "colours"

    def __init__(self, glance: Glance, change: float, width: int) -> None:
        self.number, self.seconds, self.change = glance.number, glance.seconds, change
        self._glance, self._width = glance, width

    @cached_property
    def luma(self) -> Rows:
        """(H, W) uint8, W at most `width`, without bars."""
        part = self._area.of(self._glance.luma)
        high, wide = part.shape
        width = min(self._width, wide)
        size = width, max(8, round(width * high / wide))
        return np.asarray(cv2.resize(part, size, interpolation=cv2.INTER_AREA), np.uint8)

    @cached_property
    def colours(self) -> NDArray[np.float32]:
        """(96,) the shares of pixels by luma, U and V, 32 steps of each; of chroma the middle half, where it all is."""
        blue, red = (self._area.of(plane) for plane in self._glance.chroma)
        planes = ((self.luma, [0, 256]), (blue, [64, 192]), (red, [64, 192]))
        shares = [cv2.calcHist([plane], [0], None, [32], limits).ravel() / plane.size for plane, limits in planes]
        return np.concatenate(shares).astype(np.float32)


class Shots:
    """Finds hard cuts and gradual changes."""

    name: ClassVar[str] = "shots"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._side = settings.flash_frames + 1
        self._change = Change(Weights(luma=1.0, chroma=0.5))
        self._gradual = Gradual(settings.gradual)
        self._seen: deque[Frame] = deque(maxlen=2 * self._side + 1)
        self._hard: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame and judges one a few frames back."""
        self._gradual.feed(glance)
        self._seen.append(Frame(glance, self._change.of(glance), self._settings.picture_width))
        self._judge(len(self._seen) - 1 - self._side)

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        for place in range(max(1, len(self._seen) - self._side), len(self._seen)):
            self._judge(place)
        soft = [replace(cut, detector=self.name) for cut in self._gradual.finish()]
        hard = [cut for cut in self._hard if not any(_is_within(cut, change) for change in soft)]
        return tuple(sorted([*soft, *hard], key=lambda cut: cut.frame))

    def _judge(self, place: int) -> None:
        if place >= 1 and self._is_candidate(place):
            for seen in self._seen:
                seen.seen_in(self._gradual.area)
            before, after = self._sides(place)
            certainty = self._certainty(before, after)
            if certainty >= self._settings.threshold:
                self._hard.append(Cut(self._seen[after].number, self._seen[after].seconds, certainty, self.name))

    def _sides(self, place: int) -> tuple[int, int]:
        """The last frame of one shot and the first of the next, if a cut is at `place`; one may lie between, mixed."""
        for before, after in ((place - 1, place + 1), (place - 2, place)):
            if before >= 0 and after < len(self._seen) and self._is_mixed(before, after):
                return before, after
        return place - 1, place

    def _is_mixed(self, before: int, after: int) -> bool:
        """Does the frame between two others lie on the line between them, as when fields or frames were blended?"""
        first, middle, last = (self._seen[place].luma.astype(np.float32) for place in range(before, after + 1))
        whole, part = (last - first).ravel(), (middle - first).ravel()
        length = float(whole @ whole)
        along = float(whole @ part) / max(length, 1.0)
        stray = float(part @ part) / max(length, 1.0) - along**2
        return 0.15 < along < 0.85 and stray < self._settings.mixed_stray

    def _is_candidate(self, place: int) -> bool:
        change = self._seen[place].change
        if change < self._settings.least_change or change < self._seen[place - 1].change * (place > 1):
            return False
        if change < self._changed(place + 1):
            return False
        around = sorted(self._changed(place + step) for step in range(-4, 5))
        return change > self._settings.prominence * around[4]

    def _changed(self, place: int) -> float:
        return self._seen[place].change if 1 <= place < len(self._seen) else 0.0

    def _certainty(self, before: int, after: int) -> float:
        """How sure a cut between two frames is, 0..1; looks no further once it is sure that there is none."""
        settings, seen = self._settings, self._seen
        # What did not move is found again at its own place: that is quickly seen.
        alike = correlation(seen[before].luma, seen[after].luma, settings.compare)
        if alike > settings.still:
            return 0.0
        change = max(self._changed(place) for place in range(before + 1, after + 1))
        beside = sum(self._changed(place) for place in (before - 1, before, after + 1, after + 2)) / 4
        evidence = settings.bias + settings.prominence_weight * _within(log(change / (beside + 0.5)), -1.0, 1.5)
        if _logistic(evidence + settings.colour_weight * 0.3 + settings.likeness_weight * alike) < settings.threshold:
            return 0.0
        pairs = tuple(self._across(before, after))
        evidence += settings.colour_weight * _within(self._recoloured(before, after, pairs), -0.2, 0.3)
        certainty = _logistic(evidence + settings.likeness_weight * alike)
        if certainty < settings.threshold:
            return 0.0
        for first, second in pairs:
            alike = max(alike, self._alike(first, second))
            certainty = _logistic(evidence + settings.likeness_weight * alike)
            if alike > settings.same or certainty < settings.threshold:
                return 0.0
        return certainty

    def _across(self, before: int, after: int) -> Iterator[tuple[int, int]]:
        """The pairs of frames with the candidate's change between them, at most a flash apart.

        The first pair, and those in which enough changed since for the same to be back.
        """
        yield before, after
        enough = self._settings.returning * max(self._changed(place) for place in range(before + 1, after + 1))
        gaps = range(1, self._settings.flash_frames + 1)
        wider = chain([(1, 1)], ((0, gap) for gap in gaps), ((gap, 0) for gap in gaps))
        for first, second in ((before - back, after + on) for back, on in wider):
            if first < 0 or second >= len(self._seen):
                continue
            beyond = chain(range(first + 1, before + 1), range(after + 1, second + 1))
            if sum(self._changed(place) for place in beyond) >= enough:
                yield first, second

    def _alike(self, first: int, second: int) -> float:
        found = seen_again(self._seen[first].luma, self._seen[second].luma, self._settings.compare)
        if found is None:
            return 1.0 - self._distance(first, second)
        return found

    def _recoloured(self, before: int, after: int, pairs: Sequence[tuple[int, int]]) -> float:
        """How much more the colours change here than they do right before and after; -1..1."""
        here = self._distance(before, after)
        returned = min(self._distance(first, second) for first, second in pairs)
        nearby = max(self._distance(first, first + 1) for first in (before - 2, before - 1, after, after + 1))
        return (here + returned) / 2 - nearby

    def _distance(self, first: int, second: int) -> float:
        """Of the colours of two frames, 0..1; 0 where one is not there."""
        if first < 0 or second >= len(self._seen):
            return 0.0
        return cv2.norm(self._seen[first].colours, self._seen[second].colours, cv2.NORM_L1) / 6


def _is_within(cut: Cut, change: Cut) -> bool:
    return change.start_frame is not None and change.start_frame <= cut.frame <= change.frame


def _within(value: float, least: float, most: float) -> float:
    return min(max(value, least), most)


def _logistic(value: float) -> float:
    return 1 / (1 + exp(-value))
