"""What of a period a camera recorded: which part of which file, where files overlap, where there is nothing and why.

Where a file starts is told, best first, by its `mtxi` box, by its name to the millisecond, by its name to the second.
A name of the last kind leaves a second open, in which a file is placed where its pictures follow on those of the file
before; unless most files of the neighbourhood meet to the frame anyway, then all names are taken at their word. A
file's end is its start and the length of its pictures, never the start of the next file.

Where files overlap, the earlier one counts until its end. What cannot be used is named in the gap that it leaves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Literal

from clipd.files.arrival import FUTURE_SECONDS, has_writer
from clipd.media.extent import Extent
from clipd.model.instant import Period, utc
from clipd.model.timespan import TimeSpan
from clipd.recordings.index import Index, Recording
from clipd.recordings.names import SECOND_NS, seconds

Reason = Literal["missing", "truncated", "foreign", "unreadable", "growing", "undecodable"]
Placed = Literal["mtxi", "name", "joint"]

DRIFT_SECONDS = 5
"""Within a stream, MediaMTX lets wall clock and stream clock come apart by so much; then it begins a new stream
(ntpDriftTolerance in internal/recorder/recorder.go)."""


@dataclass(frozen=True)
class Slice:
    """The part of a recording that belongs to the period."""

    recording: Recording
    extent: Extent
    start: Fraction
    """The instant at which the recording's first picture is shown; at `extent.start` on the file's own clock."""
    period: Period
    """When the slice is shown."""
    inside: TimeSpan
    """The same in seconds from the recording's first picture."""
    placed: Placed
    """What `start` rests on: the `mtxi` box, the `name`, or (named to the second) the `joint` with its neighbours."""
    is_growing: bool = False
    """Is the file still being written?"""


@dataclass(frozen=True)
class Gap:
    """A part of the period that no usable recording covers."""

    period: Period
    reason: Reason
    path: str | None
    """The recording that should have covered it, relative to the recordings folder."""
    words: str
    """The same for a person."""


@dataclass(frozen=True)
class Overlap:
    """Time that two recordings hold: `kept` was chosen, `dropped` was not."""

    period: Period
    kept: str
    dropped: str


@dataclass(frozen=True)
class Coverage:
    """What of `period` the camera recorded. Slices and gaps are in order and do not overlap."""

    camera: str
    period: Period
    slices: tuple[Slice, ...]
    gaps: tuple[Gap, ...]
    overlaps: tuple[Overlap, ...]
    recorded_until: Fraction | None
    """The instant up to which everything that will be recorded is there and finished; None where nothing is."""
    unfinished: tuple[str, ...] = ()
    """Recordings that are still being written and may yet fill a gap."""
    notes: tuple[str, ...] = field(default=())
    """What else was met, for the truth sheet."""

    @property
    def covered_seconds(self) -> Fraction:
        """How much of the period is covered; tiny holes between recordings count as covered."""
        return self.period.seconds - sum((gap.period.seconds for gap in self.gaps), Fraction(0))

    @property
    def ratio(self) -> Fraction:
        """How much of the period is covered, 0 to 1, exactly."""
        return self.covered_seconds / self.period.seconds

    @property
    def is_complete(self) -> bool:
        """Is all of the period covered?"""
        return not self.gaps

    def is_waiting(self, now: Fraction, timeout_seconds: float) -> bool:
        """May what is missing still come: is the period not recorded to its end, or a recording not finished?

        `now` is an instant; so long after the period's end (or its recording) nothing is waited for any more.
        """
        if self.is_complete:
            return False
        is_open = self.recorded_until is None or self.recorded_until < self.period.end
        return (is_open or bool(self.unfinished)) and now < self.period.end + Fraction(timeout_seconds)


@dataclass(frozen=True)
class _File:
    """A recording with a known extent, placed in time."""

    recording: Recording
    extent: Extent
    start: Fraction
    placed: Placed
    is_growing: bool

    @property
    def end(self) -> Fraction:
        return self.start + self.extent.length


@dataclass(frozen=True)
class _Culprit:
    """A recording that cannot be used, and the time it would have covered; `end` None where nobody knows.

    Then `latest` is up to when it may have covered any; None where nobody knows that either.
    """

    start: Fraction
    end: Fraction | None
    reason: Reason
    path: str
    words: str
    latest: Fraction | None = None


