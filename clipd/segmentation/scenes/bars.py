"""Bars: what lies flat at the edges of the picture for seconds, as in letterboxed films and 4:3 in 16:9.

Bars are the same before and after a cut. Whoever compares pictures does better without them: they make all shots alike.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Rows
from clipd.model.setting import Section, setting

Flags = NDArray[np.bool_]

LEAST_SHARE: Final = 0.25
"""Where not even this share of the rows and of the columns shows something, as on a title card, there are no bars."""
LEAST_SIZE: Final = 4
"""What must be left of a plane, in pixels; one that is smaller stays whole."""


class Settings(Section):
    """What a bar is."""

    contrast: int = setting(
        12, "A row or column at the edge that varies by no more than this is a bar.", unit="steps of 0..255", ge=0
    )
    looks: int = setting(4, "Over how many pictures, at least, it has to be so.", unit="pictures", ge=1)


@dataclass(frozen=True, slots=True)
class Area:
    """The part of a picture that is no bar; shares of its height and width, half-open."""

    top: float = 0.0
    bottom: float = 1.0
    left: float = 0.0
    right: float = 1.0

    def of(self, plane: Rows) -> Rows:
        """A view of that part of a (H, W) plane, a pixel less at each bar: its edge is texture that stays."""
        if self == WHOLE:
            return plane
        part = plane[_inside(self.top, self.bottom, plane.shape[0]), _inside(self.left, self.right, plane.shape[1])]
        return part if min(part.shape) >= LEAST_SIZE else plane


WHOLE: Final = Area()


class Seen:
    """A picture of which only an area counts; what was worked out from that is forgotten when it changes."""

    worked_out: ClassVar[tuple[str, ...]]
    """The cached properties that the area decides."""
    _area = WHOLE

    def seen_in(self, area: Area) -> None:
        """From now on only this part of it counts."""
        if area != self._area:
            self._area = area
            for name in self.worked_out:
                self.__dict__.pop(name, None)


class Bars:
    """Finds the area of what is looked at now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._looks = 0
        self._rows: tuple[Flags, Flags] | None = None
        self._columns: tuple[Flags, Flags] | None = None
        self.area = WHOLE

    def look(self, luma: Rows) -> None:
        """Takes the next (H, W) picture, always of one size."""
        rows, columns = self._lively(luma, 1), self._lively(luma, 0)
        if self._rows is None or self._columns is None:
            self._rows, self._columns = (rows, rows), (columns, columns)
        elif self._looks % self._settings.looks == 0:
            self._rows, self._columns = (self._rows[1], rows), (self._columns[1], columns)
        else:
            self._rows = self._rows[0], self._rows[1] | rows
            self._columns = self._columns[0], self._columns[1] | columns
        self._looks += 1
        down, across = self._rows[0] | self._rows[1], self._columns[0] | self._columns[1]
        shows_enough = min(down.mean(), across.mean()) > LEAST_SHARE
        self.area = Area(*_limits(down), *_limits(across)) if shows_enough else WHOLE

    def _lively(self, luma: Rows, axis: int) -> Flags:
        """(H,) or (W,): which rows or columns show something."""
        most, least = (cv2.reduce(luma, axis, way).ravel() for way in (cv2.REDUCE_MAX, cv2.REDUCE_MIN))
        lively: Flags = cv2.subtract(most, least).ravel() > self._settings.contrast
        return lively


def _limits(lively: Flags) -> tuple[float, float]:
    places = np.flatnonzero(lively)
    return float(places[0]) / len(lively), float(places[-1] + 1) / len(lively)


def _inside(begin: float, after: float, size: int) -> slice:
    return slice(round(begin * size) + (begin > 0), round(after * size) - (after < 1))
