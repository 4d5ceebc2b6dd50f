"""The report page: one HTML file about one video, that shows where the clips lie and why, and needs nothing else.

It opens from a disk or a share, in light and dark, on a phone and on paper; without its script it still shows all but
the zoom and the readings. Curves are thinned out with their peaks kept, and pictures kept within a budget, so that the
page of a long film opens as quickly as that of a short one. Text from outside is escaped as on every page of ours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from clipd.html import Templates
from clipd.model.setting import Section, setting
from clipd.segmentation import plot, stills
from clipd.segmentation.debug import ClipEntry, DecisionEntry, Document, HighlightsDocument, WindowEntry
from clipd.segmentation.features import Features

QUIET_DB = 20.0
"""A curve of loudness that stays below this is not drawn to the full height, or silence would look like noise."""
STILL_MOTION = 2.0
"""Likewise for the mean difference of pictures, 0..255: the noise of a camera in the dark stays below it."""
LEAST_EXCITEMENT = 1.0
"""Likewise for excitement: a deviation of one from the mean is nothing out of the ordinary."""
LEAST_SECONDS = 0.001
"""A video of no length is drawn as if it had this."""
FAIR_QUALITY = 0.3
"""Clips are coloured by their share of the best one's quality, or of this: the best of a dull video is not good."""
STATIC_PICTURES = 9
"""So many pictures of the film strip are seen on a page whose script does not run; they fill it on a screen."""
LANES = 6
"""Clips that overlap lie in lanes below each other; beyond this many they cover each other."""
DROPPED: Mapping[str, tuple[str, str]] = {
    "drop_overlap": ("overlap a better one", "overlaps"),
    "drop_boring": ("too little happens", "too little happens"),
    "drop_duplicate": ("show the same as a better one", "shows the same as"),
    "drop_quality": ("enough better ones", "enough better ones were found"),
}
"""Why moments are dropped, in the legend's words, and why one is; where it lost to another, that one is named after."""
CHANGES: Mapping[str, str] = {"fade-in": "fade in", "fade-out": "fade out", "dissolve": "dissolve"}
"""The gradual changes of shot; every other one is a cut."""


class Settings(Section):
    """How much the report page holds."""

    curve_points: int = setting(
        4000, "At most this many points of each curve are drawn, its peaks kept.", unit="points", ge=100
    )
    strip_pictures: int = setting(150, "At most this many pictures along the timeline.", unit="pictures", ge=1)
    strip_kilobytes: int = setting(
        500, "What the pictures along the timeline may take, before encoding.", unit="kB", ge=1
    )
    clip_kilobytes: int = setting(
        1200, "What the clips' pictures may take, before encoding; they are made smaller to fit.", unit="kB", ge=1
    )


@dataclass(frozen=True)
class Block:
    """A clip, or a moment that was dropped, on the timeline."""

    index: int
    """The number of its window, under which the debug document speaks of it."""
    start_seconds: float
    end_seconds: float
    quality: float
    """0..1."""
    reason: str
    shade: float = 0.0
    """How it is coloured: 0 (weak) to 1 (best)."""
    rank: int = 0
    """1 is the best clip; 0: dropped."""
    name: str = ""
    frames: str = ""
    dropped: str = ""
    """Why it was dropped, in a few words."""
    group: str = ""
    """All that were dropped for the same cause, in the legend's words."""
    lane: int = 0
    picture: str = ""
    """A data URL, or empty."""

    @property
    def seconds(self) -> float:
        """How long it is."""
        return self.end_seconds - self.start_seconds


@dataclass(frozen=True)
class Track:
    """A curve with its name, and what its reading is called."""

    key: str
    label: str
    path: str
    summary: str
    top: float
    """What the full height stands for."""
    unit: str


@dataclass(frozen=True)
class Frame:
    """A picture of the film strip, from where the one before it ends to where the next one begins."""

    start_seconds: float
    end_seconds: float
    picture: str
    shown_until: float | None
    """Where it ends on a page whose script does not run, in seconds; None: it is not shown there."""


