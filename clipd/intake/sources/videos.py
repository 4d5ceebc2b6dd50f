"""Videos to be analysed: what is dropped into the inbox, and, where the settings ask for it, the source tree itself."""

from __future__ import annotations

import os
from pathlib import Path

from clipd.errors import ClipdError, Rejected
from clipd.files.walk import look
from clipd.intake.admit import Admission, written_at
from clipd.model.job import Job, job_id
from clipd.tree import request
from clipd.tree.layout import DONE, FAILED, Layout, is_video
from clipd.tree.video import signature

KIND = "segment"


class DroppedVideos:
    """`inbox/videos/<camera>/<session>/<video>`: filed into the source tree, and analysed."""

    ignore: tuple[str, ...] = (DONE, FAILED)

    def folder(self, layout: Layout) -> Path:
        """The folder of the inbox."""
        return layout.dropped_videos

    def wants(self, layout: Layout, name: str) -> bool:
        """Does `name` end as videos do?"""
        return is_video(name)

    def admit(self, layout: Layout, path: Path) -> Admission:
        """Its analysis. Whether it can be read is found out under the claim, where it can be answered."""
        return Admission((job_of(layout, path),))

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """Nothing: it is told, and stays where it is."""
        return Admission(())


class SourceVideos(DroppedVideos):
    """Videos that lie in the source tree: those that have no sidecar are analysed where they are."""

    ignore: tuple[str, ...] = ()

    def folder(self, layout: Layout) -> Path:
        """The source tree."""
        return layout.source

    def admit(self, layout: Layout, path: Path) -> Admission:
        """Its analysis, unless it has a sidecar, or the analysis was answered already."""
        place = layout.source_place(path)
        answered = request.read_answer(layout.answer(layout.sidecar_of(place)))
        if look(layout.sidecar_of(place)) is not None or answered.get("video") == signature(path):
            return Admission(())
        return super().admit(layout, path)


def job_of(layout: Layout, path: Path) -> Job:
    """The analysis of the video at `path`.

    Raises:
        Rejected: its name cannot be written down.
    """
    origin, place = layout.relative(path), layout.source_place(path)
    try:
        origin.encode()
    except UnicodeEncodeError:
        raise Rejected("its path is not valid UTF-8 and cannot be written down; rename the file or folder") from None
    return Job(
        id=job_id(KIND, origin, ""),
        kind=KIND,
        origin=origin,
        key="",
        name=f"{place.video} / analysis",
        camera=place.camera,
        session=place.session,
        priority=0,
        requested_at=written_at(os.lstat(path)),
        stand=signature(path),
    )
