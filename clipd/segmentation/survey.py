"""The survey: one pass over a video that measures all that segmentation decides on.

Every frame is decoded once and seen small by everything that measures; the sound comes from the same reading. Memory
is a few numbers for each frame and each point of the grid. What the file lacks (sound, or pictures) is named in
`Features.warnings`, and so is what was damaged on the way.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, Protocol

import numpy as np
from numpy.typing import NDArray
from pydantic import create_model, field_validator

from clipd.errors import Rejected
from clipd.media.door import Limits
from clipd.media.glance import Glance, Viewing
from clipd.media.glance import Settings as GlanceSettings
from clipd.media.probe import NoVideo, SourceInfo, probe
from clipd.model.setting import Section, setting
from clipd.segmentation.black import Black
from clipd.segmentation.black import Settings as BlackSettings
from clipd.segmentation.cut import Cut
from clipd.segmentation.features import Features
from clipd.segmentation.filmstrip import Filmstrip
from clipd.segmentation.freeze import Freeze
from clipd.segmentation.freeze import Settings as FreezeSettings
from clipd.segmentation.gallery import Gallery
from clipd.segmentation.loudness import Loudness
from clipd.segmentation.loudness import Settings as LoudnessSettings
from clipd.segmentation.motion import Motion
from clipd.segmentation.motion import Settings as MotionSettings
from clipd.segmentation.scenes import DETECTORS, Detector
from clipd.segmentation.stretches import stretches

STAGE: Final = "analysing"
"""The name of this work in reports of progress."""

TOGETHER_BYTES: Final = 2 << 20
"""Frames are looked at together once their luma takes this: one by one, the decoder empties the processor's caches
between them."""

LEAST_DEVIATION: Final = 1e-9
"""Values that deviate by less differ by rounding alone."""

Checkpoint = Callable[[str, int, int], None]
Curve = NDArray[np.float64]


class _Scenes(Section):
    """Which detectors look for cuts, and how."""

    detectors: tuple[str, ...] = setting(
        ("shots", "scene"), f"The detectors that run, all in the same pass: any of {', '.join(DETECTORS)}."
    )

    @field_validator("detectors")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in DETECTORS:
                raise ValueError(f"there is no detector {name!r}; there are {', '.join(DETECTORS)}")
        return tuple(dict.fromkeys(names))

    def chosen(self) -> tuple[Detector, ...]:
        """The detectors, ready for a video."""
        return tuple(DETECTORS[name](getattr(self, name)) for name in self.detectors)


if TYPE_CHECKING:
    Scenes = _Scenes
else:
    Scenes = create_model(
        "Scenes",
        __base__=_Scenes,
        __doc__=_Scenes.__doc__,
        **{
            name: (kind.settings, setting(kind.settings(), f"The detector {name}.")) for name, kind in DETECTORS.items()
        },
    )


class Settings(Section):
    """How a video is measured; whatever is changed here, the video is decoded anew."""

    step_seconds: float = setting(0.5, "The step of the grid on which features are held.", unit="s", ge=0.05, le=60)
    glance: GlanceSettings = setting(GlanceSettings(), "How frames are seen and sound is heard.")
    loudness: LoudnessSettings = setting(LoudnessSettings(), "Loudness.")
    motion: MotionSettings = setting(MotionSettings(), "Motion.")
    black: BlackSettings = setting(BlackSettings(), "Black pictures.")
    freeze: FreezeSettings = setting(FreezeSettings(), "Pictures that stand still.")
    scenes: Scenes = setting(Scenes(), "Cuts.")


def survey(
    path: Path,
    settings: Settings,
    limits: Limits,
    checkpoint: Checkpoint,
    *,
    threads: int = 0,
    detectors: Sequence[Detector] | None = None,
) -> Features:
    """Measures the file at `path` in one pass.

    `detectors` stand in for those that the settings choose. `checkpoint(stage, done, total)` is called for every
    packet with frames done and expected (in hundredths of a second where there is no video) and may raise to stop.

    Raises:
        NotReady: it looks unfinished.
        MediaError: it cannot be read, or nothing of it can be decoded.
        Rejected: it is not a regular file, or exceeds the limits.
    """
    try:
        info = probe(path, limits)
    except NoVideo:
        info = None
    measures = _Measures(settings, limits, settings.scenes.chosen() if detectors is None else tuple(detectors))
    total = _expected_frames(info)
    viewing = Viewing(
        path,
        info,
        limits,
        settings.glance,
        threads=threads,
        tick=lambda: checkpoint(STAGE, measures.frames, max(total, measures.frames)),
    )
    for seen in viewing:
        if isinstance(seen, Glance):
            measures.look(seen, viewing)
        else:
            measures.loudness.feed(seen)
    return measures.features(path, info, viewing, limits)


class _Watcher(Protocol):
    """Looks at every frame, at leisure."""

    def feed(self, glance: Glance) -> None: ...


class _Measures:
    """All that looks on while the file passes."""

    def __init__(self, settings: Settings, limits: Limits, detectors: tuple[Detector, ...]) -> None:
        self._settings, self._detectors = settings, detectors
        longest = limits.max_duration_hours * 3600
        self.loudness = Loudness(settings.loudness, settings.glance.sound_rate, longest)
        self.frames = 0
        self._motion = Motion(settings.motion)
        self._black = Black(settings.black)
        self._freeze = Freeze(settings.freeze)
        self._gallery = Gallery(settings.step_seconds)
        self._filmstrip = Filmstrip()
        self._glances: list[Glance] = []

    def look(self, glance: Glance, viewing: Viewing) -> None:
        """Shows one frame to everything that looks."""
        self.frames += 1
        self._black.feed(glance, viewing.whole)
        self._freeze.feed(glance, viewing.whole)
        self._glances.append(glance)
        if len(self._glances) * glance.luma.size >= TOGETHER_BYTES:
            self._look_on()

    def _look_on(self) -> None:
        """Show what has gathered to all that needs no whole picture, one after the other."""
        watchers: tuple[_Watcher, ...] = (*self._detectors, self._motion, self._gallery, self._filmstrip)
        for watcher in watchers:
            for glance in self._glances:
                watcher.feed(glance)
        self._glances.clear()

    def features(self, path: Path, info: SourceInfo | None, viewing: Viewing, limits: Limits) -> Features:
        """What was measured, laid over the grid."""
        self._look_on()
        times, end = viewing.times()
        start = viewing.start_seconds
        if info is None:
            start, end = self.loudness.begin_seconds, self.loudness.end_seconds
        if end > limits.max_duration_hours * 3600:
            raise Rejected(
                f"{path.name} reaches to {end / 3600:.1f} hours; at most {limits.max_duration_hours:g} are allowed "
                "(setting max_duration_hours)"
            )
        grid = _grid(end, self._settings.step_seconds)
        loudness = self.loudness.curve(start, self._settings.step_seconds, len(grid)) if viewing.has_sound else None
        motion = self._motion.curve(grid)
        frames = len(times)
        strip_times, strip = self._filmstrip.finish()
        return Features(
            duration_seconds=end,
            frame_times=times,
            step_seconds=self._settings.step_seconds,
            times=grid,
            loudness=loudness,
            motion=motion,
            loudness_z=np.zeros(len(grid)) if loudness is None else z_scores(loudness),
            motion_z=z_scores(motion),
            cuts=self._cuts(np.append(times, end)),
            black=stretches(self._black.finish(frames, end), times, end),
            freezes=stretches(self._freeze.finish(frames, end), times, end),
            pictures=self._gallery.finish(len(grid)),
            strip_times=strip_times,
            strip=strip,
            warnings=tuple(self._warnings(info, viewing, loudness)),
        )

    def _cuts(self, times: Curve) -> tuple[Cut, ...]:
        """All cuts by frame; `times` (N + 1,) are exact, while what passed may have told them only nearly."""
        found = (cut for detector in self._detectors for cut in detector.finish())
        exact = (replace(cut, seconds=float(times[cut.frame])) for cut in found)
        return tuple(sorted(exact, key=lambda cut: cut.frame))

    def _warnings(self, info: SourceInfo | None, viewing: Viewing, loudness: Curve | None) -> Iterator[str]:
        if info is None:
            yield "there is no video: loudness alone was measured"
        else:
            yield from info.notes
        if loudness is None:
            yield "there is no audio: motion alone was measured"
        elif not loudness.any():
            yield "the audio is silent throughout"
        if info is not None and len(info.audio) > 1:
            yield f"{len(info.audio)} audio tracks; track {info.audio[0].index} was measured"
        if self.loudness.lost_seconds:
            yield f"{self.loudness.lost_seconds:.1f} s of sound lie at impossible times and are left out"
        yield from viewing.warnings()


def z_scores(curve: Curve) -> Curve:
    """(G,) how many standard deviations each value lies above the mean; all 0 where they do not vary."""
    deviation = float(np.std(curve)) if len(curve) else 0.0
    if deviation < LEAST_DEVIATION:
        return np.zeros(len(curve))
    scores: Curve = (curve - np.mean(curve)) / deviation
    return scores


def _grid(end_seconds: float, step_seconds: float) -> Curve:
    points = max(1, math.ceil(end_seconds / step_seconds - 1e-9))
    return np.arange(points, dtype=np.float64) * step_seconds


def _expected_frames(info: SourceInfo | None) -> int:
    """How many frames the header promises; 0 where it does not tell."""
    if info is None or info.duration is None or not info.video.rate:
        return 0
    return round(info.duration * info.video.rate)
