"""A folder of the inbox: every file in it is a request, and is answered, also one that cannot be read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from clipd.errors import ClipdError
from clipd.files.atomic import read_regular
from clipd.files.walk import look
from clipd.intake.admit import Admission, written_at
from clipd.model.job import Job, job_id
from clipd.tree import request
from clipd.tree.layout import DONE, FAILED, UNNAMED, Layout
from clipd.tree.request import RequestFile


@dataclass(frozen=True)
class Requests:
    """Requests of one kind of job."""

    kind: str
    inbox: str
    """The name of their folder in the inbox."""
    name_key: str
    """The key under which a request may name itself."""
    folder_request: str = ""
    """How the request of a folder is called, without suffix, where a whole folder may be one; else only files count."""
    ignore: tuple[str, ...] = (DONE, FAILED)

    def folder(self, layout: Layout) -> Path:
        """The folder of the inbox."""
        return layout.inbox_of(self.inbox)

    def wants(self, layout: Layout, name: str) -> bool:
        """Is `name` that of a JSON or YAML file, and not of an answer?"""
        return request.is_request(name)

    def admit(self, layout: Layout, path: Path) -> Admission:
        """The job of the request at `path`; it is validated under the claim, where it can be answered."""
        is_part = bool(self.folder_request) and path.parent != self.folder(layout) and path.stem != self.folder_request
        if is_part and request.is_described(path, self.folder(layout), self.folder_request):
            return Admission(())
        data, seen = read_regular(path, request.LIMIT_BYTES)
        found = request.parse(data, path.name, self.name_key)
        if is_part and not found.name:
            return Admission((), (self._unnamed(found),))
        camera, priority = found.content.get("camera_id"), found.content.get("priority")
        origin = layout.relative(path)
        return Admission((Job(
            id=found.job(self.kind, origin),
            kind=self.kind,
            origin=origin,
            key=found.key,
            name=f"{self.kind} {found.name or path.stem}",
            camera=camera if isinstance(camera, str) else "",
            session=UNNAMED,
            priority=priority if isinstance(priority, int) else 0,
            requested_at=written_at(seen),
            stand=found.digest,
        ),))  # fmt: skip

    def _unnamed(self, found: RequestFile) -> str:
        """What is wrong with a file that may as well be a part of a folder whose description is yet to come."""
        fault = found.fault or f"line 1: it has no {self.name_key}"
        return f"{fault}; it is left alone, as it may belong to an {self.folder_request}.json that is yet to come"

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """A job that answers what cannot even be read."""
        origin, seen = layout.relative(path), look(path)
        if seen is None:
            return Admission(())
        key = RequestFile.unreadable(seen, str(error)).key
        job = Job(
            id=job_id(self.kind, origin, key), kind=self.kind, origin=origin, key=key, name=f"{self.kind} {path.stem}",
            camera="", session=UNNAMED, priority=0, requested_at=written_at(path.lstat()),
        )  # fmt: skip
        return Admission((job,))