def render(
    video_name: str,
    features: Features,
    document: Document,
    thumbnails: Mapping[int, bytes],
    strip: Sequence[tuple[float, bytes]],
    settings: Settings | None = None,
) -> str:
    """The page, as HTML.

    Args:
        video_name: what people call the video.
        features: what was measured; only its curves are read.
        document: what was decided.
        thumbnails: a JPEG picture (320x180) for the `clip_index` of each of the document's `final_clips`; one may be
            missing.
        strip: JPEG pictures along the video, with when each is shown in seconds; about 160 wide. May be empty.
        settings: how much the page holds.

    Raises:
        Temporary: the template does not fit (an upgrade is under way, say).
    """
    settings = settings or Settings()
    summary = document.features_summary
    length = max(summary.duration_sec, LEAST_SECONDS)
    kept = _clips(document, thumbnails, settings)
    dropped = _dropped(document, kept)
    pictures = stills.spread(strip, settings.strip_pictures, 1000 * settings.strip_kilobytes)
    script = _templates().script("report.js.j2")
    return _templates().page(
        "report.html.j2",
        video=video_name,
        document=document,
        mode="v2" if isinstance(document, HighlightsDocument) else "v1",
        length=length,
        warnings=summary.warnings,
        why_none="" if kept else _why_none(document, features),
        tracks=tuple(_tracks(features, document, length, settings)),
        anchors=_anchors(document),
        boundaries=_boundaries(document),
        cuts=plot.changes(document.shot_cuts, "cut"),
        gradual="".join(plot.changes(document.shot_cuts, kind) for kind in CHANGES),
        gradual_count=sum(cut.kind in CHANGES for cut in document.shot_cuts),
        black=plot.bands((span.start_sec, span.end_sec) for span in summary.black),
        still=plot.bands((span.start_sec, span.end_sec) for span in summary.freezes),
        kept=_laned(kept),
        ranked=kept,
        dropped=_laned(dropped),
        counts=Counter(block.group for block in dropped).most_common(),
        strip=tuple(_strip(pictures, length)),
        aspect=_aspect(pictures),
        clip_seconds=_covered(kept),
        script=script.text,
        script_digest=script.digest,
    )


def clock(seconds: float, decimals: int = 0) -> str:
    """`0:34`, `12:05`, `1:02:03`, and with decimals `0:34.5`: the moment, cut off and not rounded."""
    ticks = int(max(0.0, seconds) * 10**decimals + 1e-6)
    whole, rest = divmod(ticks, 10**decimals)
    hours, minutes, left = whole // 3600, whole // 60 % 60, whole % 60
    words = f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"
    return f"{words}.{rest:0{decimals}d}" if decimals else words


def span(seconds: float) -> str:
    """`0.04 s`, `0.4 s`, `18 s`, `3 min 20 s`, `2 h 5 min`: how long something is."""
    if seconds < 0.095:
        return f"{seconds:.2g} s"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s" if whole % 60 else f"{whole // 60} min"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def sentence(text: str) -> str:
    """`text` with a capital letter and a full stop."""
    text = text.strip()
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) or not text else ".")


def _clips(document: Document, thumbnails: Mapping[int, bytes], settings: Settings) -> tuple[Block, ...]:
    """The clips, the best first."""
    best_first = sorted(document.final_clips, key=lambda clip: (-clip.quality, clip.start_sec, clip.clip_index))
    chosen = {clip.clip_index: thumbnails[clip.clip_index] for clip in best_first if clip.clip_index in thumbnails}
    pictures = stills.fitted(chosen, 1000 * settings.clip_kilobytes)
    best = max(FAIR_QUALITY, _share(best_first[0].quality)) if best_first else FAIR_QUALITY
    return tuple(
        _clip(clip, rank, best, pictures.get(clip.clip_index)) for rank, clip in enumerate(best_first, start=1)
    )


def _clip(clip: ClipEntry, rank: int, best: float, jpeg: bytes | None) -> Block:
    return Block(
        index=clip.clip_index,
        start_seconds=clip.start_sec,
        end_seconds=clip.end_sec,
        quality=_share(clip.quality),
        reason=clip.reason,
        shade=_share(clip.quality) / best,
        rank=rank,
        name=clip.name,
        frames=f"{clip.start_frame}-{clip.end_frame}",
        picture="" if jpeg is None else stills.data_url(jpeg),
    )


def _dropped(document: Document, kept: Sequence[Block]) -> tuple[Block, ...]:
    """The windows that did not become clips, in order of time."""
    if not isinstance(document, HighlightsDocument):
        return ()
    report = document.filter_report
    steps = (report.overlap, report.boring, report.duplicate, report.quality)
    why = {one.clip_index: one for step in steps for one in step if one.action in DROPPED}
    names = {window.clip_index: f"the better one at {clock(window.start_sec)}" for window in document.candidate_windows}
    names.update({block.index: f"clip {block.rank}, which is better" for block in kept})
    found = [
        _drop(window, why[window.clip_index], names)
        for window in document.candidate_windows
        if window.clip_index in why
    ]
    return tuple(sorted(found, key=lambda block: (block.start_seconds, block.index)))


def _drop(window: WindowEntry, decision: DecisionEntry, names: Mapping[int, str]) -> Block:
    group, words = DROPPED[decision.action]
    rival = None if decision.related_clip_index is None else names.get(decision.related_clip_index)
    return Block(
        index=window.clip_index,
        start_seconds=window.start_sec,
        end_seconds=window.end_sec,
        quality=_share(window.quality),
        reason=decision.reason,
        dropped=f"{words} {rival}" if rival else words,
        group=group,
    )


def _laned(blocks: Sequence[Block]) -> tuple[Block, ...]:
    """`blocks` in order of time, each in the first lane that is free, or else in the one that is free soonest."""
    free: list[float] = []
    found = []
    for block in sorted(blocks, key=lambda block: (block.start_seconds, block.index)):
        lane = next((number for number, until in enumerate(free) if until <= block.start_seconds), len(free))
        if lane == LANES:
            lane = int(np.argmin(free))
        if lane == len(free):
            free.append(0.0)
        free[lane] = max(free[lane], block.end_seconds)
        found.append(replace(block, lane=lane))
    return tuple(found)


