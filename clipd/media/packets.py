"""The packets of one file, listed before they are copied: which frames they show, where copying may begin and end.

It stands apart because copying is decided on packets alone, in two orders at once. Packets lie in decoding order, but a
person asks for frames in presentation order: a run of packets may be cut off only where the two agree, or frames would
be kept that nobody can decode. `Run` finds those places.

Small files are read once and their packets kept in memory; of larger ones only the list is kept, and they are read
again.

Raises `CannotCopy` where a file does not tell enough to be copied exactly; `MediaError` and `Rejected` as `door` does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import av.container
import av.error
import numpy as np
from av import AudioStream, Packet, VideoStream
from av.stream import Discard, Disposition, Stream

from clipd.errors import MediaError, Rejected
from clipd.media import bitstream
from clipd.media.bitstream import Content
from clipd.media.door import Limits, opened
from clipd.media.parameters import SETS, Form, Parameters, audio_config, form_of, parameters_of, sets_in
from clipd.media.timing import Ticks

FIXED_FRAMES: Final = frozenset({"aac", "mp3", "mp2", "ac3", "eac3"})
"""Audio codecs whose every packet sounds as long as the others, whatever durations a container gives them."""
REORDERED: Final = 32
"""How far a frame may be coded from its place in presentation order: 16 frames, or 32 fields (H.264, HEVC)."""
EARLIER_SECONDS: Final = (0, 10)
"""How far before a span seeking aims, first and next, for containers that seek inexactly; then the start is taken."""
TICK_EVERY: Final = 256

Watch = Callable[[int], None]
"""Called with the number of packets read; may raise to stop."""


class CannotCopy(Rejected):
    """These files cannot be joined by copying packets; the words say why. Decoding and encoding them may still do."""


@dataclass(frozen=True)
class Beside:
    """The sound of the file at `path`, beside the pictures of another.

    `start` is the moment, in seconds on the file's own clock, that sounds when the first of those is shown.
    """

    path: Path
    start: Fraction


@dataclass(frozen=True)
class Slice:
    """A file, or the part of it that is wanted, and its place on the caller's clock.

    `at` is when the file's first frame is shown, in seconds on the caller's clock. `start` and `end` are seconds from
    that frame; None stands for the beginning and the end of the file. `zero` is when the first frame is shown on the
    file's own clock; None takes the first one that can be decoded. With `sound`, that is heard instead of its own.
    """

    path: Path
    at: Fraction = Fraction(0)
    start: Fraction | None = None
    end: Fraction | None = None
    zero: Fraction | None = None
    sound: Beside | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A packet's bytes. `track` 0 is the video, 1 and on are audio; `number` counts within the track."""

    track: int
    number: int
    data: bytes
    is_keyframe: bool


@dataclass
class TrackList:
    """The packets of one track in the file's order; `pts` and `duration` in ticks of `time_base`."""

    codec: str
    time_base: Fraction
    extradata: bytes | None
    form: Form
    tag: str
    rate: int = 0
    """Samples per second; 0 for video."""
    frame_size: int = 0
    """Samples in a packet, as the decoder tells it; 0 where it does not."""
    pts: list[int] = field(default_factory=list)
    duration: list[int] = field(default_factory=list)
    sync: list[int] = field(default_factory=list)
    damaged: list[int] = field(default_factory=list)
    config: bytes | None = None
    """What stands for `extradata` where that is missing."""

    def usual_duration(self) -> int:
        """The middle one of all durations, in ticks; 1 where none is told."""
        told = [duration for duration in self.duration if duration > 0]
        return int(np.median(told)) if told else 1


@dataclass(frozen=True)
class Listing:
    """The packets of a slice's file, from a sync frame at or before its start (or the first) until after its end.

    `zero` is the time of the file's first frame in ticks of the video; `sought` the tick that was sought, None where
    reading began with the file. `held` are the packets themselves, None if they are to be read again.
    """

    slice: Slice
    container: str
    parameters: Parameters
    video: TrackList
    audio: tuple[TrackList, ...]
    other_tracks: tuple[str, ...]
    zero: int
    sought: int | None
    size: int
    held: tuple[Parcel, ...] | None
    tracks: tuple[VideoStream | AudioStream, ...] = ()
    """The open file's own tracks, if it is kept open."""

    @property
    def path(self) -> Path:
        """The file."""
        return self.slice.path

    def parcels(self, limits: Limits) -> Iterator[Parcel]:
        """The listed packets, from memory or read again.

        Raises:
            MediaError: the file was changed in the meantime.
        """
        if self.held is not None:
            yield from self.held
            return
        listed = (self.video, *self.audio)
        counts = [0] * len(listed)
        with opened(self.path, limits) as container:
            for track, packet in _walk(container, self.found_again(container), self.sought):
                data, number = bytes(packet), counts[track]
                if number == len(listed[track].pts) or (track == 0 and _is_empty(self.video, data)):
                    continue
                if packet.pts != listed[track].pts[number]:
                    break
                counts[track] += 1
                yield Parcel(track, number, data, packet.is_keyframe)
                if counts == [len(one.pts) for one in listed]:
                    return
        raise MediaError(f"{self.path.name} gives other packets when it is read again; was it changed?")

    def found_again(self, container: av.container.InputContainer) -> tuple[VideoStream | AudioStream, ...]:
        """The listed tracks of the file, which was opened again.

        Raises:
            MediaError: the file was changed in the meantime.
        """
        video, audio, _ = tracks(self.path, container)
        if len(audio) != len(self.audio):
            raise MediaError(f"{self.path.name} has other tracks when it is read again; was it changed?")
        return video, *audio


