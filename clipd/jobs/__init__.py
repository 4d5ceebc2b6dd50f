"""Kinds of jobs: a visible table. A new kind is one file, one line here, and one line in `delivery.origins`."""

from __future__ import annotations

from clipd.jobs.clip_kind import ClipKind
from clipd.jobs.kind import Kind
from clipd.jobs.segment_kind import SegmentKind

KINDS: dict[str, Kind] = {
    "clip": ClipKind(),
    "segment": SegmentKind(),
}
"""The word in a job's `kind` -> what does the work."""

__all__ = ["KINDS", "Kind"]
