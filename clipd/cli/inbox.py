"""Requests by hand: a file dropped into the inbox, and its answer, waited for if wanted."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from clipd.cli.app import err, say
from clipd.errors import Temporary
from clipd.files import atomic
from clipd.files.atomic import create
from clipd.log import plain
from clipd.tree import request as requests
from clipd.tree.layout import Layout

LOOK_SECONDS = 0.1


def drop(layout: Layout, inbox: str, name: str, content: Mapping[str, Any]) -> Path:
    """Write a request as `<name>.json` into a folder of the inbox, whole or not at all, under a name that is free.

    Raises:
        Temporary, Deferred: it cannot be written now.
    """
    folder = layout.inbox_of(inbox)
    with atomic.translated(f"making {folder}"):
        folder.mkdir(parents=True, exist_ok=True)
    data = (json.dumps({key: value for key, value in content.items() if value is not None}, indent=2) + "\n").encode()
    for number in range(1, 1000):
        path = folder / (f"{name}.json" if number == 1 else f"{name}-{number}.json")
        is_free = not layout.answer(path).exists() and not requests.descriptions(folder, path.stem)
        if is_free and create(path, data):
            return path
    raise Temporary(f"{folder} holds a thousand requests of the name {name!r}; empty it")


def answered(layout: Layout, request: Path, seconds: float | None) -> dict[str, Any]:
    """Wait for the final answer to `request`, for at most `seconds` (None: as long as it takes); say how it stands.

    Raises:
        Temporary: it took longer.
    """
    file, deadline = layout.answer(request), None if seconds is None else time.monotonic() + seconds
    with err.status("pending") as line:
        while True:
            answer = requests.read_answer(file)
            if answer.get("completed_at"):
                return answer
            told = f"{answer.get('status', 'pending')} {answer.get('message', '')}".strip()
            line.update(plain(told))
            if deadline is not None and time.monotonic() >= deadline:
                raise Temporary(f"no answer within {seconds:g} s; it stands as: {told} (is clipd run at work?)")
            time.sleep(LOOK_SECONDS)


def tell(answer: Mapping[str, Any]) -> None:
    """Print an answer, and exit with 1 where it is a failure."""
    failed = answer.get("status") == "failed"
    say(f"{answer.get('status')}: {answer.get('path') or answer.get('message')}", style="red" if failed else "green")
    if answer.get("path") and answer.get("message"):
        say(f"note: {answer['message']}")
    if failed:
        raise typer.Exit(1)