@dataclass(frozen=True)
class Run:
    """Frames to be copied: `kept` are their places among the packets, ascending, `pts` their times in file ticks."""

    kept: Ticks
    pts: Ticks

    @property
    def shown(self) -> Ticks:
        """The times in presentation order."""
        return np.sort(self.pts)

    def ends(self) -> Ticks:
        """After how many packets it may be cut off: those that are also the first ones shown."""
        places = np.argsort(np.argsort(self.pts, kind="stable"), kind="stable")
        return np.flatnonzero(np.maximum.accumulate(places) == np.arange(len(places))).astype(np.int64) + 1

    def cut(self, count: int) -> Run:
        """The first `count` packets alone."""
        return Run(self.kept[:count], self.pts[:count])


def list_slice(
    wanted: Slice, limits: Limits, budget: int, watch: Watch = lambda _: None, keep: ExitStack | None = None
) -> Listing:
    """Reads the packets of `wanted`, and keeps them in memory if they are no more than `budget` bytes.

    With `keep`, the file stays open until that is closed, and the listing has its `tracks`.

    Raises:
        CannotCopy: packets carry no times, or no frame can be decoded on its own.
        MediaError, Rejected: the file cannot be read.
    """
    start = wanted.start or Fraction(0)
    zero = wanted.zero
    if start and zero is None:
        zero = _first_shown(wanted.path, limits)
    aims = [start - earlier for earlier in EARLIER_SECONDS if start > earlier]
    for aim in (*aims, None):
        listing = _listed(replace(wanted, zero=zero), aim, limits, budget, watch, keep)
        if listing is not None:
            return listing
    raise CannotCopy(f"{wanted.path.name} has no frame that can be decoded on its own, to begin copying from")


def _first_shown(path: Path, limits: Limits) -> Fraction | None:
    """When the first frame that can be decoded is shown, in seconds on the file's own clock."""
    with opened(path, limits) as container:
        video, _, _ = tracks(path, container)
        reading = _Reading((video,), None, None, 0)
        for _, packet in _walk(container, (video,), None):
            reading.take(0, packet, path)
            if reading.zero is not None:
                return reading.zero * reading.video.time_base
    return None


def _listed(
    wanted: Slice, aim: Fraction | None, limits: Limits, budget: int, watch: Watch, keep: ExitStack | None
) -> Listing | None:
    """The listing read from `aim` seconds on, or from the beginning; None if it holds no frame to begin from."""
    with ExitStack() as stack:
        container = stack.enter_context(opened(wanted.path, limits))
        video, audio, others = tracks(wanted.path, container)
        streams: tuple[VideoStream | AudioStream, ...] = (video, *audio)
        parameters = parameters_of(video, audio)
        reading = _Reading(streams, wanted.zero, wanted.end, budget)
        base = reading.video.time_base
        first = None if aim is None else int((aim + (wanted.zero or 0)) / base)
        latest = None if first is None else int(((wanted.start or 0) + (wanted.zero or 0)) / base)
        for read, (track, packet) in enumerate(_walk(container, streams, first)):
            if read % TICK_EVERY == 0:
                watch(read)
            if not reading.take(track, packet, wanted.path):
                break
            sync = reading.video.sync
            if latest is not None and len(sync) == 1 and reading.video.pts[sync[0]] > latest:
                return None
            if len(reading.video.pts) > limits.max_frames:
                raise Rejected(f"{wanted.path.name} has more than {limits.max_frames} frames (setting max_frames)")
        if not reading.video.sync or reading.zero is None:
            return None
        if keep is not None:
            keep.push(stack.pop_all())
        return Listing(
            slice=wanted,
            container=container.format.name,
            parameters=replace(parameters, sets=parameters.sets | reading.sets),
            video=reading.video,
            audio=tuple(reading.lists[1:]),
            other_tracks=others,
            zero=reading.zero,
            sought=first,
            size=reading.size,
            held=None if reading.held is None else tuple(reading.held),
            tracks=streams if keep is not None else (),
        )


def tracks(
    path: Path, container: av.container.InputContainer
) -> tuple[VideoStream, tuple[AudioStream, ...], tuple[str, ...]]:
    """The video track that `probe` would choose, all audio tracks, and the names of the rest.

    Raises:
        MediaError: there is no video.
    """
    still = Disposition.attached_pic | Disposition.timed_thumbnails
    moving = [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & still
    ]
    if not moving:
        raise MediaError(f"{path.name} holds no video")
    video = next((stream for stream in moving if stream.disposition & Disposition.default), moving[0])
    audio = tuple(stream for stream in container.streams.audio if stream.codec_context is not None)
    taken = {video.index, *(stream.index for stream in audio)}
    others = tuple(
        f"{stream.type}: {stream.codec_context.name if stream.codec_context is not None else stream.name or 'unknown'}"
        for stream in container.streams
        if stream.index not in taken
    )
    return video, audio, others


