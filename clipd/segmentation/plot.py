"""Plot: curves, spans and moments of a video as SVG paths, for a drawing that is stretched as wide as there is room.

Across, a path counts seconds; down, 0 is the top and 100 the bottom. Lines are meant to be drawn with a stroke that
does not stretch (`vector-effect: non-scaling-stroke`), so that what is shorter than a pixel is seen all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clipd.segmentation.debug import CutEntry

HEIGHT = 100


def peaks_kept(values: NDArray[np.float64], most: int) -> NDArray[np.intp]:
    """Which of `values` (G,) to draw, at most `most`: of each run of them the lowest and the highest, in order."""
    if len(values) <= most:
        return np.arange(len(values))
    edges = np.linspace(0, len(values), max(1, most // 2) + 1).astype(np.intp)
    found = [
        first + offset
        for first, last in pairwise(edges)
        for offset in (int(np.argmin(values[first:last])), int(np.argmax(values[first:last])))
    ]
    return np.unique(np.array(found, dtype=np.intp))


def curve(
    times: NDArray[np.float64],
    values: NDArray[np.float64],
    top: float,
    end_seconds: float,
    most: int,
    keep: Sequence[int] = (),
) -> str:
    """The area under `values` (G,) at `times` (G,) in seconds; `top` reaches the top, the last value holds on.

    At most `most` points are drawn, and those that `keep` names besides.
    """
    values = np.nan_to_num(values, nan=0.0, posinf=top, neginf=0.0)
    chosen = np.union1d(peaks_kept(values, most), np.array(keep, dtype=np.intp))
    heights = HEIGHT - HEIGHT * np.clip(values[chosen] / top, 0.0, 1.0)
    points = [f"{x:.2f},{y:.1f}" for x, y in zip(times[chosen], heights, strict=True) if x < end_seconds]
    if not points:
        return ""
    held = points[-1].partition(",")[2]
    return f"M0,{HEIGHT}L{' '.join(points)} {end_seconds:.2f},{held} {end_seconds:.2f},{HEIGHT}"


def bars(moments: Iterable[tuple[float, float]]) -> str:
    """Upright lines from the bottom, at seconds and as high as the second number says, 0..1."""
    return "".join(f"M{seconds:.2f},{HEIGHT}v{-HEIGHT * _share(height):.1f}" for seconds, height in moments)


def dots(moments: Iterable[tuple[float, float]]) -> str:
    """Lines without length, round when the stroke's ends are, at seconds and heights 0..1."""
    return "".join(f"M{seconds:.2f},{HEIGHT - HEIGHT * _share(height):.1f}h0" for seconds, height in moments)


def bands(spans: Iterable[tuple[float, float]]) -> str:
    """Full-height rectangles from seconds to seconds."""
    return "".join(f"M{start:.2f},0H{end:.2f}V{HEIGHT}H{start:.2f}z" for start, end in spans)


def changes(cuts: Sequence[CutEntry], kind: str) -> str:
    """The cuts of `kind`: a hard one is a line, a fade rises or falls, a dissolve crosses over."""
    return "".join(_change(cut) for cut in cuts if cut.kind == kind)


def _change(cut: CutEntry) -> str:
    end = cut.time_sec
    start = end if cut.start_sec is None else cut.start_sec
    match cut.kind:
        case "fade-in":
            return f"M{start:.2f},{HEIGHT}L{end:.2f},0V{HEIGHT}z"
        case "fade-out":
            return f"M{start:.2f},0L{end:.2f},{HEIGHT}H{start:.2f}z"
        case "dissolve":
            return f"M{start:.2f},0L{end:.2f},{HEIGHT}V0L{start:.2f},{HEIGHT}z"
        case _:
            return f"M{end:.2f},0v{HEIGHT}"


def _share(height: float) -> float:
    return min(1.0, max(0.0, height))