def cover(index: Index, camera: str, period: Period, now: Fraction) -> Coverage:
    """What of `period` the recordings of `camera` cover.

    Opens the files that may touch the period, and their neighbours, as far as they are not known yet. A file that
    appeared since the last scan or hint is not seen. `now` is the instant by the clock of the recordings' filesystem.

    Raises:
        Temporary: the index cannot be used. Whatever is wrong with a recording is told in the result.
    """
    settings = index.settings
    files, culprits = _open(index, index.around(camera, period), now)
    files = _placed(files, index.clock_ahead(camera))
    begins = [file.start for file in files] + [culprit.start for culprit in culprits]
    touching = [file for file in files if file.start < period.end and file.end > period.start]
    if settings.foreign == "gap":
        touching, foreign = _same_shape(touching, period)
        culprits += foreign
    join = Fraction(repr(settings.join_seconds))
    slices, overlaps, holes = _chosen(touching, period, join)
    culprits += [_broken_off(file) for file in files if file.extent.damage]
    culprits += [_still_written(file.recording, file.end) for file in files if file.is_growing]
    culprits = list(_bounded(culprits, files, begins))
    gaps = [gap for hole in holes for gap in _explained(hole, culprits, files)]
    growing = [culprit for culprit in culprits if culprit.reason == "growing"]
    needed = [culprit for culprit in growing if any(_reaches(culprit, hole) for hole in holes)]
    return Coverage(
        camera=camera,
        period=period,
        slices=tuple(slices),
        gaps=tuple(gaps),
        overlaps=tuple(overlaps),
        recorded_until=_recorded_until(index, camera, period, files, {culprit.path for culprit in growing}, join),
        unfinished=tuple(culprit.path for culprit in sorted(needed, key=_by_start)),
        notes=tuple(_notes(slices)),
    )


def protected(index: Index, open_periods: Iterable[tuple[str, Period]]) -> frozenset[str]:
    """The recordings, relative to the recordings folder, that the (camera, period) of open requests may need."""
    return frozenset(recording.path for camera, period in open_periods for recording in index.around(camera, period))


def is_settled(index: Index, recording: Recording, now: Fraction) -> bool:
    """Is the recording finished: closed as the kernel said, or still for long enough and open in no program here?"""
    if recording.is_closed:
        return True
    age = now - seconds(recording.mtime_ns)
    # A time in the future was set by a program with another clock, and says nothing.
    is_still = age < -FUTURE_SECONDS or age >= Fraction(index.settings.settle_seconds)
    return is_still and not has_writer(index.path(recording))


def _open(index: Index, known: list[Recording], now: Fraction) -> tuple[list[_File], list[_Culprit]]:
    """The recordings as they stand now: those that can be used, and those that cannot."""
    files: list[_File] = []
    culprits: list[_Culprit] = []
    for listed in known:
        recording = index.refresh(listed)
        if recording is None:
            continue
        if recording.is_stray:
            words = f"the name of {recording.path} speaks of another camera than its folder"
            culprits.append(_Culprit(recording.start, None, "foreign", recording.path, words))
            continue
        is_growing = not is_settled(index, recording, now)
        found = index.measure(recording)
        if is_growing and (found.extent is None or not (index.settings.use_growing and found.extent.appends)):
            reached = None if found.extent is None else recording.start + found.extent.length
            culprits.append(_still_written(recording, recording.start, reached))
            continue
        if found.extent is None:
            reason: Reason = "truncated" if found.is_cut_off else "unreadable"
            culprits.append(_Culprit(recording.start, None, reason, recording.path, _below(recording, found.fault)))
            continue
        reach = _without_last_frame(found.extent) if is_growing else found.extent
        files.append(_File(recording, reach, recording.start, "name", is_growing))
    return files, culprits


def _still_written(recording: Recording, start: Fraction, reached: Fraction | None = None) -> _Culprit:
    """What `recording` holds, or may come to hold, from `start` on; it has `reached` that far by now."""
    return _Culprit(start, None, "growing", recording.path, f"{recording.path} is still being written", reached)


def _below(recording: Recording, fault: str) -> str:
    return fault if recording.name in fault else f"{recording.path}: {fault}"


def _without_last_frame(extent: Extent) -> Extent:
    """What is safe of a file that grows: its last picture may be there in part only."""
    return replace(extent, end=max(extent.end - extent.frame, extent.start), damage="")


def _placed(files: list[_File], ahead: Fraction) -> list[_File]:
    """`files`, each at its best known start, in order."""
    certain = [_by_box(file, ahead) for file in files if file.extent.mtxi is not None]
    certain += [file for file in files if file.extent.mtxi is None and file.recording.resolution_ns < SECOND_NS]
    coarse = [file for file in files if file.extent.mtxi is None and file.recording.resolution_ns >= SECOND_NS]
    if not _meet_to_the_frame(coarse):
        coarse = [file for run in _runs(coarse) for file in run]
    return sorted([*certain, *coarse], key=lambda file: (file.start, file.recording.path))


def _by_box(file: _File, ahead: Fraction) -> _File:
    box = file.extent.mtxi
    return file if box is None else replace(file, start=seconds(box.ntp_ns) - ahead, placed="mtxi")


