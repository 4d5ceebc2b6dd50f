"""A moment of a video: what happened from one time to another, with seconds before and after it.

The core of event clips from videos. Its pictures are cut to the frame and encoded; its sound is copied, packet by
packet, where the file it goes into can hold it, and begins with the first picture all the same (an edit list says
where). Or all of it is copied, and begins with the sync frame before.

Raises the errors of `clipd.errors`: `Rejected` for times that the video does not have, `MediaError` for what cannot be
decoded, encoded or proven, `Deferred` and `Temporary` for disks and shares; and whatever `checkpoint` raises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

from clipd.errors import Rejected
from clipd.jobs.clip import Settings
from clipd.jobs.context import Context
from clipd.jobs.footage import Footage
from clipd.jobs.hashing import hashed
from clipd.jobs.joined import FilmPart, Joined, join
from clipd.jobs.rendition import Rendition
from clipd.media.index import FrameIndex
from clipd.media.packets import Beside, CannotCopy, Slice
from clipd.media.remux import Joined as Copied
from clipd.media.remux import copy_joined
from clipd.model.artifact import Artifact
from clipd.model.timespan import FrameSpan, TimeSpan


@dataclass(frozen=True)
class Moment:
    """The part of a video that a moment is: `start` and `end` in seconds from the first frame, `span` in frames.

    `notes` say what of it the video does not have.
    """

    start: Fraction
    end: Fraction
    span: FrameSpan
    notes: tuple[str, ...]


def span_of(index: FrameIndex, start: Fraction, end: Fraction, pre: Fraction, post: Fraction) -> Moment:
    """The moment from `start` to `end`, in seconds from the first frame, with `pre` seconds before and `post` after.

    What of that lies outside the video is left out and named.

    Raises:
        Rejected: it ends before it starts, or nothing of it lies within the video.
    """
    length = index.time(index.count)
    if end < start:
        raise Rejected(f"the event ends at {_seconds(end)} s, before its start at {_seconds(start)} s")
    if start >= length or end < 0:
        raise Rejected(
            f"the event from {_seconds(start)} s to {_seconds(end)} s is not in the video, "
            f"which is {_seconds(length)} s long"
        )
    first, last = max(Fraction(0), start - pre), min(length, end + post)
    notes = []
    if first > start - pre:
        notes.append(f"the video begins {_seconds(first - start + pre)} s after the wanted start; nothing is before it")
    if last < end + post:
        notes.append(f"the video ends {_seconds(end + post - last)} s before the wanted end; nothing is after it")
    shown = _shown_at(index, first)
    # The frame on show at the start belongs to the moment, and alone makes one that takes no time.
    span = index.span(TimeSpan(index.time(shown), max(last, index.time(shown + 1))))
    return Moment(first, last, span, tuple(notes))


def _shown_at(index: FrameIndex, seconds: Fraction) -> int:
    """The frame that is on show at `seconds`."""
    ticks = seconds / index.time_base + int(index.pts[0])
    after = int(index.pts.searchsorted(ticks.numerator // ticks.denominator, side="right"))
    return min(max(0, after - 1), index.count - 1)


def _seconds(value: Fraction) -> str:
    return f"{float(value):.3f}"


@dataclass(frozen=True)
class Cut:
    """A moment, made: verified and hashed files in staging, and facts about how. `sound` is None if none was copied."""

    artifacts: tuple[Artifact, ...]
    pictures: Joined
    sound: Copied | None
    warnings: tuple[str, ...]


def cut_exactly(source: Footage, moment: Moment, rendition: Rendition, settings: Settings, context: Context) -> Cut:
    """The moment cut to the frame, as `rendition`, its sound copied where it can be and encoded where it cannot."""
    part, section = FilmPart(source.path, source.path.name, moment.span), settings.of(rendition.format)
    if section.audio == "none" or not source.info.audio:
        made = join([part], [rendition], settings, context)
        return Cut(made.artifacts, made, None, (*moment.notes, *made.warnings))
    mute = settings.model_copy(update={rendition.format: section.model_copy(update={"audio": "none"})})
    pictures = join([part], [replace(rendition, stem=f"{rendition.stem}.pictures")], mute, context)
    silent = context.staging / pictures.artifacts[0].staged_name
    output = context.staging / f"{rendition.stem}.{section.container}"
    start = replace(source, span=moment.span).start
    try:
        copied = copy_joined(
            [Slice(silent, sound=Beside(source.path, start))],
            output,
            context.limits,
            threads=context.threads,
            checkpoint=context.checkpoint,
            audio_tracks=1 if section.audio == "first" else None,
        )
    except CannotCopy as refused:
        _drop(output, *(context.staging / artifact.staged_name for artifact in pictures.artifacts))
        made = join([part], [rendition], settings, context)
        note = f"the sound is encoded, not copied: {refused}"
        return Cut(made.artifacts, made, None, (*moment.notes, note, *made.warnings))
    _drop(silent)
    pictures = _with_sound(pictures, rendition, output, copied, context)
    return Cut(pictures.artifacts, pictures, copied, (*moment.notes, *pictures.warnings))


def _with_sound(pictures: Joined, rendition: Rendition, output: Path, copied: Copied, context: Context) -> Joined:
    """What is said about `pictures`, said of the file at `output` that has their sound as well."""
    video, *thumbnails = pictures.artifacts
    (facts,) = pictures.outputs.values()
    facts = replace(
        facts,
        method=f"pictures {facts.method}; sound copied",
        audio=copied.audio,
        audio_offset_seconds=copied.sound_starts,
        proof=f"{facts.proof}; copied with the sound: {copied.proof}",
    )
    return replace(
        pictures,
        artifacts=(
            hashed(output, video.folder, "video", video.format, context),
            *(replace(thumbnail, name=f"{rendition.stem}.jpg") for thumbnail in thumbnails),
        ),
        outputs={output.name: facts},
        warnings=tuple(dict.fromkeys((*pictures.warnings, *copied.notes))),
    )


def _drop(*paths: Path) -> None:
    for path in paths:
        path.unlink(missing_ok=True)
