"""Removing outputs that are too old or too many: `retention`."""

from __future__ import annotations

from typing import Annotated

import typer
from pydantic import ByteSize
from rich.markup import escape
from rich.table import Table

from clipd.cli.app import ConfigFile, Root, app, counted, out, say, tree
from clipd.clock import SystemClock
from clipd.delivery.retention import Step, plan, remove
from clipd.errors import ClipdError
from clipd.log import plain
from clipd.report import pages
from clipd.tree.marker import require_same_share


@app.command()
def retention(
    apply: Annotated[bool, typer.Option("--apply", help="Remove what the plan shows.")] = False,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Show which outputs the rules in `retention` would remove, oldest first; remove them with --apply."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    clock = SystemClock()
    strange: list[str] = []
    steps = [s for s in plan(layout, settings.retention.rules, clock.now(), strange.append) if s is not None]
    for words in strange:
        say(f"left alone: {words}", style="yellow")
    if not settings.retention.rules:
        say("there are no rules; write some under retention.rules in clipd.yaml", style="yellow")
    if not apply:
        _show(steps)
        say(f"{counted(len(steps), 'output')} would go, {_size(steps)}; nothing was removed (--apply removes them)")
        return
    gone, failed = [], 0
    for step in steps:
        path = step.product.video.path
        try:
            done = remove(layout, step, settings.claims, clock)
        except ClipdError as error:
            failed += 1
            say(f"stays: {path}: {error}", style="red")
            continue
        if done.result == "removed":
            gone.append(step)
            say(f"removed: {path} ({step.why})")
        else:
            say(f"stays: {path}: {done.words}", style="yellow")
    say(f"{counted(len(gone), 'output')} removed, {_size(gone)}{_staying(len(steps) - len(gone))}")
    pages.draw_again(layout, settings.pages)
    raise typer.Exit(1 if failed else 0)


def _staying(count: int) -> str:
    return {0: "", 1: "; 1 stays, for the reason above"}.get(count, f"; {count} stay, for the reasons above")


def _show(steps: list[Step]) -> None:
    if not steps:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("published", "size", "output", "why"):
        table.add_column(heading, overflow="fold", justify="right" if heading == "size" else "left")
    for step in steps:
        size = ByteSize(step.product.size).human_readable()
        cells = (f"{step.product.published_at:%Y-%m-%d %H:%M}", size, step.product.video.path, step.why)
        table.add_row(*(escape(plain(cell)) for cell in cells))
    out.print(table)


def _size(steps: list[Step]) -> str:
    return ByteSize(sum(step.product.size for step in steps)).human_readable()
