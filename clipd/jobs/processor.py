"""Custom processing: a function of the operator's own makes the files, instead of a format.

It is named in the daemon's own settings, never in a file from the share. It gets a typed description of the clip and an
iterator of upright, cropped RGB pictures, writes files into the staging folder it is given, and returns them; claim,
verification, publication and write-back around it are the same as for every clip.
"""

from __future__ import annotations

import hashlib
import importlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import model_validator

from clipd.errors import ClipdError, MediaError, Rejected
from clipd.jobs.context import Context
from clipd.jobs.footage import Decoded, Footage
from clipd.jobs.geometry import Geometry
from clipd.jobs.rendition import Rendition
from clipd.media.crop import Cropper, has_odd_chroma
from clipd.media.door import Limits
from clipd.media.images import rgb_array
from clipd.media.inspect import inspect
from clipd.media.picture import Reshaper
from clipd.model.artifact import Artifact, Role
from clipd.model.clip import Clip
from clipd.model.crop import Variation
from clipd.model.setting import Section, setting
from clipd.model.timespan import FrameSpan

VIDEO_SUFFIXES: Final = frozenset({".mp4", ".mkv", ".mov"})
"""Files with these names are read back and proven."""


class Processor(Section):
    """A function of your own in place of a format."""

    function: str | None = setting(
        None,
        "package.module:function to call; null uses clipd's own formats.",
        pattern=r"^[A-Za-z_][\w.]*:[A-Za-z_]\w*$",
    )
    formats: tuple[str, ...] = setting((), "Only in place of these formats; empty means all.")
    cameras: tuple[str, ...] = setting((), "Only for cameras so named (equal, beginning so, or a pattern); empty: all.")

    @model_validator(mode="before")
    @classmethod
    def _name_alone(cls, value: Any) -> Any:
        """`processor: package.module:function` is short for `processor: {function: package.module:function}`."""
        return {"function": value} if isinstance(value, str) else value

    def chosen(self, format: str, camera: str, names_camera: Callable[[tuple[str, ...], str], bool]) -> str | None:
        """The function that makes files in place of `format` for `camera`, if any does."""
        fits = (not self.formats or format in self.formats) and (not self.cameras or names_camera(self.cameras, camera))
        return self.function if fits else None


@dataclass(frozen=True)
class ClipDescription:
    """The clip that a function is asked to make files of. Names of its files must begin with `stem`.

    `width` and `height` are those of every image, in pixels; `rate` is the nominal frame rate.
    """

    name: str
    key: str
    source: Path
    format: str
    variation: Variation
    stem: str
    folder: str
    first_frame: int
    last_frame: int
    width: int
    height: int
    rate: Fraction | None
    start_seconds: Fraction
    end_seconds: Fraction


@dataclass(frozen=True)
class Frame:
    """One picture: its number in the source, its time in seconds from the first one, and itself.

    `image` is uint8 of shape (height, width, 3), RGB.
    """

    number: int
    time_seconds: Fraction
    image: NDArray[np.uint8]


@dataclass(frozen=True)
class ProducedFile:
    """A file that a function made; `frames` where a video of it is meant to hold another number than the clip."""

    path: Path
    role: Role = "video"
    frames: int | None = None


Function = Callable[[ClipDescription, Iterator[Frame], Path], Iterable[Path | ProducedFile]]


