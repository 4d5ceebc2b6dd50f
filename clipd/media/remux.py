"""Joining by copying: packets of several files, or of spans of them, in one file, not a bit of any picture changed.

Each slice has its exact place on the caller's clock, and every packet is placed by its own time on that clock, never by
adding up durations, so that nothing drifts however many slices there are. What does not fit is cut at the joint, where
packets allow, and named: frames that cannot be decoded without an earlier file, frames that lie in two slices. Sound
follows the pictures of its own slice; at a joint it is moved by no more than half an audio frame, to go on without a
seam.

The finished file is read back: the number of frames, their times, the bytes of every picture and every sound are those
of the sources, and the first and last picture decode.

Raises `CannotCopy` where this cannot be done exactly, and the words say why; `MediaError` for what cannot be read or
proven; `Deferred` and `Temporary` for disks and shares; and whatever `checkpoint` raises.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache, partial
from itertools import pairwise
from pathlib import Path
from typing import Final

import av
import numpy as np
from av import AudioStream, Packet, VideoStream
from av.stream import Stream

from clipd.errors import MediaError
from clipd.media.bitstream import length_size
from clipd.media.door import Limits, opened
from clipd.media.encode import MUXERS, writing
from clipd.media.inspect import Found, inspect, reading
from clipd.media.packets import (
    FIXED_FRAMES,
    REORDERED,
    CannotCopy,
    Listing,
    Parcel,
    Run,
    Slice,
    TrackList,
    list_slice,
    tracks,
)
from clipd.media.parameters import Form, Parameters, compatible, configured_sets, picture_bytes
from clipd.media.timing import COARSE, Ticks, is_exact, rebased

HELD_BYTES: Final = 128 * 2**20
"""How much of all slices is kept in memory between listing and copying: a minute of a camera with 16 Mbit/s."""
FINEST: Final = 10_000_000
"""Most ticks per second that an MP4 is given; its lengths are counted in 32 bits by some programs."""
PLAIN_CLOCK: Final = Fraction(1, 90_000)
"""The clock where the slices' own have no common one: that of MPEG."""
LEAD_SECONDS: Final = 1
"""How far from its pictures sound is looked for at a joint: containers lay the two side by side with some slack."""

EDITED: Final = ("mp4", "mov")
"""Containers that begin where an edit list says: decoders get what they need before that, and show none of it."""

Checkpoint = Callable[[str, int, int], None]


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
class Joined:
    """A file made by copying. `gaps` are the spans on the caller's clock that no frame of it covers.

    `audio` are its tracks in words; `sound_moved` is the furthest, in seconds, that sound was moved at a joint.
    """

    path: Path
    slices: tuple[Delivered, ...]
    frames: int
    seconds: Fraction
    time_base: Fraction
    gaps: tuple[tuple[Fraction, Fraction], ...]
    audio: tuple[str, ...]
    sound_moved: Fraction
    notes: tuple[str, ...]
    proof: str

    @property
    def first(self) -> Fraction:
        """When the first frame is shown, on the caller's clock."""
        return self.slices[0].first

    @property
    def end(self) -> Fraction:
        """When the showing of the last frame ends, on the caller's clock."""
        return self.slices[-1].end


def copy_joined(
    slices: Sequence[Slice], output: Path, limits: Limits, *, threads: int = 1, checkpoint: Checkpoint
) -> Joined:
    """Copies `slices`, ordered by their place, into one file at `output`, whose suffix (.mp4, .mov, .mkv) says which.

    A slice begins with the sync frame at or before its start, and ends where its end is covered; what was really
    delivered is in the result. The file's own clock begins with the first frame.

    Raises:
        CannotCopy: the slices differ in their parameters, or their packets do not tell enough.
        MediaError, Rejected, Deferred, Temporary: as the module says.
    """
    if not slices:
        raise CannotCopy("there is nothing to join")
    with ExitStack() as stack:
        listings: list[Listing] = []
        for wanted in slices:
            budget = HELD_BYTES - sum(listing.size for listing in listings if listing.held is not None)
            watch = partial(_watch, checkpoint, len(listings), len(slices))
            listings.append(list_slice(wanted, limits, budget, watch, None if listings else stack))
        check_compatible(listings)
        plan = _planned(listings, output.suffix[1:])
        digests = _write(plan, output, limits, checkpoint)
    _prove(plan, output, digests, limits, threads, lambda: checkpoint("verifying", 0, 1))
    return plan.result(output)


def _watch(checkpoint: Checkpoint, done: int, total: int, _: int) -> None:
    checkpoint("reading packets", done, total)


