"""What was finished lately, on all machines: a JSON object a line, appended by each machine to a file of its own.

It is what the status page draws its chart and its recent results from, so that they survive a restart. Nothing depends
on it: what cannot be read is passed over, what cannot be written is lost, and files older than `KEPT_HOURS` go.
"""

from __future__ import annotations

import json
import os
from collections import Counter, deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import Literal

from pydantic import TypeAdapter

from clipd.delivery.publish import FOLDER_SHEET
from clipd.errors import ClipdError
from clipd.files import atomic
from clipd.model.outcome import Verdict
from clipd.tree.layout import Layout

KEPT_HOURS = 48
SLOT_SECONDS = 600
"""The grain of the counts: ten minutes."""
RECENT = 60
"""How many finished clips are remembered one by one."""
PRODUCTS = 8
"""How many videos of one clip are remembered."""
WORDS_CHARACTERS = 300
LINE_BYTES = 32_768
READ_BYTES = 32 << 20
"""How much of one file is read at most, from its end."""
DAY = "%Y%m%d"


@dataclass(frozen=True)
class Product:
    """A published video and what lies beside it, as paths relative to the root; "" where there is none."""

    video: str
    thumbnail: str = ""
    sheet: str = ""


@dataclass(frozen=True)
class Ending:
    """A clip that was completed, or given up on."""

    at: str
    job: str
    clip: str
    """`<video> / <clip>`."""
    camera: str
    host: str
    verdict: Literal[Verdict.COMPLETE, Verdict.FAILED]
    seconds: float | None = None
    """How long the attempt took."""
    products: tuple[Product, ...] = ()
    notes: int = 0
    """How many warnings its truth sheet holds."""
    words: str = ""


def products(layout: Layout, videos: Iterable[str]) -> tuple[Product, ...]:
    """The published `videos` with what lies beside each; at most `PRODUCTS`."""
    return tuple(_product(layout, video) for video in islice(videos, PRODUCTS))


def _product(layout: Layout, video: str) -> Product:
    path = layout.root / video
    thumbnail, sheet = path.with_suffix(".jpg"), path.with_suffix(".json")
    if not sheet.is_file():
        sheet = path.with_name(FOLDER_SHEET)
    return Product(
        video,
        layout.relative(thumbnail) if thumbnail.is_file() else "",
        layout.relative(sheet) if sheet.is_file() else "",
    )


@dataclass
class History:
    """The memory of what all machines finished; it follows their files as they grow."""

    layout: Layout
    host: str
    _slots: Counter[tuple[int, str]] = field(default_factory=Counter)
    _recent: dict[str, Ending] = field(default_factory=dict)
    """By job, so that a clip that ran again is shown once."""
    _read_to: dict[str, int] = field(default_factory=dict)
    _unwritten: deque[Ending] = field(default_factory=lambda: deque(maxlen=1000))
    _appended: set[Path] = field(default_factory=set)

    def add(self, ending: Ending) -> None:
        """Write `ending` down; when the share cannot be written just now, at the next `add` or `refresh`."""
        self._unwritten.append(ending)
        self._write()

    def refresh(self, now: datetime) -> None:
        """Read what was added since the last call, by anybody, and let go of what is too old."""
        self._write()
        oldest = (now - timedelta(hours=KEPT_HOURS)).strftime(DAY)
        for path in self._files():
            if path.name.rsplit(".", 2)[1] < oldest:
                self._read_to.pop(path.name, None)
                with suppress(OSError):
                    path.unlink()
            else:
                self._follow(path)
        first = int(now.timestamp() - KEPT_HOURS * 3600) // SLOT_SECONDS
        for key in [key for key in self._slots if key[0] < first]:
            del self._slots[key]
        for ending in sorted(self._recent.values(), key=lambda ending: ending.at)[:-RECENT]:
            del self._recent[ending.job]

    def recent(self, verdict: Verdict, count: int) -> tuple[Ending, ...]:
        """The last clips that ended with `verdict`, the newest first."""
        found = [ending for ending in self._recent.values() if ending.verdict == verdict]
        return tuple(sorted(found, key=lambda ending: ending.at, reverse=True)[:count])

    def per_hour(self, now: datetime, hours: int = 24) -> tuple[tuple[int, int], ...]:
        """(completed, failed) for each of the last `hours` hours, the oldest first; the last one ends now."""
        end = int(now.timestamp()) // SLOT_SECONDS + 1
        each = 3600 // SLOT_SECONDS
        bars = []
        for hour in range(hours, 0, -1):
            slots = range(end - hour * each, end - (hour - 1) * each)
            bars.append(
                (
                    sum(self._slots[slot, Verdict.COMPLETE] for slot in slots),
                    sum(self._slots[slot, Verdict.FAILED] for slot in slots),
                )
            )
        return tuple(bars)

    def _files(self) -> list[Path]:
        try:
            found = sorted(self.layout.histories.iterdir())
        except OSError:
            return []
        return [path for path in found if path.name.endswith(".jsonl") and path.name.count(".") >= 2]

    def _write(self) -> None:
        while self._unwritten:
            ending = self._unwritten[0]
            path = self.layout.history(self.host, ending.at[:10].replace("-", ""))
            line = (
                json.dumps(asdict(ending), separators=(",", ":"), ensure_ascii=False).encode("utf-8", "replace") + b"\n"
            )
            # A line that a power cut tore must not swallow the next one.
            line = line if path in self._appended else b"\n" + line
            try:
                atomic.make_folder(path.parent, self.layout.state)
                flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
                descriptor = os.open(path, flags, 0o666)
                try:
                    os.write(descriptor, line)
                finally:
                    os.close(descriptor)
            except (OSError, ClipdError):
                return
            self._appended.add(path)
            self._unwritten.popleft()

    def _follow(self, path: Path) -> None:
        begin = self._read_to.get(path.name, 0)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with os.fdopen(descriptor, "rb") as file:
                size = os.fstat(descriptor).st_size
                if size == begin:
                    return
                begin = 0 if size < begin else begin
                skips = max(0, size - begin - READ_BYTES)
                file.seek(begin + skips)
                data = file.read(READ_BYTES)
        except OSError:
            return
        whole = data.rfind(b"\n") + 1
        self._read_to[path.name] = begin + skips + whole
        for line in data[:whole].split(b"\n"):
            if line and (ending := _ending(line)) is not None:
                self._take(ending)

    def _take(self, ending: Ending) -> None:
        self._slots[int(_seconds(ending.at)) // SLOT_SECONDS, ending.verdict] += 1
        known = self._recent.get(ending.job)
        if known is None or known.at <= ending.at:
            self._recent[ending.job] = ending
        if len(self._recent) > 4 * RECENT:
            oldest = sorted(self._recent.values(), key=lambda ending: ending.at)[: -2 * RECENT]
            for old in oldest:
                del self._recent[old.job]


def _ending(line: bytes) -> Ending | None:
    """The line as an `Ending`; None when it is none (whoever can write to the share can write here)."""
    if len(line) > LINE_BYTES:
        return None
    try:
        ending = _LINE.validate_json(line)
        _seconds(ending.at)
    except (ValueError, OverflowError):
        return None
    return ending


def _seconds(at: str) -> float:
    moment = datetime.fromisoformat(at)
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


_LINE = TypeAdapter(Ending)
