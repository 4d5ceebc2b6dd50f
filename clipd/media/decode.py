"""Decoding: exactly the frames of a span, wherever in the file it lies, as if decoded from the first packet on.

Decoding starts at the packet of a sync frame and counts from there. The presentation times that come out are held
against the index: a frame more or less, anywhere on the way, is found out and never passed on under a wrong number.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av

from clipd.errors import MediaError
from clipd.media.decoder import Decoder, NotFoundError
from clipd.media.door import Limits, opened
from clipd.media.index import FrameIndex, track
from clipd.media.orientation import Upright
from clipd.media.probe import SourceInfo
from clipd.model.timespan import FrameSpan


class IndexWrong(MediaError):
    """The file delivers other frames than its index says; index it anew from decoded frames (`index.rebuild`)."""


class _NotHereError(Exception):
    """Decoding from this sync frame does not lead to the span; an earlier one may."""


HELD_BACK = 32
"""How many frames wait, at most, until times out of order have proved to be no more than that."""


def frames(
    path: Path,
    info: SourceInfo,
    index: FrameIndex,
    span: FrameSpan,
    limits: Limits,
    *,
    threads: int = 0,
    orient: bool = True,
    device: str | None = None,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames of `span` in order, each with its number; upright if `orient`, else as coded.

    `frame.pts` is the index's, in `info.video.time_base`. `threads` is the number of decoder threads, 0 for all cores.
    `device` is where decoding is done, as `door.opened` has it. Memory is that of a few frames.

    Raises:
        IndexWrong: the file does not deliver what an index made from packets promises.
        MediaError: a frame cannot be delivered; the words name its number.
    """
    upright = Upright(info.video.orientation, info.video.time_base) if orient else None
    for number, frame in _exactly(path, info, index, span, limits, threads, device):
        frame.pts = int(index.pts[number])
        frame.time_base = index.time_base
        yield number, frame if upright is None else upright(frame)


def still(
    path: Path, info: SourceInfo, index: FrameIndex, number: int, limits: Limits, *, threads: int = 0
) -> av.VideoFrame:
    """Frame `number`, upright.

    On the way to it, frames that no other refers to are passed over undecoded; it is known by its time alone. So behind
    a damaged place it may be what the decoder makes up for it, where `frames` would refuse: good for a picture to look
    at, not for a cut. Where it does not come, or comes marked as damaged, it is counted out as in `frames`.

    Raises:
        IndexWrong: the file does not deliver what an index made from packets promises.
        MediaError: it cannot be delivered.
    """
    if index.seekable:
        with opened(path, limits) as container:
            frame = _alone(Decoder(container, track(container, info), threads=threads), index, number)
        if frame is not None:
            frame.pts, frame.time_base = int(index.pts[number]), index.time_base
            return Upright(info.video.orientation, info.video.time_base)(frame)
    counted = frames(path, info, index, FrameSpan(number, number), limits, threads=threads)
    return next(frame for _, frame in counted)


def _alone(decoder: Decoder, index: FrameIndex, number: int) -> av.VideoFrame | None:
    """The frame with the time of frame `number`; None where it does not come, or the decoder tells of damage."""
    wanted, start, codec = int(index.pts[number]), index.sync_before(number), decoder.stream.codec_context
    sync = int(index.sync_dts[index.sync.searchsorted(start)]) if start in index.sync else None
    packets = decoder.packets() if sync is None else decoder.packets_from(int(index.pts[start]), sync)
    try:
        for packet in packets:
            codec.skip_frame = "NONREF" if packet.size and packet.pts not in (None, wanted) else "DEFAULT"
            for frame in decoder.frames(packet):
                if frame.pts == wanted:
                    return None if frame.is_corrupt or decoder.refused else frame
    except NotFoundError:
        pass
    return None


def _exactly(
    path: Path,
    info: SourceInfo,
    index: FrameIndex,
    span: FrameSpan,
    limits: Limits,
    threads: int,
    device: str | None,
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames of `span` as decoded, from the nearest sync frame that leads to them."""
    for start in _starts(index, span.first):
        begun = False
        with opened(path, limits, device) as container:
            decoder = Decoder(container, track(container, info), threads=threads)
            try:
                for number, frame in _numbered(decoder, index, start, span):
                    begun = True
                    yield number, frame
                return
            except (_NotHereError, NotFoundError) as error:
                if begun or start is None:
                    wrong = IndexWrong if index.method == "packets" else MediaError
                    raise wrong(f"{path.name}: {error}", tail=decoder.last_words) from error


def _starts(index: FrameIndex, first: int) -> list[int | None]:
    """Where to start for frame `first`: the nearest sync frame, the one before it, the start of the file (None)."""
    nearest = index.sync_before(first)
    starts: list[int | None] = [nearest, index.sync_before(nearest - 1)] if nearest else []
    return [start for start in starts if start] + [None]


def _numbered(
    decoder: Decoder, index: FrameIndex, start: int | None, span: FrameSpan
) -> Iterator[tuple[int, av.VideoFrame]]:
    """The frames of `span`, numbered by counting from `start`, held back until the times delivered prove the count.

    Some files give a few frames times out of order. That changes no count: what was delivered and what the index
    foresaw are the same set again soon after. If they are not, a frame is missing or one too many.

    Raises:
        _NotHereError: the frames do not come, or come damaged because decoding began at `start`.
    """
    held: list[tuple[int, av.VideoFrame]] = []
    owed: set[int | None] = set()
    number = start or 0
    for frame in _delivered(decoder, index, start):
        if number == index.count:
            raise _NotHereError(f"the file delivers more than the {index.count} frames it is known to have")
        if start is not None and frame.is_corrupt and number <= span.first:
            raise _NotHereError(f"frame {number} comes damaged")
        if index.seekable:
            owed ^= {frame.pts} ^ {int(index.pts[number])}
        if span.first <= number <= span.last:
            held.append((number, frame))
        number += 1
        if not owed:
            yield from held
            held.clear()
            if number > span.last:
                return
        elif len(held) > HELD_BACK or number > span.last + HELD_BACK:
            break
    missing = held[0][0] if held else number
    raise _NotHereError(f"frame {missing} of {index.count} cannot be delivered")


def _delivered(decoder: Decoder, index: FrameIndex, start: int | None) -> Iterator[av.VideoFrame]:
    """Every frame that the decoder delivers, from sync frame `start` or, if None, from the first one on."""
    if start is None:
        for packet in decoder.packets():
            yield from decoder.frames(packet)
        return
    first = int(index.pts[start])
    reached = False
    for packet in decoder.packets_from(first, int(index.sync_dts[index.sync.searchsorted(start)])):
        for frame in decoder.frames(packet):
            # Leading pictures of an open group come out first; without the group before, they are broken.
            reached = reached or frame.pts == first
            if reached:
                yield frame
