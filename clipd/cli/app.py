"""The commands, and what they share: the tree they mean, and how an error is shown."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperGroup

from clipd import __version__
from clipd.config import Config, find, load
from clipd.errors import ClipdError, ConfigError
from clipd.log import plain
from clipd.report.doctor.finding import Level
from clipd.tree.layout import Layout
from clipd.tree.marker import NoTree

WRONG_USAGE = 2
STYLES = {Level.OK: "green", Level.NOTE: "cyan", Level.WARNING: "yellow", Level.WRONG: "bold red"}

Root = Annotated[Path | None, typer.Option("--root", help="The tree; else the one at or above this folder.")]
ConfigFile = Annotated[Path | None, typer.Option("--config", help="A settings file other than ROOT/clipd.yaml.")]


class InOrder(TyperGroup):
    """The commands in the order of a day's work; one that is not named in `DAY` comes last."""

    DAY = (
        "init", "demo", "run", "status", "why", "cameras", "request", "mark", "batch", "worker", "check", "doctor",
        "cancel", "schema",
    )  # fmt: skip

    def list_commands(self, ctx: Any) -> list[str]:
        """The names for the help."""
        names = super().list_commands(ctx)
        return sorted(names, key=lambda name: self.DAY.index(name) if name in self.DAY else len(self.DAY))


app = typer.Typer(
    name="clipd",
    cls=InOrder,
    help="Turns a folder tree into a video-cutting service.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
out = Console(highlight=False, soft_wrap=True, width=None if sys.stdout.isatty() else 200)
err = Console(stderr=True, highlight=False, soft_wrap=True)


def tree(root: Path | None, config: Path | None, flags: Mapping[str, Any] | None = None) -> tuple[Config, Layout]:
    """The settings and the layout of the tree that is meant."""
    settings = load(*find(root, config), flags)
    return settings, Layout(settings.root, settings.directories)


def say(text: str, style: str | None = None) -> None:
    """Print a line that may hold names from outside."""
    out.print(plain(text), style=style, markup=False)


def counted(count: int, thing: str) -> str:
    """`1 worker`, `2 workers`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def main() -> None:
    """Run a command; errors are one or a few lines for a person, wrong usage and settings exit with 2."""
    import clipd.cli.analyze
    import clipd.cli.batch
    import clipd.cli.cameras
    import clipd.cli.cluster
    import clipd.cli.doctor
    import clipd.cli.edit
    import clipd.cli.event
    import clipd.cli.look
    import clipd.cli.make
    import clipd.cli.retain
    import clipd.cli.run  # noqa: F401 - each module adds its commands to `app`

    try:
        app()
    except ClipdError as error:
        sys.exit(tell(error))


def tell(error: ClipdError) -> int:
    """Print the words of `error`, line by line; the exit code that it amounts to."""
    err.print("\n".join(plain(line) for line in str(error).splitlines()), style="red", markup=False)
    return WRONG_USAGE if isinstance(error, ConfigError | NoTree) else 1


def _version(wanted: bool) -> None:
    if wanted:
        out.print(f"clipd {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Turns a folder tree into a video-cutting service."""
