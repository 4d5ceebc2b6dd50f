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
import heapq
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
from av.container import InputContainer
from av.stream import Discard, Stream

from clipd.errors import MediaError
from clipd.media.bitstream import length_size
from clipd.media.door import Limits, only, opened
from clipd.media.encode import MUXERS, writing
from clipd.media.inspect import AudioFound, decode_last, first_sound, reading
from clipd.media.joints import Delivered, Part, begun, decoding_times, ended_before, notes_on
from clipd.media.packets import (
    CannotCopy,
    Listing,
    Parcel,
    Slice,
    TrackList,
    list_slice,
    tracks,
)
from clipd.media.parameters import Form, Parameters, compatible, configured_sets, picture_bytes
from clipd.media.soundline import EDITED, LEAD_SECONDS, SoundPlan, place_sounds
from clipd.media.timing import COARSE, Ticks, is_exact, rebased

HELD_BYTES: Final = 128 * 2**20
"""How much of all slices is kept in memory between listing and copying: a minute of a camera with 16 Mbit/s."""
FINEST: Final = 10_000_000
"""Most ticks per second that an MP4 is given; its lengths are counted in 32 bits by some programs."""
PLAIN_CLOCK: Final = Fraction(1, 90_000)
"""The clock where the slices' own have no common one: that of MPEG."""
Checkpoint = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Joined:
    """A file made by copying. `gaps` are the spans on the caller's clock that no frame of it covers.

    `audio` are its tracks in words, `sound_starts` where each begins, in seconds from the first frame; `sound_moved` is
    the furthest, in seconds, that sound was moved at a joint.
    """

    path: Path
    slices: tuple[Delivered, ...]
    frames: int
    seconds: Fraction
    time_base: Fraction
    gaps: tuple[tuple[Fraction, Fraction], ...]
    audio: tuple[str, ...]
    sound_starts: tuple[Fraction, ...]
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
    slices: Sequence[Slice],
    output: Path,
    limits: Limits,
    *,
    threads: int = 1,
    checkpoint: Checkpoint,
    audio_tracks: int | None = None,
    decode_end: bool = True,
) -> Joined:
    """Copies `slices`, ordered by their place, into one file at `output`, whose suffix (.mp4, .mov, .mkv) says which.

    A slice begins with the sync frame at or before its start, and ends where its end is covered; what was really
    delivered is in the result. The file's own clock begins with the first frame. `audio_tracks` are copied at most.

    Without `decode_end` the last frame is not decoded, which takes most of the time where the last sync frame is far
    from it; that its bytes are the source's is proven all the same.

    Raises:
        CannotCopy: the slices differ in their parameters, or their packets do not tell enough.
        MediaError, Rejected, Deferred, Temporary: as the module says.
    """
    if not slices:
        raise CannotCopy("there is nothing to join")
    with ExitStack() as stack:
        listed = _listed(slices, limits, checkpoint, stack)
        check_compatible([listing for listing, _ in listed], [sound or listing for listing, sound in listed])
        plan = _planned(listed, output.suffix[1:], audio_tracks)
        digests = _write(plan, output, limits, checkpoint)
    _prove(plan, output, digests, limits, threads if decode_end else None, lambda: checkpoint("verifying", 0, 1))
    return plan.result(output, decoded=decode_end)


_Listed = tuple[Listing, Listing | None]
"""A slice's pictures, and the other file that its sound is from, if it is."""


def _listed(slices: Sequence[Slice], limits: Limits, checkpoint: Checkpoint, stack: ExitStack) -> list[_Listed]:
    """All slices, listed; the first one's file stays open until `stack` is closed."""
    listed: list[_Listed] = []
    budget = HELD_BYTES
    for wanted in slices:
        watch = partial(_watch, checkpoint, len(listed), len(slices))
        listing = list_slice(wanted, limits, budget, watch, None if listed else stack)
        budget -= listing.size if listing.held is not None else 0
        sound = None
        if wanted.sound is not None:
            video = listing.video
            length = (max(video.pts) - listing.zero + video.usual_duration()) * video.time_base
            start = wanted.sound.start
            heard = Slice(wanted.sound.path, start=start, end=start + length + LEAD_SECONDS, zero=Fraction(0))
            sound = list_slice(heard, limits, budget, watch)
            budget -= sound.size if sound.held is not None else 0
        listed.append((listing, sound))
    return listed


def _watch(checkpoint: Checkpoint, done: int, total: int, _: int) -> None:
    checkpoint("reading packets", done, total)