class _Reading:
    """Takes in packets one by one, until the end of the slice is covered."""

    def __init__(
        self,
        streams: Sequence[VideoStream | AudioStream],
        zero: Fraction | None,
        end: Fraction | None,
        budget: int,
    ) -> None:
        self.lists = [_empty_list(stream) for stream in streams]
        self.video = self.lists[0]
        self.zero = None if zero is None else round(zero / self.video.time_base)
        self.sets: frozenset[bytes] = frozenset()
        self.size = 0
        self.held: list[Parcel] | None = []
        self._budget = budget
        self._length = None if end is None else end / self.video.time_base
        self._past = 0

    def take(self, track: int, packet: Packet[Stream], path: Path) -> bool:
        """Notes `packet`; False if it and all that follow are no longer needed.

        Raises:
            CannotCopy: it has no time, or cannot be counted.
        """
        listed, data = self.lists[track], bytes(packet)
        if packet.pts is None:
            raise CannotCopy(f"{path.name}: packets carry no presentation times ({listed.codec})")
        if track == 0:
            content = self._content(packet, data, path)
            if content is Content.NOTHING:
                return True
            if self._is_past(packet.pts):
                return False
            self._note_frame(packet, data, content)
        elif listed.form.has_adts and listed.config is None:
            listed.config = audio_config(data)
        number = len(listed.pts)
        listed.pts.append(packet.pts)
        listed.duration.append(packet.duration or 0)
        self.size += len(data)
        if self.size > self._budget:
            self.held = None
        if self.held is not None:
            self.held.append(Parcel(track, number, data, packet.is_keyframe))
        return True

    def _content(self, packet: Packet[Stream], data: bytes, path: Path) -> Content:
        """What is in this packet of the video. Notes its parameter sets, which may stand in one of their own."""
        video, view = self.video, memoryview(data)
        content = bitstream.content(video.codec, view, video.extradata)
        if packet.is_keyframe:
            self.sets |= sets_in(video.codec, view, video.form.length_size)
        if content is Content.NOTHING and video.codec not in SETS:
            raise CannotCopy(f"{path.name}: some {video.codec} packets are never shown; copying would count them")
        return content

    def _is_past(self, pts: int) -> bool:
        """Are so many frames shown after the slice's end that no later packet can be shown before it?"""
        if self._length is not None and self.zero is not None and pts - self.zero >= self._length:
            self._past += 1
        return self._past > 2 * REORDERED

    def _note_frame(self, packet: Packet[Stream], data: bytes, content: Content) -> None:
        """Notes of the frame that is listed next whether it is damaged, and whether decoding can start with it."""
        video = self.video
        if packet.is_corrupt or content is Content.DAMAGED:
            video.damaged.append(len(video.pts))
        # What an edit list hides may be needed to decode what it shows, but must not be seen: no start.
        elif (
            packet.is_keyframe
            and not packet.is_discard
            and bitstream.is_sync(video.codec, memoryview(data), video.extradata)
        ):
            video.sync.append(len(video.pts))
            if self.zero is None:
                self.zero = packet.pts


def _is_empty(video: TrackList, data: bytes) -> bool:
    return bitstream.content(video.codec, memoryview(data), video.extradata) is Content.NOTHING


def _empty_list(stream: VideoStream | AudioStream) -> TrackList:
    context = stream.codec_context
    codec = context.codec.canonical_name
    extradata = bytes(context.extradata) if context.extradata else None
    return TrackList(
        codec=codec,
        time_base=stream.time_base or Fraction(1, av.time_base),
        extradata=extradata,
        form=form_of("video" if isinstance(stream, VideoStream) else "audio", codec, extradata),
        tag=context.codec_tag,
        rate=stream.codec_context.sample_rate if isinstance(stream, AudioStream) else 0,
        frame_size=stream.codec_context.frame_size if isinstance(stream, AudioStream) else 0,
    )


def _walk(
    container: av.container.InputContainer, streams: Sequence[VideoStream | AudioStream], sought: int | None
) -> Iterator[tuple[int, Packet[Stream]]]:
    """Every packet of `streams` with data in it, behind its track's place among them, from tick `sought` on.

    A file that breaks off ends there, and one that cannot be sought in has no packets from there on.
    """
    places = {stream.index: place for place, stream in enumerate(streams)}
    for stream in container.streams:
        stream.discard = Discard.default if stream.index in places else Discard.all
    try:
        if sought is not None:
            container.seek(sought, stream=streams[0])
        for packet in container.demux(*streams):
            if packet.size:
                yield places[packet.stream_index], packet
    except av.error.FFmpegError:
        return
    except IndexError:  # at the end, as in `decoder`
        return
