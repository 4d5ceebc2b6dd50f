"""Filters: which windows stay. Each is a function that takes candidates and gives a decision for every one of them.

Overlap, boring, duplicate, quality: in this order, each over what the one before it kept. Where two windows compete the
one of higher quality stays (at equal quality the earlier one). Nothing is dropped without a decision that says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting
from clipd.segmentation.highlights.excitement import Curve
from clipd.segmentation.highlights.quality import Quality
from clipd.segmentation.highlights.windows import Window
from clipd.segmentation.likeness import Look, lineup
from clipd.segmentation.likeness import Settings as LikenessSettings
from clipd.segmentation.suggestion import timecode

Action = Literal["keep", "drop_overlap", "drop_boring", "drop_duplicate", "drop_quality"]


class Settings(Section):
    """When a window is dropped."""

    overlap_iou: float = setting(
        0.35, "Of two windows that share more than this of their union the better one stays.", ge=0, le=1
    )
    boring_mean: float = setting(0.15, "A boring window has a mean excitement below this,", ge=0)
    boring_below: float = setting(0.15, "and excitement below this", ge=0)
    boring_share: float = setting(0.7, "in more than this share of its length,", ge=0, le=1)
    boring_anchor: float = setting(0.5, "and an anchor with a score below this.", ge=0)
    target_clips: int = setting(200, "At most this many clips of a video, the best.", unit="clips", ge=1)


@dataclass(frozen=True)
class Candidate:
    """A window with its number, under which all decisions speak of it, and its quality."""

    index: int
    window: Window
    quality: Quality


@dataclass(frozen=True)
class Decision:
    """What a filter did with one window, and why."""

    clip_index: int
    action: Action
    reason: str
    related_clip_index: int | None = None
    """The window that this one lost to, or, of one that stays, the one that came nearest."""


def best_first(candidates: Sequence[Candidate]) -> list[Candidate]:
    """By quality, the best first; equal ones in order of time."""
    return sorted(candidates, key=lambda one: (-one.quality.total, one.window.start_seconds, one.index))


def kept(candidates: Sequence[Candidate], decisions: Sequence[Decision]) -> tuple[Candidate, ...]:
    """Those of `candidates` that `decisions` keep, in their order."""
    staying = {decision.clip_index for decision in decisions if decision.action == "keep"}
    return tuple(one for one in candidates if one.index in staying)


def iou(start: float, end: float, starts: NDArray[np.float64], ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """(W,) what the span `[start, end)` shares with each of the spans `starts` to `ends` (W,) of their union, 0..1."""
    shared = np.maximum(0.0, np.minimum(ends, end) - np.maximum(starts, start))
    union = (ends - starts) + (end - start) - shared
    result: NDArray[np.float64] = np.divide(shared, union, out=np.zeros_like(shared), where=shared > 0)
    return result


def overlap(candidates: Sequence[Candidate], settings: Settings) -> tuple[Decision, ...]:
    """Each candidate, the best first, against the better ones that stayed."""
    ranked = best_first(candidates)
    starts = np.array([one.window.start_seconds for one in ranked], dtype=np.float64)
    ends = np.array([one.window.end_seconds for one in ranked], dtype=np.float64)
    stays = np.zeros(len(ranked), dtype=np.bool_)
    decisions = []
    for rank, one in enumerate(ranked):
        shares = np.where(stays[:rank], iou(starts[rank], ends[rank], starts[:rank], ends[:rank]), 0.0)
        nearest = int(np.argmax(shares)) if rank else 0
        share, rival = (float(shares[nearest]), ranked[nearest]) if rank else (0.0, one)
        if share > settings.overlap_iou:
            reason = (
                f"it shares {share:.2f} of their union (limit {settings.overlap_iou:g}) with the better window "
                f"{_span(rival.window)}"
            )
            decisions.append(Decision(one.index, "drop_overlap", reason, rival.index))
            continue
        stays[rank] = True
        if share == 0:
            decisions.append(Decision(one.index, "keep", "no better window overlaps it"))
        else:
            reason = f"it shares {share:.2f} of their union with a better window, {settings.overlap_iou:g} is allowed"
            decisions.append(Decision(one.index, "keep", reason, rival.index))
    return _by_index(decisions)


def boring(candidates: Sequence[Candidate], curve: Curve, settings: Settings) -> tuple[Decision, ...]:
    """A window is boring when its mean is low, most of it is low and its anchor is weak: all three."""
    decisions = []
    for one in candidates:
        window = one.window
        mean, share = (
            one.quality.mean_excitement,
            curve.share_below(settings.boring_below, window.start_seconds, window.end_seconds),
        )
        low = mean < settings.boring_mean
        mostly = share > settings.boring_share
        weak = window.anchor.score < settings.boring_anchor
        figures = f"mean excitement {mean:.2f}, {share:.0%} of it quiet, anchor {window.anchor.score:.2f}"
        if low and mostly and weak:
            reason = f"little happens: {figures}"
            decisions.append(Decision(one.index, "drop_boring", reason))
        else:
            decisions.append(Decision(one.index, "keep", figures))
    return _by_index(decisions)


def duplicate(
    candidates: Sequence[Candidate], looks: Mapping[int, Sequence[Look]], settings: LikenessSettings
) -> tuple[Decision, ...]:
    """Each candidate, the best first, against the better ones that stayed, by what they look like.

    Args:
        candidates: what is left.
        looks: for the index of each candidate the pictures that it was looked at by; a candidate may be missing.
        settings: when two look alike.
    """
    ranked = best_first(candidates)
    pictures = lineup([looks.get(one.index, ()) for one in ranked])
    stays: list[int] = []
    decisions = []
    for rank, one in enumerate(ranked):
        distances = pictures.distances(rank, stays, settings)
        nearest = int(np.argmin(distances)) if stays else -1
        rival = ranked[stays[nearest]] if stays and np.isfinite(distances[nearest]) else None
        bits = f"{distances[nearest]:.1f} bits, up to {settings.distance:g} is the same" if rival is not None else ""
        if rival is not None and distances[nearest] <= settings.distance:
            reason = f"it looks like the better window {_span(rival.window)}: distance {bits}"
            decisions.append(Decision(one.index, "drop_duplicate", reason, rival.index))
            continue
        stays.append(rank)
        if rival is not None:
            reason = f"the better window that looks most like it: distance {bits}"
            decisions.append(Decision(one.index, "keep", reason, rival.index))
        else:
            reason = "no better window to compare it with" if looks.get(one.index) else "not looked at"
            decisions.append(Decision(one.index, "keep", reason))
    return _by_index(decisions)


def target(candidates: Sequence[Candidate], settings: Settings) -> tuple[Decision, ...]:
    """The best stay, as many as are asked for."""
    decisions = []
    for rank, one in enumerate(best_first(candidates), start=1):
        words = f"number {rank} by quality ({one.quality.total:.3f})"
        if rank <= settings.target_clips:
            decisions.append(Decision(one.index, "keep", words))
        else:
            decisions.append(Decision(one.index, "drop_quality", f"{words}, {settings.target_clips} are wanted"))
    return _by_index(decisions)


def _by_index(decisions: Sequence[Decision]) -> tuple[Decision, ...]:
    return tuple(sorted(decisions, key=lambda decision: decision.clip_index))


def _span(window: Window) -> str:
    return f"{timecode(window.start_seconds)}-{timecode(window.end_seconds)}"
