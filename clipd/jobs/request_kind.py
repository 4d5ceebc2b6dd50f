"""Timestamp requests as a kind of job: from "camera1, 14:30:15" to one file with the seconds around that moment.

What is not recorded yet is waited for (`Deferred`), up to a limit after the end of the span; then what is there is
delivered as `partial`, with every gap named. Before a gap is told, the camera's folder has been listed anew.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import tzinfo
from fractions import Fraction
from pathlib import Path
from typing import Any

from clipd.clock import Clock, SystemClock, stamp
from clipd.errors import Deferred, Rejected
from clipd.files.arrival import Arriving, has_writer
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.naming import output_stem
from clipd.jobs.recorded import Made, Order, Shown, deliver
from clipd.jobs.request import Asked, Delivery, FootageRequest, GapPolicy, Settings, asked
from clipd.media.door import Limits
from clipd.media.versions import library_versions
from clipd.model.instant import Period, from_datetime, iso, local_at
from clipd.model.job import Job
from clipd.model.setting import Section, setting
from clipd.recordings.coverage import Coverage, Gap, cover
from clipd.recordings.index import Index
from clipd.recordings.settings import Settings as RecordingSettings
from clipd.tree.layout import UNNAMED, Layout, Place

ENCODED_BYTES_PER_SECOND = 4 << 20
"""Room that a second of encoded video is taken to need at most."""


LEAST_WAIT_SECONDS = 0.1
"""A waiting request is not looked at more often."""


class Archive(Section):
    """All settings that a request is answered by, put together by the daemon; in no settings file of its own."""

    requests: Settings = setting(Settings(), "How requests are understood.")
    recordings: RecordingSettings = setting(RecordingSettings(), "How recordings are named.")
    clips: ClipSettings = setting(ClipSettings(), "How H.264 is made.")
    limits: Limits = setting(Limits(), "What may be opened.")
    cache: Path | None = setting(None, "Where the index of recordings is kept.")
    share_offset: float = setting(0.0, "The share's clock minus this machine's.", unit="s")


@dataclass(frozen=True)
class Moment:
    """A request that was understood: the period, what of it is recorded, and the names of what comes out."""

    request: FootageRequest
    clip_id: str
    asked: Asked
    zone: tzinfo
    coverage: Coverage
    order: Order
    recordings: str
    """The recordings folder, relative to the root."""


@dataclass(frozen=True)
class _Found:
    """What `prepare` found `at` a monotonic time for a request and its surroundings."""

    key: object
    at: float
    prepared: Prepared


def open_index(layout: Layout, archive: Archive) -> Index:
    """The index of the recordings of a tree; all processes of this machine share what is kept of it."""
    cache = archive.cache
    if cache is not None:
        # Trees have caches of their own: an index of one must never be taken for another's.
        digest = hashlib.sha256(os.fsencode(layout.recordings.absolute())).hexdigest()[:16]
        cache = cache / "recordings" / digest
    return Index(layout.recordings, archive.recordings, archive.limits, cache)


class RequestKind:
    """Delivers moments from the recordings of cameras."""

    def __init__(self, clock: Clock | None = None) -> None:
        """`clock` tells what is over and what is still to be recorded."""
        self._clock = clock or SystemClock()
        self._kept = threading.local()

    def close(self) -> None:
        """Let go of the index, as far as this thread opened one."""
        index: Index | None = getattr(self._kept, "index", None)
        if index is not None:
            index.close()
            self._kept.index = None

    def prepare(self, layout: Layout, job: Job, request: FootageRequest, settings: Archive) -> Prepared:
        """Find out which recordings hold the period.

        What was found a moment ago for the same request still holds: the lifecycle asks again and again only to learn
        whether the request is another one by now.

        Raises:
            Deferred: some of it is still to be recorded, or being written.
            Rejected: there is no such camera or time, or nothing was recorded.
        """
        key, began = (layout, job.id, request, settings), self._clock.monotonic()
        former: _Found | None = getattr(self._kept, "found", None)
        if former is not None and former.key == key and began - former.at < settings.requests.fresh_seconds:
            return former.prepared
        self._kept.found = None
        prepared = self._find(layout, job, request, settings)
        self._kept.found = _Found(key, began, prepared)
        return prepared

    def _find(self, layout: Layout, job: Job, request: FootageRequest, settings: Archive) -> Prepared:
        index = self._index(layout, settings)
        now = from_datetime(self._clock.now()) + Fraction(settings.share_offset)
        if not index.looked_at(request.camera):
            index.scan(float(now))
        requested = from_datetime(job.requested_at)
        if index.newest(request.camera) is None:
            self._look(index, None, now, requested, settings)
            index.require_camera(request.camera)
        zone = index.zone(request.camera)
        wanted = asked(request, settings.requests, zone, requested)
        _require_near(wanted.period, now, settings.requests, zone)
        coverage = cover(index, request.camera, wanted.period, now)
        if not coverage.is_complete and self._look(index, request.camera, now, requested, settings):
            coverage = cover(index, request.camera, wanted.period, now)
        over = _waits_until(coverage, settings.requests, requested, now)
        if over is not None:
            raise _waiting(index, coverage, zone, now, _wait_seconds(coverage, now, over, settings.requests))
        _require_some(coverage, request.gap or settings.requests.gap, zone)
        return _prepared(layout, job, request, wanted, zone, coverage, settings)

    def needed_bytes(self, prepared: Prepared, settings: Archive, limits: Limits, cache: Path | None) -> int:
        """As much as the recordings have, and what encoding may need where they are not copied."""
        moment: Moment = prepared.request
        copied = sum(part.recording.size for part in moment.coverage.slices)
        is_copy = moment.order.delivery == "copy"
        return copied + (0 if is_copy else int(moment.coverage.period.seconds * ENCODED_BYTES_PER_SECOND))

    def run(self, prepared: Prepared, settings: Archive, context: Context) -> Result:
        """Join the slices of the recordings into one file."""
        moment: Moment = prepared.request
        made = deliver(moment.order, settings.clips, context)
        words = _message(moment, made)
        told = _told(moment, made)
        warnings = (*made.warnings, *moment.coverage.notes, *(_gap_words(gap, moment.zone) for gap in made.gaps))
        truth = {
            **told,
            "source_clips": [_source_clip(moment, shown) for shown in made.shown],
            "overlaps": [_overlap(moment, index) for index in range(len(moment.coverage.overlaps))],
            "created_at": stamp(self._clock.now()),
            "source": moment.request.source,
            "outputs": made.outputs,
            "tools": library_versions(),
        }
        status = "partial" if made.gaps else "done"
        facts = {"status": status, "message": words, **{key: told[name] for key, name in ANSWERED.items()}}
        return Result(made.artifacts, truth, tuple(dict.fromkeys(warnings)), facts=facts, sheets=("yaml", "txt"))

    def _index(self, layout: Layout, settings: Archive) -> Index:
        """The index, opened once for as long as the settings stay as they are."""
        key = (layout.recordings, settings.recordings, settings.limits, settings.cache)
        index: Index | None = getattr(self._kept, "index", None)
        if index is None or self._kept.key != key:
            self.close()
            index = open_index(layout, settings)
            self._kept.index, self._kept.key = index, key
        return index

    def _look(self, index: Index, camera: str | None, now: Fraction, requested: Fraction, settings: Archive) -> bool:
        """List the recordings anew, unless that was done a moment ago and after the request was made; was it done?"""
        known = index.scanned_at() if camera is None else index.looked_at(camera)
        if known is not None and min(requested, now) <= known <= now < known + settings.requests.fresh_seconds:
            return False
        index.scan(float(now), camera)
        return True


ANSWERED = {
    "start_time": "requested_start",
    "end_time": "requested_end",
    **{name: name for name in ("actual_start", "actual_end", "duration_seconds", "coverage", "gaps", "method")},
}
"""What the answer file tells: its keys -> those of the truth sheet."""


def _prepared(
    layout: Layout,
    job: Job,
    request: FootageRequest,
    wanted: Asked,
    zone: tzinfo,
    coverage: Coverage,
    settings: Archive,
) -> Prepared:
    delivery: Delivery = request.delivery or settings.requests.delivery
    gap: GapPolicy = request.gap or settings.requests.gap
    clip_id = request.clip_id or job.id
    moment = wanted.period.start if wanted.moment is None else wanted.moment
    stem = output_stem(f"{request.camera}_{local_at(moment, zone):%Y%m%d_%H%M%S}", clip_id)
    place = Place(request.camera, UNNAMED, "")
    order = Order(
        recordings=layout.recordings,
        coverage=coverage,
        delivery=delivery,
        gap=gap,
        stem=stem,
        folder_of_copy=layout.output_folder(coverage.slices[0].extent.codec, place),
        folder_of_h264=layout.output_folder("h264", place),
        join_seconds=Fraction(repr(settings.recordings.join_seconds)),
    )
    decides = {
        "camera": request.camera,
        "period": [str(wanted.period.start), str(wanted.period.end)],
        "slices": [
            [part.recording.path, str(part.start), str(part.inside.start), str(part.inside.end)]
            for part in coverage.slices
        ],
        "delivery": delivery,
        "gap": gap,
        "stem": stem,
        "clips": settings.clips.model_dump(mode="json", include={"h264", "scaler"}) if delivery != "copy" else None,
    }
    first, *others = dict.fromkeys(layout.recordings / part.recording.path for part in coverage.slices)
    told = Moment(request, clip_id, wanted, zone, coverage, order, layout.relative(layout.recordings))
    return Prepared(
        told, first, layout.relative(first), decides, request.notes, tuple(others), is_settled=True
    )  # fmt: skip


def _require_near(period: Period, now: Fraction, settings: Settings, zone: tzinfo) -> None:
    if period.end > now + Fraction(repr(settings.future_seconds)):
        raise Rejected(
            f"the span ends at {iso(period.end, zone)}, and now it is {iso(Fraction(int(now)), zone)}: more than "
            f"{settings.future_seconds:g} s in the future (requests.future_seconds); correct the time, or ask later"
        )


def _require_some(coverage: Coverage, gap: GapPolicy, zone: tzinfo) -> None:
    """Raise `Rejected` where there is nothing to deliver, or a gap that is not to be."""
    whole = f"{iso(coverage.period.start, zone)} to {iso(coverage.period.end, zone)}"
    told = "; ".join(_gap_words(one, zone) for one in coverage.gaps)
    if not coverage.slices:
        raise Rejected(f"nothing of {whole} can be delivered: {told}")
    if coverage.gaps and gap == "fail":
        percent = _percent(coverage.ratio)
        raise Rejected(f"only {percent} % of {whole} were recorded, and gap is fail: {told}")


def _waiting(index: Index, coverage: Coverage, zone: tzinfo, now: Fraction, wait_seconds: float) -> Deferred:
    """Why the request waits: for what is to be recorded, or, a matter of seconds, for what has just been written."""
    end = iso(coverage.period.end, zone)
    if now < coverage.period.end:
        return Deferred(f"waiting for {coverage.camera} to record until {end}", wait_seconds)
    if coverage.unfinished:
        names = f"{', '.join(coverage.unfinished)} {'is' if len(coverage.unfinished) == 1 else 'are'} finished"
        if any(has_writer(index.folder / path) for path in coverage.unfinished):
            return Deferred(f"waiting until {names}", wait_seconds)
        settles = max(LEAST_WAIT_SECONDS, index.settings.settle_seconds)
        return Arriving(f"waiting until {names}", min(wait_seconds, settles))
    until = coverage.recorded_until
    known = "nothing is there yet" if until is None else f"there is footage until {iso(until, zone)}"
    return Deferred(f"waiting for the recordings of {coverage.camera} until {end}; {known}", wait_seconds)


def _waits_until(coverage: Coverage, settings: Settings, requested: Fraction, now: Fraction) -> Fraction | None:
    """Until when at most what is missing is waited for; None where there is nothing (more) to wait for.

    What is not recorded yet may come until some time after the period; what is being written, after the request.
    """
    patience = Fraction(repr(settings.wait_seconds))
    if coverage.is_waiting(now, settings.wait_seconds):
        return coverage.period.end + patience
    over = max(coverage.period.end, min(requested, now)) + patience
    return over if coverage.unfinished and now < over else None


def _wait_seconds(coverage: Coverage, now: Fraction, over: Fraction, settings: Settings) -> float:
    """Until another look is worth it: the end of the span, then now and then, and when the waiting is over."""
    if now < coverage.period.end:
        return float(coverage.period.end - now) + LEAST_WAIT_SECONDS
    return max(LEAST_WAIT_SECONDS, min(settings.look_seconds, float(over - now)))


def _told(moment: Moment, made: Made) -> dict[str, Any]:
    """The facts that truth sheet and answer share."""
    period, zone = moment.asked.period, moment.zone
    missing = sum((gap.period.seconds for gap in made.gaps), Fraction(0))
    return {
        "clip_id": moment.clip_id,
        "camera_id": moment.request.camera,
        "timestamp": None if moment.asked.moment is None else iso(moment.asked.moment, zone),
        "requested_start": iso(period.start, zone),
        "requested_end": iso(period.end, zone),
        "actual_start": iso(made.start, zone),
        "actual_end": iso(made.end, zone),
        "duration_seconds": round(float(made.seconds), 6),
        "coverage": _percent(1 - missing / period.seconds),
        "gaps": [
            {
                "start_time": iso(gap.period.start, zone),
                "end_time": iso(gap.period.end, zone),
                "seconds": round(float(gap.period.seconds), 6),
                "reason": gap.reason,
                "file_path": None if gap.path is None else f"{moment.recordings}/{gap.path}",
                "message": gap.words,
            }
            for gap in made.gaps
        ],
        "gap_policy": moment.order.gap,
        "method": made.method,
    }


def _source_clip(moment: Moment, shown: Shown) -> dict[str, Any]:
    part, zone = shown.slice, moment.zone
    return {
        "file_path": f"{moment.recordings}/{part.recording.path}",
        "filename": part.recording.name,
        "start_time": iso(part.start, zone),
        "end_time": iso(part.start + part.extent.length, zone),
        "file_size": part.recording.size,
        "used_start": iso(shown.start, zone),
        "used_end": iso(shown.end, zone),
        "frames": shown.frames,
        "placed_by": part.placed,
    }


def _overlap(moment: Moment, index: int) -> dict[str, Any]:
    overlap, zone = moment.coverage.overlaps[index], moment.zone
    return {
        "start_time": iso(overlap.period.start, zone),
        "end_time": iso(overlap.period.end, zone),
        "kept": f"{moment.recordings}/{overlap.kept}",
        "dropped": f"{moment.recordings}/{overlap.dropped}",
    }


def _message(moment: Moment, made: Made) -> str:
    return "; ".join(_sentences(moment, made))


def _sentences(moment: Moment, made: Made) -> Iterator[str]:
    zone, files = moment.zone, len(made.shown)
    yield (
        f"{float(made.seconds):.3f} s from {files} recording{'' if files == 1 else 's'}, {iso(made.start, zone)} to "
        f"{iso(made.end, zone)}; {made.method}"
    )
    if made.gaps:
        missing = sum((gap.period.seconds for gap in made.gaps), Fraction(0))
        yield f"{_percent(1 - missing / moment.asked.period.seconds)} % of what was asked for"
        yield from (_gap_words(gap, zone) for gap in made.gaps)
    instant = moment.asked.moment
    if instant is not None and any(gap.period.start <= instant < gap.period.end for gap in made.gaps):
        yield "the moment itself is not in it"
    yield from moment.request.notes


def _gap_words(gap: Gap, zone: tzinfo) -> str:
    seconds = float(gap.period.seconds)
    return (
        f"{gap.reason} from {iso(gap.period.start, zone)} to {iso(gap.period.end, zone)} ({seconds:.3f} s): {gap.words}"
    )


def _percent(ratio: Fraction) -> float:
    """In percent, cut to a ten-thousandth: 100 only where nothing is missing."""
    return int(ratio * 1_000_000) / 10_000
