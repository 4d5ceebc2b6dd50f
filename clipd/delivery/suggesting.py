"""Suggestions in sidecars: added only when asked, never over a person's clips, and never again once deleted."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clipd.clock import Clock
from clipd.delivery.writeback import WriteBack, add
from clipd.errors import Rejected, Temporary
from clipd.files import atomic, jsontext, lease
from clipd.files.walk import look
from clipd.tree.layout import Layout
from clipd.tree.sidecar import Sidecar

SAME_MOMENT = 0.5
"""Two spans that share more than this part of what they cover together (IoU) are one suggestion."""
LIMIT_BYTES = 16 << 20
CLIPS_LIMIT_BYTES = 64 << 20


def suggest(layout: Layout, sidecar: Path, found: Path) -> str:
    """Write the clips of the file `found` as the sidecar, unless there is one; what became of them, in words."""
    try:
        clips = json.loads(atomic.read_regular(found, CLIPS_LIMIT_BYTES)[0])["clips"]
    except atomic.Missing:
        return f"{layout.relative(found)} was removed before its clips were in a sidecar; clipd analyze makes it again"
    data = (json.dumps(clips, indent=2, ensure_ascii=False) + "\n").encode()
    with atomic.translated(f"making {sidecar.parent}"):
        sidecar.parent.mkdir(parents=True, exist_ok=True)
    if look(sidecar) is None:
        remember(layout, sidecar, clips)
    if atomic.create(sidecar, data) or _holds(sidecar, data):
        return f"{len(clips)} clip{'' if len(clips) == 1 else 's'} in {layout.relative(sidecar)}"
    return f"{layout.relative(sidecar)} was there already and stays as it is (clipd analyze --into-sidecar adds)"


def _holds(path: Path, data: bytes) -> bool:
    try:
        return atomic.read_regular(path, len(data))[0] == data
    except (atomic.Missing, Rejected):
        return False


def remember(layout: Layout, sidecar: Path, clips: Sequence[Mapping[str, Any]]) -> None:
    """Note that `clips` were suggested for the sidecar at `sidecar`, before anybody can delete them from it."""
    spans = [*_remembered(layout, sidecar), *((clip["start_frame"], clip["end_frame"]) for clip in clips)]
    path = layout.suggested(layout.relative(sidecar))
    atomic.make_folder(path.parent, layout.state)
    atomic.write(path, json.dumps({"sidecar": layout.relative(sidecar), "spans": sorted(set(spans))}).encode())


def add_suggestions(
    layout: Layout, sidecar: Path, clips: Sequence[Mapping[str, Any]], claims: lease.Settings, clock: Clock
) -> tuple[WriteBack, int]:
    """Add the `clips` that are new to a sidecar that is there; how it went, and how many were new.

    New is what neither stands in it (as a clip of anybody's) nor was ever suggested for it.

    Raises:
        Temporary: somebody else is writing the sidecar, or it cannot be written now.
    """
    former = _remembered(layout, sidecar)
    fresh: list[Mapping[str, Any]] = []

    def choose(present: Sidecar) -> Sequence[Mapping[str, Any]]:
        spans = [*former, *filter(None, (_span(entry.raw) for entry in present.entries))]
        names = {entry.name for entry in present.entries}
        fresh[:] = [_named(clip, names) for clip in clips if not any(_is_same(_span(clip), span) for span in spans)]
        return fresh

    claim = layout.sidecar_claim(layout.relative(sidecar))
    try:
        with lease.claimed(claim, claims, wait_seconds=claims.lease_seconds * 1.5):
            written = add(sidecar, choose, settle=clock.sleep, now=clock.now)
            if written.result != "gone":
                remember(layout, sidecar, fresh)
    except lease.Taken as holder:
        raise Temporary(f"{sidecar.name} is being written by {holder}; try again in a moment") from None
    return written, len(fresh)


def _named(clip: Mapping[str, Any], taken: set[str]) -> Mapping[str, Any]:
    """`clip` under a name that no clip of the sidecar has."""
    names = (clip["name"], *(f"{clip['name']}_{number}" for number in range(2, len(taken) + 3)))
    name = next(name for name in names if name not in taken)
    taken.add(name)
    return {**clip, "name": name}


def _remembered(layout: Layout, sidecar: Path) -> list[tuple[int, int]]:
    try:
        data = atomic.read_regular(layout.suggested(layout.relative(sidecar)), LIMIT_BYTES)[0]
        content: Any = jsontext.load(data, LIMIT_BYTES)
    except (atomic.Missing, Rejected):
        return []
    spans = content.get("spans") if isinstance(content, dict) else None
    return [(span[0], span[1]) for span in spans or () if isinstance(span, list) and len(span) == 2]


def _span(clip: Mapping[str, Any]) -> tuple[int, int] | None:
    start, end = clip.get("start_frame"), clip.get("end_frame")
    return (start, end) if isinstance(start, int) and isinstance(end, int) else None


def _is_same(one: tuple[int, int] | None, other: tuple[int, int] | None) -> bool:
    if one is None or other is None:
        return False
    shared = min(one[1], other[1]) - max(one[0], other[0]) + 1
    together = max(one[1], other[1]) - min(one[0], other[0]) + 1
    return shared > SAME_MOMENT * together
