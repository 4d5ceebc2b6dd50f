"""Recorded moments: the recordings of a period made into one proven file, by copying packets or exactly, to the frame.

What is copied begins with the sync frame at or before the period and ends with the frame that is shown at its end, or
is whole recordings; not a bit of any picture is changed. What is exact shows the period and nothing else; where the
cuts fall on sync frames that is a copy as well, elsewhere all of it is encoded anew. `Made` tells what was delivered.

Raises the errors of `clipd.errors`, and whatever `checkpoint` raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

from clipd.errors import MediaError, Rejected
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.clip import Thumbnail
from clipd.jobs.context import Context
from clipd.jobs.hashing import hashed
from clipd.jobs.joined import BlackPart, FilmPart, Part, join
from clipd.jobs.rendition import Rendition
from clipd.jobs.request import Delivery, GapPolicy
from clipd.jobs.truth import plain_value
from clipd.media import remux
from clipd.media.container import extension_of
from clipd.media.packets import CannotCopy
from clipd.media.packets import Slice as Packets
from clipd.model.artifact import Artifact
from clipd.model.instant import Period
from clipd.model.timespan import TimeSpan
from clipd.recordings.coverage import Coverage, Gap, Slice

JITTER = Fraction(1, 100)
"""By how much of a frame the times of frames are off in containers with coarse clocks."""


@dataclass(frozen=True)
class Shown:
    """What of one recording is in the file: from its first frame until the showing of its last one ends; instants."""

    slice: Slice
    start: Fraction
    end: Fraction
    frames: int


@dataclass(frozen=True)
class Made:
    """A file in staging, verified and hashed, and what it shows.

    `gaps` are all parts of the period that it does not show; `outputs` are facts of the file for its truth sheet.
    """

    artifacts: tuple[Artifact, ...]
    method: str
    shown: tuple[Shown, ...]
    gaps: tuple[Gap, ...]
    seconds: Fraction
    outputs: Mapping[str, Any]
    warnings: tuple[str, ...]

    @property
    def start(self) -> Fraction:
        """The instant of its first frame."""
        return self.shown[0].start

    @property
    def end(self) -> Fraction:
        """The instant at which the showing of its last frame ends."""
        return self.shown[-1].end


@dataclass(frozen=True)
class Order:
    """What is to be made: of which coverage, how, and under which name; copies lie by codec, other files as H.264."""

    recordings: Path
    coverage: Coverage
    delivery: Delivery
    gap: GapPolicy
    stem: str
    folder_of_copy: str
    folder_of_h264: str
    join_seconds: Fraction


def deliver(order: Order, settings: ClipSettings, context: Context) -> Made:
    """Make the file. Where `auto` cannot copy, it is exact, and `warnings` tells why.

    Raises:
        Rejected: it cannot be made in the way that was asked for.
    """
    if order.gap == "black" and order.coverage.gaps:
        if order.delivery == "copy":
            raise Rejected(
                "black for a gap has to be encoded, and delivery is copy; ask for gap: collapse, or for delivery: exact"
            )
        return _encoded(order, settings, context, ())
    if order.delivery == "copy":
        try:
            return _copied(order, context)
        except CannotCopy as error:
            raise Rejected(f"{error}; ask for delivery: exact") from error
    try:
        copied = _copied(order, context)
    except (CannotCopy, MediaError) as error:
        _discard(order, context)
        return _encoded(order, settings, context, (f"encoded, because copying is not possible: {error}",))
    if order.delivery == "auto" or _is_exact(copied, order.coverage.period):
        return copied
    _discard(order, context)
    return _encoded(order, settings, context, ())


def _discard(order: Order, context: Context) -> None:
    """Remove what copying left in staging."""
    for path in context.staging.iterdir():
        if path.stem == order.stem:
            path.unlink()


def _is_exact(made: Made, period: Period) -> bool:
    """Does the copy show no frame that lies outside the period, and all that lie inside?"""
    first, last = made.shown[0], made.shown[-1]
    is_early = first.start + first.slice.extent.frame * JITTER < _shown_at(first.slice, period.start)
    is_late = last.end - last.slice.extent.frame * (1 - JITTER) > period.end
    return not is_early and not is_late and not any(gap.reason == "undecodable" for gap in made.gaps)


def _shown_at(part: Slice, instant: Fraction) -> Fraction:
    """When the picture that is shown at `instant` began to be shown, if pictures come evenly."""
    frame, into = part.extent.frame, max(Fraction(0), instant - part.start)
    return part.start + (into + frame * JITTER) // frame * frame


# --- copying ------------------------------------------------------------------------------------------------------


def _copied(order: Order, context: Context) -> Made:
    coverage = order.coverage
    path = order.recordings / coverage.slices[0].recording.path
    output = context.staging / f"{order.stem}.{extension_of(path, context.limits)}"
    shifts = [_left_out_before(part, coverage) for part in coverage.slices]
    slices = list(_packets(order, shifts))
    done = remux.copy_joined(slices, output, context.limits, threads=context.threads, checkpoint=context.checkpoint)
    shown = tuple(
        Shown(part, piece.first + shift, piece.end + shift, piece.frames)
        for part, piece, shift in zip(coverage.slices, done.slices, shifts, strict=True)
    )
    whole = order.delivery == "copy"
    method = "packets copied, whole recordings" if whole else "packets copied, from sync frame to frame"
    facts = {
        "format": "copy",
        "method": method,
        "frames": done.frames,
        "seconds": done.seconds,
        "time_base": str(done.time_base),
        "audio": done.audio,
        "sound_moved_seconds": done.sound_moved,
        "proof": done.proof,
    }
    return Made(
        artifacts=(hashed(output, order.folder_of_copy, "video", "copy", context),),
        method=method,
        shown=shown,
        gaps=_all_gaps(order, shown),
        seconds=done.seconds,
        outputs={output.name: plain_value(facts)},
        warnings=done.notes,
    )


def _packets(order: Order, shifts: Sequence[Fraction]) -> Iterator[Packets]:
    """The slices as `remux` takes them; their clock is the wall clock, without the gaps that are left out."""
    parts, whole = order.coverage.slices, order.delivery == "copy"
    for number, (part, shift) in enumerate(zip(parts, shifts, strict=True)):
        is_first, is_last = number == 0, number == len(parts) - 1
        is_begun = part.inside.start > 0 and not (whole and is_first)
        is_ended = is_last and not whole
        yield Packets(
            path=order.recordings / part.recording.path,
            at=part.start - shift,
            start=part.inside.start if is_begun else None,
            end=part.inside.end if is_ended else None,
            zero=part.extent.start,
        )


def _left_out_before(part: Slice, coverage: Coverage) -> Fraction:
    """How many seconds of gaps lie before `part` and after the first slice, and are left out."""
    begin = coverage.slices[0].period.start
    return sum(
        (gap.period.seconds for gap in coverage.gaps if begin < gap.period.end <= part.period.start), Fraction(0)
    )


# --- encoding -----------------------------------------------------------------------------------------------------


def _encoded(order: Order, settings: ClipSettings, context: Context, reasons: tuple[str, ...]) -> Made:
    rendition = Rendition("h264", "original", order.stem, order.folder_of_h264)
    plain = settings.model_copy(update={"thumbnail": Thumbnail(enabled=False)})
    parts: list[Part] = []
    films: list[Slice] = []
    sequence: list[Slice | Gap] = [*order.coverage.slices, *order.coverage.gaps]
    for item in sorted(sequence, key=lambda item: item.period.start):
        if isinstance(item, Slice):
            parts.append(_film(order, item))
            films.append(item)
        elif order.gap == "black":
            parts.append(BlackPart(item.period.seconds))
    made = join(parts, (rendition,), plain, context)
    shown = []
    for film, facts in zip(films, (facts for facts in made.parts if facts.span is not None), strict=True):
        assert facts.span is not None and facts.span.start_seconds is not None  # noqa: S101, PT018 - chosen above
        start = film.start + facts.span.start_seconds
        shown.append(Shown(film, start, start + facts.ends_seconds - facts.begins_seconds, facts.frames))
    untouched = all(facts.is_untouched for facts in made.parts if facts.span is not None)
    return Made(
        artifacts=made.artifacts,
        method="decoded, cut to the frame, encoded" + ("" if untouched else "; pictures fitted into one size"),
        shown=tuple(shown),
        gaps=_all_gaps(order, shown),
        seconds=made.seconds,
        outputs={name: plain_value(facts) for name, facts in made.outputs.items()},
        warnings=(*reasons, *made.warnings),
    )


def _film(order: Order, part: Slice) -> FilmPart:
    """The part as `join` takes it: from the picture that is shown at its start, to where the next one follows on."""
    slices, start, frame = order.coverage.slices, part.inside.start, part.extent.frame
    lead = Fraction(0)
    if part is slices[0] and start:
        first = _shown_at(part, part.start + start) - part.start
        lead, start = max(Fraction(0), start - first), max(Fraction(0), first - frame * JITTER)
    follower = next((after for before, after in pairwise(slices) if before is part), None)
    length = None
    if follower is not None and not any(
        part.period.end <= gap.period.start < follower.period.start for gap in order.coverage.gaps
    ):
        length = follower.period.start - part.period.start + lead
    return FilmPart(
        order.recordings / part.recording.path, part.recording.path, TimeSpan(start, part.inside.end), length
    )


# --- what is missing ----------------------------------------------------------------------------------------------


def _all_gaps(order: Order, shown: Sequence[Shown]) -> tuple[Gap, ...]:
    """The gaps that were known, and what more of the period is not shown, because packets did not allow it."""
    known = order.coverage.gaps
    more = []
    for hole, beside in _holes(order.coverage.period, shown):
        least = max(order.join_seconds, beside.slice.extent.frame)
        for rest in _without(hole, known):
            if rest.seconds > least:
                path = beside.slice.recording.path
                words = f"pictures at the joint with {path} need others that are missing"
                more.append(Gap(rest, "undecodable", path, words))
    return tuple(sorted([*known, *more], key=lambda gap: gap.period.start))


def _holes(period: Period, shown: Sequence[Shown]) -> Iterator[tuple[Period, Shown]]:
    """What of `period` is not shown, each with what is shown next (or last)."""
    cursor = period.start
    for part in shown:
        if part.start > cursor:
            yield Period(cursor, min(part.start, period.end)), part
        cursor = max(cursor, part.end)
    if cursor < period.end:
        yield Period(cursor, period.end), shown[-1]


def _without(hole: Period, gaps: Sequence[Gap]) -> Iterator[Period]:
    cursor = hole.start
    for gap in gaps:
        if cursor < gap.period.start < hole.end:
            yield Period(cursor, gap.period.start)
        cursor = max(cursor, min(gap.period.end, hole.end))
    if cursor < hole.end:
        yield Period(cursor, hole.end)
