"""Which rectangle is cut from each frame, and the size it comes out in: one crop variation in one format.

Everything that was moved, shrunk or rounded against the wish is counted, for the truth sheet.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from clipd.model.crop import CropPlan, Rect
from clipd.model.resolution import fit
from clipd.model.timespan import FrameSpan

Size = tuple[int, int]


@dataclass(frozen=True)
class Geometry:
    """The cut of one output. `width` and `height` are the size written; `is_scaled`: pictures are resampled."""

    plan: CropPlan
    width: int
    height: int
    is_scaled: bool
    wanted: Size
    """The size in pixels before the format had its say."""
    fixed: Rect | None
    """The rectangle, where it is the same for every frame."""

    def at(self, frame: int) -> Rect:
        """The rectangle to cut from source frame `frame`; of the size written, unless `is_scaled`."""
        if self.fixed is not None:
            return self.fixed
        rect = self.plan.at(frame)
        return rect if self.is_scaled else Rect(rect.x, rect.y, self.width, self.height)

    def is_clamped(self, frame: int) -> bool:
        """Was the rectangle asked for at `frame` moved or shrunk to lie inside the picture?"""
        path = self.plan.path
        if path is None or self.plan.variation == "full":
            return False
        asked = path.at(frame) if path.moves else path.keyframes[0][1]
        return asked.inside(self.plan.width, self.plan.height) != asked


def lay_out(
    plan: CropPlan,
    span: FrameSpan,
    allowed: Callable[[int, int], Size],
    box: Size | None,
    *,
    upscale: bool,
) -> Geometry:
    """The cut for the frames of `span`.

    The output has the size of the largest rectangle (by area) within the span, fitted into `box` and cut down to what
    the format allows. Pictures are resampled only where they must be: into a box, or where a crop changes size.

    Raises:
        Rejected: the format cannot hold a picture this small.
    """
    moves = plan.path is not None and plan.path.moves and plan.variation != "full"
    zooms = moves and plan.path is not None and plan.path.zooms
    rects = {plan.at(frame) for frame in (range(span.first, span.last + 1) if zooms else (span.first,))}
    sizes = {(rect.width, rect.height) for rect in rects}
    largest = max(sizes, key=lambda size: (size[0] * size[1], size))
    wanted = fit(*largest, box, upscale=upscale)
    width, height = allowed(*wanted)
    is_scaled = len(sizes) > 1 or wanted != largest
    fixed = None
    if not moves:
        (rect,) = rects
        fixed = rect if is_scaled else Rect(rect.x, rect.y, width, height)
    return Geometry(plan, width, height, is_scaled, wanted, fixed)
