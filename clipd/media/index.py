"""The frame index: when each frame of a video is shown, and where decoding can start.

A frame number is the n-th frame in presentation order of the real file: what a decoder delivers that starts at the
first packet. The index is built from packets, without decoding, wherever packets can be trusted to tell; doubtful ends
(a beginning in the middle of a group of pictures, an end that was cut off) are decoded and counted. Where times are
missing, doubled or jump, packets are damaged, or the codec does not let its pictures be counted, the whole file is
decoded once. `FrameIndex.method` says which it was.

The count is the decoder's, the times are the container's: where a few frames carry times out of order, the times are
sorted, and frame n gets the n-th.

Memory is a few integers a frame. Files that are being cut again find their index in a local cache.
"""

from __future__ import annotations

import hashlib
import tempfile
import zipfile
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal

import av
import av.container
import av.video.stream
import numpy as np
import numpy.typing as npt

from clipd.errors import MediaError, Rejected
from clipd.media import bitstream
from clipd.media.bitstream import Content
from clipd.media.decoder import Decoder, NotFoundError
from clipd.media.door import Limits, opened
from clipd.media.probe import SourceInfo
from clipd.model.timespan import FrameSpan, Span

Ticks = npt.NDArray[np.int64]
Progress = Callable[[int], None]
"""Called now and then with the number of packets read so far."""

VERSION = 1
"""Part of the cache key: raise it whenever the same file would be indexed differently."""

PACKET_DISORDER = 32
"""Packets may stand this far from their place in presentation order; H.264 and HEVC reorder 16 frames, 32 fields."""

FRAME_DISORDER = 16
"""Decoded frames may carry times this far out of order before the times are taken to jump."""

PROGRESS_EVERY = 512

INTERLACED_CHECKED = 24
"""How many frames of interlaced video are decoded to see that packets hold frames, not fields."""

COUNTED_CONTAINERS = ("avi", "h264", "hevc", "vvc", "m4v", "mpegvideo", "obu", "gif", "apng", "mjpeg", "h261", "h263")
"""Formats that do not store presentation times; libavformat makes them up, and not alike after a seek."""


