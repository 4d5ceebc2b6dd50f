"""Whether two pictures show the same things, wherever these have moved to and however bright they are by now.

One picture is cut into tiles; each tile is looked for in the other one, near its own place, by normalised correlation
(OpenCV's `TM_CCOEFF_NORMED`), which does not mind brightness and contrast. Tiles without texture say nothing.
"""

from __future__ import annotations

import cv2
import numpy as np

from clipd.media.glance import Rows
from clipd.model.setting import Section, setting


class Settings(Section):
    """How pictures are compared."""

    columns: int = setting(5, "How many tiles lie side by side.", unit="tiles", ge=1, le=20)
    rows: int = setting(3, "How many tiles lie one above the other.", unit="tiles", ge=1, le=20)
    reach: int = setting(
        8, "How far a tile may have moved, as pixels of a picture 80 wide; more costs more and forgives more.",
        unit="pixels", ge=1, le=40,
    )  # fmt: skip
    texture: float = setting(
        2.5, "A tile whose pixels deviate less than this from their mean shows nothing.", unit="steps of 0..255", gt=0
    )
    bar_contrast: int = setting(
        12,
        "Rows and columns at the edges that vary less than this are bars, not picture.",
        unit="steps of 0..255",
        ge=0,
    )


def correlation(first: Rows, second: Rows, settings: Settings) -> float:
    """-1..1, pixel by pixel; 0 where one of both has no texture."""
    if min(_texture(first), _texture(second)) < settings.texture:
        return 0.0
    return float(cv2.matchTemplate(first, second, cv2.TM_CCOEFF_NORMED).flat[0])


def seen_again(first: Rows, second: Rows, settings: Settings) -> float | None:
    """0 (nothing alike) to 1 for two (H, W) uint8 pictures of one size; None where neither has any texture."""
    first, second = _without_bars(first, second, settings.bar_contrast)
    found = [value for value in (_found(first, second, settings), _found(second, first, settings)) if value is not None]
    return sum(found) / len(found) if found else None


def _found(first: Rows, second: Rows, settings: Settings) -> float | None:
    """How well the tiles of `first` are found again in `second`, weighted by texture."""
    high, wide = first.shape[0] // settings.rows, first.shape[1] // settings.columns
    if high < 4 or wide < 4:
        return None
    total, weights, reach = 0.0, 0.0, settings.reach
    for top in range(0, settings.rows * high, high):
        for left in range(0, settings.columns * wide, wide):
            tile = first[top : top + high, left : left + wide]
            weight = _texture(tile)
            if weight < settings.texture:
                continue
            place = second[max(0, top - reach) : top + high + reach, max(0, left - reach) : left + wide + reach]
            _, best, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(place, tile, cv2.TM_CCOEFF_NORMED))
            if _texture(place[y : y + high, x : x + wide]) >= settings.texture / 2:
                total += weight * max(0.0, best)
            weights += weight
    return total / weights if weights else None


def _texture(tile: Rows) -> float:
    return float(cv2.meanStdDev(tile)[1].flat[0])


def _without_bars(first: Rows, second: Rows, contrast: int) -> tuple[Rows, Rows]:
    """Both without what is flat at the edges of both, and a pixel more, as the edge of a bar is texture that stays."""
    across = _limits(first, second, 1, contrast)
    down = _limits(first, second, 0, contrast)
    return first[across, down], second[across, down]


def _limits(first: Rows, second: Rows, axis: int, contrast: int) -> slice:
    lively = np.maximum(np.ptp(first, axis=axis), np.ptp(second, axis=axis)) > contrast
    lively |= np.abs(first.mean(axis=axis) - second.mean(axis=axis)) > contrast / 2
    places = np.flatnonzero(lively)
    if not len(places):
        return slice(0, 0)
    begin, after = int(places[0]), int(places[-1]) + 1
    return slice(begin + (begin > 0), after - (after < len(lively)))