def check_compatible(listings: Sequence[Listing]) -> None:
    """Raises CannotCopy where the packets of these files cannot follow each other."""
    first = listings[0]
    heard = next((listing for listing in listings if listing.audio), first)
    for other in listings[1:]:
        reason = compatible(replace(first.parameters, audio=heard.parameters.audio), other.parameters)
        if reason is not None:
            raise CannotCopy(f"{other.path.name} cannot follow {first.path.name} without encoding: {reason}")


def extension_for(parameters: Parameters) -> str:
    """`mp4`, or where MP4 cannot hold these tracks `mov` (G.711 sound) or else `mkv` (VP8)."""
    codecs = {parameters.codec, *(sound.codec for sound in parameters.audio)}
    return next((extension for extension in EDITED if codecs <= _codecs_of(extension)), "mkv")


@lru_cache(maxsize=4)
def _codecs_of(extension: str) -> frozenset[str]:
    with av.open("/dev/null", "w", format=MUXERS[extension]) as container:
        return frozenset(container.supported_codecs)


@dataclass(frozen=True)
class _Part:
    """The frames of one slice that are copied. Tick `t` of its file is at `t * base + shift` on the caller's clock."""

    listing: Listing
    run: Run
    shift: Fraction
    undecodable: int
    cut: int = 0
    lost: int = 0

    @property
    def base(self) -> Fraction:
        return self.listing.video.time_base

    @property
    def first(self) -> Fraction:
        return int(self.run.pts.min()) * self.base + self.shift

    @property
    def last(self) -> Fraction:
        return int(self.run.pts.max()) * self.base + self.shift

    @property
    def end(self) -> Fraction:
        """A last frame whose duration is not told lasts as long as the others."""
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


@dataclass(frozen=True)
class _SoundPlan:
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


@dataclass(frozen=True)
class _Plan:
    """All that is decided before a byte is written. Arrays run in decoding order, in ticks of `base`."""

    parts: tuple[_Part, ...]
    extension: str
    base: Fraction
    pts: Ticks
    dts: Ticks
    durations: Ticks
    end: int
    sounds: tuple[_SoundPlan, ...]
    gaps: tuple[tuple[Fraction, Fraction], ...]
    notes: tuple[str, ...]

    def result(self, output: Path) -> Joined:
        slices = tuple(part.delivered() for part in self.parts)
        heard = next((part.listing.parameters.audio for part in self.parts if part.listing.audio), ())
        return Joined(
            path=output,
            slices=slices,
            frames=len(self.pts),
            seconds=self.end * self.base,
            time_base=self.base,
            gaps=self.gaps,
            audio=tuple(f"{sound.codec} {sound.rate} Hz {sound.layout}" for sound in heard),
            sound_moved=max((sound.moved for sound in self.sounds), default=Fraction(0)),
            notes=(*self.notes, *(note for sound in self.sounds for note in sound.notes)),
            proof=f"{len(self.pts)} frames and all sound are the sources' bytes, times equal, last frame decoded",
        )


def _planned(listings: Sequence[Listing], extension: str) -> _Plan:
    parts = [_begun(listing) for listing in listings]
    for number in range(len(parts) - 1):
        parts[number] = _ended_before(parts[number], parts[number + 1])
    origin = parts[0].first
    fine = Fraction(1, math.lcm(*(part.base.denominator for part in parts)))
    shown = [
        part.run.pts * int(part.base / fine) + round((part.shift - origin) / fine) for part in parts
    ]  # fmt: skip
    stamps = np.concatenate(shown)
    order = np.argsort(stamps, kind="stable")
    if np.any(np.diff(stamps[order]) <= 0):
        raise CannotCopy("two frames would be shown at the same time")
    base = COARSE.get(extension) or (fine if fine.denominator <= FINEST else PLAIN_CLOCK)
    pts = np.empty_like(stamps)
    pts[order] = rebased(stamps[order], fine, base)
    end = int(pts.max()) + max(1, round((parts[-1].end - parts[-1].last) / base))
    durations = np.empty_like(stamps)
    durations[order] = np.diff(np.append(pts[order], end))
    notes = list(_notes(parts))
    if not is_exact(stamps, fine, base):
        notes.append(f"times are rounded to {float(base) * 1000:g} ms, the finest that .{extension} is given")
    return _Plan(
        parts=tuple(parts),
        extension=extension,
        base=base,
        pts=pts,
        dts=_decoding_times(pts, max(1, round(parts[0].step * parts[0].base / base))),
        durations=durations,
        end=end,
        sounds=tuple(_sounds(parts, origin, extension)),
        gaps=tuple(
            (before.end, after.first) for before, after in pairwise(parts) if after.first - before.end > before.half
        ),
        notes=tuple(notes),
    )