def _meet_to_the_frame(files: list[_File]) -> bool:
    """Do most of the neighbours that could follow on each other do so, by their names, to the frame?"""
    holes = [(after.start - before.end, before) for before, after in pairwise(files) if not before.extent.damage]
    near = [(abs(hole), before.extent.frame) for hole, before in holes if abs(hole) < 1]
    return 2 * sum(hole < frame for hole, frame in near) > len(near)


@dataclass
class _Run:
    """Recordings, named to the second, that follow on each other: the first one starts in `[low, high)`."""

    files: list[_File]
    offsets: list[Fraction]
    low: Fraction
    high: Fraction

    def takes(self, file: _File) -> bool:
        """Can `file` follow on the last one, by both names? Then it does."""
        last = self.files[-1]
        if last.extent.damage:
            return False
        offset = self.offsets[-1] + _apart(last, file)
        resolution = seconds(file.recording.resolution_ns)
        low, high = max(self.low, file.start - offset), min(self.high, file.start - offset + resolution)
        if low >= high:
            return False
        self.files.append(file)
        self.offsets.append(offset)
        self.low, self.high = low, high
        return True

    def placed(self) -> list[_File]:
        """The files, as early as their names allow."""
        if len(self.files) == 1:
            return self.files
        return [
            replace(file, start=self.low + offset, placed="name" if self.low + offset == file.start else "joint")
            for file, offset in zip(self.files, self.offsets, strict=True)
        ]


def _runs(files: list[_File]) -> Iterator[list[_File]]:
    runs: list[_Run] = []
    for file in files:
        if not any(run.takes(file) for run in reversed(runs)):
            resolution = seconds(file.recording.resolution_ns)
            runs.append(_Run([file], [Fraction(0)], file.start, file.start + resolution))
    return (run.placed() for run in runs)


def _apart(before: _File, after: _File) -> Fraction:
    """How long after `before` its follower `after` starts: by the clock in the files where they share one.

    Programs that write files may move that clock by a frame, to let decoding begin at 0; so little says nothing.
    """
    by_clock = after.extent.start - before.extent.start
    by_name = after.start - before.start
    is_shared = by_clock > 0 and abs(by_name - by_clock) < seconds(after.recording.resolution_ns)
    is_apart = abs(by_clock - before.extent.length) >= 2 * before.extent.frame
    return by_clock if is_shared and is_apart else before.extent.length


def _shape(extent: Extent) -> tuple[str, int, int]:
    return extent.codec, extent.width, extent.height


def _same_shape(files: list[_File], period: Period) -> tuple[list[_File], list[_Culprit]]:
    """The files of the codec and picture size that most of the period has, and the others."""
    shares: dict[tuple[str, int, int], Fraction] = {}
    for file in files:
        shared = period.overlap(file.start, file.end)
        shape = _shape(file.extent)
        shares[shape] = shares.get(shape, Fraction(0)) + (shared.seconds if shared else 0)
    if len(shares) < 2:
        return files, []
    codec, width, height = usual = max(shares, key=lambda shape: shares[shape])
    culprits = [
        _Culprit(
            file.start,
            file.end,
            "foreign",
            file.recording.path,
            f"{file.recording.path} is {file.extent.codec} of {file.extent.width}x{file.extent.height}; the others "
            f"are {codec} of {width}x{height}",
        )
        for file in files
        if _shape(file.extent) != usual
    ]
    return [file for file in files if _shape(file.extent) == usual], culprits


def _chosen(files: list[_File], period: Period, join: Fraction) -> tuple[list[Slice], list[Overlap], list[Period]]:
    """The slices of `files` (in order) that make up `period`, what they hold twice, and the holes that are gaps."""
    slices: list[Slice] = []
    overlaps: list[Overlap] = []
    holes: list[Period] = []
    cursor, last = period.start, None
    for file in files:
        is_joint = last is not None and _is_joint(last, file, join)
        if last is not None and not is_joint and file.start < cursor:
            both = period.overlap(max(file.start, last.start), min(cursor, file.end))
            if both is not None:
                overlaps.append(Overlap(both, last.recording.path, file.recording.path))
        if file.end <= cursor:
            continue
        begin = max(cursor, file.start)
        if begin > cursor and not is_joint and begin - cursor >= max(join, file.extent.frame):
            holes.append(Period(cursor, begin))
        # Where files meet, the clock may set the second a little early: its first pictures belong nonetheless.
        first = Fraction(0) if is_joint and slices else begin - file.start
        end = min(file.end, period.end)
        if begin < end and _shows_a_picture(first, end - file.start, file.extent.frame):
            inside = TimeSpan(first, end - file.start)
            slices.append(
                Slice(file.recording, file.extent, file.start, Period(begin, end), inside, file.placed, file.is_growing)
            )
        cursor, last = max(cursor, file.end), file
    usual = last.extent.frame if last is not None else Fraction(0)
    if cursor < period.end and (last is None or period.end - cursor >= max(join, usual)):
        holes.append(Period(cursor, period.end))
    return slices, overlaps, holes


