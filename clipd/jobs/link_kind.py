"""Links as a kind of job: from an address to a video in the inbox, or in the source tree.

The video is fetched into a hidden folder of the source tree, which is the job's own and outlives its attempts. It gets
its name there last, by its origin, after the receipt.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

from clipd.files import space
from clipd.files.space import Settings as SpaceSettings
from clipd.files.walk import NOT_THERE_YET, any_of
from clipd.jobs import download
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.jobs.link import Link, Settings, require_listed
from clipd.jobs.naming import file_stem
from clipd.media.door import Limits
from clipd.model.job import Job
from clipd.model.setting import Section, setting
from clipd.tree.layout import Layout

SPACE_EVERY_BYTES = 64 << 20
"""How much is fetched between two looks at the room on the disk."""


class Fetching(Section):
    """All settings that a link is fetched by, put together by the daemon; in no settings file of its own."""

    links: Settings = setting(Settings(), "What may be fetched.")
    space: SpaceSettings = setting(SpaceSettings(), "How full the disk may get.")


@dataclass(frozen=True)
class Wanted:
    """A link, and where its video is kept until it is filed."""

    link: Link
    folder: Path
    layout: Layout


class LinkKind:
    """Fetches videos."""

    def prepare(self, layout: Layout, job: Job, request: Link, settings: Fetching) -> Prepared:
        """See that its host is listed."""
        require_listed(request, settings.links.hosts)
        path = layout.at(job.origin)
        wanted = Wanted(request, layout.download(job.id), layout)
        return Prepared(wanted, path, layout.relative(path), {"link": asdict(request)})

    def needed_bytes(self, prepared: Prepared, settings: Fetching, limits: Limits, cache: Path | None) -> int:
        """Nothing among the outputs; the room for the video is watched while it comes."""
        return 0

    def run(self, prepared: Prepared, settings: Fetching, context: Context) -> Result:
        """Fetch the video, or go on with it, and prove it."""
        wanted: Wanted = prepared.request
        looked = -SPACE_EVERY_BYTES

        def progress(done: int, total: int) -> None:
            nonlocal looked
            context.checkpoint("fetching", done, total)
            if done - looked >= SPACE_EVERY_BYTES:
                looked = done
                space.require(wanted.layout.source, max(0, total - done), settings.space)

        fetched = download.fetch(wanted.link.url, wanted.folder, settings.links, context.limits, progress)
        stem = file_stem(wanted.link.name or fetched.title) or "video"
        name = f"{stem}{fetched.suffix}"
        if any_of(NOT_THERE_YET).match(name):
            name = f"-{name}"
        facts = {
            "file": wanted.layout.relative(wanted.folder / fetched.file),
            "name": name,
            "camera": wanted.link.camera,
            "session": wanted.link.session,
            "segment": wanted.link.segment,
            "bytes": fetched.size,
            "seconds": fetched.seconds,
            "message": "; ".join(fetched.warnings),
        }
        return Result((), {}, fetched.warnings, facts=facts)
