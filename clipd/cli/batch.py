"""`clipd batch`: every row of a table of videos through a function."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import JsonValue, TypeAdapter, ValidationError
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from clipd.batch import BatchVideoProcessor, Standing
from clipd.cli.app import ConfigFile, app, counted, err, say
from clipd.config import load
from clipd.datasets.stats import ProcessingStats
from clipd.errors import ConfigError
from clipd.jobs.dataset import Order
from clipd.jobs.rows.recipe import load as load_function

SHOWN_FAILURES = 10
STOPPED = 130
"""The exit code of a program that Ctrl-C ended."""


@app.command()
def batch(
    table: Annotated[Path, typer.Argument(help="A .csv, .jsonl or .parquet file; paths in it count from its folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where results and files go.")],
    video_col: Annotated[
        str, typer.Option("--video-col", help="The column with the path of the video.")
    ] = Order().video_col,
    process: Annotated[
        str,
        typer.Option(
            help="extract_keyframes, extract_frames, export, metadata, segment, thumbnails, or module:function."
        ),
    ] = Order().process,
    id_col: Annotated[
        str | None, typer.Option("--id-col", help="The column that names each row; else rows are their content.")
    ] = None,
    settings: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A setting of the function; again for more.")
    ] = None,
    workers: Annotated[int, typer.Option(help="Rows worked on at the same time.", metavar="N")] = 4,
    save_interval: Annotated[int, typer.Option(help="Save the numbers after so many rows.", metavar="N", min=1)] = 100,
    timeout: Annotated[float, typer.Option(help="The longest for one row, in seconds; 0: none.", metavar="S")] = 3600.0,
    memory: Annotated[str, typer.Option(help="The most that one process may use; 0: no limit.")] = "8GiB",
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run just the rows that failed.")] = False,
    no_spans: Annotated[
        bool, typer.Option("--no-spans", help="Columns called start, end, start_frame, end_frame, crop mean nothing.")
    ] = False,
    checkpoint: Annotated[Path | None, typer.Option(help="Keep the ledger here instead of in the output.")] = None,
    config: ConfigFile = None,
) -> None:
    """Run a function over every row of a table of videos; stop it at any moment, and the same command goes on.

    The exit code is 0 when every row has a result, 1 when one has failed, 2 for wrong usage, 130 after Ctrl-C.
    """
    processor = BatchVideoProcessor(
        load(None, None if config is None else config.absolute()),
        workers,
        checkpoint,
        timeout=timeout,
        memory=memory,
    )
    function: Any = process
    if ":" in process:
        # Last: a folder full of somebody's files must not come before the library.
        sys.path.append(str(Path.cwd()))
        function = load_function(process)
    with _bar() as bar:
        try:
            processor.process_dataset(
                table,
                video_col,
                function,
                id_col,
                output,
                save_interval,
                arguments=_arguments(settings or []),
                retry_failed=retry_failed,
                use_spans=not no_spans,
                progress=_Bar(bar).show,
            )
        except KeyboardInterrupt:
            bar.stop()
            say(_summary(processor.stats))
            say("stopped; the same command goes on with the next row", style="bold")
            raise typer.Exit(STOPPED) from None
    raise typer.Exit(_tell(processor.stats, output))


def _tell(stats: ProcessingStats, output: Path) -> int:
    """Print what became of the rows; the exit code."""
    for error in stats.errors[:SHOWN_FAILURES]:
        name = "" if error.id is None else f" ({error.id})"
        say(f"line {error.line}{name}: {error.message}", style="red")
    if stats.failed > SHOWN_FAILURES:
        say(f"... and {stats.failed - SHOWN_FAILURES} more in processing_results.json", style="red")
    say(_summary(stats))
    say(f"results: {output / 'processing_results.json'}")
    if stats.failed:
        say("failed rows run again with --retry-failed, or when they change", style="bold")
    return 1 if stats.failed or stats.skipped else 0


def _summary(stats: ProcessingStats) -> str:
    words = f"{counted(stats.total_videos, 'row')}: {stats.processed} processed, {stats.failed} failed"
    words += f", {stats.skipped} not run" if stats.skipped else ""
    return words + (f" ({stats.resumed} of them by earlier runs)" if stats.resumed else "")


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[failed]} failed"),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=err,
    )


class _Bar:
    """A progress bar of rows: how many of how many, how many failed, the rate of this run, the time left."""

    def __init__(self, bar: Progress) -> None:
        self._bar = bar
        self._task = bar.add_task("reading the table", total=None, failed=0, rate="")
        self._begun: tuple[int, float] | None = None

    def show(self, standing: Standing) -> None:
        """Move it to where the run is."""
        ended, now = standing.processed + standing.failed, time.monotonic()
        if self._begun is None:
            # From here on, so that rate and time left are of this run alone.
            self._begun = (ended, now)
            self._bar.reset(self._task, total=standing.total, completed=ended, description="rows")
        rate = (ended - self._begun[0]) / max(1e-9, now - self._begun[1])
        words = f"{rate:.1f}/s" if rate >= 1 else f"{rate * 60:.1f}/min"
        self._bar.update(self._task, completed=ended, failed=standing.failed, rate=words)


def _arguments(settings: list[str]) -> dict[str, JsonValue]:
    """`name=value` as arguments; a value that is JSON counts as that, any other is text."""
    made: dict[str, JsonValue] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise ConfigError(f"--set {setting!r} is not NAME=VALUE, such as num_frames=16")
        try:
            made[name.strip()] = TypeAdapter(JsonValue).validate_json(text)
        except ValidationError:
            made[name.strip()] = text
    return made
