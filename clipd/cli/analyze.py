"""Analyses by hand: `analyze` and `explain`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from clipd.cli.app import ConfigFile, app, counted, err, out, say, tree
from clipd.clock import SystemClock
from clipd.config import Config
from clipd.delivery.suggesting import add_suggestions, remember
from clipd.errors import ConfigError, Rejected, Temporary
from clipd.files import atomic
from clipd.jobs import analysis
from clipd.jobs.analysis import Analysis, Checkpoint, Settings, measure
from clipd.model.timespan import parse_seconds
from clipd.segmentation import debug
from clipd.segmentation.explain import explain as explained
from clipd.segmentation.scenes import DEFAULT, DETECTORS
from clipd.segmentation.settings import with_overrides
from clipd.tree.layout import MARKER_NAME, Layout
from clipd.tree.marker import require_same_share

Video = Annotated[Path, typer.Argument(metavar="VIDEO", help="A video file, in a tree or anywhere.")]
Mode = Annotated[str | None, typer.Option(help="v2 finds highlights, v1 cuts into scenes.", metavar="v1|v2")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="A setting of `segmentation`; may be given again."),
]


@app.command()
def analyze(
    video: Video,
    mode: Mode = None,
    output_dir: Annotated[
        Path | None, typer.Option("-o", "--output-dir", metavar="DIR", help="Else ./<video>_analysis.")
    ] = None,
    set_: Set = None,
    into_sidecar: Annotated[
        bool, typer.Option("--into-sidecar", help="Add what is new to the video's sidecar, in its tree.")
    ] = False,
    config: ConfigFile = None,
) -> None:
    """Find the moments of a video worth keeping, with a report page to look at."""
    settings, layout = _tree_of(video, config)
    chosen = _chosen(settings.segmentation, mode, set_)
    if into_sidecar and (layout is None or not video.absolute().is_relative_to(layout.source)):
        raise Rejected(f"{video} lies in no source tree, so it has no sidecar; leave --into-sidecar out")
    folder = output_dir or Path(f"{video.stem}_analysis")
    with _progress() as checkpoint:
        found = _analysed(video, chosen, settings, checkpoint)
        name = video.absolute().relative_to(layout.source).as_posix() if into_sidecar and layout else video.name
        clips = analysis.entries(found, name, datetime.now(UTC))
        written = analysis.write(found, video.name, clips, lambda path: _placed(folder, path), checkpoint)
    for warning in found.warnings:
        say(f"note: {warning}")
    for file in written:
        if file.format != "jpg":
            say(f"wrote {file.path}")
    say(f"{counted(len(clips), 'clip')} of {found.features.duration_seconds:.1f} s", style="bold")
    if into_sidecar and layout is not None:
        _into_sidecar(video.absolute(), clips, settings, layout)


@app.command()
def explain(
    video: Annotated[Path, typer.Argument(metavar="VIDEO", help="A video, or the debug file of an analysis.")],
    time: Annotated[str, typer.Argument(metavar="TIME", help="Seconds or HH:MM:SS.mmm from the first picture.")],
    mode: Mode = None,
    set_: Set = None,
    config: ConfigFile = None,
) -> None:
    """Say in a sentence why a moment of a video was kept or not."""
    try:
        seconds = float(parse_seconds(time))
    except ValueError as error:
        raise ConfigError(f"{time!r} is no time: {error}") from error
    if video.suffix == ".json":
        document = debug.read(atomic.read_regular(video, 64 << 20)[0].decode("utf-8", "replace"))
    else:
        settings, _ = _tree_of(video, config)
        with _progress() as checkpoint:
            chosen = _chosen(settings.segmentation, mode, set_)
            document = _analysed(video, chosen, settings, checkpoint).found.document
    say(explained(document, seconds))


@app.command()
def cuts(
    video: Video,
    detector: Annotated[str, typer.Option(help=f"Of {', '.join(DETECTORS)}.", metavar="NAME")] = DEFAULT,
    set_: Set = None,
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    config: ConfigFile = None,
) -> None:
    """List where the shots of a video change: the first frame of each new shot, its time, and how it begins."""
    settings, _ = _tree_of(video, config)
    chosen = _chosen(settings.segmentation, None, [*(set_ or ()), f"survey.scenes.detectors={detector}"])
    with _progress() as checkpoint:
        found = measure(_there(video), chosen, settings.media, settings.cache_folder, 0, checkpoint)
    listed = [cut for cut in found.cuts if cut.detector == detector]
    if as_json:
        out.print_json(json.dumps([asdict(cut) for cut in listed]))
        return
    for cut in listed:
        say(f"{cut.frame:>8}  {cut.seconds:>10.3f} s  {cut.kind:<8}  {cut.score:.2f}")
    say(f"{counted(len(listed), 'cut')} in {found.duration_seconds:.1f} s by {detector}", style="bold")


def _analysed(video: Path, chosen: Settings, settings: Config, checkpoint: Checkpoint) -> Analysis:
    return analysis.analyse(_there(video), chosen, settings.media, settings.cache_folder, 0, checkpoint)


def _there(video: Path) -> Path:
    if not video.is_file():
        raise Rejected(f"{video} is not there, or is no file")
    return video.absolute()


def _chosen(settings: Settings, mode: str | None, pairs: list[str] | None) -> Settings:
    overrides = {} if mode is None else {"mode": mode}
    for pair in pairs or ():
        if not (match := re.fullmatch(r"([\w.]+)=(.*)", pair, re.DOTALL)):
            raise ConfigError(f"--set {pair!r}: write --set key=value, such as --set windows.min_seconds=4")
        overrides[match[1]] = match[2]
    return with_overrides(settings, overrides)


def _tree_of(video: Path, config: Path | None) -> tuple[Config, Layout | None]:
    """The settings and the tree that `video` lies in; the defaults where it lies in none."""
    root = next((folder for folder in video.absolute().parents if (folder / MARKER_NAME).exists()), None)
    if root is None and config is None:
        return Config(), None
    settings, layout = tree(root, config)
    return settings, layout


def _placed(folder: Path, name: str) -> Path:
    path = folder / name
    with atomic.translated(f"making {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    return path


def _into_sidecar(video: Path, clips: list[dict[str, object]], settings: Config, layout: Layout) -> None:
    require_same_share(layout)
    sidecar = layout.sidecar_of(layout.source_place(video))
    with atomic.translated(f"making {sidecar.parent}"):
        sidecar.parent.mkdir(parents=True, exist_ok=True)
    if atomic.create(sidecar, (json.dumps(clips, indent=2, ensure_ascii=False) + "\n").encode()):
        remember(layout, sidecar, clips)
        say(f"wrote {layout.relative(sidecar)} with {len(clips)} clips")
        return
    written, fresh = add_suggestions(layout, sidecar, clips, settings.claims, SystemClock())
    if written.result == "gone":
        raise Temporary(f"{written.message}; nothing was added")
    words = f"; {written.message}" if written.result == "conflict" else ""
    say(f"{layout.relative(sidecar)}: {fresh} new of {len(clips)} clips added{words}")


@contextmanager
def _progress() -> Iterator[Checkpoint]:
    """A bar for the stage under way, with its speed and the time left."""
    speed = TaskProgressColumn(show_speed=True)
    with Progress(
        TextColumn("{task.description}"), BarColumn(), speed, TimeRemainingColumn(), console=err, transient=True
    ) as bar:
        task = bar.add_task("", total=None)
        stage = ""

        def checkpoint(name: str, done: int, total: int) -> None:
            nonlocal stage
            if name != stage:
                stage = name
                bar.reset(task, description=name, total=total or None)
            bar.update(task, completed=done, total=total or None)

        yield checkpoint