def _begun(listing: Listing) -> _Part:
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
    missing = int(np.sum(pts[: first + REORDERED] < pts[first])) if not earlier or earlier == [first] else 0
    return _Part(listing, run, wanted.at - listing.zero * video.time_base, missing if not wanted.start else 0)


def _check_order(run: Run, name: str) -> None:
    order = np.argsort(run.pts, kind="stable")
    if np.any(np.diff(run.pts[order]) <= 0):
        raise CannotCopy(f"{name}: the times of its frames stand still")
    if np.any(np.abs(order - np.arange(len(order))) > REORDERED):
        raise CannotCopy(f"{name}: the times of its frames jump")


def _ended_before(part: _Part, following: _Part) -> _Part:
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


def _decoding_times(pts: Ticks, step: int) -> Ticks:
    """Strictly increasing decoding times, none after its frame's `pts` (which stand in decoding order).

    The n-th is the n-th time of presentation, delayed by as many frames as the order of decoding needs.
    """
    shown = np.sort(pts)
    delay = int(np.max(np.arange(len(pts)) - np.searchsorted(shown, pts)))
    before = shown[0] - step * np.arange(delay, 0, -1, dtype=np.int64)
    return np.concatenate((before, shown[: len(shown) - delay]))


def _notes(parts: Sequence[_Part]) -> Iterator[str]:
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
    with_sound = [part for part in parts if part.listing.audio]
    if not with_sound:
        yield "the recordings have no audio"
    elif len(with_sound) < len(parts):
        silent = ", ".join(part.listing.path.name for part in parts if not part.listing.audio)
        yield f"no audio in {silent}; there the audio track has a hole"


def _sounds(parts: Sequence[_Part], origin: Fraction, extension: str) -> Iterator[_SoundPlan]:
    count = max(len(part.listing.audio) for part in parts)
    for number in range(count):
        having = [place for place, part in enumerate(parts) if len(part.listing.audio) > number]
        # A header that sets the decoder up is better than packets that do.
        told = [place for place in having if parts[place].listing.audio[number].extradata]
        yield _placed(parts, number, (told or having)[0], origin, extension)


def _placed(parts: Sequence[_Part], number: int, template: int, origin: Fraction, extension: str) -> _SoundPlan:
    """Where each packet of audio track `number` sounds: at its own time, or up to half a frame off for no seam."""
    model, name = parts[template].listing.audio[number], parts[template].listing.path.name
    if not model.rate:
        raise CannotCopy(f"{name}: audio track {number + 1} does not tell its sample rate")
    if model.form.has_adts and model.config is None:
        raise CannotCopy(f"{name}: audio track {number + 1} does not tell its channels")
    # A decoder of overlapping frames needs one more to begin with, which an MP4's edit list keeps from being heard.
    lead_in = extension in EDITED and model.codec in FIXED_FRAMES
    line = _SoundLine(model.rate, None if extension in EDITED else 0)
    for at, part in enumerate(parts):
        if len(part.listing.audio) <= number:
            line.places.append({})
            continue
        opens, closes, is_joined = _window(parts, at, number)
        line.add(
            _samples(part.listing.audio[number], part.shift - origin, model.rate),
            math.ceil((opens - origin) * model.rate),
            math.ceil((closes - origin) * model.rate),
            2 if lead_in and not at else 1,
            is_joined=is_joined,
        )
    notes = [
        f"audio track {number + 1}: no sound from {start / model.rate:.3f} s for {length / model.rate:.3f} s"
        for start, length in line.holes[:20]
    ]
    return _SoundPlan(template, model.rate, line.longest, tuple(line.places), line.moved, tuple(notes))


class _SoundLine:
    """The packets of one track one after the other, in samples from the first frame, none before `earliest`."""

    def __init__(self, rate: int, earliest: int | None) -> None:
        self.places: list[dict[int, int]] = []
        self.holes: list[tuple[int, int]] = []
        self.longest = 1
        self._rate, self._earliest = rate, earliest
        self._furthest = 0
        self._cursor: int | None = None

    @property
    def moved(self) -> Fraction:
        """How far a packet was moved at most, in seconds."""
        return Fraction(self._furthest, self._rate)

    def add(self, samples: Iterator[tuple[int, int]], opens: int, closes: int, reach: int, *, is_joined: bool) -> None:
        """Places the packets that sound from `opens` to `closes`, and the one before if `reach` is 2.

        A slice that is joined to the one before may fill what that leaves empty, from before its own first frame.
        """
        placed: dict[int, int] = {}
        self.places.append(placed)
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
                elif placed or is_joined:
                    self.holes.append((self._cursor, told - self._cursor))
            if self._earliest is not None and place < self._earliest:
                continue
            self._furthest = max(self._furthest, abs(place - told))
            self.longest = max(self.longest, length)
            placed[index], self._cursor = place, place + length


