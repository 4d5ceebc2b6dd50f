"""Segmentation of each video: the clips worth keeping (`v2`), or its scenes (`v1`), as for dropped videos."""

from __future__ import annotations

from typing import Any

from clipd.datasets.row import WHOLE
from clipd.errors import Rejected
from clipd.files.atomic import translated
from clipd.jobs.analysis import Settings, analyse, facts
from clipd.jobs.rows.function import RowFunction, Surroundings
from clipd.segmentation import debug


def run(around: Surroundings, settings: Settings) -> dict[str, Any]:
    """The clips, with frames and seconds; the document of why lies beside.

    Raises:
        Rejected: the row names a part of the video. What `analyse` raises.
    """
    row, means = around.row, around.means
    if row.span != WHOLE or row.crop is not None:
        raise Rejected("segment looks at whole videos; leave the row's span and crop empty")
    analysis = analyse(row.path, settings, means.limits, means.cache, means.threads, around.checkpoint)
    name = f"segmentation_{settings.mode}_debug.json"
    with translated(f"writing {name}"):
        (around.folder / name).write_text(debug.as_json(analysis.found.document), encoding="utf-8")
    return {**facts(analysis), "warnings": list(analysis.warnings), "debug": f"{around.below}/{name}"}


FUNCTION = RowFunction("segment", Settings, run)