@dataclass(frozen=True)
class FrameIndex:
    """The frames of one video track.

    `pts` (int64, ascending, unit `time_base`) is when frame n is shown; `sync` (int64, ascending) are the numbers of
    the frames from which on everything is decodable; `sync_dts` is the decoding time of their packets, for seeking.
    `end_pts` is when the last frame's showing ends. With `seekable` false, frames are found again only by counting from
    the start.
    """

    pts: Ticks
    sync: Ticks
    sync_dts: Ticks
    end_pts: int
    time_base: Fraction
    method: Literal["packets", "decoded"]
    seekable: bool = True

    @property
    def count(self) -> int:
        """How many frames the video has."""
        return len(self.pts)

    def span(self, span: Span) -> FrameSpan:
        """`span` in frames of this file.

        A span of time holds the frames shown at start <= t < end, t counted from the first frame.

        Raises:
            Rejected: it reaches beyond the file (a time, by more than the last frame's duration), or holds no frame.
        """
        if isinstance(span, FrameSpan):
            if span.last >= self.count:
                raise Rejected(
                    f"the span {span.first}..{span.last} reaches beyond the last frame: "
                    f"the file has {self.count} frames, 0 to {self.count - 1}"
                )
            return span
        length = self.time(self.count)
        if span.start >= length:
            raise Rejected(f"the span starts at {_seconds(span.start)} s, but the video is {_seconds(length)} s long")
        if span.end > length + self.duration(self.count - 1) * self.time_base:
            raise Rejected(f"the span ends at {_seconds(span.end)} s, but the video is {_seconds(length)} s long")
        first, after = self._first_shown_at(span.start), self._first_shown_at(span.end)
        if first == after:
            raise Rejected(f"no frame is first shown between {_seconds(span.start)} s and {_seconds(span.end)} s")
        return FrameSpan(first, after - 1)

    def time(self, frame: int) -> Fraction:
        """When `frame` is shown, in seconds from the first frame; for `count`, when the last frame's showing ends."""
        pts = self.end_pts if frame == self.count else int(self.pts[frame])
        return (pts - int(self.pts[0])) * self.time_base

    def duration(self, frame: int) -> int:
        """How long `frame` is shown, in ticks of `time_base`."""
        after = self.end_pts if frame == self.count - 1 else int(self.pts[frame + 1])
        return after - int(self.pts[frame])

    def sync_before(self, frame: int) -> int:
        """The last sync frame at or before `frame`; 0, the start of the file, where there is none."""
        at = int(np.searchsorted(self.sync, frame, side="right"))
        return int(self.sync[at - 1]) if at else 0

    def _first_shown_at(self, seconds: Fraction) -> int:
        """The number of the first frame shown at or after `seconds`."""
        ticks = seconds / self.time_base + int(self.pts[0])
        return int(np.searchsorted(self.pts, -(-ticks.numerator // ticks.denominator), side="left"))


def build(
    path: Path, info: SourceInfo, limits: Limits, *, decoded: bool = False, progress: Progress | None = None
) -> FrameIndex:
    """The index of the video track of `path`; with `decoded`, every frame is decoded and counted.

    Raises:
        MediaError: the file cannot be read, or no frame of it can be decoded.
        Rejected: it has more frames than the limits allow.
    """
    if not decoded and _packets_tell(info):
        listed = _list_packets(path, info, limits, progress)
        index = _from_packets(path, info, limits, listed)
        if index is not None:
            return index
    return _from_frames(path, info, limits, progress)


def load(
    path: Path, info: SourceInfo, limits: Limits, cache: Path | None, *, progress: Progress | None = None
) -> FrameIndex:
    """The index of `path`: from the local folder `cache` if the file is unchanged, else built and kept there.

    Raises:
        MediaError, Rejected: as `build` does. A cache that cannot be read or written is no error.
    """
    if cache is None:
        return build(path, info, limits, progress=progress)
    kept = cache / _cache_name(path, info)
    index = _read(kept, info)
    if index is None:
        index = build(path, info, limits, progress=progress)
        store(kept, index)
    return index


def rebuild(
    path: Path, info: SourceInfo, limits: Limits, cache: Path | None, *, progress: Progress | None = None
) -> FrameIndex:
    """The index of `path` from decoding every frame, kept in `cache`: for when `decode.IndexWrong` was raised.

    Raises:
        MediaError, Rejected: as `build` does.
    """
    index = build(path, info, limits, decoded=True, progress=progress)
    if cache is not None:
        store(cache / _cache_name(path, info), index)
    return index


def track(container: av.container.InputContainer, info: SourceInfo) -> av.video.stream.VideoStream:
    """The track of the open file that `info` chose.

    Raises:
        MediaError: the file was replaced by another one.
    """
    for stream in container.streams.video:
        if stream.index == info.video.index:
            return stream
    raise MediaError(f"{info.path.name} no longer has a video track {info.video.index}")


@dataclass
class _Packets:
    """What was noted of each packet, in decoding order; hidden and discarded ones left out."""

    pts: array[int] = field(default_factory=lambda: array("q"))
    duration: array[int] = field(default_factory=lambda: array("q"))
    sync_at: list[int] = field(default_factory=list)
    sync_dts: list[int] = field(default_factory=list)
    clean: list[bool] = field(default_factory=list)
    damaged_at: list[int] = field(default_factory=list)
    trusted: bool = True


def _packets_tell(info: SourceInfo) -> bool:
    formats = set(info.container.split(","))
    return info.video.codec in bitstream.ONE_PICTURE_PER_PACKET and not formats & set(COUNTED_CONTAINERS)


def _list_packets(path: Path, info: SourceInfo, limits: Limits, progress: Progress | None) -> _Packets:
    """Read every packet of the track once; stop with `trusted` false at the first that packets alone cannot explain."""
    codec, listed = info.video.codec, _Packets()
    with opened(path, limits) as container:
        stream = track(container, info)
        extradata = stream.codec_context.extradata
        discontinued = False
        for read, packet in enumerate(Decoder(container, stream).packets()):
            if progress is not None and read % PROGRESS_EVERY == 0:
                progress(read)
            if not packet.size:
                continue
            data = memoryview(packet)
            held = bitstream.content(codec, data, extradata)
            if packet.is_discard or held is Content.NOTHING:
                continue
            if codec == "hevc":
                kinds = bitstream.hevc_kinds(data, extradata)
                discontinued = discontinued or any(kind in (16, 17, 18, 36, 37) for kind in kinds)
                if discontinued and any(kind in (8, 9) for kind in kinds):
                    # Pictures skipped by decoders after a splice.
                    listed.trusted = False
            if packet.pts is None or not listed.trusted:
                listed.trusted = False
                return listed
            at = len(listed.pts)
            if packet.is_keyframe and bitstream.is_sync(codec, data, extradata):
                listed.sync_at.append(at)
                listed.sync_dts.append(packet.pts if packet.dts is None else packet.dts)
                listed.clean.append(bitstream.is_clean_start(codec, data, extradata))
            if packet.is_corrupt or held is Content.DAMAGED:
                listed.damaged_at.append(at)
            listed.pts.append(packet.pts)
            listed.duration.append(packet.duration or 0)
            check_count(path, at + 1, limits)
    return listed


def _from_packets(path: Path, info: SourceInfo, limits: Limits, listed: _Packets) -> FrameIndex | None:
    """The index that the packets give, its doubtful ends decoded; None where they cannot be trusted."""
    if not listed.trusted or not listed.sync_at:
        return None
    stamps: Ticks = np.frombuffer(listed.pts, dtype=np.int64)
    order = np.argsort(stamps, kind="stable")
    pts = stamps[order]
    if _is_disordered(pts, order, PACKET_DISORDER):
        return None
    index = _provisional(info, listed, stamps, pts, int(order[-1]))
    if not len(index.sync):
        return None
    hidden = _hidden_at_the_start(path, info, limits, index)
    if hidden is not None and listed.damaged_at:
        left_out = _hidden_at_the_end(path, info, limits, index, listed)
        hidden = None if left_out is None else hidden + left_out
    return None if hidden is None else _without(index, hidden)


def _is_disordered(pts: Ticks, order: npt.NDArray[np.intp], bound: int) -> bool:
    """Do the sorted times stand still, or did sorting (`order`) move anything further than `bound`?"""
    return bool((np.diff(pts) <= 0).any() or (np.abs(order - np.arange(len(order))) > bound).any())


def _provisional(info: SourceInfo, listed: _Packets, stamps: Ticks, pts: Ticks, last: int) -> FrameIndex:
    """The index as if every listed packet were delivered; `last` is the last shown one's place in decoding order."""
    places: list[tuple[int, int]] = []
    ranks = np.searchsorted(pts, stamps[listed.sync_at]).tolist()
    for rank, position, dts, clean in zip(ranks, listed.sync_at, listed.sync_dts, listed.clean, strict=True):
        if not clean or rank == position:
            places.append((rank, dts))
    return FrameIndex(
        pts=pts,
        sync=np.asarray([rank for rank, _ in places], dtype=np.int64),
        sync_dts=np.asarray([dts for _, dts in places], dtype=np.int64),
        end_pts=int(pts[-1]) + _last_duration(pts, listed.duration[last], info),
        time_base=info.video.time_base,
        method="packets",
    )


def _without(index: FrameIndex, hidden: list[int]) -> FrameIndex:
    """`index` less the frames `hidden`, none of which is a sync frame."""
    if not hidden:
        return index
    end_pts = index.end_pts if index.count - 1 not in hidden else int(index.pts[max(hidden[0], 1)])
    pts = np.delete(index.pts, hidden)
    sync = index.sync - np.searchsorted(np.asarray(hidden), index.sync)
    return replace(index, pts=pts, sync=sync, end_pts=max(end_pts, int(pts[-1]) + 1))


def _hidden_at_the_start(path: Path, info: SourceInfo, limits: Limits, index: FrameIndex) -> list[int] | None:
    """Which frames before the first sync frame a decoder leaves out; None if it delivers something unforeseen.

    Leading pictures of a file that starts in an open group, or in the middle of one, have no reference to be decoded
    from. Interlaced video is looked at further: its packets may hold one field each.
    """
    first_sync = int(index.sync[0])
    checked = first_sync + (INTERLACED_CHECKED if info.video.interlaced else 0)
    if not checked:
        return []
    foreseen = index.pts[: checked + 1].tolist()
    delivered = _first_delivered(path, info, limits, foreseen[-1])
    hidden = [number for number, stamp in enumerate(foreseen) if stamp not in delivered]
    return None if delivered - set(foreseen) or any(number >= first_sync for number in hidden) else hidden


def _hidden_at_the_end(
    path: Path, info: SourceInfo, limits: Limits, index: FrameIndex, listed: _Packets
) -> list[int] | None:
    """Which frames after the last sync frame a decoder leaves out; None if damage lies before, or it delivers others.

    A recording that was cut off ends in a damaged packet. No frame before its last sync frame is touched by that.
    """
    last_sync, dts = int(index.sync[-1]), int(index.sync_dts[-1])
    if listed.damaged_at[0] <= listed.sync_at[-1]:
        return None
    delivered: set[int | None] = set()
    with opened(path, limits) as container:
        decoder = Decoder(container, track(container, info))
        try:
            for packet in decoder.packets_from(int(index.pts[last_sync]), dts):
                delivered.update(frame.pts for frame in decoder.frames(packet))
        except NotFoundError:
            return None
    foreseen = index.pts[last_sync:].tolist()
    if foreseen[0] not in delivered or any(pts is None or pts > foreseen[-1] for pts in delivered):
        return None
    return [number for number, stamp in enumerate(foreseen, start=last_sync) if stamp not in delivered]


def _first_delivered(path: Path, info: SourceInfo, limits: Limits, last: int) -> set[int | None]:
    """The presentation times that decoding from the start delivers, up to the frame shown at `last`."""
    delivered: set[int | None] = set()
    with opened(path, limits) as container:
        decoder = Decoder(container, track(container, info), threads=1)
        for packet in decoder.packets():
            for frame in decoder.frames(packet):
                delivered.add(frame.pts)
                if frame.pts is not None and frame.pts >= last:
                    return delivered
    return delivered


def _from_frames(path: Path, info: SourceInfo, limits: Limits, progress: Progress | None) -> FrameIndex:
    """The index from decoding every frame, counted in the decoder's order."""
    codec, stamps, durations = info.video.codec, array("q"), array("q")
    seekable = not set(info.container.split(",")) & set(COUNTED_CONTAINERS)
    sync_dts: dict[int, int] = {}
    with opened(path, limits) as container:
        stream = track(container, info)
        extradata = stream.codec_context.extradata
        decoder = Decoder(container, stream)
        for read, packet in enumerate(decoder.packets()):
            if progress is not None and read % PROGRESS_EVERY == 0:
                progress(read)
            if packet.size and packet.is_keyframe and bitstream.is_sync(codec, memoryview(packet), extradata):
                stamp = packet.dts if packet.pts is None else packet.pts
                sync_dts[stamp or 0] = packet.dts if packet.dts is not None else stamp or 0
            for frame in decoder.frames(packet):
                stamp = frame.dts if frame.pts is None else frame.pts
                if stamp is None:
                    stamp, seekable = stamps[-1] if stamps else 0, False
                seekable = seekable and frame.pts is not None
                stamps.append(stamp)
                durations.append(frame.duration or 0)
                check_count(path, len(stamps), limits)
        if not stamps:
            raise MediaError(f"{path.name}: no frame of its video can be decoded", tail=decoder.last_words)
    given: Ticks = np.frombuffer(stamps, dtype=np.int64)
    shown = as_shown(given, durations, info)
    pts, order, seekable = shown.pts, shown.order, seekable and shown.exact
    numbers = [0]
    if seekable:
        # A frame whose time is out of order cannot be a place to start from.
        numbers = [number for number in range(len(pts)) if int(given[number]) in sync_dts and order[number] == number]
    return FrameIndex(
        pts=pts,
        sync=np.asarray(numbers, dtype=np.int64),
        sync_dts=np.asarray([sync_dts.get(int(given[number]), 0) for number in numbers], dtype=np.int64),
        end_pts=shown.end_pts,
        time_base=info.video.time_base,
        method="decoded",
        seekable=seekable,
    )


@dataclass(frozen=True)
class Shown:
    """When decoded frames are shown: `pts` ascends (int64); `order` are the decoder's places, sorted by time given.

    `exact` is false where the times given had to be repaired.
    """

    pts: Ticks
    order: npt.NDArray[np.intp]
    end_pts: int
    exact: bool


def as_shown(given: Ticks, durations: Sequence[int], info: SourceInfo) -> Shown:
    """The times of all frames of a video, from what its frames carry in the decoder's order; at least one."""
    order = np.argsort(given, kind="stable")
    pts, exact = given[order], True
    if _is_disordered(pts, order, FRAME_DISORDER):
        pts, exact = _repaired(given, info), False
    end_pts = int(pts[-1]) + _last_duration(pts, durations[int(order[-1])], info)
    return Shown(pts, order, end_pts, exact)


def _repaired(given: Ticks, info: SourceInfo) -> Ticks:
    """Ascending times for frames in the decoder's order whose own times stand still or jump back.

    Small disorder is sorted out; where time jumps back for good (files joined, a clock reset), what follows is moved
    to go on one frame after what came before.
    """
    step = _usual_step(given, info)
    jumps = np.flatnonzero(np.diff(given) < -FRAME_DISORDER * step) + 1
    parts, end = [], None
    for part in np.split(given, jumps):
        part = np.sort(part)
        parts.append(part if end is None else part - part[0] + end + step)
        end = int(parts[-1][-1])
    joined = np.concatenate(parts)
    # Ascending by one tick at least: the running maximum of pts[n] - n, put back.
    counted = np.arange(len(joined), dtype=np.int64)
    return np.maximum.accumulate(joined - counted) + counted


def _usual_step(pts: Ticks, info: SourceInfo) -> int:
    """One frame's usual duration in ticks, at least 1."""
    steps = np.diff(pts)
    steps = steps[steps > 0]
    if len(steps):
        return max(1, int(np.median(steps)))
    if info.video.rate:
        return max(1, round(1 / (info.video.rate * info.video.time_base)))
    return 1


def _last_duration(pts: Ticks, told: int, info: SourceInfo) -> int:
    """How long the last frame is shown, in ticks: as its packet says, else as long as the one before it."""
    if told > 0:
        return told
    if len(pts) > 1:
        return int(pts[-1] - pts[-2])
    return _usual_step(pts, info)


def check_count(path: Path, count: int, limits: Limits) -> None:
    """Raises Rejected where a video has more frames than the limits allow."""
    if count > limits.max_frames:
        raise Rejected(f"{path.name} has more than {limits.max_frames} frames (setting max_frames)")


def _seconds(value: Fraction) -> str:
    return f"{float(value):.3f}"


def _cache_name(path: Path, info: SourceInfo) -> str:
    status = path.stat()
    facts = (VERSION, path.resolve(), status.st_size, status.st_mtime_ns, status.st_ino, info.video.index)
    return hashlib.sha256("\0".join(map(str, facts)).encode("utf-8", "surrogateescape")).hexdigest()[:32] + ".npz"


def _read(kept: Path, info: SourceInfo) -> FrameIndex | None:
    """The index kept at `kept`, or None if it is absent, damaged or of another track."""
    try:
        with kept.open("rb") as file, np.load(file, allow_pickle=False) as held:
            end_pts, numerator, denominator, is_decoded, seekable = (int(value) for value in held["facts"])
            index = FrameIndex(
                pts=held["pts"],
                sync=held["sync"],
                sync_dts=held["sync_dts"],
                end_pts=end_pts,
                time_base=Fraction(numerator, denominator),
                method="decoded" if is_decoded else "packets",
                seekable=bool(seekable),
            )
    except (OSError, ValueError, KeyError, EOFError, ZeroDivisionError, zipfile.BadZipFile):
        return None
    return index if index.count and index.time_base == info.video.time_base else None


def store(kept: Path, index: FrameIndex) -> None:
    """Keep `index` at `kept`, whole or not at all; a cache that cannot be written is left out."""
    base = index.time_base
    facts = [index.end_pts, base.numerator, base.denominator, index.method == "decoded", index.seekable]
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=kept.parent, suffix=".part", delete=False) as file:
            np.savez(
                file,
                pts=index.pts,
                sync=index.sync,
                sync_dts=index.sync_dts,
                facts=np.asarray(facts, dtype=np.int64),
            )
        Path(file.name).replace(kept)
    except OSError:
        return