def _window(parts: Sequence[_Part], at: int, number: int) -> tuple[Fraction, Fraction, bool]:
    """From when to when sound of part `at` is wanted, and whether its pictures go on where the part before ended.

    Where pictures go on in the next part, its sound may begin late: so long, this part's own is wanted.
    """
    part, end = parts[at], parts[at].end
    is_joined = at > 0 and abs(part.first - parts[at - 1].end) <= part.half
    if at + 1 < len(parts) and abs(parts[at + 1].first - end) <= part.half:
        audio = parts[at + 1].listing.audio
        if len(audio) > number and audio[number].pts:
            late = audio[number].pts[0] * audio[number].time_base + parts[at + 1].shift
            end = max(end, min(late, end + LEAD_SECONDS))
    return part.first, end, is_joined


def _samples(track: TrackList, shift: Fraction, rate: int) -> Iterator[tuple[int, int]]:
    """Of each packet, in samples: when it sounds and for how long."""
    scale, offset = track.time_base * rate, shift * rate
    begins = _nearest(track.pts, scale, offset)
    if track.codec in FIXED_FRAMES:
        usual = max(1, round(track.usual_duration() * scale))
        return ((begin, usual) for begin in begins)
    return zip(begins, (max(1, length) for length in _nearest(track.duration, scale, Fraction(0))), strict=True)


