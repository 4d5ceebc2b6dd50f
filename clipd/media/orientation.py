"""Orientation: how a coded picture must be turned to stand upright, and the turning itself.

A display matrix can ask for any affine map; phones and cameras write only the eight ways to lay a picture on its sides
(four rotations, each with or without a mirror). Those are applied exactly, sample by sample, in the directions of
FFmpeg's autorotation. Any other matrix leaves the picture as it is coded.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from fractions import Fraction
from typing import Any, cast

import av
import av.filter
import av.filter.context
import numpy as np
import numpy.typing as npt
from av.sidedata.sidedata import SideData, SideDataContainer
from av.sidedata.sidedata import Type as SideDataType

TURNED = {
    "yuv422p": "yuv440p",
    "yuvj422p": "yuvj440p",
    "yuv422p10le": "yuv440p10le",
    "yuv422p12le": "yuv440p12le",
    "yuv440p": "yuv422p",
    "yuvj440p": "yuvj422p",
    "yuv440p10le": "yuv422p10le",
    "yuv440p12le": "yuv422p12le",
}
"""The pixel format that holds the same samples after a quarter turn, where chroma is halved in one direction only."""


BY_ROTATION = {
    -90: (0, 1, 0, -1, 0, 0, 0, 0, 1),
    90: (0, -1, 0, 1, 0, 0, 0, 0, 1),
    180: (-1, 0, 0, 0, -1, 0, 0, 0, 1),
    -180: (-1, 0, 0, 0, -1, 0, 0, 0, 1),
}
"""Display matrices by the counterclockwise angle, in degrees, that the binding reads from them."""


class Orientation(Enum):
    """What makes a picture upright; the value is the chain of libavfilter filters that does it."""

    UPRIGHT = ""
    CLOCKWISE = "transpose=clock"
    HALF_TURN = "vflip,hflip"
    COUNTERCLOCKWISE = "transpose=cclock"
    MIRRORED = "hflip"
    FLIPPED = "vflip,copy"
    TRANSPOSED = "transpose=cclock_flip"
    TRANSVERSED = "transpose=clock_flip"

    @property
    def swaps(self) -> bool:
        """Do width and height change places?"""
        return "transpose" in self.value


def from_matrix(matrix: Sequence[int]) -> Orientation:
    """The orientation that a display matrix asks for: nine integers, rows (a, b, u), (c, d, v), (x, y, w).

    A coded point (p, q) is shown at (a p + c q, b p + d q), y downwards. The choice follows `ffmpeg -autorotate`. A
    matrix that is none of the eight orientations gives `UPRIGHT`.
    """
    a, b, c, d = matrix[0], matrix[1], matrix[3], matrix[4]
    if not (b or c) and a and d:
        return {
            (True, True): Orientation.UPRIGHT,
            (False, False): Orientation.HALF_TURN,
            (False, True): Orientation.MIRRORED,
            (True, False): Orientation.FLIPPED,
        }[a > 0, d > 0]
    if not (a or d) and b and c:
        return {
            (True, False): Orientation.CLOCKWISE,
            (False, True): Orientation.COUNTERCLOCKWISE,
            (True, True): Orientation.TRANSPOSED,
            (False, False): Orientation.TRANSVERSED,
        }[b > 0, c > 0]
    return Orientation.UPRIGHT


def matrix_of(frame: av.VideoFrame) -> tuple[int, ...] | None:
    """The display matrix that `frame` carries, nine integers, or None."""
    kinds = side_data_of(frame)
    if kinds is None:
        return BY_ROTATION.get(frame.rotation)
    found = kinds.get(SideDataType.DISPLAYMATRIX)
    return tuple(np.frombuffer(memoryview(found), dtype=np.int32, count=9).tolist()) if found is not None else None


def side_data_of(frame: av.VideoFrame) -> dict[SideDataType, SideData] | None:
    """The side data of `frame` by kind; None if there is a kind among them that the binding of the library lacks."""
    try:
        return {data.type: data for data in cast("SideDataContainer", frame.side_data)}
    except ValueError:
        return None


class Upright:
    """Turns frames of one video upright, exactly; times and colour tags stay, the display matrix goes.

    Owns a libavfilter graph, built for the size and pixel format of the first frame and again whenever these change.
    """

    def __init__(self, orientation: Orientation, time_base: Fraction) -> None:
        self._orientation = orientation
        self._time_base = time_base
        self._shape: tuple[object, ...] | None = None
        self._graph: av.filter.Graph | None = None

    def __call__(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The upright picture of `frame`; its `pts` is in the time base given at the start."""
        # Not by its side data: reading that ties a knot of references which keeps every picture alive until the garbage
        # collector comes by, and decoding with ever new memory takes up to twice the time.
        if self._orientation is Orientation.UPRIGHT and not frame.rotation:
            return frame
        if self._orientation.swaps and frame.format.name in TURNED:
            return _turned(frame, self._orientation)
        shape = (frame.width, frame.height, frame.format.name, frame.colorspace, frame.color_range)
        if self._graph is None or shape != self._shape:
            self._graph, self._shape = self._build(frame), shape
        self._graph.vpush(frame)
        return self._graph.vpull()

    def _build(self, frame: av.VideoFrame) -> av.filter.Graph:
        graph = av.filter.Graph()
        chain = [
            graph.add(
                "buffer",
                f"video_size={frame.width}x{frame.height}:pix_fmt={frame.format.name}:time_base={self._time_base}"
                f":colorspace={frame.colorspace}:range={frame.color_range}",
            ),
            graph.add("sidedata", "mode=delete:type=DISPLAYMATRIX"),
        ]
        for step in filter(None, self._orientation.value.split(",")):
            name, _, arguments = step.partition("=")
            chain.append(graph.add(name, f"dir={arguments}" if arguments else None))
        chain.append(graph.add("buffersink"))
        graph.link_nodes(*chain).configure()
        return graph


def _turned(frame: av.VideoFrame, orientation: Orientation) -> av.VideoFrame:
    """`frame` with rows and columns exchanged plane by plane, for formats that libavfilter would resample."""
    turned = av.VideoFrame(frame.height, frame.width, TURNED[frame.format.name])
    for source, target in zip(frame.planes, turned.planes, strict=True):
        samples = _samples(source, frame.format)
        if orientation in (Orientation.CLOCKWISE, Orientation.TRANSVERSED):
            samples = samples[::-1, :]
        if orientation in (Orientation.COUNTERCLOCKWISE, Orientation.TRANSVERSED):
            samples = samples[:, ::-1]
        _samples(target, turned.format)[:, :] = samples.T
    turned.pts, turned.duration, turned.time_base = frame.pts, frame.duration, frame.time_base
    turned.colorspace, turned.color_range = frame.colorspace, frame.color_range
    turned.color_primaries, turned.color_trc = frame.color_primaries, frame.color_trc
    return turned


def _samples(plane: av.video.plane.VideoPlane, pixel_format: av.VideoFormat) -> npt.NDArray[Any]:
    """The samples of a plane without padding, (height, width), uint8 or little-endian uint16; a view, not a copy."""
    sample = np.dtype("u1" if pixel_format.components[0].bits <= 8 else "<u2")
    samples: npt.NDArray[Any] = np.frombuffer(memoryview(plane), dtype=sample)
    return samples.reshape(-1, plane.line_size // sample.itemsize)[: plane.height, : plane.width]