def check_compatible(listings: Sequence[Listing], sounds: Sequence[Listing] | None = None) -> None:
    """Raises CannotCopy where the packets of these files, and of their `sounds`, cannot follow each other."""
    heard = [sound.parameters.audio for sound in sounds or listings]
    first = replace(listings[0].parameters, audio=next((audio for audio in heard if audio), ()))
    for other, audio in zip(listings, heard, strict=True):
        reason = compatible(first, replace(other.parameters, audio=audio))
        if reason is not None:
            raise CannotCopy(f"{other.path.name} cannot follow {listings[0].path.name} without encoding: {reason}")


def extension_for(parameters: Parameters) -> str:
    """`mp4`, or where MP4 cannot hold these tracks `mov` (G.711 sound) or else `mkv` (VP8)."""
    codecs = {parameters.codec, *(sound.codec for sound in parameters.audio)}
    return next((extension for extension in EDITED if codecs <= _codecs_of(extension)), "mkv")


def _check_container(parts: Sequence[Part], audio_tracks: int, extension: str) -> None:
    codecs = {part.listing.video.codec for part in parts}
    codecs |= {track.codec for part in parts for track in part.sound.audio[:audio_tracks]}
    unknown = codecs - _codecs_of(extension)
    # Matroska holds more than the library says of it.
    if unknown and extension in EDITED:
        raise CannotCopy(f".{extension} cannot hold {', '.join(sorted(unknown))}")


@lru_cache(maxsize=4)
def _codecs_of(extension: str) -> frozenset[str]:
    with av.open("/dev/null", "w", format=MUXERS[extension]) as container:
        return frozenset(container.supported_codecs)


@dataclass(frozen=True)
class _Plan:
    """All that is decided before a byte is written. Arrays run in decoding order, in ticks of `base`."""

    parts: tuple[Part, ...]
    extension: str
    base: Fraction
    pts: Ticks
    dts: Ticks
    durations: Ticks
    end: int
    sounds: tuple[SoundPlan, ...]
    gaps: tuple[tuple[Fraction, Fraction], ...]
    notes: tuple[str, ...]

    def result(self, output: Path, *, decoded: bool) -> Joined:
        slices = tuple(part.delivered() for part in self.parts)
        heard = next((part.sound.parameters.audio for part in self.parts if part.sound.audio), ())
        return Joined(
            path=output,
            slices=slices,
            frames=len(self.pts),
            seconds=self.end * self.base,
            time_base=self.base,
            gaps=self.gaps,
            audio=tuple(f"{sound.codec} {sound.rate} Hz {sound.layout}" for sound in heard[: len(self.sounds)]),
            sound_starts=tuple(max(Fraction(0), Fraction(sound.start or 0, sound.rate)) for sound in self.sounds),
            sound_moved=max((sound.moved for sound in self.sounds), default=Fraction(0)),
            notes=(*self.notes, *(note for sound in self.sounds for note in sound.notes)),
            proof=f"{len(self.pts)} frames and all sound are the sources' bytes, times equal"
            + (", last frame decoded" if decoded else ""),
        )


def _planned(listed: Sequence[_Listed], extension: str, audio_tracks: int | None) -> _Plan:
    parts = [begun(listing, sound) for listing, sound in listed]
    for number in range(len(parts) - 1):
        parts[number] = ended_before(parts[number], parts[number + 1])
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
    sounds = tuple(place_sounds(parts, origin, extension))[:audio_tracks]
    _check_container(parts, len(sounds), extension)
    notes = list(notes_on(parts))
    if not is_exact(stamps, fine, base):
        notes.append(f"times are rounded to {float(base) * 1000:g} ms, the finest that .{extension} is given")
    return _Plan(
        parts=tuple(parts),
        extension=extension,
        base=base,
        pts=pts,
        dts=decoding_times(pts, max(1, round(parts[0].step * parts[0].base / base))),
        durations=durations,
        end=end,
        sounds=sounds,
        gaps=tuple(
            (before.end, after.first) for before, after in pairwise(parts) if after.first - before.end > before.half
        ),
        notes=tuple(notes),
    )


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
        with ExitStack() as stack:
            files: dict[Path, tuple[VideoStream | AudioStream, ...]] = {}
            for number in range(1 + len(plan.sounds)):
                source = plan.parts[plan.sounds[number - 1].template].sound if number else plan.parts[0].listing
                if source.path not in files:
                    files[source.path] = source.tracks or _tracks(stack, source, limits)
                made.append(self._like(files[source.path][number], number))
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
        source = plan.parts[sound.template].sound.audio[track - 1]
        stream.time_base = Fraction(1, sound.rate)
        if source.form.has_adts:
            stream.codec_context.extradata = source.config
        if template.language:
            stream.metadata["language"] = template.language
        return stream


def _tracks(stack: ExitStack, source: Listing, limits: Limits) -> tuple[VideoStream | AudioStream, ...]:
    return source.found_again(stack.enter_context(opened(source.path, limits)))


