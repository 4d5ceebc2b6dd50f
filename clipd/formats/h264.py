"""H.264 in MP4: small, plays everywhere, seen as equal to the source.

Keeps the samples' range, the colour tags and the pixel aspect; sizes are even, because 4:2:0 pictures must be. Its
proof counts every picture, compares every time and decodes the end of the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Final, Literal

from clipd.errors import Rejected
from clipd.formats.check import check
from clipd.formats.format import AudioChoice, Expected, Format, FormatSettings, Heard, Pictures, Proof, Tick
from clipd.media.door import Limits
from clipd.media.encode import AudioRecipe, Recipe
from clipd.media.inspect import inspect
from clipd.media.picture import BT601_MATRIX, JPEG, MPEG, RGB_MATRIX, UNKNOWN_MATRIX, is_full_range, is_rgb
from clipd.media.probe import ColorTags, VideoTrack
from clipd.media.timing import clock_of
from clipd.model.setting import setting

AAC_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
"""Sample rates that AAC knows (ISO/IEC 14496-3, table 1.18)."""

Preset = Literal[
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow", "placebo"
]


class Settings(FormatSettings):
    """How H.264 files are made."""

    container: Literal["mp4", "mov", "mkv"] = setting("mp4", "The file format, and its name's extension.")
    crf: float = setting(18, "Quality: 0 is lossless, 18 looks like the source, 51 is worst.", ge=0, le=51)
    preset: Preset = setting("veryfast", "x264's trade of time for size.")
    gop: int | None = setting(None, "Longest way between two sync frames; null leaves x264's 250.", unit="frames", ge=1)
    options: dict[str, str] = setting({}, "More options for libx264, by their FFmpeg names.")
    audio: AudioChoice = setting("all", "Which audio tracks go along.")
    audio_bit_rate: int = setting(192_000, "AAC bit rate of each track.", unit="bits/s", ge=8_000, le=1_000_000)
    suffix: str = setting("", "Put at the end of the file name, before the extension.", max_length=40)


def allowed(width: int, height: int) -> tuple[int, int]:
    """The even size within `width` x `height` pixels.

    Raises:
        Rejected: one side is a single pixel.
    """
    if width < 2 or height < 2:
        raise Rejected(f"H.264 cannot hold a picture of {width}x{height} pixels; make the crop at least 2x2")
    return width - width % 2, height - height % 2


def recipe(settings: Settings, pictures: Pictures, sounds: Sequence[Heard]) -> tuple[Recipe, tuple[str, ...]]:
    """How to write these pictures and sounds as H.264, and what that loses."""
    options = {"crf": f"{settings.crf:g}", "preset": settings.preset, **settings.options}
    made = Recipe(
        extension=settings.container,
        codec="libx264",
        pixels="yuv420p",
        width=pictures.width,
        height=pictures.height,
        time_base=clock_of(settings.container, pictures.video.time_base),
        rate=pictures.rate,
        sar=pictures.video.sar,
        color=_color(pictures.video),
        options=options,
        gop=settings.gop,
        audio=tuple(_aac(sound, settings.audio_bit_rate) for sound in sounds),
        threads_for_each=Fraction(3, 2),  # what x264 itself takes when it is left to choose
        container_options={} if settings.container == "mkv" else {"movflags": "+faststart"},
    )
    return made, (*_losses(pictures.video), *_resampled(sounds))


def verify(path: Path, expected: Expected, limits: Limits, threads: int, tick: Tick) -> Proof:
    """Counts all pictures, compares their times, decodes the last group."""
    total = len(expected.times)
    found = inspect(path, limits, threads, lambda: tick(total, total))
    return check(path, found, expected, f"{found.frames} frames counted, times equal the source's, last frame decoded")


def _color(video: VideoTrack) -> ColorTags:
    color = video.color
    if is_rgb(video.pix_fmt):
        return ColorTags(color.primaries, color.transfer, BT601_MATRIX, MPEG)
    space = UNKNOWN_MATRIX if color.space == RGB_MATRIX else color.space
    kept = JPEG if is_full_range(video.pix_fmt, color.range) else color.range
    return ColorTags(color.primaries, color.transfer, space, kept)


def _losses(video: VideoTrack) -> Iterator[str]:
    if video.hdr:
        yield f"HDR metadata is not carried over to H.264: {', '.join(video.hdr)}"
    if video.bits > 8:
        yield f"{video.bits} bits per sample became 8 in H.264"
    if video.pix_fmt.replace("yuvj", "yuv") not in ("yuv420p", "nv12", "nv21", "gray") and "420p" not in video.pix_fmt:
        yield f"pixel format {video.pix_fmt} became yuv420p in H.264"


def _aac(sound: Heard, bit_rate: int) -> AudioRecipe:
    rate = aac_rate(sound.rate)
    return AudioRecipe("aac", rate, sound.layout, "fltp", bit_rate, sound.track.language)


def aac_rate(rate: int) -> int:
    """The sample rate that AAC knows nearest to `rate`, the higher of two."""
    return min(AAC_RATES, key=lambda known: (abs(known - rate), -known))


def _resampled(sounds: Sequence[Heard]) -> Iterator[str]:
    for sound in sounds:
        if aac_rate(sound.rate) != sound.rate:
            yield (
                f"audio track {sound.track.index}: AAC does not know {sound.rate} Hz; "
                f"resampled to {aac_rate(sound.rate)} Hz"
            )


def _bytes_per_pixel(settings: Settings, _: VideoTrack) -> float:
    """0.1 at crf 18, half of that for each 6 steps up (measured on hand-held and surveillance footage: 0.02 to 0.1)."""
    return 0.1 * 2 ** float(Fraction(18 - round(settings.crf), 6))


FORMAT = Format("h264", Settings, False, allowed, recipe, verify, _bytes_per_pixel)
