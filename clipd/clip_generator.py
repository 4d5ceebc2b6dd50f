"""For programs: clips of events, made right here, without a tree or a daemon.

    generator = ClipGenerator(clips_directory="clips", pre_roll_seconds=5, post_roll_seconds=5)
    path = await generator.generate_clip_from_video("door-42", "camera.mp4", start=12.5)

The work is the daemon's own, done in a thread; a clip stands under its name only when it is whole and proven.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from clipd.errors import ClipdError, Rejected
from clipd.files import atomic
from clipd.jobs import event_kind
from clipd.jobs.context import Context
from clipd.jobs.event import Event, OutputFormat, Settings, understood
from clipd.jobs.event_kind import Wanted
from clipd.jobs.kind import Result
from clipd.jobs.naming import file_stem
from clipd.jobs.pictures import in_order
from clipd.jobs.rendition import Rendition
from clipd.media.door import Limits

SUFFIXES = (".mp4", ".gif")
SIDE_SUFFIXES = (".json", ".jpg")
"""Of the truth sheet and the picture beside a clip."""
STAGING_PREFIX = ".clipd-"


class ClipGenerationError(Exception):
    """A clip could not be made; the words say what failed, and what would be right."""


class ClipGenerator:
    """Makes clips of events into one folder, as `<event_id>_clip.mp4` or `.gif`."""

    def __init__(
        self,
        clips_directory: str | Path,
        pre_roll_seconds: float = 5,
        post_roll_seconds: float = 5,
        enabled: bool = True,
        settings: Settings | None = None,
        limits: Limits | None = None,
        threads: int = 0,
    ) -> None:
        """Nothing is touched before the first clip.

        Args:
            clips_directory: where clips go; made where it is missing.
            pre_roll_seconds: how much before an event belongs to its clip, 0 to 300.
            post_roll_seconds: how much after it does, 0 to 300.
            enabled: where not, every call answers None and makes nothing.
            settings: how clips are made; `pre_seconds`, `post_seconds` and `enabled` of it are not used.
            limits: against hostile or broken media.
            threads: codec threads; 0 is one for every core.

        Raises:
            ClipGenerationError: a roll is out of range.
        """
        self.clips_directory = Path(clips_directory)
        self.enabled = enabled
        try:
            self._settings = Settings.model_validate({
                **(settings or Settings()).model_dump(),
                "pre_seconds": pre_roll_seconds, "post_seconds": post_roll_seconds, "enabled": enabled,
            })  # fmt: skip
        except ValueError as error:
            raise ClipGenerationError(str(error)) from error
        self._limits, self._threads = limits or Limits(), threads

    async def generate_clip_from_video(
        self,
        event_id: str,
        video_path: str | Path,
        start: float | str | None = None,
        end: float | str | None = None,
        *,
        pre_seconds: float | None = None,
        post_seconds: float | None = None,
        start_offset_seconds: float | None = None,
        end_offset_seconds: float | None = None,
        force: bool = False,
    ) -> Path | None:
        """Cut an event out of a video, its sound copied where it can be; the clip's path, or None when not enabled.

        Args:
            event_id: its name. A clip that has it already is kept, unless `force`.
            video_path: the video.
            start: when the event begins: seconds from the first frame, or `HH:MM:SS.mmm`.
            end: when it ends; as `start`, where it has no length.
            pre_seconds: how much before it, in place of the generator's.
            post_seconds: how much after it, in place of the generator's.
            start_offset_seconds: in place of start and pre_seconds, -30 to 3600.
            end_offset_seconds: in place of end and post_seconds, -30 to 3600.
            force: make it again.

        Raises:
            ClipGenerationError: the words say why there is no clip.
        """
        asked = {
            "event_id": event_id, "video_path": str(video_path), "start": start, "end": end,
            "pre_seconds": pre_seconds, "post_seconds": post_seconds,
            "start_offset_seconds": start_offset_seconds, "end_offset_seconds": end_offset_seconds,
        }  # fmt: skip
        return await self._generate(asked, Path(video_path), (), force)

    async def generate_clip_from_images(
        self,
        event_id: str,
        image_paths: Sequence[str | Path],
        fps: float | None = None,
        output_format: OutputFormat = "mp4",
        *,
        force: bool = False,
    ) -> Path | None:
        """Make a film of pictures in natural order; the clip's path, or None when not enabled.

        Each is shown its time: by `fps` (1 to 60), or by its own time in its name or EXIF data, or 2 a second. A broken
        one is left out.

        Raises:
            ClipGenerationError: the words say why there is no clip.
        """
        asked = {"event_id": event_id, "fps": fps, "output_format": output_format}
        return await self._generate(asked, None, [Path(path) for path in image_paths], force)

    async def generate_clip_for_event(
        self,
        event: Mapping[str, Any],
        *,
        video_path: str | Path | None = None,
        image_paths: Sequence[str | Path] | None = None,
        force: bool = False,
    ) -> Path | None:
        """Make the clip of an event as a request writes it; from its video where there is one, else from its pictures.

        `video_path` and `image_paths` stand in for those of the event. Returns the clip's path, or None when not
        enabled.

        Raises:
            ClipGenerationError: the words say why there is no clip.
        """
        video = video_path if video_path is not None else event.get("video_path")
        images = image_paths if image_paths is not None else event.get("image_paths") or ()
        chosen = Path(video) if isinstance(video, str | Path) and Path(video).is_file() else None
        if chosen is None and not images and video is not None:
            raise ClipGenerationError(f"{video} is not there, and no pictures are given")
        pictures = () if chosen is not None else [Path(path) for path in images]
        return await self._generate({**event, "video_path": None if chosen is None else str(chosen)}, chosen, pictures,
                                    force or event.get("force") is True)  # fmt: skip

    def get_clip_path(self, event_id: str) -> Path | None:
        """Where the clip of an event is; None where there is none."""
        return next((path for path in self._paths(event_id) if path.is_file()), None)

    def delete_clip(self, event_id: str) -> bool:
        """Remove the clip of an event, with its sheet; was there one?

        Raises:
            ClipGenerationError: it cannot be removed.
        """
        with _told():
            found = [path for path in self._paths(event_id) if path.is_file()]
            for path in found:
                for suffix in (*SIDE_SUFFIXES, path.suffix):
                    atomic.remove(path.with_suffix(suffix))
            return bool(found)

    def _paths(self, event_id: str) -> list[Path]:
        with _told():
            name = understood({"event_id": event_id}).event_id
        return [self.clips_directory / f"{file_stem(f'{name}_clip')}{suffix}" for suffix in SUFFIXES]

    async def _generate(
        self, asked: Mapping[str, Any], video: Path | None, images: Sequence[Path], force: bool
    ) -> Path | None:
        if not self.enabled:
            return None
        return await asyncio.to_thread(self._made, asked, video, images, force)

    def _made(self, asked: Mapping[str, Any], video: Path | None, images: Sequence[Path], force: bool) -> Path:
        with _told():
            event = understood({**asked, "image_paths": None})
            standing = self.get_clip_path(event.event_id)
            if standing is not None and not force:
                return standing
            missing = [path for path in ([video] if video else images) if not path.is_file()]
            if missing:
                raise Rejected(f"{missing[0]} is not there, or is no file")
            if video is None and not images:
                raise Rejected("there is neither a video nor a picture; give video_path with start, or image_paths")
            if video is not None and event.start is None:
                raise Rejected("start is missing; say when in the video the event happens")
            return self._publish(event, video, in_order(images))

    def _publish(self, event: Event, video: Path | None, images: Sequence[Path]) -> Path:
        self.clips_directory.mkdir(parents=True, exist_ok=True)
        format = "h264" if video is not None or event.output_format == "mp4" else "gif"
        rendition = Rendition(format, "original", file_stem(f"{event.event_id}_clip"), "")
        wanted = Wanted(event, video, tuple(images), rendition)
        staging = Path(tempfile.mkdtemp(prefix=STAGING_PREFIX, dir=self.clips_directory))
        try:
            result = event_kind.make(wanted, self._settings, self._context(staging, video or images[0]))
            for artifact in sorted(result.artifacts, key=lambda artifact: artifact.role == "video"):
                target = self.clips_directory / artifact.name
                atomic.publish(staging / artifact.staged_name, target)
            sheet = self.clips_directory / f"{rendition.stem}.json"
            atomic.write(sheet, _sheet(result))
            for other in (path for path in self._paths(event.event_id) if path != target and path.is_file()):
                atomic.remove(other)
            return target
        finally:
            shutil.rmtree(staging, ignore_errors=True)

    def _context(self, staging: Path, source: Path) -> Context:
        return Context(staging, source, source.name, None, self._threads, self._limits, _unwatched)


def _unwatched(_stage: str, _done: int, _total: int) -> None:
    """Nobody looks on, and nobody stops it."""


def _sheet(result: Result) -> bytes:
    return (json.dumps({**result.truth, "warnings": list(result.warnings)}, indent=2) + "\n").encode()


@contextmanager
def _told() -> Iterator[None]:
    """Raise clipd's own errors as the one that programs know."""
    try:
        yield
    except ClipdError as error:
        raise ClipGenerationError(str(error)) from error
    except OSError as error:
        raise ClipGenerationError(f"{error.filename or 'a file'}: {error.strerror}") from error
