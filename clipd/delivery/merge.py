"""Merging two saves of one sidecar: what one changed against their base is carried over into the other.

Clip by clip and key by key. Two saves that changed the same key differently, or that added, removed or reordered clips,
are not merged by guessing: the answer is then that they cannot be.
"""

from __future__ import annotations

import json
from typing import Any

from clipd.files.document import NotADocument
from clipd.files.jsontext import same
from clipd.tree.sidecar import Entry, Sidecar, parse, patch

_ABSENT = object()


def merge(base: bytes, late: bytes, current: bytes) -> bytes | None:
    """`current` with what `late` changed against `base`; None where they contradict each other."""
    if late in (base, current):
        return current
    try:
        before, after, now = parse(base), parse(late), parse(current)
    except NotADocument:
        return None
    if [entry.key for entry in before.entries] != [entry.key for entry in after.entries] or _around(base) != _around(
        late
    ):
        return None
    for old, new in zip(before.entries, after.entries, strict=True):
        if same(old.raw, new.raw):
            continue
        edit = _carried_over(old, new, now)
        if edit is None:
            return None
        current = patch(current, new.key, edit[0], remove=edit[1])
    return current


def _carried_over(old: Entry, new: Entry, now: Sidecar) -> tuple[dict[str, Any], tuple[str, ...]] | None:
    """What to set and to remove in the present entry so that it has `new`'s changes against `old`."""
    present = now.find(new.key)
    if present is None or present.fault is not None or old.fault is not None or new.fault is not None:
        return None
    changes, remove = {}, []
    for key in old.raw.keys() | new.raw.keys():
        was, becomes, stands = (entry.raw.get(key, _ABSENT) for entry in (old, new, present))
        if same(was, becomes) or same(becomes, stands):
            continue
        if not same(was, stands):
            return None
        if becomes is _ABSENT:
            remove.append(key)
        else:
            changes[key] = becomes
    ordered = {key: changes[key] for key in new.raw if key in changes}
    return ordered, tuple(remove)


def _around(data: bytes) -> Any:
    """What a sidecar holds beside its clips and compounds."""
    content = json.loads(data)
    if not isinstance(content, dict):
        return None
    return {key: value for key, value in content.items() if key not in ("clips", "compounds")}
