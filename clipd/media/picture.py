"""Pictures made to measure: size and pixel format of frames, with colour range and tags kept exactly.

The rule for range: samples keep the range they were coded with. A full-range source (`yuvj420p`, grey) stays full
range and is tagged so, because squeezing it to 16..235 would change every pixel for nothing.
"""

from __future__ import annotations

from typing import Final

from av import VideoFrame
from av.video.reformatter import ColorRange, Colorspace, Interpolation, VideoReformatter

MPEG: Final = int(ColorRange.MPEG)
JPEG: Final = int(ColorRange.JPEG)
RGB_MATRIX: Final = 0
"""`AVCOL_SPC_RGB`: the tag of pictures that are no YUV at all."""
BT601_MATRIX: Final = 6
"""`AVCOL_SPC_SMPTE170M`: what RGB is turned into."""
UNKNOWN_MATRIX: Final = 2
"""`AVCOL_SPC_UNSPECIFIED`."""

CROPPABLE: Final = {
    "nv12": "yuv420p",
    "nv21": "yuv420p",
    "nv16": "yuv422p",
    "nv24": "yuv444p",
    "nv42": "yuv444p",
    "p010le": "yuv420p10le",
    "p012le": "yuv420p12le",
    "p016le": "yuv420p16le",
    "p210le": "yuv422p10le",
    "p212le": "yuv422p12le",
    "p216le": "yuv422p16le",
    "yuyv422": "yuv422p",
    "uyvy422": "yuv422p",
    "yvyu422": "yuv422p",
    "uyyvyy411": "yuv411p",
    "y210le": "yuv422p10le",
    "y212le": "yuv422p12le",
    "monow": "gray",
    "monob": "gray",
}
"""Layouts that cannot be cut at any pixel, and the one with the same samples that can."""


def is_full_range(pixels: str, tag: int) -> bool:
    """Do samples of format `pixels`, tagged with FFmpeg's range number `tag`, use all of 0..255 (or 0..1023)?"""
    if tag in (MPEG, JPEG):
        return tag == JPEG
    return pixels.startswith(("yuvj", "gray", "mono", "ya8", "ya16"))


def copy_tags(source: VideoFrame, target: VideoFrame) -> None:
    """Gives `target` the times and colour tags of `source`."""
    target.pts = source.pts
    if source.time_base is not None:
        target.time_base = source.time_base
    target.duration = source.duration
    target.colorspace = source.colorspace
    target.color_range = source.color_range
    target.color_primaries = source.color_primaries
    target.color_trc = source.color_trc


class Reshaper:
    """Brings frames to one pixel format, and to the size asked for; keeps its scaler from frame to frame."""

    def __init__(self, pixels: str, *, scaler: str = "bicubic", threads: int = 1) -> None:
        self._pixels = pixels
        self._flags = Interpolation[scaler.upper()]
        if scaler != "fast_bilinear":
            self._flags |= Interpolation.ACCURATE_RND
        self._threads = threads
        self._reformatter = VideoReformatter()

    def fit(self, frame: VideoFrame, width: int, height: int) -> VideoFrame:
        """`frame` in this format, `width` x `height` pixels; the very same frame where nothing is to be done."""
        same_layout = frame.format.name.replace("yuvj", "yuv") == self._pixels.replace("yuvj", "yuv")
        if same_layout and (frame.width, frame.height) == (width, height):
            if is_full_range(frame.format.name, frame.color_range):
                # Else the encoder, which goes by names, would squeeze a `yuvj420p` that nobody tagged.
                frame.color_range = JPEG
            return frame
        before = JPEG if is_full_range(frame.format.name, frame.color_range) else MPEG
        turns_yuv = is_rgb(frame.format.name) and not is_rgb(self._pixels)
        after = MPEG if turns_yuv else before
        if is_rgb(frame.format.name):
            before = JPEG
        return self._reformatter.reformat(
            frame,
            width,
            height,
            self._pixels,
            dst_colorspace=Colorspace.ITU601 if turns_yuv else None,
            interpolation=self._flags,
            src_color_range=before,
            dst_color_range=JPEG if is_rgb(self._pixels) else after,
            threads=self._threads,
        )


def is_rgb(pixels: str) -> bool:
    """Are pictures of format `pixels` made of red, green and blue, whatever their colour tags say?"""
    return pixels.startswith(("rgb", "bgr", "gbr", "argb", "abgr", "0rgb", "0bgr", "x2rgb", "x2bgr", "pal8"))
