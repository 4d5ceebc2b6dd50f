"""The on-disk contract: where everything lies. Every path that clipd uses is built here and nowhere else."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from clipd.errors import Rejected
from clipd.model.setting import Section, setting

MARKER_NAME = ".clipd-root"
CONFIG_NAME = "clipd.yaml"
TICKET_SUFFIX = ".ticket"
FAILED_COPY = ".failed.json"
"""How the note of a copy is named that was given up."""
ANSWER_SUFFIX = ".status.json"
INBOXES = ("videos", "requests", "events", "datasets", "links")
DONE, FAILED = "done", "failed"
"""Folders beside a request, into which it moves when it is finished."""
UNNAMED = "_"
"""Stands where a camera or session folder is missing."""

VIDEO_SUFFIXES = (
    ".mp4", ".mov", ".mkv", ".avi", ".webm", ".m4v", ".ts", ".mts", ".m2ts", ".mpg", ".mpeg", ".wmv", ".flv", ".mxf",
    ".3gp", ".ogv", ".gif",
)  # fmt: skip


class Directories(Section):
    """Where the folders of a tree are: relative to the root, or absolute."""

    source: str = setting("data/source", "Source videos, as <camera>/<session>/<video>; clipd never changes one.")
    sidecars: str = setting("data/prept/_configs", "Sidecars, as <camera>/<session>/<video>_clips.json.")
    outputs: str = setting("data/prept/03_CLIPPED", "Finished files, as <format>/<camera>/<session>/<video>_<clip>.")
    inbox: str = setting("data/inbox", "Where people drop videos, requests, events, datasets and links.")
    recordings: str = setting("data/recordings", "What camera systems record, as <camera>/<camera>_<date>_<time>.mp4.")
    state: str = setting("data/.clipd", "Claims, job records and receipts, shared by all machines; not for rsync.")
    preserve_structure: bool = setting(
        True, "Mirror <camera>/<session> below each format folder; false puts all files into the format folder."
    )
    sidecar_suffix: str = setting("_clips.json", "How the name of a sidecar ends, after the name of its video.")


@dataclass(frozen=True)
class Place:
    """Where in the mirrored tree something belongs: `<camera>/<session>` (a session may be nested) and the video."""

    camera: str
    session: str
    video: str

    @property
    def folder(self) -> str:
        """`camera/session`."""
        return f"{self.camera}/{self.session}"


@dataclass(frozen=True)
class Layout:
    """All paths of one tree."""

    root: Path
    directories: Directories

    @property
    def source(self) -> Path:
        """The source tree."""
        return self.at(self.directories.source)

    @property
    def sidecars(self) -> Path:
        """The sidecar tree."""
        return self.at(self.directories.sidecars)

    @property
    def outputs(self) -> Path:
        """The outputs tree: a folder for each format."""
        return self.at(self.directories.outputs)

    @property
    def inbox(self) -> Path:
        """Where people drop things."""
        return self.at(self.directories.inbox)

    def inbox_of(self, kind: str) -> Path:
        """The folder of the inbox for one kind of thing: `videos`, `requests`, `events`, `datasets`, `links`."""
        return self.inbox / kind

    @property
    def dropped_videos(self) -> Path:
        """The folder of the inbox for videos."""
        return self.inbox_of("videos")

    def answer(self, request: Path, *, is_folder: bool = False) -> Path:
        """The answer file of a request, beside it: `<name>.status.json`, without the suffix that a file has."""
        return request.with_name((request.name if is_folder else request.stem) + ANSWER_SUFFIX)

    def source_place(self, video: Path) -> Place:
        """The place of a video that lies in the source tree or in the inbox; a missing folder becomes `_`."""
        inbox = self.dropped_videos
        parts = video.relative_to(inbox if video.is_relative_to(inbox) else self.source).parts
        camera = parts[0] if len(parts) > 1 else UNNAMED
        return Place(camera, "/".join(parts[1:-1]) or UNNAMED, Path(parts[-1]).stem)

    def filed(self, video: Path) -> Path:
        """Where a video of the inbox goes in the source tree; one that lies there already stays."""
        if not video.is_relative_to(self.dropped_videos):
            return video
        return self.source / self.source_place(video).folder / video.name

    def sidecar_of(self, place: Place) -> Path:
        """The sidecar of the video at `place`."""
        return self.sidecars / place.folder / f"{place.video}{self.directories.sidecar_suffix}"

    def content(self, sha256: str) -> Path:
        """Which video of the source tree has this content."""
        return self.state / "contents" / f"{sha256}.json"

    def suggested(self, sidecar: str) -> Path:
        """The clips that were ever suggested for a sidecar (named relative to the root)."""
        return self.state / "suggested" / f"{_digest(sidecar)}.json"

    def finished(self, request: Path, word: str, number: int = 1, *, is_folder: bool = False) -> Path:
        """Where a finished request goes, `word` being `done` or `failed`; `number` where that name is taken."""
        stem, suffix = (request.name, "") if is_folder else (request.stem, request.suffix)
        return request.parent / word / (request.name if number == 1 else f"{stem}.{number}{suffix}")

    @property
    def recordings(self) -> Path:
        """What camera systems record."""
        return self.at(self.directories.recordings)

    @property
    def state(self) -> Path:
        """The shared state of all machines on this tree."""
        return self.at(self.directories.state)

    @property
    def marker(self) -> Path:
        """The file that tells a mounted share from an empty mount point."""
        return self.root / MARKER_NAME

    @property
    def version(self) -> Path:
        """Protocol version and share id of the state folder."""
        return self.state / "version"

    def control(self, name: str) -> Path:
        """A control file: an order, or the answer to one."""
        return self.state / name

    @property
    def orders(self) -> Path:
        """The folder of the orders that daemons are carrying out."""
        return self.state / "orders"

    @property
    def retried(self) -> Path:
        """Which clips were told lately not to wait any longer; every daemon looks there."""
        return self.state / "retried.json"

    def taken_orders(self, daemon: str) -> Path:
        """The folder of the orders that the daemon of this id has taken."""
        return self.orders / daemon

    def removal(self, job: str) -> Path:
        """What retention removed of a job's outputs."""
        return self.state / "removed" / f"{job}.json"

    @property
    def all_receipts(self) -> Path:
        """The folder that holds a folder of receipts for each job."""
        return self.state / "results"

    def claim(self, job: str) -> Path:
        """The lease of a job."""
        return self.state / "claims" / f"{job}.lock"

    def sidecar_claim(self, sidecar: str) -> Path:
        """The short lease under which a sidecar (named relative to the root) is written."""
        name = PurePosixPath(sidecar).name.encode("utf-8", "ignore")[:80].decode("utf-8", "ignore")
        return self.state / "claims" / f"{name}.{_digest(sidecar)}.lock"

    @property
    def records(self) -> Path:
        """The folder of the job records."""
        return self.state / "jobs"

    def record(self, job: str) -> Path:
        """Attempts, last error and write-back of a job."""
        return self.records / f"{job}.json"

    @property
    def progresses(self) -> Path:
        """The folder of the progress notes."""
        return self.state / "progress"

    def progress(self, job: str) -> Path:
        """How far the running attempt at a job is."""
        return self.progresses / f"{job}.json"

    def receipts(self, job: str) -> Path:
        """The folder of a job's receipts."""
        return self.state / "results" / job

    def receipt(self, job: str, revision: str, run: int) -> Path:
        """The proof of publication of a revision's `run`-th deliberate run."""
        return self.receipts(job) / f"{revision}.{run}.json"

    def ticket(self, job: str, token: str) -> Path:
        """What the attempt with this claim token becomes a receipt of; whoever takes the job over removes it."""
        return self.receipts(job) / f".{token}{TICKET_SUFFIX}"

    @property
    def outboxes(self) -> Path:
        """The folder that holds a folder of notes for each destination."""
        return self.state / "outbox"

    def outbox(self, destination: str) -> Path:
        """The notes of what the destination of this label is still to get."""
        return self.outboxes / _digest(destination)

    def copy_note(self, destination: str, job: str, receipt: str, *, failed: bool = False) -> Path:
        """That the outputs of a receipt are to be copied to a destination, or (`failed`) could not be."""
        return self.outbox(destination) / f"{job}.{receipt}{FAILED_COPY if failed else '.json'}"

    def copy_proof(self, destination: str, job: str, receipt: str) -> Path:
        """What was copied to a destination, beside the receipt."""
        return self.receipts(job) / f"{receipt}.{_digest(destination)}.copy"

    def copy_claim(self, destination: str, job: str) -> Path:
        """The lease under which outputs of a job are copied to a destination."""
        return self.state / "claims" / f"{job}.{_digest(destination)}.lock"

    def dataset(self, table: str) -> Path:
        """What is known of a table (named relative to the root) while it is worked on."""
        return self.state / "datasets" / _digest(table)

    def dataset_plan(self, table: str) -> Path:
        """How a table is cut up into jobs."""
        return self.dataset(table) / "plan.json"

    def dataset_shards(self, table: str, run: str) -> Path:
        """Where in a table each of these jobs begins."""
        return self.dataset(table) / run / "shards.jsonl"

    def dataset_marks(self, table: str, run: str) -> Path:
        """The folder of the marks of the jobs that ended."""
        return self.dataset(table) / run / "ended"

    def dataset_owner(self, folder: str) -> Path:
        """Which table a folder of outputs (named relative to the outputs tree) belongs to."""
        return self.state / "datasets" / f"{_digest(folder.casefold())}.json"

    def dataset_folder(self, table: Path) -> str:
        """Where the outputs of a table of the inbox go by default, relative to the outputs tree."""
        return f"datasets/{table.relative_to(self.inbox_of('datasets')).with_suffix('').as_posix()}"

    @property
    def departures(self) -> Path:
        """The folder of what follows when answered files have left the inbox."""
        return self.state / "departures"

    def departure(self, job: str) -> Path:
        """What follows when the file that `job` answered has left the inbox."""
        return self.departures / f"{job}.json"

    @property
    def link_notes(self) -> Path:
        """The folder of what was answered to links, while others of their files are not."""
        return self.state / "links"

    def link_note(self, job: str) -> Path:
        """What was answered to one of them."""
        return self.link_notes / f"{job}.json"

    @property
    def downloads(self) -> Path:
        """Where videos are fetched to before they have their names; on the source tree's own filesystem."""
        return self.source / ".clipd-downloads"

    def download(self, job: str) -> Path:
        """The folder of the video that a job fetches; it outlives attempts, which go on with what is there."""
        return self.downloads / job

    def heartbeat(self, host: str) -> Path:
        """What the daemon on `host` last said of itself."""
        return self.state / "hosts" / f"{host.replace('/', '_')}.json"

    @property
    def histories(self) -> Path:
        """The folder of what each machine finished."""
        return self.state / "history"

    def history(self, host: str, day: str) -> Path:
        """What `host` finished on `day` (`20260131`, UTC), a JSON object a line."""
        return self.histories / f"{host.replace('/', '_')}.{day}.jsonl"

    @property
    def status_page(self) -> Path:
        """The status page, for people."""
        return self.state / "status" / "index.html"

    @property
    def status_data(self) -> Path:
        """What the status page shows, for programs."""
        return self.state / "status.json"

    @property
    def metrics(self) -> Path:
        """The same in Prometheus' text format."""
        return self.state / "metrics.prom"

    @property
    def stagings(self) -> Path:
        """Where attempts write before anything is published; on the outputs' own filesystem."""
        return self.outputs / ".clipd-staging"

    def staging(self, job: str, token: str) -> Path:
        """The staging folder of one attempt."""
        return self.stagings / f"{job}.{token}"

    def output(self, folder: str, name: str) -> Path:
        """The final path of an artifact."""
        return self.outputs / folder / name

    def output_folder(self, format_name: str, place: Place) -> str:
        """The folder of a format's outputs for `place`, relative to the outputs tree."""
        return f"{format_name}/{place.folder}" if self.directories.preserve_structure else format_name

    def relative(self, path: Path) -> str:
        """`path` as clipd writes it down: relative to the root, with `/`; nothing absolute is ever recorded."""
        return Path(os.path.relpath(path, self.root)).as_posix()

    def at(self, written: str) -> Path:
        """The path that `relative` wrote down, or that a setting names; also one outside the root (`../clips`)."""
        return Path(os.path.normpath(self.root / written))

    def beneath(self, written: str, *here: Path) -> Iterator[Path]:
        """Where a file that a request names may lie: below `here`, the root, the source folder or the recordings.

        Raises:
            Rejected: the path is absolute, or leaves these folders, also through a link.
        """
        parts = PurePosixPath(written.replace("\\", "/")).parts
        if not parts or parts[0].startswith("/") or parts[0].endswith(":") or ".." in parts or "\0" in written:
            raise Rejected(f"the path {written!r} leaves the tree; name a file below its root, without '..'")
        for folder in (*here, self.root, self.source, self.recordings):
            path = folder.joinpath(*parts)
            if not (path.parent.resolve() / path.name).is_relative_to(folder.resolve()):
                raise Rejected(f"{written!r} leads out of the tree through a link; put the file itself there")
            yield path

    def place(self, sidecar: Path) -> Place:
        """The place that a sidecar's own path names; a missing folder becomes `_`."""
        parts = sidecar.relative_to(self.sidecars).parts
        camera = parts[0] if len(parts) > 1 else UNNAMED
        session = "/".join(parts[1:-1]) or UNNAMED
        return Place(camera, session, parts[-1].removesuffix(self.directories.sidecar_suffix))

    def is_sidecar(self, name: str) -> bool:
        """Is `name` the file name of a sidecar?"""
        suffix = self.directories.sidecar_suffix
        return name.endswith(suffix) and len(name) > len(suffix)

    def find_source(
        self, source_path: str | None, sidecar: Path, *, elsewhere: bool = True
    ) -> tuple[Path, tuple[str, ...]]:
        """The source video that a clip means, and what had to be assumed to find it.

        `source_path` counts below the source tree, also when it starts with that tree's own folder name(s); where it
        is absent or names nothing, the video is looked for at the sidecar's mirrored place (one that names nothing only
        where it may be `elsewhere`). The path returned need not exist; if it does, it lies below the source tree, also
        when the links in it are followed.

        Raises:
            Rejected: the path leaves the source tree, or several videos could be meant.
        """
        named = None if not source_path else self._named_source(source_path)
        if named is not None and os.path.lexists(named):
            return self._below_source(named), ()
        if named is not None and not elsewhere:
            return named, ()
        mirrored = self._mirrored_source(sidecar, None if source_path is None else PurePosixPath(source_path).suffix)
        if mirrored is None:
            place = self.place(sidecar)
            if named is not None or not source_path:
                return named or self.source / place.folder / f"{place.video}.mp4", ()
            words = f"source_path {source_path!r} is absolute and not used; name a file below the source folder"
            return self.source / place.folder / f"{place.video}.mp4", (words,)
        note = "source_path is missing" if not source_path else f"source_path {source_path!r} names no file"
        return self._below_source(mirrored), (f"{note}; used {self.relative(mirrored)}, the sidecar's own place",)

    def mirrored_folder(self, sidecar: Path) -> Path:
        """The folder of the source tree where the video of `sidecar` may lie that it does not name."""
        return self.source.joinpath(*sidecar.relative_to(self.sidecars).parts[:-1])

    def _named_source(self, source_path: str) -> Path | None:
        parts = PurePosixPath(source_path.replace("\\", "/")).parts
        if ".." in parts or "\0" in source_path:
            raise Rejected(f"source_path {source_path!r} leaves the source folder; name a file below it, without '..'")
        if not parts or parts[0].startswith("/") or parts[0].endswith(":"):
            return None
        own = Path(os.path.normpath(self.source)).parts
        for length in range(min(len(own), len(parts) - 1), 0, -1):
            if own[-length:] == parts[:length] and os.path.lexists(self.source.joinpath(*parts[length:])):
                return self.source.joinpath(*parts[length:])
        return self.source.joinpath(*parts)

    def _mirrored_source(self, sidecar: Path, suffix: str | None) -> Path | None:
        place = self.place(sidecar)
        found = _standing(self.mirrored_folder(sidecar), place.video)
        if len(found) > 1 and suffix:
            found = [path for path in found if path.suffix.lower() == suffix.lower()] or found
        if len(found) > 1:
            names = ", ".join(path.name for path in found)
            raise Rejected(f"several videos could be meant ({names}); name one in source_path")
        return found[0] if found else None

    def _below_source(self, path: Path) -> Path:
        inside, source = path.parent.resolve() / path.name, self.source.resolve()
        if not inside.is_relative_to(source):
            raise Rejected(f"{self.relative(path)} leads out of the source folder through a link; put the file itself")
        # Named by the tree as it is configured, which may be a link itself: every machine must give it the same name.
        return self.source / inside.relative_to(source)


def is_video(name: str) -> bool:
    """Does `name` end as videos do?"""
    return name.lower().endswith(VIDEO_SUFFIXES)


def _standing(folder: Path, video: str) -> list[Path]:
    """The files that `video` with a known suffix may be; each once, also where case does not matter (SMB)."""
    found: dict[tuple[int, int], Path] = {}
    for suffix in VIDEO_SUFFIXES:
        for path in (folder / f"{video}{suffix}", folder / f"{video}{suffix.upper()}"):
            with suppress(OSError):
                seen = path.lstat()
                found.setdefault((seen.st_dev, seen.st_ino), path)
    return list(found.values())


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:20]
