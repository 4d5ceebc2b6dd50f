"""`clipd run`: the daemon, one pass, or the plan of one."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path
from typing import Annotated, Any

import typer
from loguru import logger
from pydantic import ByteSize
from rich.table import Table

from clipd import log
from clipd.cli.app import ConfigFile, Root, app, counted, out, say, tree
from clipd.cli.doctor import variables
from clipd.config import ENVIRONMENT_PREFIX, Config, find, load
from clipd.daemon import Daemon
from clipd.errors import ConfigError, Temporary
from clipd.report.health import notify
from clipd.report.plan import Planned, Skipped, plan
from clipd.report.unmatched import unknown_cameras
from clipd.tree.layout import Layout
from clipd.tree.marker import NoTree, require_same_share

LOOK_SECONDS = 2.0
"""How often a share that is away is looked for."""


@app.command()
def run(
    root: Root = None,
    config: ConfigFile = None,
    once: Annotated[bool, typer.Option("--once", help="One pass over everything that is due, then exit.")] = False,
    interval: Annotated[float | None, typer.Option(help="Seconds between looks at the tree.", metavar="S")] = None,
    camera: Annotated[list[str] | None, typer.Option(help="Only this camera; may be given again.")] = None,
    formats: Annotated[str | None, typer.Option(help="h264, ffv1 or both.", metavar="A,B")] = None,
    cv_optimized: Annotated[bool, typer.Option("--cv-optimized", help="Lossless FFV1, for computer vision.")] = False,
    both_formats: Annotated[bool, typer.Option("--both-formats", help="H.264 and FFV1.")] = False,
    max_workers: Annotated[int | None, typer.Option(help="Clips worked on at the same time.", metavar="N")] = None,
    batch_size: Annotated[int | None, typer.Option(help="Clips taken in one pass; 0 is no limit.", metavar="N")] = None,
    multi_crop: Annotated[bool, typer.Option("--multi-crop", help="Make crop variations of each clip.")] = False,
    crop_variations: Annotated[str | None, typer.Option(help="Of original, wide, full.", metavar="A,B")] = None,
    wide_crop_factor: Annotated[float | None, typer.Option(help="How much wider `wide` is.", metavar="X")] = None,
    crop_camera_types: Annotated[
        str | None, typer.Option(help="Variations only for these cameras.", metavar="A,B")
    ] = None,
    exclude_crop_camera_types: Annotated[
        str | None, typer.Option(help="No variations for these.", metavar="A,B")
    ] = None,
    metrics_port: Annotated[
        int | None, typer.Option(help="Serve Prometheus metrics on this port of 127.0.0.1.", metavar="N")
    ] = None,
    dask: Annotated[
        str | None, typer.Option(help="Work on the Dask cluster of this scheduler.", metavar="ADDRESS")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the whole plan and change nothing.")] = False,
    log_level: Annotated[str | None, typer.Option(help="DEBUG, INFO, WARNING or ERROR.")] = None,
    log_json: Annotated[bool, typer.Option("--log-json", help="Log in JSON lines.")] = False,
) -> None:
    """Watch the tree and process every clip marked Process, until stopped.

    Where the tree that is named (--root or CLIPD_ROOT) is an empty folder, its share is away: clipd says so, waits, and
    begins when it is back. Where there is no such folder, the name is wrong.

    With --once the exit code is 0 when all is well, 1 when something failed, 2 for wrong usage or settings.
    """
    flags = flags_of(
        interval=interval,
        cameras=camera,
        formats=formats_of(formats, cv_optimized, both_formats),
        max_workers=max_workers,
        batch_size=batch_size,
        multi_crop=multi_crop,
        crop_variations=crop_variations,
        wide_crop_factor=wide_crop_factor,
        crop_camera_types=crop_camera_types,
        exclude_crop_camera_types=exclude_crop_camera_types,
    )
    if dask is not None:
        flags["executor"] = {"kind": "dask", "scheduler": dask}
    if metrics_port is not None:
        flags["pages"] = {"metrics_port": metrics_port}
    if log_level:
        flags.setdefault("log", {})["level"] = log_level.upper()
    if log_json:
        flags.setdefault("log", {})["json_lines"] = True
    raise typer.Exit(serve(root, config, flags, once=once, dry_run=dry_run))


def serve(root: Path | None, config: Path | None, flags: dict[str, Any], *, once: bool, dry_run: bool) -> int:
    """Run the daemon, one pass, or a dry run, on the tree that is meant; the exit code."""
    named = root is not None or bool(os.environ.get(f"{ENVIRONMENT_PREFIX}ROOT"))
    if named and not once and not dry_run:
        there = tree_when_there(root, config, flags)
        if there is None:
            return 0
        settings, layout = there
    else:
        settings, layout = tree(root, config, flags)
        require_same_share(layout)
    if dry_run:
        return show_plan(settings, layout)
    log.start(settings.log, settings.root)
    for name, meant in variables(os.environ)[1].items():
        perhaps = f"; perhaps {meant} is meant" if meant else ""
        logger.warning("the environment variable {} is set, but there is no such setting{}", name, perhaps)
    for words in unknown_cameras(layout, settings.cameras):
        logger.warning("cameras: {}", words)
    daemon = Daemon(settings, once=once, reload=lambda: load(*find(root, config), flags))
    code = daemon.run()
    if once:
        for job, why in daemon.waiting:
            say(f"waits: {job.name}: {why}")
        for path, why in daemon.unreadable.items():
            say(f"not read: {path}: {why}")
    return code


def tree_when_there(root: Path | None, config: Path | None, flags: dict[str, Any]) -> tuple[Config, Layout] | None:
    """The settings and the layout of the tree that is named, once its share is mounted; None when told to stop.

    Raises:
        NoTree: the folder is not there at the start, or holds something else.
    """
    named = root or Path(os.environ[f"{ENVIRONMENT_PREFIX}ROOT"])
    if not named.exists():
        raise NoTree(f"{named} is not there. Is the name right, and its share mounted? A new tree: clipd init {named}")
    log.start(log.Settings())
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    told = ""
    while not stopped.is_set():
        try:
            settings, layout = tree(root, config, flags)
            require_same_share(layout)
        except (NoTree, Temporary) as error:
            if isinstance(error, NoTree) and _holds_something(named):
                raise
            if str(error) != told:
                told = str(error)
                logger.warning("waiting for the share: {}", told)
            notify(f"READY=1\nWATCHDOG=1\nSTATUS=waiting for the share: {told}")
            stopped.wait(LOOK_SECONDS)
        else:
            if told:
                logger.info("the share is there: {}", layout.root)
            return settings, layout
    return None


def _holds_something(folder: Path) -> bool:
    """Is this a folder with anything in it? The place where a share will be mounted is empty, or not there."""
    try:
        return any(folder.iterdir())
    except OSError:
        return False


def formats_of(formats: str | None, cv_optimized: bool, both_formats: bool) -> list[str] | None:
    """The formats that the flags name; None when they name none."""
    if sum((formats is not None, cv_optimized, both_formats)) > 1:
        raise ConfigError("give one of --formats, --cv-optimized and --both-formats")
    if both_formats:
        return ["h264", "ffv1"]
    if cv_optimized:
        return ["ffv1"]
    return names_of(formats)


def names_of(words: str | None) -> list[str] | None:
    """`a,b` as a list."""
    return None if words is None else [word.strip() for word in words.split(",") if word.strip()]


def flags_of(
    *,
    interval: float | None,
    cameras: list[str] | None,
    formats: list[str] | None,
    max_workers: int | None,
    batch_size: int | None,
    multi_crop: bool,
    crop_variations: str | None,
    wide_crop_factor: float | None,
    crop_camera_types: str | None,
    exclude_crop_camera_types: str | None,
) -> dict[str, Any]:
    """The flags that were given, nested like the settings file."""
    variations = {
        "enabled": True if multi_crop else None,
        "variations": names_of(crop_variations),
        "wide_factor": wide_crop_factor,
        "camera_types": names_of(crop_camera_types),
        "exclude_camera_types": names_of(exclude_crop_camera_types),
    }
    nested = {
        "cameras": cameras or None,
        "watch": {"interval_seconds": interval},
        "workers": {"max_workers": max_workers, "batch_size": batch_size},
        "clips": {"formats": formats, "variations": variations},
    }
    return _given(nested)


def _given(flags: dict[str, Any]) -> dict[str, Any]:
    cleaned = {key: _given(value) if isinstance(value, dict) else value for key, value in flags.items()}
    return {key: value for key, value in cleaned.items() if value is not None and value != {}}


def show_plan(settings: Config, layout: Layout) -> int:
    """Print what a pass would do; the exit code."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("clip", "frames", "size", "about", "from", "to"):
        table.add_column(
            heading, overflow="fold", justify="right" if heading in ("frames", "size", "about") else "left"
        )
    made, skipped, total = 0, [], 0
    for step in plan(
        layout, settings.watch.ignore, settings.cameras, settings.clips, settings.media, settings.cache_folder
    ):
        if isinstance(step, Skipped):
            skipped.append(step)
            continue
        made, total = made + 1, total + step.size_bytes
        table.add_row(*(_cell(value) for value in _row(step)))
    if made:
        out.print(table)
    for step in skipped:
        say(f"skipped: {step.what}: {step.why}", style="yellow")
    say(f"{counted(made, 'file')} would be made, about {ByteSize(total).human_readable()}; {len(skipped)} skipped")
    return 0


def _row(step: Planned) -> tuple[str, ...]:
    span = f"{step.frames} ({step.first_frame}-{step.last_frame})"
    output = f"{step.output} (one is there already)" if step.replaces else step.output
    if step.processor is not None:
        output = f"{step.output}... (by {step.processor})"
    size = ByteSize(step.size_bytes).human_readable()
    return step.clip, span, f"{step.width}x{step.height}", size, step.source, output


def _cell(text: str) -> str:
    from rich.markup import escape

    from clipd.log import plain

    return escape(plain(text))
