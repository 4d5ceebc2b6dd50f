"""Boundaries: where a clip can begin or end without hurting: at a cut, in a quiet or still moment, at a fade.

Four strengths, each 0..1, are weighed into a score:
* scene: a cut, as strong as its score;
* audio dip: a valley of loudness below its mean, as strong as it is deep (in z-score);
* fade: the begin and the end of black, and the end of a fade that the detector saw; all are equally strong;
* motion valley: a valley of motion below its mean, as strong as it is deep.
Each is normalised to 1 by the strongest of the video. An event counts fully at its own moment and less, falling
linearly to nothing, over its decay to both sides; of several events the strongest counts. The candidates are the
moments of all events. From each score the spacing penalty is taken: where a candidate with a higher score (before
penalties) lies within reach, the most that one of those costs: the full penalty at the same moment, falling linearly
to nothing at the reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clipd.model.setting import Section, setting
from clipd.segmentation.cut import Cut
from clipd.segmentation.features import Features
from clipd.segmentation.highlights.extrema import peaks

Array = NDArray[np.float64]

FADES = ("fade-in", "fade-out")


class Settings(Section):
    """What makes a good place to begin or end."""

    scene: float = setting(0.45, "The weight of a cut.", ge=0)
    audio_dip: float = setting(0.25, "The weight of a quiet moment.", ge=0)
    fade: float = setting(0.15, "The weight of a fade from or to black.", ge=0)
    motion_valley: float = setting(0.15, "The weight of a still moment.", ge=0)
    cut_decay_seconds: float = setting(0.5, "How far from it a cut still counts.", unit="s", gt=0)
    fade_decay_seconds: float = setting(0.5, "How far from it a fade still counts.", unit="s", gt=0)
    dip_decay_seconds: float = setting(0.3, "How far from them quiet and still moments still count.", unit="s", gt=0)
    spacing_penalty: float = setting(0.3, "What a stronger boundary right beside it costs a weaker one.", ge=0)
    spacing_seconds: float = setting(1.5, "How near a stronger boundary must be to cost anything.", unit="s", gt=0)
    at_least: float = setting(0.1, "Boundaries below this score are no candidates.")


@dataclass(frozen=True)
class Boundary:
    """A place to begin or end, with what speaks for it (each 0..1) and against it."""

    seconds: float
    score: float
    scene: float
    audio_dip: float
    fade: float
    motion_valley: float
    penalty: float
    """What a stronger neighbour took from the score."""


def boundaries(features: Features, cuts: Sequence[Cut], settings: Settings) -> tuple[Boundary, ...]:
    """The candidates of a video, in order of time."""
    cut_events = _events([cut.seconds for cut in cuts], [cut.score for cut in cuts])
    dip_events = _valleys(features.times, features.loudness_z)
    fade_events = _fades(features, cuts)
    valley_events = _valleys(features.times, features.motion_z)
    times = np.unique(np.concatenate([events[0] for events in (cut_events, dip_events, fade_events, valley_events)]))
    times = times[(times >= 0) & (times <= features.duration_seconds)]
    scene = _decayed(times, cut_events, settings.cut_decay_seconds)
    audio_dip = _decayed(times, dip_events, settings.dip_decay_seconds)
    fade = _decayed(times, fade_events, settings.fade_decay_seconds)
    motion_valley = _decayed(times, valley_events, settings.dip_decay_seconds)
    raw = (
        settings.scene * scene
        + settings.audio_dip * audio_dip
        + settings.fade * fade
        + settings.motion_valley * motion_valley
    )
    penalty = _penalties(times, raw, settings)
    score = raw - penalty
    return tuple(
        Boundary(
            seconds=float(times[i]),
            score=float(score[i]),
            scene=float(scene[i]),
            audio_dip=float(audio_dip[i]),
            fade=float(fade[i]),
            motion_valley=float(motion_valley[i]),
            penalty=float(penalty[i]),
        )
        for i in np.flatnonzero(score >= settings.at_least)
    )


Events = tuple[Array, Array]
"""When (E,), in order of time, and how strong (E,), the strongest 1."""


def _events(seconds: Sequence[float] | Array, strengths: Sequence[float] | Array) -> Events:
    times, values = np.asarray(seconds, dtype=np.float64), np.asarray(strengths, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    highest = values.max(initial=0.0)
    return times[order], values[order] / highest if highest > 0 else np.zeros_like(values)


def _valleys(times: Array, z: Array) -> Events:
    below = peaks(-z) & (z < 0)
    return _events(times[below], -z[below])


def _fades(features: Features, cuts: Sequence[Cut]) -> Events:
    edges = [edge for black in features.black for edge in (black.start_seconds, black.end_seconds)]
    seconds = edges + [cut.seconds for cut in cuts if cut.kind in FADES]
    return _events(seconds, np.ones(len(seconds)))


def _decayed(times: Array, events: Events, decay_seconds: float) -> Array:
    """(T,) at each of `times` the strongest of the events near it, as far as it still counts there."""
    result = np.zeros(len(times))
    firsts = np.searchsorted(times, events[0] - decay_seconds, side="left")
    lasts = np.searchsorted(times, events[0] + decay_seconds, side="right")
    for seconds, strength, first, last in zip(*events, firsts, lasts, strict=True):
        near = strength * (1.0 - np.abs(times[first:last] - seconds) / decay_seconds)
        np.maximum(result[first:last], near, out=result[first:last])
    return result


def _penalties(times: Array, raw: Array, settings: Settings) -> Array:
    """(T,) what each of `times` loses to a stronger neighbour; `offset` is how far off it is in the list."""
    result = np.zeros(len(times))
    for offset in range(1, len(times)):
        gap = times[offset:] - times[:-offset]
        if not np.any(gap < settings.spacing_seconds):
            break
        cost = settings.spacing_penalty * np.maximum(0.0, 1.0 - gap / settings.spacing_seconds)
        earlier, later = result[:-offset], result[offset:]
        np.maximum(earlier, np.where(raw[offset:] > raw[:-offset], cost, 0.0), out=earlier)
        np.maximum(later, np.where(raw[:-offset] > raw[offset:], cost, 0.0), out=later)
    return result
