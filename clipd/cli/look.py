"""Looking: `status`, `why`, `check`, `schema`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal

import typer
from rich.markup import escape
from rich.table import Table

from clipd.cli.app import STYLES, ConfigFile, Root, app, counted, out, say, tree
from clipd.config import Config
from clipd.errors import ClipdError, Rejected
from clipd.jobs import request
from clipd.jobs.processor import load
from clipd.log import plain
from clipd.report.checkup import Finding, check_tree
from clipd.report.doctor.finding import Level
from clipd.report.item import STATES, Item
from clipd.report.overview import Overview, find, items_of, overview
from clipd.report.unmatched import unknown_cameras, unknown_formats
from clipd.tree import sidecar
from clipd.tree.layout import CONFIG_NAME, Layout
from clipd.tree.marker import require_same_share
from clipd.worker.executor import Node

SHOWN = 20
"""How many clips of a kind `status` lists without --all."""

SCHEMAS: dict[str, Callable[[], Any]] = {
    "sidecar": sidecar.schema,
    "request": request.schema,
    "config": Config.model_json_schema,
}


@app.command()
def status(
    root: Root = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    everything: Annotated[bool, typer.Option("--all", help="List every clip, also finished and idle ones.")] = False,
) -> None:
    """Show what is waiting (and for what), running, failed and done."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    found = overview(layout, settings.watch.ignore, settings.cameras, settings.schedule)
    if as_json:
        out.print_json(json.dumps(_plain(found), default=str))
        return
    _show_daemons(found)
    _show_clips(found, everything)
    for copies in found.copies:
        words = f"{copies.pending} pending, {copies.failed} failed: {copies.destination}"
        told = f": {copies.error}" if copies.error else ""
        say(f"copies    {words}{told}", style="yellow" if told or copies.failed else None)
    for path, why in found.unreadable:
        say(f"not read  {path}: {why}", style="yellow")
    say(_counts(found))
    if layout.status_page.exists():
        say(f"page      {layout.relative(layout.status_page)}")


