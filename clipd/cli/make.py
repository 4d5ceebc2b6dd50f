"""Making trees: `init` and `demo`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.tree import Tree

from clipd.cli.app import app, err, out, say
from clipd.cli.run import serve
from clipd.demo import prepare
from clipd.errors import ConfigError
from clipd.log import plain
from clipd.newtree import from_clipper, make
from clipd.tree.layout import CONFIG_NAME, Layout


@app.command()
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The root of the tree; made where it is missing.")],
    clipper: Annotated[
        Path | None, typer.Option("--from-clipper", metavar="CONFIG.yaml", help="Take over a Clipper tree.")
    ] = None,
) -> None:
    """Make a tree: its folders, its marker, a commented clipd.yaml and the JSON Schemas."""
    overrides = None if clipper is None else from_clipper(clipper, folder)
    if overrides is not None and (folder / CONFIG_NAME).exists():
        raise ConfigError(
            f"{folder / CONFIG_NAME} is there already and would stay as it is; move it away to take the settings from "
            f"{clipper}, or write them into it"
        )
    layout, written = make(folder, overrides)
    for path in written:
        say(f"wrote {layout.relative(path)}")
    say(f"videos go to    {layout.relative(layout.source)}/<camera>/<session>/<video>.mp4")
    say(f"sidecars go to  {layout.relative(layout.sidecars)}/<camera>/<session>/<video>_clips.json")
    say(f"clips come to   {layout.relative(layout.outputs)}/h264/<camera>/<session>/")
    say(f"serve it with   clipd run --root {folder}", style="bold")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make the tree.")] = Path("demo")) -> None:
    """Make a small tree with footage that clipd draws itself, process its clips and show the result."""
    with Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=err
    ) as bar:
        task = bar.add_task("drawing a match", total=None)
        layout, sidecar = prepare(folder, lambda done, total: bar.update(task, completed=done, total=total))
    say(f"{layout.relative(sidecar)} asks for four clips; processing them as `clipd run --once` does")
    code = serve(folder, None, {}, once=True, dry_run=False)
    out.print(_picture(layout))
    say('next: open the .mp4 files, look into the .json truth sheets, set "status" of not_yet to "Process" in')
    say(f"{sidecar} and run: clipd run --root {folder}")
    raise typer.Exit(code)


def _picture(layout: Layout) -> Tree:
    picture = Tree(plain(str(layout.root)))
    _grow(picture, layout.root)
    return picture


def _grow(branch: Tree, folder: Path) -> None:
    for path in sorted(folder.iterdir()):
        if path.name.startswith("."):
            continue
        if path.is_dir():
            if any(path.iterdir()):
                _grow(branch.add(plain(path.name) + "/"), path)
        else:
            branch.add(f"{plain(path.name)}  [dim]{_size(path.stat().st_size)}[/dim]")


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
