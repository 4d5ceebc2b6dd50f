"""`gradual`: fades from and to one colour, and dissolves.

In a dissolve every picture is a mixture of the last of one shot and the first of the next: it lies on the straight line
between them. So for spans of several lengths the pictures inside are projected on the line from the first to the last.
A gradual change moves along it steadily, stays near it and, as mixing blurs, has less detail half way than its ends
have; these show different shots, not one that became brighter. A fade is the same with one colour at one end.

Pictures are compared as gists, a few hundred numbers each, so that motion inside the shots weighs little. A dozen of
them a second tell where a gradual change may be, by its ends and its middle; every frame is looked at only there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance, Rows
from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes.bars import WHOLE, Area, Bars, Seen
from clipd.segmentation.scenes.bars import Settings as BarsSettings

Numbers = NDArray[np.float32]

ROOM: Final = 2.0
"""The one picture half way may stray this many times as far as all of them together."""
LONGEST_STEP: Final = 0.85
"""A step from sample to sample that is longer, as a share of the line, is a cut, however short the span."""
STEPS: Final = 4.0
"""A change that fills its span takes at least a quarter of it: no step is longer than this, divided by the span."""
BACK: Final = 2.0
"""How many times as far a step from sample to sample may lead back as one from frame to frame."""
BARS_EVERY: Final = 8
"""Every how many of the pictures looked at first are looked through for bars."""
SLACK: Final = 1e-3
"""Part of a step that rounding may take from a time."""


class Settings(Section):
    """What is a gradual change."""

    per_second: float = setting(
        12.5, "How many pictures a second are looked at first, at most; the frames between only where a change may be.",
        unit="1/s", gt=0,
    )  # fmt: skip
    least_change: float = setting(
        0.75, "What changed less than this since the last one is not looked at, ...", unit="steps of 0..255", ge=0
    )
    longest_seconds: float = setting(0.4, "... unless so much time has passed.", unit="s", ge=0)
    spans: tuple[int, ...] = setting(
        (3, 4, 6, 9, 13, 18, 27), "The lengths looked at; a shorter change is found in a longer span too.",
        unit="pictures looked at first", min_length=1,
    )  # fmt: skip
    least_frames: int = setting(4, "A change with fewer mixed frames is a hard cut.", unit="frames", ge=2)
    least_distance: float = setting(
        14.0, "How far apart the ends must be, brightness as a whole left out; root mean square over the gists.",
        unit="steps of 0..255", gt=0,
    )  # fmt: skip
    least_fade: float = setting(
        8.0, "The same where one end shows one colour and nothing else.", unit="steps of 0..255", gt=0
    )
    stray: float = setting(
        0.1, "How far mixed pictures may lie off the line, squared, as a share of the line's length squared.", gt=0
    )
    clear_distance: float = setting(
        60.0, "Ends less far apart allow for less straying, in proportion, as motion may look like a weak change.",
        unit="steps of 0..255", gt=0,
    )  # fmt: skip
    jump: float = setting(0.25, "A single step longer than this share of the line is a cut.", gt=0, le=1)
    backward: float = setting(0.1, "How far a step may go back: motion and flicker do.", ge=0, le=1)
    detail: float = setting(
        0.75, "Half way there is at most this share of the ends' detail; 0.5 in theory, 1 where nothing is mixed.", gt=0
    )
    likeness: float = setting(0.6, "Above this correlation both ends show one shot.", gt=0, le=1)
    flat: float = setting(
        4.0, "A gist that deviates less than this from its mean shows one colour.", unit="steps of 0..255", gt=0
    )
    plain: float = setting(
        1.0, "One that deviates less than this shows nothing else, not even grain.", unit="steps of 0..255", gt=0
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
    bars: BarsSettings = setting(BarsSettings(), "What is no part of the picture.")


@dataclass(frozen=True)
class Found:
    """A gradual change, as a cut; where two overlap the one of more `weight` is right."""

    cut: Cut
    first: int
    weight: float

    def overlaps(self, other: Found) -> bool:
        """Whether both share a frame."""
        return self.first < other.cut.frame and other.first < self.cut.frame


class Picture(Seen):
    """A frame as it is kept for a while; what is not asked for is not worked out."""

    worked_out = "sketch", "gist", "detail"

    def __init__(self, glance: Glance, settings: Settings) -> None:
        self.number, self.seconds = glance.number, glance.seconds
        self._glance, self._settings = glance, settings

    @cached_property
    def sketch(self) -> Numbers:
        """(n,) luma, very small, scaled so that products are means."""
        luma = _scaled(self._area.of(self.sharp), self._settings.gist_width)
        sketch = luma.ravel().astype(np.float32)
        sketch *= luma.size**-0.5
        return sketch

    @cached_property
    def gist(self) -> Numbers:
        """(n,) the sketch, then U and V from their middle, scaled alike."""
        size = (self._settings.gist_width // 2, max(1, len(self.sketch) // self._settings.gist_width // 2))
        planes = (self._area.of(plane) for plane in self._glance.chroma)
        blue, red = (cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in planes)
        colours = np.concatenate((blue, red), axis=None, dtype=np.float32)
        return np.concatenate((self.sketch, (colours - 128) * np.float32(len(self.sketch) ** -0.5)))

    @cached_property
    def detail(self) -> float:
        """The mean squared difference of neighbouring pixels."""
        luma = self._area.of(self.sharp)
        across = cv2.norm(luma[:, 1:], luma[:, :-1], cv2.NORM_L2SQR)
        down = cv2.norm(luma[1:], luma[:-1], cv2.NORM_L2SQR)
        return float(across + down) / luma.size

    @cached_property
    def sharp(self) -> Rows:
        """(H, W) luma with its detail, bars and all."""
        return _scaled(self._glance.luma, self._settings.detail_width)


def _scaled(luma: Rows, width: int) -> Rows:
    height = max(2, round(width * luma.shape[0] / luma.shape[1]))
    return np.asarray(cv2.resize(luma, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


class Samples:
    """The last `size` of the pictures that are looked at first, and the products of their sketches."""

    def __init__(self, size: int) -> None:
        self._size, self._count = size, 0
        self._area = WHOLE
        self._sketches: Numbers = np.zeros((size, 0), np.float32)
        self._pictures: deque[Picture] = deque(maxlen=size)
        self._means: deque[float] = deque(maxlen=size)
        self._products: deque[list[float]] = deque(maxlen=size)

    def __getitem__(self, back: int) -> Picture:
        """The one so many before the newest."""
        return self._pictures[-1 - back]

    @property
    def oldest(self) -> Picture:
        """The first of them all."""
        return self._pictures[0]

    def add(self, picture: Picture, area: Area) -> None:
        """Takes the place of the oldest; of all only what is in the area counts."""
        if area != self._area:
            self._area, kept = area, (*self._pictures,)
            self._count = 0
            for deck in (self._pictures, self._means, self._products):
                deck.clear()
            for former in kept[-self._size + 1 :]:
                self._take(former)
        self._take(picture)

    def _take(self, picture: Picture) -> None:
        picture.seen_in(self._area)
        sketch = picture.sketch
        if self._sketches.shape[1] != sketch.size:
            self._sketches = np.zeros((self._size, sketch.size), np.float32)
        place = self._count % self._size
        self._sketches[place] = sketch
        products: list[float] = (self._sketches @ sketch).tolist()
        # By how far back the other one lies, the newest first.
        self._products.append(products[place::-1] + products[:place:-1])
        self._means.append(float(sketch.sum()) * sketch.size**-0.5)
        self._pictures.append(picture)
        self._count += 1

    def kind(self, span: int, settings: Settings) -> str | None:
        """What the change over the last `span` samples may be; None if they show none that is steady."""
        newest = self._products[-1]
        last, shared, first = newest[0], newest[span], self._products[-1 - span][0]
        old, new = self._means[-1 - span], self._means[-1]
        before, after, common = first - old * old, last - new * new, shared - old * new
        distance, length = before + after - 2 * common, last + first - 2 * shared
        if distance < settings.least_fade**2:
            return None
        flat = settings.flat if distance > settings.least_distance**2 else settings.plain
        if min(before, after) < flat**2:
            kind = "fade-in" if before < after else "fade-out"
        elif distance > settings.least_distance**2 and common < settings.likeness * (before * after) ** 0.5:
            kind = "dissolve"
        else:
            return None
        # The one half way first, as it settles most.
        along, stray = self._along(span // 2, span, kind, length)
        if not settings.margin < along < 1 - settings.margin or stray > ROOM * settings.stray:
            return None
        return kind if self._is_steady(span, kind, length, settings) else None

    def _along(self, back: int, span: int, kind: str, length: float) -> tuple[float, float]:
        """How far along a sample is on the way between the ends of the span, and how far it strays, squared."""
        own, last, first = self._products[-1 - back], self._products[-1], self._products[-1 - span]
        to_first = max(0.0, own[0] + first[0] - 2 * own[span - back]) / length
        to_last = max(0.0, own[0] + last[0] - 2 * last[back]) / length
        if kind == "fade-in":
            return to_first**0.5, 0.0
        if kind == "fade-out":
            return 1 - to_last**0.5, 0.0
        along = (1 + to_first - to_last) / 2
        return along, to_first - along**2

    def _is_steady(self, span: int, kind: str, length: float, settings: Settings) -> bool:
        """Does no step from sample to sample tell of a cut, or lead back?"""
        longest = min(LONGEST_STEP, max(settings.jump, STEPS / span))
        before = 0.0
        for back in range(span - 1, -1, -1):
            along, _ = self._along(back, span, kind, length)
            if not -BACK * settings.backward <= along - before <= longest:
                return False
            before = along
        return True


class Gradual:
    """Finds gradual changes."""

    name: ClassVar[str] = "gradual"
    settings: ClassVar[type[Section]] = Settings

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._samples = Samples(max(settings.spans) + 1)
        self._bars = Bars(settings.bars)
        self._recent: list[Picture] = []
        self._taken, self._changed, self._due, self._overdue = 0, 0.0, 0.0, 0.0
        self._open: list[Found] = []
        self._cuts: list[Cut] = []

    def feed(self, glance: Glance) -> None:
        """Takes the next frame, and if it is due, looks at the spans that end there."""
        picture = Picture(glance, self._settings)
        self._recent.append(picture)
        self._changed += glance.changes[0]
        if glance.seconds < (self._due if self._changed >= self._settings.least_change else self._overdue):
            return
        self._changed = 0.0
        self._due = glance.seconds + (1 - SLACK) / self._settings.per_second
        self._overdue = glance.seconds + self._settings.longest_seconds
        if self._taken % BARS_EVERY == 0:
            self._bars.look(picture.sharp)
        self._samples.add(picture, self._bars.area)
        self._taken += 1
        del self._recent[: self._samples.oldest.number - self._recent[0].number]
        for span in self._settings.spans:
            if self._taken > span and self._taken % max(1, span // 8) == 0:
                kind = self._samples.kind(span, self._settings)
                found = self._look(span, kind) if kind else None
                if found:
                    self._weigh(found)
        while self._open and self._open[0].cut.frame < self._recent[0].number:
            self._cuts.append(self._open.pop(0).cut)

    @property
    def area(self) -> Area:
        """What of the pictures of the last seconds is no bar."""
        return self._bars.area

    def finish(self) -> tuple[Cut, ...]:
        """The cuts, by frame."""
        return (*self._cuts, *(found.cut for found in self._open))

    def _weigh(self, found: Found) -> None:
        rivals = [other for other in self._open if other.overlaps(found)]
        if all(found.weight > other.weight for other in rivals):
            kept = [other for other in self._open if other not in rivals]
            self._open = sorted([*kept, found], key=lambda entry: entry.cut.frame)

    def _look(self, span: int, kind: str) -> Found | None:
        """The gradual change over the last `span` samples, if that is what every frame of it shows."""
        settings = self._settings
        first = self._samples[span].number
        pictures = self._recent[first - self._recent[0].number :]
        for picture in pictures:
            picture.seen_in(self._bars.area)
        gists = np.stack([picture.gist for picture in pictures])
        line = gists[-1] - gists[0]
        length = float(line @ line)
        away = gists - gists[-1 if kind == "fade-out" else 0]
        squares = np.einsum("ij,ij->i", away, away) / np.float32(length)
        if kind == "dissolve":
            along = away @ line / np.float32(length)
        else:
            # The distance to the picture of one colour does not mind motion inside the shot.
            along = np.sqrt(squares) if kind == "fade-in" else 1 - np.sqrt(squares)
        steps = along[1:] - along[:-1]
        upper = settings.fade_in_margin if kind == "fade-in" else settings.margin
        mixed = np.flatnonzero((along > settings.margin) & (along < 1 - upper))
        if len(mixed) < settings.least_frames or steps.max() > settings.jump or steps.min() < -settings.backward:
            return None
        stray = float((squares - along**2)[mixed].mean()) if kind == "dissolve" else 0.0
        most = settings.stray * min(1.0, length**0.5 / settings.clear_distance)
        if stray > most or _detail(pictures, along.tolist()) > settings.detail:
            return None
        score = min(1.0, max(0.01, 1 - stray / settings.stray))
        after = int(mixed[-1]) + 1
        cut = Cut(first + after, pictures[after].seconds, score, self.name, kind, first + int(mixed[0]))
        return Found(cut, first + int(mixed[0]), length * score / (len(pictures) - 1) ** 0.5)


def _detail(pictures: Sequence[Picture], along: Sequence[float]) -> float:
    """The detail half way, as a share of what the ends have."""
    first, last = pictures[0].detail, pictures[-1].detail
    shares = [
        picture.detail / max((1 - share) * first + share * last, 1e-3)
        for picture, share in zip(pictures, along, strict=True)
        if 0.25 < share < 0.75
    ]
    return sum(shares) / len(shares) if shares else 1.0
