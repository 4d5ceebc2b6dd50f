"""Animated GIF: pictures small enough for a mail, with the one palette that suits all of them, looped forever.

It is no entry of the table of formats, because it is not made picture by picture: the palette needs every picture
before the first one is written. So pictures are asked for twice and memory does not grow with their number.

GIF counts in hundredths of a second. Every picture begins at the hundredth nearest to its true time, so that rounding
never adds up; none is shown for less than two, which viewers would slow down to ten.

Raises `MediaError` for what cannot be encoded or proven, `Rejected` for a picture that is shown too long for the
format, `Deferred` and `Temporary` for disks and shares.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal, cast

import av
import av.error
import numpy as np
from av import VideoFrame, VideoStream
from av.container import OutputContainer
from av.filter import Graph

from clipd.errors import MediaError, Rejected
from clipd.media.door import Limits, opened
from clipd.media.encode import writing
from clipd.media.inspect import reading
from clipd.media.timing import Ticks
from clipd.model.setting import Section, setting

CLOCK: Final = Fraction(1, 100)
LEAST_TICKS: Final = 2
MOST_TICKS: Final = 65_535
"""Two bytes hold a picture's time (GIF89a, 23)."""
FOREVER: Final = b"NETSCAPE2.0\x03\x01\x00\x00"


class Settings(Section):
    """How GIF files are made."""

    width: int = setting(
        320, "How wide they are; the height keeps the aspect. Nothing is enlarged.", unit="pixels", ge=16, le=4096
    )
    colors: int = setting(256, "How many colours the palette has.", unit="colours", ge=4, le=256)
    dither: Literal["none", "bayer", "sierra2_4a", "floyd_steinberg"] = setting(
        "sierra2_4a", "How colours that the palette lacks are mixed. `bayer` makes smaller files, with a pattern."
    )


@dataclass(frozen=True)
class Made:
    """A finished GIF, read back. Pictures begin at `times`, the last ends at `end`, in hundredths of a second."""

    frames: int
    width: int
    height: int
    times: Ticks
    end: int


def hundredths(times: Ticks, clock: Fraction) -> Ticks:
    """Ascending `times`, ticks of `clock`, in hundredths of a second: the nearest, but two after the one before."""
    ratio = clock / CLOCK
    nearest = (2 * times * ratio.numerator + ratio.denominator) // (2 * ratio.denominator)
    least = LEAST_TICKS * np.arange(len(times), dtype=np.int64)
    spaced: Ticks = np.maximum.accumulate(nearest - least) + least
    return spaced


def write_gif(
    path: Path,
    pictures: Iterable[VideoFrame],
    times: Ticks,
    palette: VideoFrame,
    settings: Settings,
    limits: Limits,
    tick: Callable[[int], None],
) -> Made:
    """Writes `pictures`, all of one size, in the colours of `palette` to `path`, and reads the file back.

    `times` are those at which each picture begins and the last one ends, in hundredths of a second (see `hundredths`).
    `tick` hears the number of each picture, and may raise to stop.
    """
    steps = np.diff(times)
    if int(steps.max()) > MOST_TICKS:
        raise Rejected(f"a picture is shown for {int(steps.max()) / 100:.0f} s; a GIF can show it for 655 at most")
    _encode(path, _painted(pictures, palette, settings, tick), times)
    return _read_back(path, times, limits)


def size_for(width: int, height: int, settings: Settings) -> tuple[int, int]:
    """The size of a GIF of pictures of this size."""
    wide = min(width, settings.width)
    return wide, max(1, round(Fraction(height * wide, width)))


def palette_of(pictures: Iterable[VideoFrame], settings: Settings, tick: Callable[[int], None]) -> VideoFrame:
    """The palette that suits all of `pictures`, which are of one size."""
    graph: Graph | None = None
    for number, picture in enumerate(pictures):
        tick(number)
        shown = picture.reformat(format="rgb24")
        if graph is None:
            graph = _chain(shown, ("palettegen", f"max_colors={settings.colors}:reserve_transparent=0"))
        shown.pts, shown.time_base = number, CLOCK
        graph.vpush(shown)
    if graph is None:
        raise MediaError("there is no picture to make a GIF of")
    graph.vpush(None)
    return graph.vpull()