def _is_joint(before: _File, after: _File, join: Fraction) -> bool:
    """Does `after` follow right on `before`?"""
    frame = max(before.extent.frame, after.extent.frame)
    hole = after.start - before.end
    if abs(hole) < max(join, frame):
        return True
    one, two = before.extent.mtxi, after.extent.mtxi
    if one is None or two is None or one.stream != two.stream or two.number != one.number + 1:
        return False
    stream_hole = seconds(two.dts_ns - one.dts_ns) - before.extent.length
    return abs(stream_hole) < max(join, frame) and abs(hole) <= DRIFT_SECONDS


def _shows_a_picture(start: Fraction, end: Fraction, frame: Fraction) -> bool:
    """Does a picture begin to be shown in `[start, end)`, if they come every `frame`?"""
    return -(-start // frame) * frame < end


def _broken_off(file: _File) -> _Culprit:
    words = f"{file.recording.path} ends after {float(file.extent.length):.3f} s: {file.extent.damage}"
    return _Culprit(file.end, None, "truncated", file.recording.path, words)


def _explained(hole: Period, culprits: list[_Culprit], files: list[_File]) -> Iterator[Gap]:
    """`hole` in parts, each with its reason."""
    inside = sorted((culprit for culprit in culprits if _reaches(culprit, hole)), key=_by_start)
    at = hole.start
    for number, culprit in enumerate(inside):
        begin = max(at, culprit.start)
        following = inside[number + 1].start if number + 1 < len(inside) else hole.end
        end = max(begin, min(hole.end, following if culprit.end is None else culprit.end))
        if begin > at:
            yield _missing(Period(at, begin), files)
        if end > begin:
            yield Gap(Period(begin, end), culprit.reason, culprit.path, culprit.words)
        at = end
    if at < hole.end:
        yield _missing(Period(at, hole.end), files)


def _by_start(culprit: _Culprit) -> tuple[Fraction, str]:
    return culprit.start, culprit.path


def _bounded(culprits: list[_Culprit], files: list[_File], begins: list[Fraction]) -> Iterator[_Culprit]:
    """`culprits`, each with the time up to which it may have covered any: what it has, then until the next one begins.

    Only one that is still being written is taken to be longer than the longest of the `files` around it.
    """
    longest = max((file.extent.length for file in files), default=None)
    for culprit in culprits:
        ends = [begin for begin in begins if begin > culprit.start]
        if longest is not None and culprit.reason != "growing":
            ends.append(culprit.start + longest)
        # Its name may tell whole seconds only.
        least = max(culprit.start + 1, culprit.latest or culprit.start)
        yield replace(culprit, latest=max(min(ends), least) if ends else None)


def _reaches(culprit: _Culprit, hole: Period) -> bool:
    """Would `culprit` have covered some of `hole`?"""
    end = culprit.latest if culprit.end is None else culprit.end
    return culprit.start < hole.end and (end is None or end > hole.start)


def _missing(period: Period, files: list[_File]) -> Gap:
    before = [file for file in files if file.end <= period.start]
    after = [file for file in files if file.start >= period.end]
    if before and after:
        words = f"nothing was recorded between {before[-1].recording.path} and {after[0].recording.path}"
    elif before:
        words = f"nothing was recorded after {before[-1].recording.path}, which ends at {utc(before[-1].end)}"
    elif after:
        words = f"nothing was recorded before {after[0].recording.path}, which starts at {utc(after[0].start)}"
    else:
        words = "nothing was recorded"
    return Gap(period, "missing", None, words)


def _recorded_until(
    index: Index, camera: str, period: Period, files: list[_File], growing: set[str], join: Fraction
) -> Fraction | None:
    newest = index.newest(camera)
    if newest is None:
        return None
    if newest.start >= period.end or newest.path in growing:
        return newest.start
    ends = [file.end + max(join, file.extent.frame) for file in files if file.recording.path == newest.path]
    return max([newest.start, *ends])


def _notes(slices: list[Slice]) -> Iterator[str]:
    joints = [part.recording.path for part in slices if part.placed == "joint"]
    if joints:
        yield (
            "names tell whole seconds only; these recordings are placed where their pictures follow on each other: "
            + ", ".join(joints)
        )
    for part in slices:
        if part.extent.damage:
            yield f"{part.recording.path}: {part.extent.damage}"
        for begin, end in part.extent.holes:
            held = part.period.overlap(*(part.start + moment - part.extent.start for moment in (begin, end)))
            if held is not None:
                words = f"from {utc(held.start)} one picture stands for {float(held.seconds):.3f} s"
                yield f"{part.recording.path}: {words}"