def _write(plan: _Plan, output: Path, limits: Limits, checkpoint: Checkpoint) -> list[str]:
    """Writes the file; the digests of the pictures' bytes and of each audio track's."""
    with writing(output):
        copy = _Copy(plan, output, limits)
    try:
        done = 0
        for number, part in enumerate(plan.parts):
            places = {kept: done + at for at, kept in enumerate(part.run.kept.tolist())}
            sounds = [sound.places[number] for sound in plan.sounds]
            sync = set(part.listing.video.sync)
            for parcel in _parcels(part, limits):
                if parcel.track == 0 and parcel.number in places:
                    checkpoint("copying", places[parcel.number], len(plan.pts))
                    copy.picture(places[parcel.number], parcel, part.listing.video, is_sync=parcel.number in sync)
                elif 0 < parcel.track <= len(sounds) and parcel.number in sounds[parcel.track - 1]:
                    track = parcel.track - 1
                    copy.sound(sounds[track][parcel.number], parcel, part.sound.audio[track])
            done += len(places)
    finally:
        copy.close()
    return [digest.hexdigest() for digest in copy.digests]


def _parcels(part: Part, limits: Limits) -> Iterator[Parcel]:
    """The packets of a part in the file's order; pictures and sound of two files by their times."""
    if part.sound is part.listing:
        yield from part.listing.parcels(limits)
        return

    def at(parcel: Parcel) -> Fraction:
        if parcel.track == 0:
            return part.listing.video.pts[parcel.number] * part.base + part.shift
        track = part.sound.audio[parcel.track - 1]
        return track.pts[parcel.number] * track.time_base + part.sound_shift

    pictures = (parcel for parcel in part.listing.parcels(limits) if parcel.track == 0)
    sounds = (parcel for parcel in part.sound.parcels(limits) if parcel.track)
    yield from heapq.merge(pictures, sounds, key=at)


def _prove(
    plan: _Plan, output: Path, digests: Sequence[str], limits: Limits, threads: int | None, tick: Callable[[], None]
) -> None:
    """Reads the file back, and decodes its last frame with `threads`, unless that is None.

    Raises:
        MediaError: with the first difference from what was to be written.
    """
    with reading(output), opened(output, limits) as container:
        video, audio, _ = tracks(output, container)
        _prove_sound(plan, [first_sound(container, stream) for stream in audio], output)
        stamps, found = _read(container, video, audio)
        expected = np.sort(plan.pts)
        if len(stamps) != len(expected):
            raise MediaError(f"{output.name} holds {len(stamps)} frames instead of {len(expected)}")
        ratio = plan.base / (video.time_base or Fraction(1, av.time_base))
        off = np.flatnonzero(stamps * ratio.denominator - expected * ratio.numerator)
        if len(off):
            raise MediaError(f"{output.name}: frame {int(off[0])} is shown at the wrong time")
        if found != list(digests):
            raise MediaError(f"{output.name} holds other bytes than its sources")
        if threads is None:
            return
        only(container, video)
        video.codec_context.thread_count = threads
        decode_last(container, video, int(stamps[-1]), tick, output)


def _prove_sound(plan: _Plan, found: Sequence[AudioFound], output: Path) -> None:
    """Every track begins where its first packet was placed, or with the first frame."""
    for number, (sound, track) in enumerate(zip(plan.sounds, found, strict=True), 1):
        if sound.start is None:
            continue
        begin = max(Fraction(0), Fraction(sound.start, sound.rate))
        if track.start is None or abs(track.start - begin) > max(track.frame_seconds, plan.base):
            raise MediaError(f"{output.name}: audio track {number} does not begin where it should")


def _read(container: InputContainer, video: VideoStream, audio: Sequence[AudioStream]) -> tuple[Ticks, list[str]]:
    """The times of the file's pictures, in order, and the digests of the bytes of its pictures and of each sound."""
    digests = [hashlib.sha256() for _ in range(1 + len(audio))]
    codec = video.codec_context.codec.canonical_name
    size = length_size(codec, video.codec_context.extradata)
    places = {stream.index: place for place, stream in enumerate((video, *audio))}
    stamps: list[int] = []
    for stream in container.streams:
        stream.discard = Discard.default
    container.seek(0)
    for packet in container.demux(video, *audio):
        place = places[packet.stream_index]
        if place and packet.size:
            digests[place].update(packet)
        elif packet.size and packet.pts is not None:
            stamps.append(packet.pts)
            for piece in picture_bytes(codec, memoryview(packet), size):
                digests[0].update(piece)
    return np.sort(np.array(stamps, np.int64)), [digest.hexdigest() for digest in digests]
