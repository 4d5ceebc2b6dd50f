"""The status page: one HTML file on the share that needs nothing else, with `status.json` and `metrics.prom` beside it.

Whichever daemon wrote last is what people see; each writes the whole tree and all machines. Text from outside is
escaped, and stripped of what could turn or hide other text; links lead to files of the tree and nowhere else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pydantic import ByteSize, TypeAdapter, ValidationError

from clipd.errors import Rejected
from clipd.files import atomic
from clipd.html import Templates
from clipd.model.setting import Section, setting
from clipd.report import metrics
from clipd.report.history import Product
from clipd.report.snapshot import Hour, Snapshot
from clipd.tree.layout import Layout

COST_SHARE = 20
"""Writing takes at most a twentieth of the time: where a tree is so large that it takes long, it rests."""
STALE_SECONDS = 60.0
"""A page that was not written for this long says so, where the browser runs its script."""
LIMIT_BYTES = 1 << 26
CHART_WIDTH, CHART_HEIGHT = 480, 96
"""The chart's own units; it is drawn as wide as there is room."""


class Settings(Section):
    """The status page, `status.json` and the metrics."""

    enabled: bool = setting(True, "Write status/index.html, status.json and metrics.prom into the state folder.")
    every_seconds: float = setting(
        2.0, "How often they are written at most, while clips are worked on or something changes.", unit="s", gt=0
    )
    at_least_seconds: float = setting(
        20.0, "How often they are written at least, so that it shows that clipd is alive.", unit="s", gt=0
    )
    reload_seconds: int = setting(5, "How often an open page loads itself again.", unit="s", ge=1)
    results: int = setting(24, "How many finished clips the page shows.", unit="clips", ge=0, le=60)
    metrics_port: int | None = setting(
        None,
        "Serve the metrics on this port of this machine (127.0.0.1); null for not. Taken at start.",
        gt=0,
        lt=65536,
    )


class Pages:
    """Writes the three files when it is time to; remembers the last snapshot for whoever asks over HTTP."""

    def __init__(self, layout: Layout, settings: Settings) -> None:
        self.layout, self.settings = layout, settings
        self.latest: Snapshot | None = None
        self._token: object = None
        self._written_at = float("-inf")
        self._cost_seconds = 0.0

    def due(self, now: float, token: object, *, busy: bool) -> bool:
        """Is it time to write? `token` differs from the last one when something changed; `now` is monotonic."""
        if not self.settings.enabled and self.settings.metrics_port is None:
            return False
        wait = self.settings.every_seconds if busy or token != self._token else self.settings.at_least_seconds
        return now - self._written_at >= max(wait, COST_SHARE * self._cost_seconds)

    def write(self, snapshot: Snapshot) -> None:
        """Write the three files, each whole. Raises what `atomic.write` raises."""
        self.latest = snapshot
        if not self.settings.enabled:
            return
        for path, content in (
            (self.layout.status_page, page(snapshot, self.layout, self.settings)),
            (self.layout.status_data, data(snapshot)),
            (self.layout.metrics, metrics.text(snapshot)),
        ):
            atomic.make_folder(path.parent, self.layout.state)
            atomic.write(path, content, durable=False)

    def written(self, began: float, now: float, token: object) -> None:
        """Looking and writing took from `began` until `now`, and showed what `token` stands for."""
        is_first = self._written_at == float("-inf")  # the templates are compiled then, and never again
        self._cost_seconds = 0.0 if is_first else now - began
        self._written_at, self._token = now, token


def draw_again(layout: Layout, settings: Settings) -> None:
    """Draw the page anew from what `status.json` tells, so that it shows and links no file that is gone by now.

    Where there is no page, or it is of another version, nothing is done. Raises what `atomic.write` raises.
    """
    if not settings.enabled or not layout.status_page.exists():
        return
    try:
        snapshot = _SNAPSHOT.validate_json(atomic.read_regular(layout.status_data, LIMIT_BYTES)[0])
    except (atomic.Missing, Rejected, ValidationError):
        return
    atomic.write(layout.status_page, page(snapshot, layout, settings), durable=False)


