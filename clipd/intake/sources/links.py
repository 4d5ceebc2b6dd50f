"""Links to videos: every file in the inbox for links is answered, also one that cannot be read."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from clipd.errors import ClipdError
from clipd.files.atomic import read_regular
from clipd.files.walk import look
from clipd.intake.admit import Admission, written_at
from clipd.model.job import Job
from clipd.tree import link
from clipd.tree.layout import DONE, FAILED, UNNAMED, Layout
from clipd.tree.link import LinkEntry


class Links:
    """`inbox/links/*.url|*.txt|*.json`, also below folders that name camera and session."""

    ignore: tuple[str, ...] = (DONE, FAILED)

    def folder(self, layout: Layout) -> Path:
        """The folder of the inbox."""
        return layout.inbox_of("links")

    def wants(self, layout: Layout, name: str) -> bool:
        """Is `name` that of a file with links, and not of an answer?"""
        return link.is_link_file(name)

    def admit(self, layout: Layout, path: Path) -> Admission:
        """A job for each link that is not answered yet; validated under the claim, where it can be answered.

        Where all are answered and the file is still there, whoever was to move it died: the last is answered again.
        """
        data, seen = read_regular(path, link.LIMIT_BYTES)
        entries = link.parse(data, layout, path)
        moment = written_at(seen)
        jobs = tuple(self._job(layout, path, entry, position, moment) for position, entry in enumerate(entries))
        return Admission(tuple(job for job in jobs if not link.is_answered(layout, job.id)) or jobs[-1:])

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """A job that answers what cannot even be opened."""
        if look(path) is None:
            return Admission(())
        return Admission((self._job(layout, path, link.unreadable(str(error)), 0, written_at(path.lstat())),))

    def _job(self, layout: Layout, path: Path, entry: LinkEntry, position: int, moment: datetime) -> Job:
        origin, camera, priority = layout.relative(path), entry.content.get("camera"), entry.content.get("priority")
        return Job(
            id=entry.job(origin),
            kind=link.KIND,
            origin=origin,
            key=entry.key,
            name=f"link {path.stem}" + (f" / {position + 1}" if position else ""),
            camera=camera if isinstance(camera, str) else "",
            session=UNNAMED,
            priority=priority if isinstance(priority, int) else 0,
            requested_at=moment,
            position=position,
        )