@app.command()
def why(
    what: Annotated[str, typer.Argument(metavar="CLIP|SIDECAR", help="A clip's name or id, or a sidecar file.")],
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Say in one line why a clip is not being processed, or what happened to it."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    path = Path(what)
    if layout.is_sidecar(path.name):
        say(_why_sidecar(settings, layout, path.absolute() if path.exists() else layout.at(what)))
        return
    found = overview(layout, settings.watch.ignore, settings.cameras, settings.schedule)
    items = find(found, what)
    for item in items:
        say(f"{item.clip}: {item.state}: {_story(item)}")
    if not items:
        unread = f"; {counted(len(found.unreadable), 'file')} cannot be read (clipd check)" if found.unreadable else ""
        raise Rejected(f"no clip {what!r} in {layout.relative(layout.sidecars)}{unread}")


def _why_sidecar(settings: Config, layout: Layout, path: Path) -> str:
    name = layout.relative(path)
    if not path.exists():
        return f"{name}: there is no such file"
    if not path.is_relative_to(layout.sidecars):
        return f"{name}: it lies outside {layout.relative(layout.sidecars)}, where sidecars are looked for"
    try:
        found = overview(layout, settings.watch.ignore, settings.cameras, settings.schedule)
        items = list(items_of(layout, path, found.daemons, found.gate, settings.cameras))
    except ClipdError as error:
        return f"{name}: it cannot be read and is left alone: {error}"
    told = [f"{item.name} {item.state} ({_story(item)})" for item in items if item.state != "idle"]
    idle = sum(item.state == "idle" for item in items)
    return f"{name}: " + "; ".join([*told, *([f"{idle} not marked Process"] if idle else [])] or ["it holds no clips"])


@app.command()
def check(
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH", help="Sidecars, videos, folders; none means all.")
    ] = None,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Validate settings, sidecars and sources; names file, line, column, clip and the mend. Changes nothing."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    levels: Counter[Level] = Counter()
    for finding in chain(
        _check_settings(settings, layout),
        check_tree(layout, paths or (), settings.watch.ignore, settings.clips, settings.media, settings.cache_folder),
    ):
        levels[finding.level] += 1
        say(f"{finding.level:<7}  {finding.where}: {finding.words}", style=STYLES[finding.level])
    wrong = levels[Level.WRONG]
    others = [counted(levels[level], level) for level in (Level.WARNING, Level.NOTE) if levels[level]]
    say(", ".join([f"{wrong} to mend" if wrong else "all is well", *others]), style="red" if wrong else "green")
    raise typer.Exit(1 if wrong else 0)


def _check_settings(settings: Config, layout: Layout) -> Iterator[Finding]:
    """What no look at the settings alone can tell: the operator's own function does not load, names match nothing."""
    if (function := settings.clips.processor.function) is not None:
        try:
            load(function)
        except Rejected as error:
            yield Finding(CONFIG_NAME, f"clips.processor.function: {error}")
    for words in unknown_cameras(layout, settings.cameras):
        yield Finding(CONFIG_NAME, f"cameras: {words}", Level.WARNING)
    for words in unknown_formats(layout, settings.retention.rules):
        yield Finding(CONFIG_NAME, words, Level.WARNING)


@app.command()
def schema(
    what: Annotated[Literal["sidecar", "request", "config"], typer.Argument(metavar="sidecar|request|config")],
) -> None:
    """Print the JSON Schema of sidecars, of requests for moments or of the settings."""
    print(json.dumps(SCHEMAS[what](), indent=2))


def _counts(found: Overview) -> str:
    """How much there is in each state, as the status page counts it."""
    counts = {state: len(found.of(state)) for state in STATES}
    counts["unread"] += len(found.unreadable)
    return ", ".join(f"{count} {state}" for state, count in counts.items() if count or state != "unread")


def _show_daemons(found: Overview) -> None:
    for daemon in found.daemons:
        events = "file events" if daemon.events else "polling"
        strength = f"{counted(daemon.workers, 'slot')} of {daemon.cluster}" if daemon.cluster else ""
        strength = strength or counted(daemon.workers, "worker")
        say(f"daemon    {daemon.host} (process {daemon.pid}): {strength}, {events}")
        for node in daemon.nodes[:SHOWN]:
            say(f"worker    {_work_of(node)}", style=None if node.answers else "yellow")
        if len(daemon.nodes) > SHOWN:
            say(f"worker    and {len(daemon.nodes) - SHOWN} more (--json)")
        if daemon.hooks_failed or daemon.hooks_dropped:
            missed = f"{daemon.hooks_failed} news failed, {daemon.hooks_dropped} dropped"
            say(f"hooks     {missed}; the log of {daemon.host} says why", style="yellow")
    if not found.daemons:
        say("daemon    none is running here; start one with: clipd run", style="yellow")
    if found.paused:
        say("paused    the file PAUSE lies in the state folder; remove it to go on", style="yellow")
    elif found.gate.shut:
        say(f"waiting   {found.gate.why}", style="yellow")


def _work_of(node: Node) -> str:
    if not node.answers:
        return f"{node.name}: does not answer"
    busy = f"{node.name}: {len(node.jobs)} of {node.slots} busy"
    return f"{busy}: {', '.join(node.jobs)}" if node.jobs else busy


def _show_clips(found: Overview, everything: bool) -> None:
    """List the clips, one kind after the other: what runs first, what is done last."""
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(width=8)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for state in STATES if everything else STATES[:-1]:
        items = found.of(state)
        hidden = 0 if everything else max(0, len(items) - SHOWN)
        for item in items[hidden:] if state == "done" else items[: len(items) - hidden]:
            story = item.outputs if item.state == "done" and item.outputs else _story(item).split("\n")
            table.add_row(state, escape(plain(item.clip)), "\n".join(escape(plain(line)) for line in story))
        if hidden:
            table.add_row(state, f"and {hidden} more (--all)")
    if table.row_count:
        out.print(table)


def _story(item: Item) -> str:
    note = item.progress
    if note is None:
        return item.why
    parts = [item.why]
    if item.fraction is not None:
        parts.append(f"{item.fraction:.0%} ({note.done} of {note.total})")
    if note.speed:
        parts.append(f"{note.speed:.0f}/s")
    if item.seconds_left is not None:
        parts.append(f"{item.seconds_left:.0f} s left")
    return ", ".join(parts)


def _plain(found: Overview) -> dict[str, Any]:
    return {
        "daemons": [asdict(daemon) for daemon in found.daemons],
        "paused": found.paused,
        "held_back": found.gate.why,
        "clips": [
            {**asdict(item), "fraction": item.fraction, "seconds_left": item.seconds_left} for item in found.items
        ],
        "unreadable": dict(found.unreadable),
        "copies": [asdict(copies) for copies in found.copies],
    }