def data(snapshot: Snapshot) -> bytes:
    """`status.json`."""
    # Without `indent`: with it the standard library encodes in Python, which takes an idle daemon's most time.
    return json.dumps(_SNAPSHOT.dump_python(snapshot)).encode() + b"\n"


_SNAPSHOT = TypeAdapter(Snapshot)


def page(snapshot: Snapshot, layout: Layout, settings: Settings) -> bytes:
    """`status/index.html`. Raises `Temporary` when its template does not fit (an upgrade is under way, say)."""
    templates = _templates()
    script = templates.script("status.js.j2")
    text = templates.page(
        "status.html.j2",
        s=snapshot,
        reload_seconds=settings.reload_seconds,
        stale_seconds=max(STALE_SECONDS, 4 * settings.at_least_seconds),
        link=lambda path: link(layout, path),
        results=_results(layout, snapshot),
        bars=bars(snapshot.last_24_hours),
        chart=(CHART_WIDTH, CHART_HEIGHT),
        script=script.text,
        script_digest=script.digest,
    )
    return text.encode("utf-8", "replace")


def link(layout: Layout, path: str) -> str:
    """A relative URL from the page to `path` (relative to the root); "" for what leads out of the tree."""
    target = Path(os.path.normpath(layout.root / path))
    if not path or not any(target.is_relative_to(os.path.normpath(home)) for home in (layout.root, layout.outputs)):
        return ""
    relative = Path(os.path.relpath(target, os.path.normpath(layout.status_page.parent)))
    return "/".join(quote(os.fsencode(part), safe="") for part in relative.parts)


def bars(hours: Sequence[Hour]) -> list[dict[str, Any]]:
    """The rectangles of the chart: for each hour the completed clips, and the failed ones on top of them."""
    most = max(1, *(hour.complete + hour.failed for hour in hours))
    step = CHART_WIDTH / len(hours)
    found = []
    for number, hour in enumerate(hours):
        complete = CHART_HEIGHT * hour.complete / most
        failed = CHART_HEIGHT * hour.failed / most
        if hour.failed:
            failed = max(failed, 3.0)  # a single failure among hundreds must be seen
            complete = min(complete, CHART_HEIGHT - failed)
        found.append(
            {
                "x": round(number * step + 1, 1),
                "width": round(step - 2, 1),
                "complete": round(complete, 1),
                "failed": round(failed, 1),
                "hour": hour,
                "total": hour.complete + hour.failed,
                "ago": len(hours) - number,
            }
        )
    return found


def _results(layout: Layout, snapshot: Snapshot) -> list[dict[str, Any]]:
    found = []
    for ending in snapshot.recent:
        products = [product for product in ending.products if (layout.root / product.video).is_file()]
        picture = next((p.thumbnail for p in products if p.thumbnail and (layout.root / p.thumbnail).is_file()), "")
        found.append(
            {
                "ending": ending,
                "gone": bool(ending.products) and not products,
                "first": link(layout, products[0].video) if products else "",
                "thumbnail": link(layout, picture),
                "files": [(_label(product, products), link(layout, product.video), product) for product in products],
                "sheets": [link(layout, p.sheet) for p in products if p.sheet and (layout.root / p.sheet).is_file()],
            }
        )
    return found


def _label(product: Product, products: Sequence[Product]) -> str:
    """`MP4`, or the file's name where several end alike; pages are called reports."""
    suffix = Path(product.video).suffix
    if suffix == ".html":
        return "report"
    alike = sum(Path(other.video).suffix == suffix for other in products) > 1
    return Path(product.video).name if alike or not suffix else suffix[1:].upper()


@cache
def _templates() -> Templates:
    return Templates(
        "clipd.report",
        "status page",
        duration=duration,
        bytes=lambda size: ByteSize(size).human_readable(separator=" "),
    )


def duration(seconds: float) -> str:
    """`8 s`, `3 min`, `2 h 5 min`, `4 days`."""
    if seconds < 1:
        return f"{seconds:.1f} s"
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 90:
        return f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    if hours < 48:
        return f"{hours} h {minutes} min" if minutes and hours < 10 else f"{hours} h"
    return f"{hours // 24} days"
