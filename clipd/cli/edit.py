"""Editing sidecars as carefully as the daemon does: `mark`, `cancel`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from clipd.cli.app import ConfigFile, Root, app, say, tree
from clipd.clock import SystemClock
from clipd.delivery import marking
from clipd.delivery.recall import Dropped, recall
from clipd.errors import Rejected
from clipd.files.atomic import read_regular
from clipd.model.clip import Status
from clipd.report.checkup import status_meant
from clipd.report.overview import find, overview
from clipd.tree import sidecar as sidecars
from clipd.tree.layout import FAILED, MARKER_NAME
from clipd.tree.marker import require_same_share


@app.command()
def mark(
    sidecar: Annotated[Path, typer.Argument(metavar="SIDECAR", help="The sidecar, from any folder.")],
    clips: Annotated[list[str] | None, typer.Argument(metavar="CLIP", help="Names or ids; none means all.")] = None,
    status: Annotated[str, typer.Option("--as", help="process, draft, or any word of your own.")] = Status.PROCESS,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Set the status of clips in a sidecar."""
    settings, layout = tree(root or _tree_of(sidecar), config)
    require_same_share(layout)
    if (meant := status_meant(status)) is not None:
        raise Rejected(f"{status!r} is no status; is {meant} meant? clipd knows {', '.join(Status)}, any other word is "
                       "your own and must look less like one of these")  # fmt: skip
    path = sidecar.absolute()
    entries = sidecars.parse(read_regular(path, sidecars.LIMIT_BYTES)[0]).entries
    chosen = [entry for entry in entries if not clips or {entry.name, entry.id, entry.key} & set(clips)]
    known = {word for entry in chosen for word in (entry.name, entry.id, entry.key)}
    if missing := [word for word in clips or () if word not in known]:
        raise Rejected(f"{path.name} has no clip {missing[0]!r}; it has {', '.join(e.name for e in entries) or 'none'}")
    if doubtful := [entry.problem for entry in chosen if entry.problem is not None]:
        raise Rejected(f"{path.name}: {doubtful[0]}")
    written = marking.mark(layout, settings.claims, path, [entry.key for entry in chosen], status, SystemClock())
    say(f"{', '.join(entry.name for entry in chosen)}: {marking.word(status)}")
    if written.conflict_copy is not None:
        say(written.message, style="yellow")


@app.command()
def cancel(
    clip: Annotated[str, typer.Argument(metavar="CLIP", help="A clip's or a request's name or id.")],
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Stop a running or waiting clip; it goes back to Draft, a request of the inbox into failed/."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    found = overview(layout, settings.watch.ignore, settings.cameras)
    items = [item for item in find(found, clip) if item.state in ("running", "waiting")]
    if not items:
        raise Rejected(f"no clip {clip!r} is running or waiting; see: clipd why {clip!r}")
    if len(items) > 1:
        raise Rejected(f"{clip!r} may mean {', '.join(item.job for item in items)}; name one of these jobs instead")
    (item,) = items
    origin = layout.at(item.sidecar)
    if origin.is_relative_to(layout.inbox):
        recall(layout, settings.claims, Dropped.at(layout, origin), "clipd cancel", SystemClock())
        say(f"{item.clip}: stopped, moved to {FAILED}/")
    else:
        marking.cancel(layout, settings.claims, item.job, item.clip, origin, item.key, SystemClock())
        say(f"{item.clip}: stopped, {Status.DRAFT}")


def _tree_of(path: Path) -> Path | None:
    """The root of the tree that holds `path`, so that `mark` works from any folder."""
    return next((folder for folder in path.absolute().parents if (folder / MARKER_NAME).exists()), None)