def _nearest(ticks: Sequence[int], scale: Fraction, offset: Fraction) -> list[int]:
    """`ticks` times `scale` plus `offset`, each rounded once."""
    below = math.lcm(scale.denominator, offset.denominator)
    factor, plus = int(scale * below), int(offset * below)
    return [(2 * (tick * factor + plus) + below) // (2 * below) for tick in ticks]


class _Copy:
    """The file in the making: parcels in, packets out; `digests` are those of the pictures and of each audio track."""

    def __init__(self, plan: _Plan, output: Path, limits: Limits) -> None:
        self.path, self._plan = output, plan
        self.digests = [hashlib.sha256() for _ in range(1 + len(plan.sounds))]
        self._form = plan.parts[0].listing.video.form
        # Matroska keeps no decoding times, and need not be moved for the sake of those before 0.
        options = {"movflags": "+faststart"} if plan.extension in EDITED else {"avoid_negative_ts": "disabled"}
        self._container = av.open(f"file:{output}", "w", format=MUXERS[plan.extension], container_options=options)
        self._streams = self._made_like_sources(limits)

    def picture(self, place: int, parcel: Parcel, source: TrackList, *, is_sync: bool) -> None:
        """Writes frame `place`, in decoding order."""
        plan = self._plan
        for piece in picture_bytes(source.codec, memoryview(parcel.data), source.form.length_size):
            self.digests[0].update(piece)
        packet: Packet[Stream] = Packet(source.form.brought_to(self._form, parcel.data))
        packet.pts, packet.dts, packet.duration = int(plan.pts[place]), int(plan.dts[place]), int(plan.durations[place])
        packet.time_base, packet.is_keyframe = plan.base, is_sync
        self._mux(0, packet)

    def sound(self, place: int, parcel: Parcel, source: TrackList) -> None:
        """Writes the sound that begins at sample `place`."""
        sound = self._plan.sounds[parcel.track - 1]
        data = source.form.brought_to(Form(), parcel.data)
        self.digests[parcel.track].update(data)
        packet: Packet[Stream] = Packet(data)
        packet.pts = packet.dts = place
        packet.duration, packet.time_base, packet.is_keyframe = sound.frame, Fraction(1, sound.rate), True
        self._mux(parcel.track, packet)

    def close(self) -> None:
        """Ends the file."""
        with writing(self.path):
            self._container.close()

    def _mux(self, track: int, packet: Packet[Stream]) -> None:
        packet.stream = self._streams[track]
        with writing(self.path):
            self._container.mux_one(packet)

    def _made_like_sources(self, limits: Limits) -> list[VideoStream | AudioStream]:
        plan = self._plan
        made: list[VideoStream | AudioStream] = []
        wanted = [(0, 0), *((sound.template, number) for number, sound in enumerate(plan.sounds, 1))]
        with ExitStack() as stack:
            files = {part: plan.parts[part].listing.tracks for part, _ in wanted}
            for part, track in wanted:
                if not files[part]:
                    path = plan.parts[part].listing.path
                    video, audio, _ = tracks(path, stack.enter_context(opened(path, limits)))
                    files[part] = (video, *audio)
                made.append(self._like(files[part][track], track))
        return made

    def _like(self, template: VideoStream | AudioStream, track: int) -> VideoStream | AudioStream:
        plan = self._plan
        with writing(self.path):
            stream = self._container.add_stream_from_template(template, opaque=True)
        if track == 0:
            listing = plan.parts[0].listing
            stream.time_base = plan.base
            configured = configured_sets(listing.video.codec, listing.video.extradata)
            if listing.video.codec == "hevc" and plan.extension in EDITED and listing.parameters.sets <= configured:
                # The tag for parameter sets that stand in the header alone, without which some players show nothing.
                stream.codec_context.codec_tag = "hvc1"
            return stream
        sound = plan.sounds[track - 1]
        source = plan.parts[sound.template].listing.audio[track - 1]
        stream.time_base = Fraction(1, sound.rate)
        if source.form.has_adts:
            stream.codec_context.extradata = source.config
        if template.language:
            stream.metadata["language"] = template.language
        return stream


def _write(plan: _Plan, output: Path, limits: Limits, checkpoint: Checkpoint) -> list[str]:
    """Writes the file; the digests of the pictures' bytes and of each audio track's."""
    with writing(output):
        copy = _Copy(plan, output, limits)
    try:
        done = 0
        for number, part in enumerate(plan.parts):
            places = {kept: done + at for at, kept in enumerate(part.run.kept.tolist())}
            sounds = [sound.places[number] for sound in plan.sounds]
            sync, listed = set(part.listing.video.sync), (part.listing.video, *part.listing.audio)
            for parcel in part.listing.parcels(limits):
                if parcel.track == 0 and parcel.number in places:
                    checkpoint("copying", places[parcel.number], len(plan.pts))
                    copy.picture(places[parcel.number], parcel, listed[0], is_sync=parcel.number in sync)
                elif parcel.track and parcel.number in sounds[parcel.track - 1]:
                    copy.sound(sounds[parcel.track - 1][parcel.number], parcel, listed[parcel.track])
            done += len(places)
    finally:
        copy.close()
    return [digest.hexdigest() for digest in copy.digests]


def _prove(
    plan: _Plan, output: Path, digests: Sequence[str], limits: Limits, threads: int, tick: Callable[[], None]
) -> None:
    """Reads the file back.

    Raises:
        MediaError: with the first difference from what was to be written.
    """
    found = inspect(output, limits, threads, tick)
    expected = np.sort(plan.pts)
    if found.frames != len(expected):
        raise MediaError(f"{output.name} holds {found.frames} frames instead of {len(expected)}")
    ratio = plan.base / found.time_base
    off = np.flatnonzero(found.times * ratio.denominator - expected * ratio.numerator)
    if len(off):
        raise MediaError(f"{output.name}: frame {int(off[0])} is shown at the wrong time")
    _prove_sound(plan, found, output)
    if _digests(output, limits, len(digests)) != list(digests):
        raise MediaError(f"{output.name} holds other bytes than its sources")


def _prove_sound(plan: _Plan, found: Found, output: Path) -> None:
    """Every track begins where its first packet was placed, or with the first frame."""
    for number, (sound, track) in enumerate(zip(plan.sounds, found.audio, strict=True), 1):
        if sound.start is None:
            continue
        begin = max(Fraction(0), Fraction(sound.start, sound.rate))
        if track.start is None or abs(track.start - begin) > max(track.frame_seconds, found.time_base):
            raise MediaError(f"{output.name}: audio track {number} does not begin where it should")


def _digests(output: Path, limits: Limits, count: int) -> list[str]:
    """The digests of the bytes of the file's pictures and of the sound of each audio track."""
    digests = [hashlib.sha256() for _ in range(count)]
    with reading(output), opened(output, limits) as container:
        video, audio, _ = tracks(output, container)
        context = video.codec_context
        codec, size = context.codec.canonical_name, length_size(context.codec.canonical_name, context.extradata)
        places = {stream.index: place for place, stream in enumerate((video, *audio))}
        for packet in container.demux():
            place = places.get(packet.stream_index)
            if place is None or not packet.size:
                continue
            if place:
                digests[place].update(packet)
                continue
            for piece in picture_bytes(codec, memoryview(packet), size):
                digests[0].update(piece)
    return [digest.hexdigest() for digest in digests]
