"""Joints: which frames of each slice are copied, so that slices follow each other without a frame twice or broken.

A slice begins with a sync frame. It ends where its packets allow: after a number of packets, in decoding order, that
are also the first ones shown. What falls away for these reasons is counted. Raises `CannotCopy` where packets do not
tell enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from clipd.media.packets import REORDERED, CannotCopy, Listing, Run
from clipd.media.timing import Ticks


@dataclass(frozen=True)
class Delivered:
    """What was copied of one slice; times in seconds on the caller's clock.

    `first` is when its first frame is shown, `last` its last, `end` when the showing of that one ends; `sync` when its
    sync frames are. `undecodable` frames were left out before the first, because they need an earlier file; `cut` ones
    at the end, because the next slice holds them, and `lost` ones because they hang on those.
    """

    path: Path
    frames: int
    first: Fraction
    last: Fraction
    end: Fraction
    sync: tuple[Fraction, ...]
    undecodable: int
    cut: int
    lost: int
    damaged: int


@dataclass(frozen=True)
class Part:
    """The frames of one slice that are copied. Tick `t` of its file is at `t * base + shift` on the caller's clock.

    `sound` is the file that its sound is taken from, mostly the same; `sound_shift` that file's shift, in seconds.
    """

    listing: Listing
    run: Run
    shift: Fraction
    sound: Listing
    sound_shift: Fraction
    undecodable: int
    cut: int = 0
    lost: int = 0

    @property
    def base(self) -> Fraction:
        """A tick of its file, in seconds."""
        return self.listing.video.time_base

    @property
    def first(self) -> Fraction:
        """When its first frame is shown, on the caller's clock."""
        return int(self.run.pts.min()) * self.base + self.shift

    @property
    def last(self) -> Fraction:
        """When its last frame is shown."""
        return int(self.run.pts.max()) * self.base + self.shift

    @property
    def end(self) -> Fraction:
        """When the showing of its last frame ends; one whose duration is not told lasts as long as the others."""
        at = int(self.run.pts.argmax())
        told = self.listing.video.duration[int(self.run.kept[at])]
        return self.last + (told or self.step) * self.base

    @property
    def step(self) -> int:
        """One frame's usual duration, in ticks of the file."""
        shown = self.run.shown
        return max(1, int(np.median(np.diff(shown)))) if len(shown) > 1 else self.listing.video.usual_duration()

    @property
    def half(self) -> Fraction:
        """Half of one frame's usual duration, in seconds: less than that is no gap and no overlap."""
        return self.step * self.base / 2

    def delivered(self) -> Delivered:
        """The same in words and numbers for people."""
        sync = sorted(self.listing.video.pts[number] for number in set(self.listing.video.sync) & set(self._kept()))
        return Delivered(
            path=self.listing.path,
            frames=len(self.run.kept),
            first=self.first,
            last=self.last,
            end=self.end,
            sync=tuple(tick * self.base + self.shift for tick in sync),
            undecodable=self.undecodable,
            cut=self.cut,
            lost=self.lost,
            damaged=len(set(self.listing.video.damaged) & set(self._kept())),
        )

    def _kept(self) -> list[int]:
        kept: list[int] = self.run.kept.tolist()
        return kept


def begun(listing: Listing, sound: Listing | None) -> Part:
    """The part that begins with the sync frame at or before the slice's start and ends where its end is covered."""
    video, wanted, name = listing.video, listing.slice, listing.path.name
    pts = np.asarray(video.pts, dtype=np.int64)
    start = listing.zero + math.floor((wanted.start or 0) / video.time_base)
    earlier = [number for number in video.sync if video.pts[number] <= start]
    first = earlier[-1] if earlier else video.sync[0]
    kept = first + np.flatnonzero(pts[first:] >= pts[first])
    while len(kept) and int(kept[-1]) in video.damaged:
        kept = kept[:-1]
    run = Run(kept, pts[kept])
    _check_order(run, name)
    if wanted.end is not None:
        last = listing.zero + math.ceil(wanted.end / video.time_base)
        needed = np.flatnonzero(run.pts < last)
        if not len(needed):
            raise CannotCopy(f"{name} has no frame in the span that is to be copied")
        ends = run.ends()
        run = run.cut(int(ends[np.searchsorted(ends, int(needed[-1]) + 1)]))
    # Where the file's very beginning is wanted, frames that hang on an earlier file are missing there.
    missing = 0 if wanted.start else int(np.sum(pts[: first + REORDERED] < pts[first]))
    shift = wanted.at - listing.zero * video.time_base
    part = Part(listing, run, shift, listing, shift, missing)
    if sound is None or wanted.sound is None:
        return part
    return replace(part, sound=sound, sound_shift=part.first - wanted.sound.start)


def _check_order(run: Run, name: str) -> None:
    order = np.argsort(run.pts, kind="stable")
    if np.any(np.diff(run.pts[order]) <= 0):
        raise CannotCopy(f"{name}: the times of its frames stand still")
    if np.any(np.abs(order - np.arange(len(order))) > REORDERED):
        raise CannotCopy(f"{name}: the times of its frames jump")


def ended_before(part: Part, following: Part) -> Part:
    """`part` without the frames that `following` holds as well."""
    limit = following.first
    if part.end <= limit + part.half:
        return part
    ends = part.run.ends()
    shown = part.run.shown
    fits = [int(end) for end in ends if int(shown[end - 1]) * part.base + part.shift < limit - part.half]
    if not fits:
        raise CannotCopy(
            f"{following.listing.path.name} begins before {part.listing.path.name}; give slices in the order of time"
        )
    wanted = int(np.sum([int(tick) * part.base + part.shift < limit - part.half for tick in shown]))
    return replace(part, run=part.run.cut(fits[-1]), cut=len(shown) - fits[-1], lost=wanted - fits[-1])


def decoding_times(pts: Ticks, step: int) -> Ticks:
    """Strictly increasing decoding times, none after its frame's `pts` (which stand in decoding order).

    The n-th is the n-th time of presentation, delayed by as many frames as the order of decoding needs.
    """
    shown = np.sort(pts)
    delay = int(np.max(np.arange(len(pts)) - np.searchsorted(shown, pts)))
    before = shown[0] - step * np.arange(delay, 0, -1, dtype=np.int64)
    return np.concatenate((before, shown[: len(shown) - delay]))


def notes_on(parts: Sequence[Part]) -> Iterator[str]:
    """What was met or left out, in words."""
    for part in parts:
        name = part.listing.path.name
        if part.undecodable:
            yield f"{name}: its first {part.undecodable} frames need an earlier recording to be decoded; left out"
        if part.lost:
            yield f"{name}: {part.lost} frames before the joint are coded together with later ones; left out"
        damaged = len(set(part.listing.video.damaged) & set(part.run.kept.tolist()))
        if damaged:
            yield f"{name}: {damaged} frames are damaged"
        if part.listing.other_tracks:
            yield f"{name}: not copied: {', '.join(part.listing.other_tracks)}"
    with_sound = [part for part in parts if part.sound.audio]
    if not with_sound:
        yield "the recordings have no audio"
    elif len(with_sound) < len(parts):
        silent = ", ".join(part.listing.path.name for part in parts if not part.sound.audio)
        yield f"no audio in {silent}; there the audio track has a hole"
