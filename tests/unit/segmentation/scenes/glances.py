"""Films as glances, drawn in memory: what the detectors of cuts are tried on."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from clipd.media.glance import Glance
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes import DETECTORS

Picture = NDArray[np.uint8]
RATE = 25
WIDE, HIGH = 160, 90


def scenery(number: int, size: tuple[int, int] = (WIDE, HIGH)) -> Picture:
    """(height, width, 3) Y, U, V: large and small shapes of many colours; another one for each number."""
    random = np.random.default_rng(number)
    layers = [
        cv2.resize(random.normal(0, strength, (rows, 2 * rows, 3)), size, interpolation=cv2.INTER_CUBIC)
        for rows, strength in ((3, 45), (12, 25), (40, 8))
    ]
    picture = sum(layers) * (1, 0.35, 0.35) + (random.uniform(70, 180), *random.uniform(110, 146, 2))
    return np.clip(picture, 0, 255).astype(np.uint8)


def plain(*colour: int) -> Picture:
    """One colour all over."""
    return np.full((HIGH, WIDE, 3), colour, np.uint8)


def mixed(first: Picture, second: Picture, frames: int) -> list[Picture]:
    """The pictures between both in a dissolve, without them."""
    shares = (np.arange(frames) + 1) / (frames + 1)
    return [cv2.addWeighted(first, 1 - share, second, share, 0) for share in shares]


def moved(picture: Picture, x: float, y: float = 0, *, gain: float = 1, zoom: float = 1) -> Picture:
    """`picture` as a camera sees it that looks elsewhere; mirrored beyond its edges."""
    turn = np.array([[zoom, 0, -x], [0, zoom, -y]], np.float64)
    seen = cv2.warpAffine(picture, turn, (picture.shape[1], picture.shape[0]), borderMode=cv2.BORDER_REFLECT)
    seen[..., 0] = np.clip(seen[..., 0] * gain, 0, 255)
    return seen


def glances(pictures: Iterable[Picture]) -> Iterable[Glance]:
    """What a viewing of the pictures gives."""
    before: tuple[Picture, ...] = ()
    for number, picture in enumerate(pictures):
        planes = picture[..., 0].copy(), picture[::2, ::2, 1].copy(), picture[::2, ::2, 2].copy()
        parts = [float(cv2.absdiff(now, then).mean()) for now, then in zip(planes, before or planes, strict=True)]
        yield Glance(number, number / RATE, planes[0], planes[1:], (parts[0], parts[1], parts[2]))
        before = planes


def cuts(name: str, pictures: Iterable[Picture], **numbers: object) -> tuple[Cut, ...]:
    """What the detector `name` finds."""
    detector = DETECTORS[name](DETECTORS[name].settings.model_validate(numbers))
    for glance in glances(pictures):
        detector.feed(glance)
    return detector.finish()


def frames(found: Sequence[Cut]) -> list[int]:
    return [cut.frame for cut in found]
