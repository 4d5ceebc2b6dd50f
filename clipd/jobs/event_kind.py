"""Events as a kind of job: from a video or pictures to one short clip."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files.walk import NOT_THERE_YET, Look, any_of, look
from clipd.jobs import event_cut, pictures
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.context import Context
from clipd.jobs.event import FOLDER_REQUEST, Event, Settings
from clipd.jobs.footage import Footage
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.naming import file_stem
from clipd.jobs.rendition import Rendition
from clipd.jobs.truth import plain_value
from clipd.media import index as frame_index
from clipd.media.door import Limits
from clipd.media.probe import probe
from clipd.media.sequence import is_picture
from clipd.model.job import Job
from clipd.tree.awaited import Awaiting
from clipd.tree.layout import UNNAMED, Layout, Place

BYTES_A_SECOND = 2 << 20
"""What a second of a clip may take: a guess, on the high side."""


@dataclass(frozen=True)
class Wanted:
    """An event, what its clip is made of, and the file it becomes."""

    event: Event
    video: Path | None
    images: tuple[Path, ...]
    rendition: Rendition


class EventKind:
    """Makes clips of events."""

    def prepare(self, layout: Layout, job: Job, request: Event, settings: Settings) -> Prepared:
        """Find the video, or else the pictures, and name the output."""
        if not settings.enabled:
            raise Rejected("event clips are switched off (events.enabled); nothing was made")
        notes: list[str] = []
        here = layout.at(job.origin).parent
        of_folder = Path(job.origin).stem == FOLDER_REQUEST and here != layout.inbox_of("events")
        video = None if request.video_path is None else _found(layout, here, request.video_path)
        images: tuple[Path, ...] = ()
        if video is None or request.start is None:
            images = tuple(_images(layout, here, request, of_folder=of_folder))
        if video is not None and request.start is None and not images:
            raise Rejected('start is missing; say when in the video the event happens, such as "start": 12.5')
        if video is not None and request.start is None:
            notes.append("the video is not used, because no start is given")
            video = None
        if video is None and not images:
            if request.video_path is not None:
                what = f"its video: {request.video_path}"
                raise _missing(layout, here, request.video_path, what, or_pictures=of_folder)
            raise Rejected("there is neither a video nor a picture; give video_path with start, or image_paths")
        if video is None and request.video_path is not None and not notes:
            notes.append(f"the video {request.video_path} is not there; the pictures were taken")
        first = video or images[0]
        format = "h264" if video is not None or request.output_format == "mp4" else "gif"
        folder = layout.output_folder(format, _place(layout, first, request))
        rendition = Rendition(format, "original", file_stem(f"{request.event_id}_clip"), folder)
        decides = {
            "event": asdict(request),
            "sources": [layout.relative(path) for path in (first, *images[1:])],
            "rendition": asdict(rendition),
            "settings": settings.model_dump(mode="json"),
        }
        return Prepared(
            Wanted(request, video, images if video is None else (), rendition),
            first,
            layout.relative(first),
            decides,
            tuple(notes),
            further=images[1:] if video is None else (),
        )

    def needed_bytes(self, prepared: Prepared, settings: Settings, limits: Limits, cache: Path | None) -> int:
        """A rough guess, on the high side, of the bytes the clip will take."""
        wanted: Wanted = prepared.request
        event = wanted.event
        if wanted.video is None:
            return len(wanted.images) * BYTES_A_SECOND
        length = (event.end or 0) - (event.start or 0) + 2 * Fraction(300)
        return int(length * BYTES_A_SECOND)

    def run(self, prepared: Prepared, settings: Settings, context: Context) -> Result:
        """Cut the moment out of the video, or show each picture its time; prove the file."""
        return make(prepared.request, settings, context)


def make(wanted: Wanted, settings: Settings, context: Context) -> Result:
    """Cut the moment out of the video, or show each picture its time; prove the file, in `context.staging`."""
    if wanted.video is not None:
        return _from_video(wanted, wanted.video, settings, context)
    return _from_pictures(wanted, settings, context)


def _from_video(wanted: Wanted, video: Path, settings: Settings, context: Context) -> Result:
    event = wanted.event
    start = event.start or Fraction(0)
    end = start if event.end is None else event.end
    pre = _seconds(event.pre_seconds, settings.pre_seconds)
    post = _seconds(event.post_seconds, settings.post_seconds)
    info = probe(video, context.limits)
    index = frame_index.load(
        video, info, context.limits, context.cache,
        progress=lambda read: context.checkpoint("reading the frame index", read, 0),
    )  # fmt: skip
    moment = event_cut.span_of(index, start, end, pre, post)
    footage = Footage(video, info, index, moment.span)
    clips = ClipSettings(h264=settings.pictures.h264)
    made = event_cut.cut_exactly(footage, moment, wanted.rendition, clips, context)
    truth: dict[str, Any] = {
        "event_id": event.event_id,
        "method": "cut to the frame" + (", sound copied" if made.sound is not None else ""),
        "requested": {"start": plain_value(start), "end": plain_value(end), "pre_seconds": plain_value(pre),
                      "post_seconds": plain_value(post)},
        "delivered": plain_value(footage.delivered()),
        "outputs": {name: plain_value(facts) for name, facts in made.pictures.outputs.items()},
    }  # fmt: skip
    facts = _facts(made.warnings, float(moment.start), float(moment.end))
    return Result(made.artifacts, truth, made.warnings, facts=facts)


def _from_pictures(wanted: Wanted, settings: Settings, context: Context) -> Result:
    event = wanted.event
    film = pictures.make_film(wanted.images, wanted.rendition, settings.pictures, context, fps=event.fps)
    truth: dict[str, Any] = {
        "event_id": event.event_id,
        "method": f"{film.frames} pictures, each shown its time ({film.times_from})",
        "frames": film.frames,
        "seconds": plain_value(film.seconds),
        "size": [film.width, film.height],
        "pictures": plain_value(film.shown),
        "left_out": plain_value(film.broken),
        "proof": film.proof,
    }
    warnings = (*film.warnings, *(f"{one.name} is left out: {one.reason}" for one in film.broken))
    return Result((film.artifact,), truth, warnings, facts=_facts(warnings, 0.0, float(film.seconds)))


def _facts(warnings: tuple[str, ...], start: float, end: float) -> dict[str, Any]:
    return {"start_time": round(start, 6), "end_time": round(end, 6), "message": "; ".join(warnings)}


def _seconds(asked: Fraction | None, default: float) -> Fraction:
    return Fraction(str(default)) if asked is None else asked


def _found(layout: Layout, here: Path, written: str) -> Path | None:
    """The file that a request in the folder `here` names; None where there is none yet."""
    return next((path for path in layout.beneath(written, here) if os.path.lexists(path)), None)


def _missing(layout: Layout, here: Path, written: str, what: str, *, or_pictures: bool = False) -> Awaiting:
    """What to raise while nothing is where a request in the folder `here` may mean by `written`.

    With `or_pictures`, anything that comes into `here` is worth another look, too.
    """
    looks: dict[Path, Look | None] = dict.fromkeys(layout.beneath(written, here))
    if or_pictures:
        looks[here] = look(here)
    return Awaiting(f"waiting for {what} is not there", looks)


def _images(layout: Layout, here: Path, event: Event, *, of_folder: bool) -> Iterator[Path]:
    """The pictures of an event, in natural order: those that it names, or those of the folder that it describes."""
    if event.image_paths is not None:
        missing = [written for written in event.image_paths if _found(layout, here, written) is None]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise _missing(layout, here, missing[0], f"its pictures: {missing[0]}{more}")
        for written in event.image_paths:
            if (path := _found(layout, here, written)) is not None:
                yield path
        return
    if not of_folder:
        return
    ignored = any_of(NOT_THERE_YET).match
    found = [path for path in here.iterdir() if is_picture(path.name) and not ignored(path.name)]
    yield from pictures.in_order([path for path in found if path.is_file() and not path.is_symlink()])


def _place(layout: Layout, source: Path, event: Event) -> Place:
    """Where in the mirrored tree the clip belongs: to the camera it names, or to that of its video."""
    camera = event.camera.replace("/", "-") if event.camera else None
    if source.is_relative_to(layout.source):
        there = layout.source_place(source)
        return Place(camera or there.camera, there.session if camera in (None, there.camera) else UNNAMED, there.video)
    if camera is None and source.is_relative_to(layout.recordings):
        camera = source.relative_to(layout.recordings).parts[0]
    return Place(camera or UNNAMED, UNNAMED, source.stem)
