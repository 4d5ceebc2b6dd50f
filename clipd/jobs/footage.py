"""Footage: a source that was probed and indexed, and the frames of it that a clip asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from clipd.jobs.truth import SpanFacts
from clipd.media import index as frame_index
from clipd.media.door import Limits
from clipd.media.index import FrameIndex
from clipd.media.probe import SourceInfo, probe
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
        steps = np.diff(self.index.pts[self.span.first : self.span.last + 1])
        if len(steps) and int(steps.max()) - int(steps.min()) > 1:
            yield "variable frame rate: every frame keeps its own time"


def open_footage(path: Path, span: Span, limits: Limits, cache: Path | None, progress: Progress) -> Footage:
    """Probes and indexes the file at `path`.

    Raises:
        Rejected: the file does not hold `span`. MediaError: it cannot be read.
    """
    info = probe(path, limits)
    index = frame_index.load(path, info, limits, cache, progress=progress)
    return Footage(path, info, index, index.span(span))


def reopen_footage(footage: Footage, span: Span, limits: Limits, cache: Path | None, progress: Progress) -> Footage:
    """The same with an index built by decoding, for a file whose packets promised other frames than it delivers."""
    index = frame_index.rebuild(footage.path, footage.info, limits, cache, progress=progress)
    return Footage(footage.path, footage.info, index, index.span(span))
