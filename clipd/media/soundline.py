"""Places for sound: where each audio packet of joined slices is heard.

It stands apart from the joints of pictures, because sound has none: packets of all slices make one line, on which each
has its own time. Packets that would sound while another does are left out, and one that is less than half a frame off
the end of the one before follows it without a seam. So nothing adds up, however many slices there are. Raises
`CannotCopy` where a track does not tell enough.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Final

from clipd.media.joints import Part
from clipd.media.packets import FIXED_FRAMES, CannotCopy, TrackList

EDITED: Final = ("mp4", "mov")
"""Containers that begin where an edit list says: decoders get what they need before that, and show none of it."""
LEAD_SECONDS: Final = 1
"""How far from its pictures sound is looked for at a joint: containers lay the two side by side with some slack."""
NAMED_HOLES: Final = 20


@dataclass(frozen=True)
class SoundPlan:
    """One audio track: for each part, where each packet that is copied sounds, in samples from the first frame."""

    template: int
    """The slice whose track the output's is made like."""
    rate: int
    frame: int
    """How many samples a packet holds, at most."""
    places: tuple[dict[int, int], ...]
    moved: Fraction
    notes: tuple[str, ...]

    @property
    def start(self) -> int | None:
        """Where the first packet sounds."""
        return min((place for places in self.places for place in places.values()), default=None)


def place_sounds(parts: Sequence[Part], origin: Fraction, extension: str) -> Iterator[SoundPlan]:
    """Where the packets of each audio track are heard, in samples from `origin` on the caller's clock."""
    count = max(len(part.sound.audio) for part in parts)
    for number in range(count):
        having = [place for place, part in enumerate(parts) if len(part.sound.audio) > number]
        # A header that sets the decoder up is better than packets that do.
        told = [place for place in having if parts[place].sound.audio[number].extradata]
        yield _placed(parts, number, (told or having)[0], origin, extension)


def _placed(parts: Sequence[Part], number: int, template: int, origin: Fraction, extension: str) -> SoundPlan:
    """Where each packet of audio track `number` sounds: at its own time, or up to half a frame off for no seam."""
    model, name = parts[template].sound.audio[number], parts[template].sound.path.name
    if not model.rate:
        raise CannotCopy(f"{name}: audio track {number + 1} does not tell its sample rate")
    if model.form.has_adts and model.config is None:
        raise CannotCopy(f"{name}: audio track {number + 1} does not tell its channels")
    # A decoder of overlapping frames needs one more to begin with, which an MP4's edit list keeps from being heard.
    lead_in = extension in EDITED and model.codec in FIXED_FRAMES
    line = _SoundLine(model.rate, None if extension in EDITED else 0)
    for at, part in enumerate(parts):
        if len(part.sound.audio) <= number:
            line.skip()
            continue
        opens, closes, is_joined = _window(parts, at, number)
        line.add(
            _samples(part.sound.audio[number], part.sound_shift - origin, model.rate),
            math.ceil((opens - origin) * model.rate),
            math.ceil((closes - origin) * model.rate),
            2 if lead_in and not at else 1,
            is_joined=is_joined,
        )
    line.end()
    notes = [
        f"audio track {number + 1}: no sound from {start / model.rate:.3f} s for {length / model.rate:.3f} s"
        for start, length in line.holes[:NAMED_HOLES]
    ]
    return SoundPlan(template, model.rate, line.longest, tuple(line.places), line.moved, tuple(notes))


class _SoundLine:
    """The packets of one track one after the other, in samples from the first frame, none before `earliest`."""

    def __init__(self, rate: int, earliest: int | None) -> None:
        self.places: list[dict[int, int]] = []
        self.holes: list[tuple[int, int]] = []
        self.longest = 1
        self._rate, self._earliest = rate, earliest
        self._furthest = 0
        self._cursor: int | None = None
        self._heard = self._closes = 0
        """Up to where sound was found, or not wanted; and where that of the last slice ends."""

    @property
    def moved(self) -> Fraction:
        """How far a packet was moved at most, in seconds."""
        return Fraction(self._furthest, self._rate)

    def skip(self) -> None:
        """A slice without this track, which is told of once for all."""
        self.places.append({})

    def add(self, samples: Iterator[tuple[int, int]], opens: int, closes: int, reach: int, *, is_joined: bool) -> None:
        """Places the packets that sound from `opens` to `closes`, and the one before if `reach` is 2.

        A slice that is joined to the one before may fill what that leaves empty, from before its own first frame.
        """
        placed: dict[int, int] = {}
        self.places.append(placed)
        if not is_joined:
            self.end()
            self._heard = opens
        self._closes = closes
        for index, (told, length) in enumerate(samples):
            if told >= closes:
                break
            if told < opens - LEAD_SECONDS * self._rate or (not is_joined and told + reach * length <= opens):
                continue
            place = told
            if self._cursor is not None:
                if told < self._cursor - length // 2:
                    continue
                if told <= self._cursor + length // 2:
                    place = self._cursor
            if self._earliest is not None and place < self._earliest:
                continue
            self._note_hole(place, length // 2)
            self._furthest = max(self._furthest, abs(place - told))
            self.longest = max(self.longest, length)
            placed[index], self._cursor = place, place + length
            self._heard = max(self._heard, place + length)

    def end(self) -> None:
        """Nothing follows the last slice directly: what its sound lacks at the end is not filled by another one."""
        self._note_hole(self._closes, self.longest)

    def _note_hole(self, until: int, least: int) -> None:
        """Is more than `least` samples missing before `until`?"""
        if until - self._heard > least:
            self.holes.append((self._heard, until - self._heard))
            self._heard = until


def _window(parts: Sequence[Part], at: int, number: int) -> tuple[Fraction, Fraction, bool]:
    """From when to when sound of part `at` is wanted, and whether its pictures go on where the part before ended.

    Where pictures go on in the next part, its sound may begin late: so long, this part's own is wanted.
    """
    part, end = parts[at], parts[at].end
    is_joined = at > 0 and abs(part.first - parts[at - 1].end) <= part.half
    if at + 1 < len(parts) and abs(parts[at + 1].first - end) <= part.half:
        audio = parts[at + 1].sound.audio
        if len(audio) > number and audio[number].pts:
            late = audio[number].pts[0] * audio[number].time_base + parts[at + 1].sound_shift
            end = max(end, min(late, end + LEAD_SECONDS))
    return part.first, end, is_joined


def _samples(track: TrackList, shift: Fraction, rate: int) -> Iterator[tuple[int, int]]:
    """Of each packet, in samples: when it sounds and for how long."""
    scale, offset = track.time_base * rate, shift * rate
    begins = _nearest(track.pts, scale, offset)
    if track.codec in FIXED_FRAMES:
        usual = track.usual_duration() * scale
        # A coarse clock does not tell it to the sample; HE-AAC has twice as many as its core.
        size = track.frame_size * max(1, round(usual / track.frame_size)) if track.frame_size else max(1, round(usual))
        return ((begin, size) for begin in begins)
    return zip(begins, (max(1, length) for length in _nearest(track.duration, scale, Fraction(0))), strict=True)


def _nearest(ticks: Sequence[int], scale: Fraction, offset: Fraction) -> list[int]:
    """`ticks` times `scale` plus `offset`, each rounded once."""
    below = math.lcm(scale.denominator, offset.denominator)
    factor, plus = int(scale * below), int(offset * below)
    return [(2 * (tick * factor + plus) + below) // (2 * below) for tick in ticks]
