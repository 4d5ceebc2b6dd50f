"""Links in the inbox: `*.url` (an internet shortcut), `*.txt` (an address a line) and `*.json` (one link or a list).

Every link of a file is a job of its own, known by what it says; `inbox/links/<camera>/<session>/` places what says
nothing of its camera. The answer file beside says how each of them stands, and the file moves when all are answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clipd.errors import Rejected
from clipd.files import atomic, jsontext
from clipd.files.document import decode
from clipd.model.job import job_id
from clipd.tree.layout import ANSWER_SUFFIX, Layout
from clipd.tree.request import read_answer, write_answer

KIND = "link"
LIMIT_BYTES = 1 << 20
MOST = 100
"""Links in one file; more are refused: whoever answers one of them looks at them all."""
SUFFIXES = (".url", ".txt", ".json")


@dataclass(frozen=True)
class LinkEntry:
    """One link as it stands in its file."""

    content: Mapping[str, Any]
    """Its keys and values; empty where it cannot be read."""
    fault: str = ""
    """Why it is no link."""

    @property
    def key(self) -> str:
        """Tells it from the other links of the file: 16 hex digits over what it says."""
        text = json.dumps([self.content, self.fault], sort_keys=True, default=str)
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]

    def job(self, origin: str) -> str:
        """The id of its job."""
        return job_id(KIND, origin, self.key)

    @property
    def url(self) -> str:
        """Its address as it is written, for people."""
        return str(self.content.get("url", ""))


def is_link_file(name: str) -> bool:
    """Is `name` the file name of links, and not of an answer?"""
    return name.lower().endswith(SUFFIXES) and not name.endswith(ANSWER_SUFFIX)


def parse(data: bytes, layout: Layout, path: Path) -> tuple[LinkEntry, ...]:
    """The links in `data`, the content of the file at `path`, each once; one with a fault where it cannot be read."""
    folders = path.relative_to(layout.inbox_of("links")).parts[:-1]
    place = {"camera": folders[0], "session": "/".join(folders[1:])} if folders else {}
    around = {key: value for key, value in place.items() if value}
    try:
        found = list(_found(data, path.suffix.lower()))
        if not found:
            raise Rejected("there is no link in it; write https://example.org/match.mp4")
        if len(found) > MOST:
            raise Rejected(f"it holds {len(found)} links; at most {MOST} are taken from one file")
    except Rejected as error:
        return (unreadable(str(error)),)
    entries = (LinkEntry({**around, **one}) if isinstance(one, Mapping) else unreadable(one) for one in found)
    return tuple({entry.key: entry for entry in entries}.values())


def unreadable(fault: str) -> LinkEntry:
    """What stands for a link, or a whole file, that cannot be read."""
    return LinkEntry({}, fault)


def read_note(layout: Layout, job: str) -> dict[str, Any]:
    """What was answered to a link, while others of its file are not: its line of the answer; nothing where none was."""
    line = read_answer(layout.link_note(job)).get("line")
    return line if isinstance(line, dict) else {}


def write_note(layout: Layout, origin: str, job: str, line: Mapping[str, Any]) -> None:
    """Keep what is answered to a link of the file at `origin`. Raises what `atomic.write` raises."""
    path = layout.link_note(job)
    atomic.make_folder(path.parent, layout.state)
    write_answer(path, {"origin": origin, "line": line})


def orphans(layout: Layout) -> Iterator[str]:
    """The jobs with a note whose link was taken out of its file, or whose file is gone. Raises `Temporary`."""
    folder = layout.link_notes
    with atomic.translated(f"listing {folder}"):
        notes = sorted(folder.glob("*.json")) if folder.is_dir() else []
    for note in notes:
        origin = str(read_answer(note).get("origin", ""))
        if note.stem not in {entry.job(origin) for entry in entries(layout, layout.at(origin))}:
            yield note.stem


def entries(layout: Layout, path: Path) -> tuple[LinkEntry, ...]:
    """The links of the file at `path`; none when it is gone."""
    try:
        return parse(atomic.read_regular(path, LIMIT_BYTES)[0], layout, path)
    except atomic.Missing:
        return ()
    except Rejected as error:
        return (unreadable(str(error)),)


def is_answered(layout: Layout, job: str) -> bool:
    """Is the answer to this link complete?"""
    return read_note(layout, job).get("completed_at") is not None


def _found(data: bytes, suffix: str) -> Iterator[Mapping[str, Any] | str]:
    """The keys and values of each link, or what is wrong with it."""
    if suffix == ".json":
        content = jsontext.load(data, LIMIT_BYTES)
        for number, one in enumerate(content if isinstance(content, list) else [content], 1):
            if isinstance(one, Mapping):
                yield one
            else:
                yield f'link {number}: write an object such as {{"url": "https://example.org/match.mp4"}}'
        return
    lines = [line.strip() for line in decode(data, LIMIT_BYTES)[1].splitlines()]
    if suffix == ".url":
        yield from _shortcut(lines)
    else:
        yield from ({"url": line} for line in lines if line and not line.startswith("#"))


def _shortcut(lines: list[str]) -> Iterator[Mapping[str, Any]]:
    """The address of an internet shortcut, as Windows and browsers write it."""
    section = ""
    for line in lines:
        if line.startswith("["):
            section = line.casefold()
        key, equals, value = line.partition("=")
        if section == "[internetshortcut]" and equals and key.strip().casefold() == "url":
            yield {"url": value.strip()}
            return
