"""One output in the making: pictures of the source go in one by one, a proven file comes out.

It joins cut, size, pixel format, hash and encoder, and keeps what the proof and the truth sheet need afterwards.
"""

from __future__ import annotations

import time
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from clipd.formats.format import Expected, Format, FormatSettings, Pictures, Proof, Tick
from clipd.jobs.geometry import Geometry
from clipd.jobs.rendition import Rendition
from clipd.jobs.truth import AppliedCrop, CropFacts
from clipd.media.audio import Sound
from clipd.media.crop import Cropper, has_odd_chroma
from clipd.media.door import Limits
from clipd.media.encode import Block, EncodedSound, Encoder, Picture
from clipd.media.framehash import frame_hash
from clipd.media.index import FrameIndex
from clipd.media.picture import Reshaper
from clipd.media.probe import SourceInfo
from clipd.media.timing import Ticks, is_exact, rebased
from clipd.model.timespan import FrameSpan


@dataclass(frozen=True)
class Wanted:
    """What an output is made of: which frames of which source, cut how, with which sound."""

    info: SourceInfo
    index: FrameIndex
    span: FrameSpan
    geometry: Geometry
    sounds: Sequence[Sound]
    rate: Fraction
    is_constant: bool


def source_times(index: FrameIndex, span: FrameSpan) -> Ticks:
    """When each frame of `span` is shown, the first at 0, and when the last one's showing ends; index's ticks."""
    first = int(index.pts[span.first])
    end = int(index.pts[span.last]) + index.duration(span.last)
    return np.append(index.pts[span.first : span.last + 1], end) - first


class Render:
    """Makes the file of one rendition in `staging`. Give it every frame of the span in order, then `finish`."""

    def __init__(
        self,
        rendition: Rendition,
        format: Format,
        settings: FormatSettings,
        wanted: Wanted,
        staging: Path,
        *,
        taken: Container[str] = (),
        threads: int,
        scaler: str,
    ) -> None:
        geometry = wanted.geometry
        pictures = Pictures(
            wanted.info.video, geometry.width, geometry.height, wanted.rate, is_constant=wanted.is_constant
        )
        self.rendition, self.format, self.wanted = rendition, format, wanted
        self.recipe, self._warnings = format.recipe(settings, pictures, wanted.sounds)
        self.name = f"{rendition.stem}.{self.recipe.extension}"
        # Two formats may have the same container, and with it the same name, in different folders.
        self.path = staging / (f"{rendition.format}-{self.name}" if self.name in taken else self.name)
        self.middle: Picture | None = None
        self.proof_cpu_seconds = 0.0
        self._hashes: list[bytes] = []
        self._clamped = self._odd_chroma = 0
        self._threads = threads
        self._cropper = Cropper()
        self._reshaper = Reshaper(self.recipe.pixels, scaler=scaler, threads=threads)
        self._source_times = source_times(wanted.index, wanted.span)
        self._times = rebased(self._source_times, wanted.index.time_base, self.recipe.time_base)
        self._middle_frame = wanted.span.first + wanted.span.count // 2
        self.encoder = Encoder(self.path, self.recipe, threads)

    def take(self, number: int, frame: Picture) -> None:
        """Cuts, fits and encodes source frame `number`."""
        geometry = self.wanted.geometry
        rect = geometry.at(number)
        self._clamped += geometry.is_clamped(number)
        self._odd_chroma += has_odd_chroma(frame.format, rect)
        cut = self._cropper.cut(frame, rect)
        if number == self._middle_frame:
            self.middle = cut
        fitted = self._reshaper.fit(cut, geometry.width, geometry.height)
        if self.format.is_exact:
            before = time.thread_time()
            self._hashes.append(frame_hash(fitted))
            self.proof_cpu_seconds += time.thread_time() - before
        at = number - self.wanted.span.first
        begin, end = int(self._times[at]), int(self._times[at + 1])
        self.encoder.picture(fitted, begin, end - begin)

    def hear(self, sound: Sound, block: Block) -> EncodedSound:
        """Encodes a block of `sound`, if this output has it; `encoder.write` takes the packets."""
        for track, mine in enumerate(self.wanted.sounds):
            if mine is sound:
                return self.encoder.encode_sound(track, block)
        return []

    def verify(self, limits: Limits, tick: Tick) -> Proof:
        """Reads the finished file back and proves it."""
        before = time.process_time()
        expected = Expected(self.recipe, self._times[:-1], int(self._times[-1]), self._hashes)
        proof = self.format.verify(self.path, expected, limits, self._threads, tick)
        if self.format.is_exact:
            self.proof_cpu_seconds += time.process_time() - before
        return proof

    def warnings(self) -> Iterator[str]:
        """What is different from the wish, or lost, in this output."""
        geometry, name = self.wanted.geometry, self.path.name
        for warning in self._warnings:
            yield f"{name}: {warning}"
        if not is_exact(self._source_times, self.wanted.index.time_base, self.recipe.time_base):
            yield (
                f"{name}: times are rounded to {float(self.recipe.time_base) * 1000:g} ms, "
                f"the finest .{self.recipe.extension} has"
            )
        if (geometry.width, geometry.height) != geometry.wanted:
            fate = "pictures are scaled to that" if geometry.is_scaled else "the last column or row is cut off"
            yield (
                f"{name}: {geometry.wanted[0]}x{geometry.wanted[1]} became {geometry.width}x{geometry.height}; "
                f"{self.format.name} needs even sizes, {fate}"
            )
        if self._clamped:
            yield f"{name}: the crop reached outside the picture in {self._clamped} frames and was moved inside"
        if self._odd_chroma:
            yield (
                f"{name}: in {self._odd_chroma} frames the crop starts between two colour samples; "
                "brightness is exact, colour lies up to half a sample to the left or above"
            )

    def crop_facts(self) -> CropFacts:
        """The crop asked for and applied."""
        geometry, span = self.wanted.geometry, self.wanted.span
        path = geometry.plan.path
        keyframes = path.keyframes if path is not None else ()
        inside = [frame for frame, _ in keyframes if span.first <= frame <= span.last and geometry.fixed is None]
        shown = dict.fromkeys((span.first, *inside, *(() if geometry.fixed else (span.last,))))
        return CropFacts(
            variation=self.rendition.variation,
            interpolation=path.interpolation if path is not None and path.moves else None,
            requested=tuple(AppliedCrop(frame, (rect.x, rect.y, rect.width, rect.height)) for frame, rect in keyframes),
            applied=tuple(
                AppliedCrop(frame, (rect.x, rect.y, rect.width, rect.height))
                for frame, rect in ((frame, geometry.at(frame)) for frame in shown)
            ),
            clamped_frames=self._clamped,
            is_scaled=geometry.is_scaled,
        )
