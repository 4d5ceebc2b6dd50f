"""Kinds of jobs: a visible table. A new kind is one file, one line here, and one line in `delivery.origins`."""

from __future__ import annotations

from clipd.jobs.clip_kind import ClipKind
from clipd.jobs.compound_kind import CompoundKind
from clipd.jobs.dataset_kind import DatasetKind, ResultsKind, RowsKind
from clipd.jobs.event_kind import EventKind
from clipd.jobs.kind import Kind
from clipd.jobs.link_kind import LinkKind
from clipd.jobs.request_kind import RequestKind
from clipd.jobs.segment_kind import SegmentKind

KINDS: dict[str, Kind] = {
    "clip": ClipKind(),
    "compound": CompoundKind(),
    "dataset": DatasetKind(),
    "rows": RowsKind(),
    "results": ResultsKind(),
    "event": EventKind(),
    "link": LinkKind(),
    "segment": SegmentKind(),
    "request": RequestKind(),
}
"""The word in a job's `kind` -> what does the work."""

__all__ = ["KINDS", "Kind"]
