"""FFV1 in Matroska: the source's own samples, bit by bit, proven picture by picture.

Level 3, every picture a sync frame, slices with checksums. The pixel format and depth are the source's; where FFV1 does
not know that layout, the one with the same samples is taken, and said. Its proof decodes the whole file and
compares each picture's hash with the one taken when it was cut from the source.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final, Literal

import numpy as np

from clipd.errors import MediaError
from clipd.formats.check import check
from clipd.formats.format import AudioChoice, Expected, Format, FormatSettings, Heard, Pictures, Proof, Tick
from clipd.media.door import Limits
from clipd.media.encode import AudioRecipe, Recipe, pixel_formats
from clipd.media.framehash import frame_hash
from clipd.media.inspect import inspect, pictures
from clipd.media.picture import CROPPABLE, JPEG, is_full_range
from clipd.media.planes import chroma_shifts
from clipd.media.probe import ColorTags, VideoTrack
from clipd.media.timing import clock_of
from clipd.model.setting import setting

SAME_SAMPLES: Final = {
    **CROPPABLE,
    "rgb24": "bgr0",
    "bgr24": "bgr0",
    "rgb0": "bgr0",
    "0rgb": "bgr0",
    "0bgr": "bgr0",
    "gbrp": "bgr0",
    "gbrap": "bgra",
    "rgba": "bgra",
    "argb": "bgra",
    "abgr": "bgra",
    "pal8": "bgra",
    "rgb48le": "gbrp16le",
    "rgb48be": "gbrp16le",
    "bgr48le": "gbrp16le",
    "bgr48be": "gbrp16le",
    "rgba64le": "gbrap16le",
    "rgba64be": "gbrap16le",
}
"""Layouts that FFV1 does not know or gives back as another, and the one it keeps with every one of their samples."""


class Settings(FormatSettings):
    """How FFV1 files are made."""

    container: Literal["mkv"] = setting("mkv", "The file format, and its name's extension.")
    slices: Literal[4, 6, 9, 12, 16, 24, 30] = setting(
        4, "Parts of a picture that are coded, checked and decoded on their own, by as many threads.", unit="slices"
    )
    options: dict[str, str] = setting({}, "More options for FFV1, by their FFmpeg names.")
    audio: AudioChoice = setting("all", "Which audio tracks go along, as FLAC.")
    suffix: str = setting("", "Put at the end of the file name, before the extension.", max_length=40)


def allowed(width: int, height: int) -> tuple[int, int]:
    """Any size."""
    return width, height


def pixels_for(source: str) -> str:
    """The pixel format that FFV1 stores pictures of format `source` in, with the same samples.

    Raises:
        MediaError: there is none.
    """
    known = pixel_formats("ffv1")
    plain = source.replace("yuvj", "yuv")
    for candidate in (SAME_SAMPLES.get(plain, plain), plain.removesuffix("be") + "le"):
        if candidate in known:
            return candidate
    raise MediaError(f"FFV1 has no pixel format that holds {source} without loss; use h264 for this video")


def slices_for(width: int, height: int, pixels: str, wanted: int) -> int:
    """The number of slices nearest to `wanted` that FFmpeg's encoder can lay out on such a picture.

    Level 3 cannot cut a picture of odd size between two chroma samples; the rule, and the grids tried (as many
    columns as rows, up to twice as many), are those of `encode_init` in libavcodec/ffv1enc.c.
    """
    across, down = chroma_shifts(pixels)

    def splits(length: int, parts: int, shift: int) -> bool:
        last = length - length * (parts - 1) // parts
        return length % (1 << shift) != 0 and last % (1 << shift) == 0

    fewest = 2 if width > 352 or height > 288 else 1
    counts = [
        rows * columns
        for rows in range(fewest, 12)
        for columns in range(rows, 2 * rows + 1)
        if not splits(width, columns, across) and not splits(height, rows, down)
        if (rows == 1 or height >= 8 * rows) and (columns == 1 or width >= 8 * columns)
    ]
    return min(counts, key=lambda count: abs(count - wanted), default=wanted)


def recipe(settings: Settings, made_of: Pictures, sounds: Sequence[Heard]) -> tuple[Recipe, tuple[str, ...]]:
    """How to write these pictures and sounds as FFV1, and what is different from the source."""
    video = made_of.video
    pixels = pixels_for(video.pix_fmt)
    slices = slices_for(made_of.width, made_of.height, pixels, settings.slices)
    color = video.color
    if is_full_range(video.pix_fmt, color.range) and not pixels.startswith("bgr"):
        color = ColorTags(color.primaries, color.transfer, color.space, JPEG)
    made = Recipe(
        extension=settings.container,
        codec="ffv1",
        pixels=pixels,
        width=made_of.width,
        height=made_of.height,
        time_base=clock_of(settings.container, video.time_base),
        rate=made_of.rate if made_of.is_constant else None,
        sar=video.sar,
        color=color,
        options={"level": "3", "slices": str(slices), "slicecrc": "1", **settings.options},
        gop=1,
        audio=tuple(_flac(sound) for sound in sounds),
    )
    warnings = []
    if pixels != video.pix_fmt.replace("yuvj", "yuv"):
        warnings.append(f"FFV1 stores {video.pix_fmt} as {pixels}, which holds the same samples")
    if video.sar != 1:
        warnings.append(f"the pixel aspect {video.sar} stands in the FFV1 pictures, Matroska's own field is not set")
    if video.hdr:
        warnings.append(f"HDR metadata is not carried over to FFV1: {', '.join(video.hdr)}")
    return made, tuple(warnings)


def verify(path: Path, expected: Expected, limits: Limits, threads: int, tick: Tick) -> Proof:
    """Decodes every picture and compares its hash with that of the source's."""
    found = inspect(path, limits, threads)
    if found.sync_frames != found.frames:
        raise MediaError(f"{path.name}: {found.frames - found.sync_frames} frames are no sync frames")
    total = len(expected.hashes)
    equal = 0
    for number, frame in enumerate(pictures(path, limits, threads)):
        tick(number, total)
        if number >= total or frame_hash(frame) != expected.hashes[number]:
            raise MediaError(f"{path.name}: frame {number} differs from the source")
        equal += 1
    if equal != total or total != len(expected.times):
        raise MediaError(f"{path.name}: only {equal} of {total} frames decode")
    return check(path, found, expected, f"frames equal the source's: {equal} of {total}")


def _flac(sound: Heard) -> AudioRecipe:
    """FLAC in the depth that keeps what the source's decoder delivers."""
    depth = "s16" if sound.track.bits <= 16 else "s32"
    return AudioRecipe("flac", sound.rate, sound.layout, depth, None, sound.track.language)


def _bytes_per_pixel(_: Settings, video: VideoTrack) -> float:
    """Half of the raw size: what FFV1 leaves of camera footage."""
    samples = {"0": 1.5, "2": 2.0, "4": 3.0}.get(video.pix_fmt.replace("yuvj", "yuv")[5:6], 3.0)
    return float(np.ceil(video.bits / 8)) * samples / 2


FORMAT = Format("ffv1", Settings, True, allowed, recipe, verify, _bytes_per_pixel)
