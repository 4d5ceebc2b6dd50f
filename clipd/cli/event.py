"""`clipd event`: ask for the clip of an event, from a video or from pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from clipd.cli import inbox
from clipd.cli.app import ConfigFile, Root, app, say, tree
from clipd.errors import Rejected
from clipd.jobs.event import understood
from clipd.jobs.naming import file_stem
from clipd.tree.layout import Layout
from clipd.tree.marker import require_same_share


@app.command()
def event(
    event_id: Annotated[str, typer.Argument(metavar="EVENT_ID", help="Its name; becomes <EVENT_ID>_clip.mp4.")],
    video: Annotated[Path | None, typer.Option(help="The video, in the tree.", metavar="PATH")] = None,
    start: Annotated[str | None, typer.Option(help="When it begins: seconds or HH:MM:SS.mmm.", metavar="TIME")] = None,
    end: Annotated[str | None, typer.Option(help="When it ends.", metavar="TIME")] = None,
    pre: Annotated[float | None, typer.Option(help="Seconds to show before it.", metavar="S")] = None,
    post: Annotated[float | None, typer.Option(help="Seconds to show after it.", metavar="S")] = None,
    image: Annotated[list[Path] | None, typer.Option(help="A picture in the tree; again for more.")] = None,
    fps: Annotated[float | None, typer.Option(help="Pictures a second.", metavar="N")] = None,
    gif: Annotated[bool, typer.Option("--gif", help="A GIF instead of H.264, from pictures.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Make it again, though it is there.")] = False,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the answer.")] = False,
    root: Root = None,
    config: ConfigFile = None,
) -> None:
    """Ask for the clip of an event in a video, or in a row of pictures."""
    _, layout = tree(root, config)
    require_same_share(layout)
    content: dict[str, Any] = {
        "event_id": event_id,
        "video_path": None if video is None else _written(layout, video),
        "start": start,
        "end": end,
        "pre_seconds": pre,
        "post_seconds": post,
        "image_paths": [_written(layout, path) for path in image] if image else None,
        "fps": fps,
        "output_format": "gif" if gif else None,
        "force": force or None,
    }
    understood(content)
    path = inbox.drop(layout, "events", file_stem(event_id), content)
    say(f"wrote {layout.relative(path)}")
    if wait:
        inbox.tell(inbox.answered(layout, path, None))


def _written(layout: Layout, path: Path) -> str:
    """`path`, as seen from here or from the tree, as a request names it."""
    here = path.absolute()
    if here.exists() and not here.is_relative_to(layout.root):
        raise Rejected(f"{path} does not lie in the tree {layout.root}; put it there first")
    return layout.relative(here) if here.exists() else path.as_posix()
