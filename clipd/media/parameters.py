"""What a track's decoder is set up with, and whether the packets of two files can follow each other behind one set-up.

It stands apart because one file has a single decoder configuration: packets copied from several files are decodable
behind it only where all of them were made for the same one. The same stream also comes in two forms: H.264 and HEVC
units behind a length or a start code, AAC frames bare or behind an ADTS header. `Form` brings packets from one to the
other, and leaves their content alone.

Formats: avcC and hvcC by ISO/IEC 14496-15 (5.3.3.1, 8.3.3.1), ADTS and AudioSpecificConfig by ISO/IEC 14496-3
(1.A.2.2, 1.6.2.1). Raises nothing of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Final, Literal

from av import AudioStream, VideoStream

from clipd.media.bitstream import length_size, units

SETS: Final = {"h264": (7, 8, 13, 15), "hevc": (32, 33, 34)}
"""The types of NAL units that hold parameter sets (ITU-T H.264, table 7-1; H.265, table 7-1)."""
PICTURES: Final = {"h264": range(1, 6), "hevc": range(32)}
"""The types of NAL units that hold coded slices."""
ADTS_RATES: Final = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)


@dataclass(frozen=True)
class SoundParameters:
    """What two audio tracks must share."""

    codec: str
    rate: int
    layout: str
    profile: str


@dataclass(frozen=True)
class Parameters:
    """What two files must share for their packets to be joined.

    `sets` is the decoder configuration: the parameter sets of H.264 and HEVC, whatever form they come in, or the whole
    of it for other codecs. `pixels` is empty where the header does not say.
    """

    codec: str
    width: int
    height: int
    pixels: str
    sar: Fraction
    sets: frozenset[bytes]
    audio: tuple[SoundParameters, ...]


def parameters_of(video: VideoStream, audio: Iterable[AudioStream]) -> Parameters:
    """The parameters of an open file's tracks, as its headers tell them."""
    context = video.codec_context
    codec = context.codec.canonical_name
    return Parameters(
        codec=codec,
        width=context.width,
        height=context.height,
        pixels=(context.pix_fmt or "").replace("yuvj", "yuv"),
        sar=video.sample_aspect_ratio or Fraction(1),
        sets=configured_sets(codec, context.extradata),
        audio=tuple(
            SoundParameters(
                stream.codec_context.codec.canonical_name,
                stream.codec_context.sample_rate,
                stream.codec_context.layout.name,
                stream.profile or "",
            )
            for stream in audio
        ),
    )


def compatible(first: Parameters, other: Parameters) -> str | None:
    """Why packets of `other` cannot follow packets of `first` in one file, in words; None if they can.

    A file without sound can follow one with sound, and the other way round.
    """
    for name, a, b in (
        ("codec", first.codec, other.codec),
        ("size", f"{first.width}x{first.height}", f"{other.width}x{other.height}"),
        ("pixel format", first.pixels, other.pixels),
        ("pixel aspect", first.sar, other.sar),
    ):
        if a != b and a and b:
            return f"the {name} is {b} instead of {a}"
    if first.sets != other.sets:
        return "the encoder was set up differently (the parameter sets of the video differ)"
    for number, (mine, theirs) in enumerate(zip(first.audio, other.audio, strict=False), 1):
        if mine != theirs:
            return f"audio track {number} is {_words(theirs)} instead of {_words(mine)}"
    if first.audio and other.audio and len(first.audio) != len(other.audio):
        return f"there are {len(other.audio)} audio tracks instead of {len(first.audio)}"
    return None


def _words(sound: SoundParameters) -> str:
    return f"{sound.codec} {sound.profile} {sound.rate} Hz {sound.layout}".replace("  ", " ")


