"""Still pictures: a frame as a JPEG file, and a frame as an RGB array."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import av.error
import numpy as np
from av import CodecContext, VideoFrame
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from clipd.errors import MediaError
from clipd.media.door import words_of
from clipd.media.encode import writing
from clipd.media.picture import Reshaper
from clipd.model.resolution import fit


def write_jpeg(
    frame: VideoFrame, path: Path, box: tuple[int, int], *, quality: int, sar: Fraction, padded: bool = False
) -> tuple[int, int]:
    """Writes what `jpeg` makes of `frame`, and returns the size in pixels. The file is not synced.

    Raises:
        MediaError: the picture cannot be encoded. Deferred, Temporary: the file cannot be written.
    """
    data, size = jpeg(frame, box, quality=quality, sar=sar, padded=padded, name=path.name)
    with writing(path):
        path.write_bytes(data)
    return size


def jpeg(
    frame: VideoFrame,
    box: tuple[int, int],
    *,
    quality: int,
    sar: Fraction,
    padded: bool = False,
    name: str = "the picture",
) -> tuple[bytes, tuple[int, int]]:
    """`frame` as a JPEG, shrunk to fit into `box` pixels with its pixels made square, and the size in pixels.

    `quality` runs from 2 (best) to 31, as in FFmpeg. `padded` fills what the picture leaves of the box with black.

    Raises:
        MediaError: the picture cannot be encoded.
    """
    width, height = fit(max(1, round(frame.width * sar)), frame.height, box)
    encoder: VideoCodecContext = CodecContext.create("mjpeg", "w")
    try:
        small = Reshaper("rgb24").fit(frame, width, height)
        if padded:
            small = _padded(small, box)
            width, height = box
        small = Reshaper("yuvj420p").fit(small, width, height)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuvj420p"
        encoder.time_base = Fraction(1, 25)
        encoder.color_range = 2
        encoder.thread_count = 1
        encoder.options = {"qmin": str(quality), "qmax": str(quality)}
        small.pts = 0
        small.time_base = Fraction(1, 25)
        data = b"".join(bytes(packet) for packet in (*encoder.encode(small), *encoder.encode(None)))
    except (av.error.FFmpegError, ValueError) as error:
        words = words_of(error) if isinstance(error, av.error.FFmpegError) else str(error)
        raise MediaError(f"{name} could not be encoded", tail=words) from error
    return data, (width, height)


def _padded(picture: VideoFrame, box: tuple[int, int]) -> VideoFrame:
    left, top = (box[0] - picture.width) // 2, (box[1] - picture.height) // 2
    canvas = np.zeros((box[1], box[0], 3), np.uint8)
    canvas[top : top + picture.height, left : left + picture.width] = picture.to_ndarray()
    return VideoFrame.from_ndarray(canvas, "rgb24")


def rgb_array(frame: VideoFrame) -> NDArray[Any]:
    """`frame` as a new uint8 array of shape (height, width, 3), RGB, full range."""
    array = Reshaper("rgb24").fit(frame, frame.width, frame.height).to_ndarray()
    return np.ascontiguousarray(array)


def as_frame(image: NDArray[Any]) -> VideoFrame:
    """A frame that shows `image`, a uint8 array of shape (height, width, 3), RGB, full range."""
    return VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
