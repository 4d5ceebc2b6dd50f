"""Outcomes: what became of one attempt at a job."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Verdict(StrEnum):
    """How an attempt ended."""

    COMPLETE = "complete"
    FAILED = "failed"
    RETRY = "retry"
    DEFERRED = "deferred"
    SUPERSEDED = "superseded"
    BUSY = "busy"
    NOT_DUE = "not due"


@dataclass(frozen=True)
class Outcome:
    """The end of one attempt, in words for the log and for `clipd status`."""

    verdict: Verdict
    message: str = ""
    outputs: tuple[str, ...] = ()
    """Paths relative to the root, `/`-separated; the videos first."""
    again_in_seconds: float | None = None
    """When to look at the job again, for RETRY, DEFERRED and BUSY."""
    warnings: tuple[str, ...] = field(default=())
    known: bool = False
    """Had the person been told of these very outputs, or of this reason to wait, before, so that this is no news?"""
    awaits: tuple[tuple[str, str], ...] = ()
    """Until one of these changes, another look is of no use: paths relative to the root, and how each looked."""
    status: str = ""
    """What the answer calls it, where the job's kind has words of its own (`partial`)."""
    error: str = ""
    """The class of the error that it failed with."""
    worn: bool = False
    """May the attempt have left its process unfit for another (short of memory, say)?"""