def configured_sets(codec: str, extradata: bytes | None) -> frozenset[bytes]:
    """The parameter sets in a track's decoder configuration; for codecs without such, the configuration itself."""
    if not extradata:
        return frozenset()
    if codec not in SETS:
        return frozenset((extradata,))
    if not length_size(codec, extradata):
        return sets_in(codec, memoryview(extradata), 0)
    found = _in_avcc(extradata) if codec == "h264" else _in_hvcc(extradata)
    return frozenset(unit for unit in found if unit and _kind(codec, unit[0]) in SETS[codec])


def sets_in(codec: str, packet: memoryview, size: int) -> frozenset[bytes]:
    """The parameter sets that lie in a packet among the pictures; `size` is that of a unit's length, 0 for codes."""
    if codec not in SETS:
        return frozenset()
    kinds = SETS[codec]
    return frozenset(bytes(unit).rstrip(b"\0") for unit in units(packet, size) if _kind(codec, unit[0]) in kinds)


def picture_bytes(codec: str, packet: memoryview, size: int) -> Iterator[bytes]:
    """The parts of a packet that hold its picture: what no container and no form of writing it down may change."""
    if codec not in PICTURES:
        yield bytes(packet)
        return
    kinds = PICTURES[codec]
    for unit in units(packet, size):
        if _kind(codec, unit[0]) in kinds:
            yield bytes(unit).rstrip(b"\0")


def _kind(codec: str, first: int) -> int:
    return first & 0x1F if codec == "h264" else (first >> 1) & 0x3F


def _in_avcc(data: bytes) -> Iterator[bytes]:
    at = 5
    for mask in (0x1F, 0xFF):
        if at >= len(data):
            return
        count, at = data[at] & mask, at + 1
        for _ in range(count):
            unit, at = _counted(data, at)
            yield unit


def _in_hvcc(data: bytes) -> Iterator[bytes]:
    at = 23
    for _ in range(data[22] if len(data) > 22 else 0):
        count, at = int.from_bytes(data[at + 1 : at + 3], "big"), at + 3
        for _ in range(count):
            unit, at = _counted(data, at)
            yield unit


def _counted(data: bytes, at: int) -> tuple[bytes, int]:
    end = at + 2 + int.from_bytes(data[at : at + 2], "big")
    return data[at + 2 : end].rstrip(b"\0"), end


@dataclass(frozen=True)
class Form:
    """How a track writes its packets down: `length_size` bytes before each unit, or 0 for start codes; behind ADTS."""

    length_size: int = 0
    has_adts: bool = False

    def brought_to(self, target: Form, packet: bytes) -> bytes:
        """`packet`, which is in this form, in the form `target`. ADTS is only ever taken off."""
        if self.length_size != target.length_size:
            parts = units(memoryview(packet), self.length_size)
            return b"".join(_prefix(len(unit), target.length_size) + bytes(unit) for unit in parts)
        if self.has_adts and not target.has_adts:
            return bare(packet)
        return packet


def form_of(kind: Literal["video", "audio"], codec: str, extradata: bytes | None) -> Form:
    """The form of a track with this decoder configuration."""
    if kind == "video":
        return Form(length_size=length_size(codec, extradata) if codec in SETS else 0)
    return Form(has_adts=codec == "aac" and not extradata)


def _prefix(length: int, size: int) -> bytes:
    return length.to_bytes(size, "big") if size else b"\0\0\0\1"


def bare(packet: bytes) -> bytes:
    """An AAC frame without its ADTS header, if it has one."""
    if len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return packet
    return packet[7 if packet[1] & 1 else 9 :]


def audio_config(packet: bytes) -> bytes | None:
    """The AudioSpecificConfig that an ADTS header stands for; None where there is none, or it does not say it all."""
    if len(packet) < 7 or packet[0] != 0xFF or packet[1] & 0xF6 != 0xF0:
        return None
    kind, rate = (packet[2] >> 6) + 1, (packet[2] >> 2) & 0xF
    channels = (packet[2] & 1) << 2 | packet[3] >> 6
    if rate >= len(ADTS_RATES) or not channels:
        return None
    return (kind << 11 | rate << 7 | channels << 3).to_bytes(2, "big")
