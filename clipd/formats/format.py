"""What an output format is: how it wants pictures and sound, and how a file of it is proven.

A format decides and checks; `media.encode` writes. To add one: a module with a `Settings` section and a `FORMAT`, and a
line in the table of `clipd.formats`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from clipd.media.door import Limits
from clipd.media.encode import Recipe
from clipd.media.probe import AudioTrack, VideoTrack
from clipd.model.setting import Section

AudioChoice = Literal["all", "first", "none"]


class FormatSettings(Section):
    """What the settings of every format have; each adds its own and gives these their defaults."""

    container: str
    audio: AudioChoice
    suffix: str


@dataclass(frozen=True)
class Pictures:
    """The pictures a file is made of. `width` and `height` are those to be written, `time_base` that of the source.

    `rate` is nominal, in frames per second; `is_constant`: every picture is shown for the same time.
    """

    video: VideoTrack
    width: int
    height: int
    rate: Fraction
    is_constant: bool = True


class Heard(Protocol):
    """Sound as a format sees it: what is decoded of one track, whatever it was put together from."""

    @property
    def rate(self) -> int:
        """Samples per second."""
        ...

    @property
    def layout(self) -> str:
        """The channels, as FFmpeg names them."""
        ...

    @property
    def track(self) -> AudioTrack:
        """The track it comes from."""
        ...


@dataclass(frozen=True)
class Expected:
    """What a finished file must hold.

    `times` are pts in ticks of the recipe's time base, the first 0; `end` is where the last picture's time ends.
    `hashes` are those of the pictures given to the encoder, empty for a format that does not keep them.
    """

    recipe: Recipe
    times: NDArray[np.int64]
    end: int
    hashes: Sequence[bytes]


@dataclass(frozen=True)
class Proof:
    """What was found in a finished file; `words` say what is proven.

    `seconds` last until the end of the last picture as it was written; MP4 keeps durations in decoding order only.
    """

    frames: int
    width: int
    height: int
    pixels: str
    codec: str
    seconds: Fraction
    time_base: Fraction
    sync_frames: int
    audio_offsets: tuple[Fraction, ...]
    words: str


Tick = Callable[[int, int], None]
"""Called with (pictures checked, pictures in all); may raise to stop."""


class Verify(Protocol):
    """Reads a finished file back and raises MediaError unless it holds what is expected."""

    def __call__(self, path: Path, expected: Expected, limits: Limits, threads: int, tick: Tick) -> Proof:
        """Proves the file at `path`; `tick` hears of each picture."""
        ...


@dataclass(frozen=True)
class Format:
    """One entry of the table of formats.

    `allowed` gives the largest size that the format can hold within a size in pixels (and raises Rejected where there
    is none); `recipe` how to write a file, with warnings on what that loses; `is_exact`: every picture is proven.
    """

    name: str
    settings: type[FormatSettings]
    is_exact: bool
    allowed: Callable[[int, int], tuple[int, int]]
    recipe: Callable[[Any, Pictures, Sequence[Heard]], tuple[Recipe, tuple[str, ...]]]
    verify: Verify
    bytes_per_pixel: Callable[[Any, VideoTrack], float]
    """A rough estimate, for disk space."""
