"""Settings that match nothing in the tree: a camera without a folder, a format that no output has.

Each is right as a word and wrong as a name: nothing fails, and nothing is ever done. So whoever looks is told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from clipd.delivery import retention
from clipd.formats import FORMATS
from clipd.tree.layout import Layout


def unknown_cameras(layout: Layout, cameras: Iterable[str]) -> Iterator[str]:
    """A line for each of `cameras` that has no folder where sources, sidecars, dropped videos or recordings lie."""
    homes = (layout.source, layout.sidecars, layout.dropped_videos, layout.recordings)
    for camera in cameras:
        if not any((home / camera).is_dir() for home in homes):
            known = sorted({name for home in homes for name in _folders(home)})
            yield f"there is no folder of camera {camera!r} yet; there are {', '.join(known) or 'none'}"


def unknown_formats(layout: Layout, rules: Iterable[retention.Rule]) -> Iterator[str]:
    """A line for each format of a retention rule that is neither one of clipd's nor a folder of outputs."""
    known = sorted({*FORMATS, *_folders(layout.outputs)})
    for number, rule in enumerate(rules, 1):
        for name in rule.formats:
            if name not in known:
                words = f"{name!r} is no format of any output; there are {', '.join(known)}"
                yield f"retention.rules, rule {number}: {words}"


def _folders(home: Path) -> list[str]:
    with suppress(OSError):
        return [path.name for path in home.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))]
    return []