def _tracks(features: Features, document: Document, length: float, settings: Settings) -> Iterator[Track]:
    most = settings.curve_points
    if document.features_summary.has_sound and features.loudness is not None:
        path = plot.curve(features.times, features.loudness, _top(features.loudness, QUIET_DB), length, most)
        yield _track("loud", "Loudness", features.times, features.loudness, QUIET_DB, "dB", path)
    if features.frame_count:
        path = plot.curve(features.times, features.motion, _top(features.motion, STILL_MOTION), length, most)
        yield _track("move", "Movement", features.times, features.motion, STILL_MOTION, "%", path)
    if isinstance(document, HighlightsDocument):
        times, values = _excitement(document)
        points = [point for point, _ in _anchor_points(document)]
        path = plot.curve(times, values, _top(values, LEAST_EXCITEMENT), length, most, points)
        yield _track("heat", "Excitement", times, values, LEAST_EXCITEMENT, "%", path)


def _track(
    key: str, label: str, times: NDArray[np.float64], values: NDArray[np.float64], least: float, unit: str, path: str
) -> Track:
    highest = f", highest at {clock(float(times[int(np.argmax(values))]))}" if np.any(values > 0) else ""
    return Track(key, label, path, f"{label} over time{highest}", _top(values, least), unit)


def _top(values: NDArray[np.float64], least: float) -> float:
    """What the full height stands for."""
    return max(least, float(np.max(values, initial=0.0)))


def _excitement(document: HighlightsDocument) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The curve that was decided on: when (G,), in seconds, and how much (G,)."""
    values = np.array(document.features_summary.excitement, dtype=np.float64)
    return np.arange(len(values), dtype=np.float64) * document.features_summary.step_sec, values


def _anchor_points(document: HighlightsDocument) -> Iterator[tuple[int, float]]:
    """For each anchor the point of the grid that it lies at, and how exciting it is there."""
    values, step = document.features_summary.excitement, document.features_summary.step_sec
    for anchor in document.anchors if values else ():
        point = min(len(values) - 1, round(anchor.time_sec / step))
        yield point, values[point]


def _anchors(document: Document) -> str:
    """Dots on the curve of excitement."""
    if not isinstance(document, HighlightsDocument):
        return ""
    times, values = _excitement(document)
    top = _top(values, LEAST_EXCITEMENT)
    return plot.dots((float(times[point]), height / top) for point, height in _anchor_points(document))


def _boundaries(document: Document) -> str:
    if not isinstance(document, HighlightsDocument):
        return ""
    top = max((place.score for place in document.top_boundaries), default=1.0) or 1.0
    return plot.bars((place.time_sec, place.score / top) for place in document.top_boundaries)


def _strip(pictures: Sequence[tuple[float, bytes]], length: float) -> Iterator[Frame]:
    middles = [(one[0] + other[0]) / 2 for one, other in pairwise(pictures)]
    borders = [0.0, *middles, length]
    every = max(1, round(len(pictures) / STATIC_PICTURES))
    for number, (_, jpeg) in enumerate(pictures):
        until = borders[min(number + every, len(pictures))] if number % every == 0 else None
        yield Frame(borders[number], borders[number + 1], stills.data_url(jpeg), until)


def _aspect(pictures: Sequence[tuple[float, bytes]]) -> float:
    """Width by height of the film strip's pictures."""
    size = stills.size(pictures[0][1]) if pictures else None
    return size[0] / size[1] if size else 16 / 9


def _covered(blocks: Sequence[Block]) -> float:
    """How many seconds of the video the clips hold, what several hold counted once."""
    total, until = 0.0, 0.0
    for block in sorted(blocks, key=lambda block: block.start_seconds):
        total += max(0.0, block.end_seconds - max(until, block.start_seconds))
        until = max(until, block.end_seconds)
    return total


def _why_none(document: Document, features: Features) -> str:
    """Why there is no clip, in a sentence that says what to do where there is something."""
    if not features.frame_count:
        return "There is no picture in this file, so there is nothing to cut."
    if features.frame_count == 1:
        return "This video is a single picture: there is no moment in it that could stand out."
    if not isinstance(document, HighlightsDocument):
        return "No scene was found in this video."
    if not document.candidate_windows:
        if not any(document.features_summary.excitement):
            return (
                "Nothing stands out: it is never louder and nothing ever moves more than at any other time. "
                "The scene mode (v1) cuts such a video into its shots instead."
            )
        return "No moment stands out enough from the rest. Lower thresholds for anchors find more."
    return (
        f"All {len(document.candidate_windows)} moments that stood out were dropped; the list below says why for each."
    )


def _share(value: float) -> float:
    return min(1.0, max(0.0, value))


@cache
def _templates() -> Templates:
    return Templates("clipd.segmentation", "report page", clock=clock, span=span, sentence=sentence)