def load(name: str) -> Function:
    """The function that `package.module:function` names.

    Raises:
        Rejected: there is none.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as error:
        raise Rejected(f"the processor {name!r} cannot be loaded: {error}") from error
    if not callable(function):
        raise Rejected(f"the processor {name!r} is not a function")
    loaded: Function = function
    return loaded


def process(clip: Clip, rendition: Rendition, geometry: Geometry, decoded: Decoded, context: Context) -> list[Artifact]:
    """Lets the function that `rendition` names make its files; they are checked, proven and hashed.

    Raises:
        MediaError: the function raised, or returned a file that is not as promised; the words name it.
    """
    name = rendition.processor or ""
    function = load(name)
    footage = decoded.footage
    description = _describe(clip, rendition, geometry, footage)
    pictures = _pictures(geometry, decoded, context)
    try:
        produced = list(function(description, pictures, context.staging))
    except ClipdError:
        raise
    except Exception as error:
        raise MediaError(f"the processor {name} failed: {type(error).__name__}: {error}") from error
    files = [item if isinstance(item, ProducedFile) else _as_produced(item) for item in produced]
    if not files:
        raise MediaError(f"the processor {name} returned no files")
    return [_checked(file, name, rendition, footage.span, context) for file in files]


def _describe(clip: Clip, rendition: Rendition, geometry: Geometry, footage: Footage) -> ClipDescription:
    begin = footage.info.video.time_base * int(footage.index.pts[0])
    return ClipDescription(
        name=clip.name,
        key=clip.key,
        source=footage.path,
        format=rendition.format,
        variation=rendition.variation,
        stem=rendition.stem,
        folder=rendition.folder,
        first_frame=footage.span.first,
        last_frame=footage.span.last,
        width=geometry.width,
        height=geometry.height,
        rate=footage.info.video.rate,
        start_seconds=footage.start - begin,
        end_seconds=footage.after(footage.span.last) - begin,
    )


def _pictures(geometry: Geometry, decoded: Decoded, context: Context) -> Iterator[Frame]:
    index, span = decoded.footage.index, decoded.footage.span
    cropper, rgb = Cropper(), Reshaper("rgb24", threads=context.threads)
    start = index.time(span.first)
    for done, (number, frame) in enumerate(decoded.pictures()):
        context.checkpoint("processing", done, span.count)
        rect = geometry.at(number)
        if has_odd_chroma(frame.format, rect):
            frame = rgb.fit(frame, frame.width, frame.height)  # while the colours still lie where they belong
        cut = rgb.fit(cropper.cut(frame, rect), geometry.width, geometry.height)
        yield Frame(number, index.time(number) - start, rgb_array(cut))


def _as_produced(item: Any) -> ProducedFile:
    path = Path(item)
    role: Literal["video", "thumbnail", "data"] = "data"
    if path.suffix.lower() in VIDEO_SUFFIXES:
        role = "video"
    elif path.suffix.lower() in (".jpg", ".jpeg", ".png"):
        role = "thumbnail"
    return ProducedFile(path, role)


def _checked(file: ProducedFile, name: str, rendition: Rendition, span: FrameSpan, context: Context) -> Artifact:
    path = file.path if file.path.is_absolute() else context.staging / file.path
    if path.parent.resolve() != context.staging.resolve() or path.is_symlink() or not path.is_file():
        raise MediaError(f"the processor {name} returned {path}, which is no regular file in the staging folder")
    if not path.name.startswith(rendition.stem):
        raise MediaError(f"the processor {name} returned {path.name}; names must begin with {rendition.stem}")
    size = path.stat().st_size
    if size == 0:
        raise MediaError(f"the processor {name} returned {path.name}, which is empty")
    facts: dict[str, Any] = {"processor": name}
    if path.suffix.lower() in VIDEO_SUFFIXES:
        facts["frames"] = _proven(path, name, span.count if file.frames is None else file.frames, context)
    with path.open("rb") as opened:
        digest = hashlib.file_digest(opened, "sha256").hexdigest()
    return Artifact(path.name, rendition.folder, file.role, rendition.format, size, digest, facts)


def _proven(path: Path, name: str, frames_wanted: int, context: Context) -> int:
    limits: Limits = context.limits
    found = inspect(path, limits, context.threads)
    if found.frames != frames_wanted:
        raise MediaError(
            f"the processor {name} made {path.name} with {found.frames} frames; {frames_wanted} are due "
            "(a ProducedFile may say otherwise)"
        )
    return found.frames
