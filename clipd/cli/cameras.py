"""Recordings: `cameras` lists what there is, `request` asks for a moment."""

from __future__ import annotations

import json
import secrets
from contextlib import closing
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from clipd.cli.app import ConfigFile, Root, app, counted, out, say, tree
from clipd.clock import Clock, SystemClock
from clipd.errors import Rejected
from clipd.files import atomic
from clipd.jobs.request import asked, understand
from clipd.jobs.request_kind import open_index
from clipd.log import plain
from clipd.model.instant import Period, from_datetime, iso, parse_instant, to_datetime
from clipd.recordings.cameras import Summary, summaries
from clipd.recordings.index import Index
from clipd.report.health import read_healths
from clipd.report.protection import needed_recordings
from clipd.tree import record as records
from clipd.tree import request as requests
from clipd.tree.layout import Layout
from clipd.tree.marker import require_same_share

SHOWN_GAPS = 3
"""How many gaps of a camera the table names."""
LOOK_SECONDS = 0.2
"""How often --wait looks for the answer."""
UNITS = ("bytes", "kB", "MB", "GB", "TB")


@app.command()
def cameras(
    as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False,
    protected: Annotated[
        bool, typer.Option("--protected", help="Only the recordings that open requests need, one a line.")
    ] = False,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """List the cameras: first and last recording, gaps of today, size."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    clock = SystemClock()
    with closing(open_index(layout, settings.archive())) as index:
        if protected:
            for path in needed_recordings(layout, index, settings.requests, settings.watch.ignore, clock):
                print(path)
            return
        found = index.scan(clock.now().timestamp())
        listed = summaries(index, from_datetime(clock.now()))
        if as_json:
            out.print_json(json.dumps([_plain(index, summary) for summary in listed]))
            return
        _show(index, listed)
    if found.unnamed:
        words = f"{counted(found.unnamed, 'file')} whose names tell no time, such as {found.unnamed_examples[0]}"
        say(f"{words}; see recordings.templates", style="yellow")
    if not listed:
        say(f"no recordings in {layout.relative(layout.recordings)}", style="yellow")


@app.command()
def request(
    camera: Annotated[str, typer.Argument(metavar="CAMERA", help="Whose recordings; clipd cameras lists them.")],
    time: Annotated[str, typer.Argument(metavar="TIME", help="2026-01-31T14:30:15, or 14:30:15 for the last such.")],
    until: Annotated[
        str | None, typer.Option("--until", help="When the clip ends; TIME is its beginning then.")
    ] = None,
    pre: Annotated[float | None, typer.Option("--pre", help="Seconds before TIME.")] = None,
    post: Annotated[float | None, typer.Option("--post", help="Seconds after TIME.")] = None,
    duration: Annotated[float | None, typer.Option("--duration", help="Seconds in all.")] = None,
    clip_id: Annotated[str | None, typer.Option("--id", help="A name of your own for the clip.")] = None,
    delivery: Annotated[str | None, typer.Option("--delivery", help="auto, copy or exact.")] = None,
    gap: Annotated[str | None, typer.Option("--gap", help="collapse, black or fail.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Make it again though it was made.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the answer, and show how it stands.")] = False,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Ask for a moment from a camera's recordings."""
    settings, layout = tree(root, config)
    require_same_share(layout)
    clock = SystemClock()
    content: dict[str, Any] = {
        "camera_id": camera, "pre_seconds": pre, "post_seconds": post, "duration": duration, "clip_id": clip_id,
        "delivery": delivery, "gap": gap, "force": force or None, "source": "clipd request",
    }  # fmt: skip
    with closing(open_index(layout, settings.archive())) as index:
        index.scan(clock.now().timestamp())
        index.require_camera(camera)
        zone, now = index.zone(camera), from_datetime(clock.now())
        keys = {"timestamp": time} if until is None else {"start_time": time, "end_time": until}
        content |= {key: iso(parse_instant(word, zone, field=key, before=now), zone) for key, word in keys.items()}
        content = {key: value for key, value in content.items() if value is not None}
        wanted = asked(understand(content), settings.requests, zone, now)
    begin = to_datetime(wanted.period.start, zone)
    path = layout.inbox_of("requests") / f"{_fit(camera)}_{begin:%Y%m%d_%H%M%S}_{secrets.token_hex(3)}.json"
    with atomic.translated(f"making {path.parent}"):
        path.parent.mkdir(parents=True, exist_ok=True)
    atomic.create(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
    say(f"asked for {iso(wanted.period.start, zone)} to {iso(wanted.period.end, zone)}: {layout.relative(path)}")
    if not read_healths(layout):
        say("no daemon is running here; start one with: clipd run", style="yellow")
    if wait:
        raise typer.Exit(_wait(layout, path, clock))


def _fit(camera: str) -> str:
    return "".join(letter if letter.isalnum() or letter in "-_" else "-" for letter in camera)


def _wait(layout: Layout, path: Path, clock: Clock) -> int:
    """Show how the request stands until it is answered; 0 when there is a clip, 1 when there is none."""
    told = ""
    while True:
        answer = requests.read_answer(layout.answer(path))
        status = str(answer.get("status") or "not seen yet")
        if answer.get("completed_at") is not None:
            break
        if not path.exists() and not layout.answer(path).exists():
            raise Rejected(f"{layout.relative(path)} was removed before it was answered")
        words = ": ".join(word for word in (status, str(answer.get("message") or _progress(layout, answer))) if word)
        if words != told:
            say(words)
            told = words
        clock.sleep(LOOK_SECONDS)
    style = {"done": "green", "partial": "yellow"}.get(status, "red")
    say(f"{status}: {answer.get('message')}", style=style)
    if answer.get("path"):
        say(str(answer["path"]))
    return 1 if status == "failed" else 0


def _progress(layout: Layout, answer: dict[str, Any]) -> str:
    note = records.read_progress(layout, str(answer.get("job", "")))
    if note is None:
        return ""
    return f"{note.stage} {note.done / note.total:.0%}" if note.total else note.stage


def _show(index: Index, listed: list[Summary]) -> None:
    table = Table(box=None, padding=(0, 2, 0, 0))
    for name in ("camera", "first", "last", "files", "size", "gaps today"):
        table.add_column(name, justify="right" if name in ("files", "size") else "left", overflow="fold")
    for summary in listed:
        zone = index.zone(summary.camera)
        first, last = (f"{to_datetime(moment, zone):%Y-%m-%d %H:%M:%S}" for moment in (summary.first, summary.last))
        table.add_row(
            escape(plain(summary.camera)), first, last, str(summary.files), _size(summary.size),
            escape(_gap_words(index, summary)),
        )  # fmt: skip
    if table.row_count:
        out.print(table)


def _gap_words(index: Index, summary: Summary) -> str:
    if not summary.gaps:
        return "none"
    zone = index.zone(summary.camera)
    words = [
        f"{to_datetime(gap.start, zone):%H:%M:%S}-{to_datetime(gap.end, zone):%H:%M:%S}"
        for gap in summary.gaps[:SHOWN_GAPS]
    ]
    more = len(summary.gaps) - len(words)
    missing = sum((gap.seconds for gap in summary.gaps), Fraction(0))
    return ", ".join(words) + (f" and {more} more" if more else "") + f" ({_length(missing)})"


def _length(seconds: Fraction) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    return f"{whole // 60} min" if whole < 3600 else f"{whole // 3600} h {whole % 3600 // 60} min"


def _size(size: int) -> str:
    number, unit = float(size), UNITS[0]
    for unit in UNITS:  # noqa: B007 - the last one is used
        if number < 1000:
            break
        number /= 1000
    return f"{number:.0f} {unit}" if unit == UNITS[0] or number >= 100 else f"{number:.1f} {unit}"


def _plain(index: Index, summary: Summary) -> dict[str, Any]:
    zone = index.zone(summary.camera)

    def told(gap: Period) -> dict[str, Any]:
        return {"start_time": iso(gap.start, zone), "end_time": iso(gap.end, zone), "seconds": float(gap.seconds)}

    return {
        "camera_id": summary.camera,
        "first": iso(summary.first, zone),
        "last": iso(summary.last, zone),
        "files": summary.files,
        "size": summary.size,
        "gaps_today": [told(gap) for gap in summary.gaps],
    }