def _chain(picture: VideoFrame, step: tuple[str, str]) -> Graph:
    graph = Graph()
    source = graph.add_buffer(width=picture.width, height=picture.height, format=picture.format, time_base=CLOCK)
    graph.link_nodes(source, graph.add(*step), graph.add("buffersink")).configure()
    return graph


class _Painter:
    """libavfilter's `paletteuse` for pictures like the first one."""

    def __init__(self, picture: VideoFrame, palette: VideoFrame, settings: Settings) -> None:
        # Kept, because the parts of a graph do not keep it alive themselves.
        self._graph = graph = Graph()
        self._source = graph.add_buffer(
            width=picture.width, height=picture.height, format=picture.format, time_base=CLOCK
        )
        colours = graph.add_buffer(width=palette.width, height=palette.height, format=palette.format, time_base=CLOCK)
        painter = graph.add("paletteuse", f"dither={settings.dither}:diff_mode=rectangle")
        self._sink = graph.add("buffersink")
        self._source.link_to(painter, 0, 0)
        colours.link_to(painter, 0, 1)
        painter.link_to(self._sink)
        graph.configure()
        palette.pts, palette.time_base = 0, CLOCK
        colours.push(palette)
        colours.push(None)

    def paint(self, picture: VideoFrame | None) -> Iterator[VideoFrame]:
        """The pictures that are ready once `picture` went in; None stands for the end."""
        self._source.push(picture)
        with suppress(av.error.BlockingIOError, av.error.EOFError):
            while True:
                yield cast(VideoFrame, self._sink.pull())


def _painted(
    pictures: Iterable[VideoFrame], palette: VideoFrame, settings: Settings, tick: Callable[[int], None]
) -> Iterator[VideoFrame]:
    """The same pictures in the colours of `palette`."""
    painter: _Painter | None = None
    for number, picture in enumerate(pictures):
        tick(number)
        shown = picture.reformat(format="rgb24")
        painter = painter or _Painter(shown, palette, settings)
        shown.pts, shown.time_base = number, CLOCK
        yield from painter.paint(shown)
    if painter is not None:
        yield from painter.paint(None)


def _encode(path: Path, pictures: Iterator[VideoFrame], times: Ticks) -> None:
    options = {"loop": "0", "final_delay": str(int(times[-1] - times[-2]))}
    with writing(path):
        container = av.open(f"file:{path}", "w", format="gif", container_options=options)
    try:
        stream: VideoStream | None = None
        for picture, time in zip(pictures, times[:-1].tolist(), strict=True):
            with writing(path):
                stream = stream or _stream(container, picture)
                picture.pts, picture.time_base = time, CLOCK
                container.mux(stream.encode(picture))
        if stream is not None:
            with writing(path):
                container.mux(stream.encode(None))
    finally:
        with writing(path):
            container.close()


def _stream(container: OutputContainer, picture: VideoFrame) -> VideoStream:
    stream = container.add_stream("gif", rate=100)
    stream.width, stream.height, stream.pix_fmt = picture.width, picture.height, picture.format.name
    stream.codec_context.time_base = stream.time_base = CLOCK
    return stream


def _read_back(path: Path, times: Ticks, limits: Limits) -> Made:
    """What is in the file.

    Raises:
        MediaError: other pictures, other times, or it does not loop.
    """
    with reading(path), opened(path, limits) as container:
        stream = container.streams.video[0]
        frames = [(packet.pts, packet.duration) for packet in container.demux(stream) if packet.size]
        width, height, base = stream.width, stream.height, stream.time_base or CLOCK
    begins = np.array([int((pts or 0) * base / CLOCK) for pts, _ in frames], np.int64)
    if len(frames) != len(times) - 1 or np.any(begins - begins[0] != times[:-1] - times[0]):
        raise MediaError(f"{path.name} holds {len(frames)} pictures or other times than the {len(times) - 1} wanted")
    last = int((frames[-1][1] or 0) * base / CLOCK)
    if last != times[-1] - times[-2]:
        raise MediaError(f"{path.name}: the last picture is shown for {last} hundredths of a second")
    with path.open("rb") as file:
        if FOREVER not in file.read(4096):
            raise MediaError(f"{path.name} does not loop")
    return Made(len(frames), width, height, times[:-1], int(times[-1]))
