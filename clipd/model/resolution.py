"""`output_resolution`: a box that the picture is fitted into, with its aspect kept."""

from __future__ import annotations

import re
from fractions import Fraction

NAMED = {
    "4320p": (7680, 4320),
    "8k": (7680, 4320),
    "2160p": (3840, 2160),
    "4k": (3840, 2160),
    "uhd": (3840, 2160),
    "1440p": (2560, 1440),
    "2k": (2560, 1440),
    "1080p": (1920, 1080),
    "fullhd": (1920, 1080),
    "720p": (1280, 720),
    "hd": (1280, 720),
    "576p": (1024, 576),
    "480p": (854, 480),
    "360p": (640, 360),
    "240p": (426, 240),
    "144p": (256, 144),
}
UNSCALED = {"", "original", "source", "native", "none"}

_SIZE = re.compile(r"(\d{1,5})\s*[x×*:]\s*(\d{1,5})", re.ASCII)


def parse_resolution(text: str | None) -> tuple[int, int] | None:
    """The box (width, height) in pixels that `text` names, or None for the crop's own size.

    Raises:
        ValueError: with the words that would be right.
    """
    if text is None or text.strip().lower() in UNSCALED:
        return None
    words = text.strip().lower()
    if words in NAMED:
        return NAMED[words]
    match = _SIZE.fullmatch(words)
    if match is None or not (int(match[1]) and int(match[2])):
        raise ValueError(f"{text!r} is not a resolution; write 1080p, 720p, 1280x720 or original")
    return int(match[1]), int(match[2])


def fit(width: int, height: int, box: tuple[int, int] | None, *, upscale: bool = False) -> tuple[int, int]:
    """The size, in pixels, of a `width` x `height` picture fitted into `box`; never enlarged unless `upscale`."""
    if box is None:
        return width, height
    scale = min(Fraction(box[0], width), Fraction(box[1], height))
    if scale >= 1 and not upscale:
        return width, height
    return max(1, round(width * scale)), max(1, round(height * scale))
