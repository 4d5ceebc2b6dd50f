"""Footage: a source that was probed and indexed, and the frames of it that a clip asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from clipd.errors import Rejected
from clipd.jobs.truth import SpanFacts
from clipd.media import index as frame_index
from clipd.media.decode import frames
from clipd.media.door import Limits
from clipd.media.encode import Picture
from clipd.media.index import FrameIndex
from clipd.media.picture import CROPPABLE, Reshaper
from clipd.media.probe import NotReady, SourceInfo, probe
from clipd.model.timespan import FrameSpan, Span

Progress = Callable[[int], None]


@dataclass(frozen=True)
class Footage:
    """The frames `span` of the file at `path`."""

    path: Path
    info: SourceInfo
    index: FrameIndex
    span: FrameSpan

    @property
    def rate(self) -> Fraction:
        """Nominal frames per second: the container's word, else the mean."""
        if self.info.video.rate:
            return self.info.video.rate
        return self.index.count / max(self.index.time(self.index.count), self.index.time_base)

    @property
    def is_constant(self) -> bool:
        """Does every frame of the span last as long as the others, to a tick?"""
        steps = np.diff(self.index.pts[self.span.first : self.span.last + 1])
        return not len(steps) or int(steps.max()) - int(steps.min()) <= 1

    @property
    def start(self) -> Fraction:
        """When the first picture is shown, in seconds on the file's clock."""
        return int(self.index.pts[self.span.first]) * self.index.time_base

    def after(self, frame: int) -> Fraction:
        """When the showing of `frame` ends, in seconds on the file's clock."""
        return (int(self.index.pts[frame]) + self.index.duration(frame)) * self.index.time_base

    def delivered(self) -> SpanFacts:
        """The span, in frames and in seconds from the first frame of the file."""
        begin = int(self.index.pts[0]) * self.index.time_base
        span = self.span
        return SpanFacts(span.first, span.last, span.count, self.start - begin, self.after(span.last) - begin)

    def warnings(self) -> Iterator[str]:
        """What was met in the source."""
        yield from self.info.notes
        if not self.info.audio:
            yield "the source has no audio"
        if not self.is_constant:
            yield "variable frame rate: every frame keeps its own time"


class Decoded:
    """The pictures of `footage`, all of the size and layout that its video begins with.

    Some videos change both on the way (calls over a network, recordings joined). Then pictures are scaled to what the
    video began with, or, if they are wanted `exactly`, refused. Once they are through, `warnings` tell what was met.
    """

    def __init__(self, footage: Footage, limits: Limits, threads: int, *, exactly: bool) -> None:
        self.footage = footage
        self._limits, self._threads, self._exactly = limits, threads, exactly
        self._damaged: list[int] = []
        self._changed: list[int] = []

    def pictures(self) -> Iterator[tuple[int, Picture]]:
        """Every picture of the span with its number, upright, in a layout that can be cut at any pixel.

        Raises:
            Rejected: one is of another size or layout, and `exactly` was asked for. MediaError: as `decode.frames`.
        """
        footage, video = self.footage, self.footage.info.video
        layout = CROPPABLE.get(video.pix_fmt, video.pix_fmt)
        reshaper = Reshaper(layout, threads=self._threads)
        kind = _kind(video.width, video.height, video.pix_fmt)
        stream = frames(footage.path, footage.info, footage.index, footage.span, self._limits, threads=self._threads)
        for number, picture in stream:
            if picture.is_corrupt:
                self._damaged.append(number)
            found = _kind(picture.width, picture.height, picture.format.name)
            if found != kind:
                if self._exactly:
                    raise Rejected(
                        f"frame {number} is {found}, but {footage.path.name} begins as {kind}; "
                        "lossless files are made of pictures like the first only: end the clip before, or make h264"
                    )
                self._changed.append(number)
            yield number, reshaper.fit(picture, video.width, video.height)

    def warnings(self) -> Iterator[str]:
        """What was met in the pictures delivered so far."""
        if self._damaged:
            some = ", ".join(map(str, self._damaged[:10])) + (", ..." if len(self._damaged) > 10 else "")
            yield (
                f"the source is damaged: {len(self._damaged)} frames could be decoded in part only ({some}), "
                "and those that build on them may show it"
            )
        if self._changed:
            yield (
                f"the source changes its size or pixel format at frame {self._changed[0]}; {len(self._changed)} frames "
                "were scaled to what it begins with"
            )


def _kind(width: int, height: int, pixels: str) -> str:
    return f"{width}x{height} {pixels.replace('yuvj', 'yuv')}"


def open_footage(path: Path, span: Span, limits: Limits, cache: Path | None, progress: Progress) -> Footage:
    """Probes and indexes the file at `path`.

    Raises:
        Rejected: the file does not hold `span`. NotReady: nor does it hold all that it promises. MediaError: it cannot
            be read.
    """
    info = probe(path, limits)
    index = frame_index.load(path, info, limits, cache, progress=progress)
    try:
        return Footage(path, info, index, index.span(span))
    except Rejected as error:
        if not info.missing_bytes:
            raise
        raise NotReady(f"{error}; {path.name} {cut_off(info)}") from error


def cut_off(info: SourceInfo) -> str:
    """That the file of `info` does not hold all that it promises, in words."""
    return f"ends {info.missing_bytes:,} bytes early: it has not arrived whole, or was never finished"


def reopen_footage(footage: Footage, span: Span, limits: Limits, cache: Path | None, progress: Progress) -> Footage:
    """The same with an index built by decoding, for a file whose packets promised other frames than it delivers."""
    index = frame_index.rebuild(footage.path, footage.info, limits, cache, progress=progress)
    return Footage(footage.path, footage.info, index, index.span(span))
