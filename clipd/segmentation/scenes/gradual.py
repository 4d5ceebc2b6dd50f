"""`gradual`: fades from and to one colour, and dissolves.

In a dissolve every picture is a mixture of the last of one shot and the first of the next: it lies on the straight line
between them. So for spans of several lengths the pictures inside are projected on the line from the first to the last.
A gradual change moves along it steadily, stays near it and, as mixing blurs, has less detail half way than its ends
have; these show different shots, not one that became brighter. A fade is the same with one colour at one end.

Pictures are compared as gists, a few hundred numbers each, so that motion inside the shots weighs little, and all
distances come out of one table of products, kept for the longest span.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance, Rows
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut

Numbers = NDArray[np.float32]


class Settings(Section):
    """What is a gradual change."""

    spans: tuple[int, ...] = setting(
        (8, 12, 18, 26, 38, 56, 80), "The lengths looked at; a shorter change is found in a longer span too.",
        unit="frames", min_length=1,
    )  # fmt: skip
    least_frames: int = setting(4, "A change with fewer mixed frames is a hard cut.", unit="frames", ge=2)
    least_distance: float = setting(
        14.0, "How far apart the ends must be, brightness as a whole left out; root mean square over the gists.",
        unit="steps of 0..255", gt=0,
    )  # fmt: skip
    stray: float = setting(
        0.1, "How far mixed pictures may lie off the line, squared, as a share of the line's length squared.", gt=0
    )
    jump: float = setting(0.25, "A single step longer than this share of the line is a cut.", gt=0, le=1)
    backward: float = setting(0.1, "How far a step may go back: motion and flicker do.", ge=0, le=1)
    detail: float = setting(
        0.75, "Half way there is at most this share of the ends' detail; 0.5 in theory, 1 where nothing is mixed.", gt=0
    )
    likeness: float = setting(0.6, "Above this correlation both ends show one shot.", gt=0, le=1)
    flat: float = setting(
        4.0, "A gist that deviates less than this from its mean shows one colour.", unit="steps of 0..255", gt=0
    )
    margin: float = setting(0.06, "This close to an end of the line a picture counts as not mixed.", gt=0, lt=0.5)
    fade_in_margin: float = setting(
        0.2, "The same for the bright end of a fade-in, which the eye takes as done early.", gt=0, lt=0.5
    )
    gist_width: int = setting(16, "How wide gists are: narrower forgives more motion.", unit="pixels", ge=4, le=64)
    detail_width: int = setting(
        80,
        "How wide the pictures are that detail is measured in: narrower sees less grain.",
        unit="pixels",
        ge=16,
        le=160,
    )


@dataclass(frozen=True)
class Found:
    """A gradual change, as a cut; where two overlap the one of more `weight` is right."""

    cut: Cut
    first: int
    weight: float

    def overlaps(self, other: Found) -> bool:
        """Whether both share a frame."""
        return self.first < other.cut.frame and other.first < self.cut.frame


class Table:
    """What is known of the last `size` frames: all by frame number modulo `size`."""

    def __init__(self, size: int, gist_width: int, detail_width: int) -> None:
        self.size = size
        self._width, self._detail_width = gist_width, detail_width
        self._gists: Numbers = np.zeros((size, 0), np.float32)
        self.products: Numbers = np.zeros((size, size), np.float32)
        self.means: Numbers = np.zeros(size, np.float32)
        self.details: Numbers = np.zeros(size, np.float32)
        self.seconds = np.zeros(size, np.float64)

    def add(self, glance: Glance) -> None:
        """Takes the place of the frame `size` frames ago."""
        place = glance.number % self.size
        gist, mean = self._gist(glance)
        if self._gists.shape[1] != gist.size:
            self._gists = np.zeros((self.size, gist.size), np.float32)
        self._gists[place] = gist
        self.products[place] = self.products[:, place] = self._gists @ gist
        self.means[place] = mean
        self.details[place] = _detail(_scaled(glance.luma, self._detail_width))
        self.seconds[place] = glance.seconds

    def _gist(self, glance: Glance) -> tuple[Numbers, float]:
        """The gist, scaled so that products are means over its luma; and the mean of its luma."""
        luma = _scaled(glance.luma, self._width)
        half = (self._width // 2, luma.shape[0] // 2)
        blue, red = (cv2.resize(plane, half, interpolation=cv2.INTER_AREA) for plane in glance.chroma)
        gist = np.concatenate((luma, blue, red), axis=None, dtype=np.float32)
        gist[luma.size :] -= 128
        return gist / np.float32(np.sqrt(luma.size)), float(luma.mean())


def _scaled(luma: Rows, width: int) -> Rows:
    height = max(2, round(width * luma.shape[0] / luma.shape[1]))
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _detail(luma: Rows) -> float:
    """The mean squared difference of neighbouring pixels."""
    across = cv2.norm(luma[:, 1:], luma[:, :-1], cv2.NORM_L2SQR)
    down = cv2.norm(luma[1:], luma[:-1], cv2.NORM_L2SQR)
    return float(across + down) / luma.size


class Gradual:
    """Finds gradual changes."""

    name: ClassVar[str] = "gradual"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._table = Table(max(settings.spans) + 1, settings.gist_width, settings.detail_width)
        self._open: list[Found] = []
        self._cuts: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame and looks at the spans that end there."""
        self._table.add(glance)
        for span in self._settings.spans:
            if glance.number >= span and glance.number % max(1, span // 8) == 0:
                found = self._look(glance.number - span, glance.number)
                if found:
                    self._weigh(found)
        while self._open and self._open[0].cut.frame <= glance.number - self._table.size:
            self._cuts.append(self._open.pop(0).cut)

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        return (*self._cuts, *(found.cut for found in self._open))

    def _weigh(self, found: Found) -> None:
        rivals = [other for other in self._open if other.overlaps(found)]
        if all(found.weight > other.weight for other in rivals):
            kept = [other for other in self._open if other not in rivals]
            self._open = sorted([*kept, found], key=lambda entry: entry.cut.frame)

    def _look(self, first: int, last: int) -> Found | None:
        """The gradual change between two frames, if that is what there is."""
        settings, table = self._settings, self._table
        begin, end = first % table.size, last % table.size
        kind = self._kind(begin, end)
        if kind is None:
            return None
        places = np.arange(first, last + 1) % table.size
        products = table.products
        length = float(products[begin, begin] + products[end, end] - 2 * products[begin, end])
        line = products[end, places] - products[begin, places]
        line = (line - line[0]) / length
        along = line if kind == "dissolve" else self._faded(places, begin if kind == "fade-in" else end, length)
        steps = along[1:] - along[:-1]
        upper = settings.fade_in_margin if kind == "fade-in" else settings.margin
        mixed = np.flatnonzero((along > settings.margin) & (along < 1 - upper))
        if steps.max() > settings.jump or steps.min() < -settings.backward or len(mixed) < settings.least_frames:
            return None
        stray = 0.0
        if kind == "dissolve":
            off = products[places, places] - 2 * products[begin, places] + products[begin, begin]
            stray = float((off / length - line**2)[mixed].mean())
        if stray > settings.stray or self._detail(places, along) > settings.detail:
            return None
        score = float(np.clip(1 - stray / settings.stray, 0.01, 1))
        after = int(mixed[-1]) + 1
        seconds = float(table.seconds[places[after]])
        cut = Cut(first + after, seconds, score, self.name, kind, first + int(mixed[0]))
        return Found(cut, first + int(mixed[0]), length * score / (last - first) ** 0.5)

    def _faded(self, places: NDArray[np.intp], flat: int, length: float) -> Numbers:
        """How far each picture is on its way from the first to the last, by its distance to the one of one colour.

        That distance does not mind motion inside the shot.
        """
        products = self._table.products
        squares = products[places, places] - 2 * products[flat, places] + products[flat, flat]
        away = np.sqrt(np.maximum(squares, 0) / np.float32(length))
        return np.asarray(away if flat == places[0] else 1 - away, np.float32)

    def _detail(self, places: NDArray[np.intp], along: Numbers) -> float:
        """The detail half way, as a share of what the ends have."""
        middle = (along > 0.25) & (along < 0.75)
        details = self._table.details[places]
        ends = (1 - along) * details[0] + along * details[-1]
        return float((details[middle] / np.maximum(ends[middle], 1e-3)).mean()) if middle.any() else 1.0

    def _kind(self, begin: int, end: int) -> str | None:
        """What the change is called; None where both ends show the same shot."""
        settings, products, means = self._settings, self._table.products, self._table.means
        before = float(products[begin, begin]) - float(means[begin]) ** 2
        after = float(products[end, end]) - float(means[end]) ** 2
        common = float(products[begin, end]) - float(means[begin]) * float(means[end])
        if before + after - 2 * common < settings.least_distance**2:
            return None
        if min(before, after) < settings.flat**2:
            return "fade-in" if before < after else "fade-out"
        return "dissolve" if common < settings.likeness * (before * after) ** 0.5 else None
