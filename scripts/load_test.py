#!/usr/bin/env python3
"""Drop many requests for moments into the inbox of a tree, and tell how fast they were answered, and which errors came.

A daemon must serve the tree, and its cameras must have recordings. The moments are chosen at random between the first
and the last recording of each camera. What was made stays; the answers are read, and left where they are.
"""

from __future__ import annotations

import argparse
import json
import random
import secrets
import sys
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction
from pathlib import Path
from statistics import quantiles
from typing import Any

from clipd.config import Config, find, load
from clipd.errors import ClipdError, Rejected
from clipd.jobs.request_kind import open_index
from clipd.model.instant import iso
from clipd.tree import request as requests
from clipd.tree.layout import Layout

LOOK_SECONDS = 0.02
SHOWN_ERRORS = 5


@dataclass(frozen=True)
class Asked:
    """A request that was dropped, `at` seconds of the performance counter; its answer will be at `answer`."""

    camera: str
    answer: Path
    at: float


def main() -> int:
    """Ask, wait, print; 1 when a request failed or was not answered in time."""
    given = _arguments()
    try:
        config = load(*find(given.root, None))
        layout = Layout(config.root, config.directories)
        spans = _spans(config, layout, given.cameras)
    except ClipdError as error:
        sys.exit(str(error))
    took, answers = _run(layout, spans, given)
    _report(took, answers, given.requests)
    return 0 if len(took) == given.requests and not any(a["status"] == "failed" for a in answers) else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--root", type=Path, help="the tree; else the one at or above this folder")
    parser.add_argument("-n", "--requests", type=int, default=100, help="how many requests")
    parser.add_argument("-m", "--cameras", type=int, default=0, help="of how many cameras; 0 is all")
    parser.add_argument("--seconds", type=float, default=20.0, help="how much is asked for each time")
    parser.add_argument("--rate", type=float, default=0.0, help="requests per second; 0 drops all at once")
    parser.add_argument("--delivery", default="auto", help="auto, copy or exact")
    parser.add_argument("--timeout", type=float, default=600.0, help="seconds to wait for the last answer")
    parser.add_argument("--seed", type=int, default=1, help="chooses the moments")
    return parser.parse_args()


def _spans(config: Config, layout: Layout, count: int) -> dict[str, tuple[Fraction, Fraction]]:
    """Each camera's first and last instant."""
    with closing(open_index(layout, config.archive())) as index:
        index.scan(time.time())
        found = {}
        for camera in index.cameras()[: count or None]:
            oldest, newest = index.oldest(camera), index.newest(camera)
            if oldest is not None and newest is not None:
                found[camera] = oldest.start, newest.start
    if not found:
        raise Rejected(f"{layout.recordings} holds no recordings")
    return found


def _run(
    layout: Layout, spans: dict[str, tuple[Fraction, Fraction]], given: argparse.Namespace
) -> tuple[list[float], list[dict[str, Any]]]:
    """The seconds that each answer took, and the answers."""
    inbox = layout.inbox_of("requests")
    inbox.mkdir(parents=True, exist_ok=True)
    moments, run = random.Random(given.seed), secrets.token_hex(3)
    open_ones: list[Asked] = []
    took: list[float] = []
    answers: list[dict[str, Any]] = []
    began = time.perf_counter()
    for number in range(given.requests):
        while given.rate and time.perf_counter() < began + number / given.rate:
            open_ones = _collect(open_ones, took, answers)
            time.sleep(LOOK_SECONDS)
        open_ones.append(_ask(inbox, f"load-{run}-{number}", spans, moments, given))
    while open_ones and time.perf_counter() < began + given.timeout:
        open_ones = _collect(open_ones, took, answers)
        time.sleep(LOOK_SECONDS)
    return took, answers


def _ask(
    inbox: Path,
    name: str,
    spans: dict[str, tuple[Fraction, Fraction]],
    moments: random.Random,
    given: argparse.Namespace,
) -> Asked:
    camera = moments.choice(sorted(spans))
    first, last = spans[camera]
    start = first + Fraction(moments.random()) * max(Fraction(0), last - first - Fraction(given.seconds))
    content = {
        "camera_id": camera, "start_time": iso(start), "duration": given.seconds, "clip_id": name,
        "delivery": given.delivery, "source": "load test",
    }  # fmt: skip
    hidden = inbox / f".{name}.json.tmp"
    hidden.write_text(json.dumps(content))
    at = time.perf_counter()
    path = hidden.rename(inbox / f"{name}.json")
    return Asked(camera, path.with_name(f"{name}.status.json"), at)


def _collect(open_ones: Sequence[Asked], took: list[float], answers: list[dict[str, Any]]) -> list[Asked]:
    """Take the answers that have come; those that are still open."""
    left = []
    for asked in open_ones:
        answer = requests.read_answer(asked.answer)
        if answer.get("completed_at") is None:
            left.append(asked)
            continue
        took.append(time.perf_counter() - asked.at)
        answers.append(answer)
    return left


def _report(took: list[float], answers: list[dict[str, Any]], count: int) -> None:
    statuses = Counter(str(answer["status"]) for answer in answers)
    statuses["unanswered"] = count - len(answers)
    print(f"{count} requests: " + ", ".join(f"{number} {status}" for status, number in statuses.items() if number))
    if len(took) > 1:
        cuts = quantiles(took, n=100, method="inclusive")
        shares = ", ".join(f"p{percent} {cuts[percent - 1]:.3f} s" for percent in (50, 90, 95, 99))
        print(f"latency: {shares}, most {max(took):.3f} s; {len(took) / max(took):.1f} per second")
        worked = [_seconds(answer) for answer in answers if answer["status"] != "failed"]
        if worked:
            print(f"of it from the first word to the answer: {sum(worked) / len(worked):.3f} s on average")
    errors = Counter(str(answer["message"]) for answer in answers if answer["status"] == "failed")
    for words, number in errors.most_common(SHOWN_ERRORS):
        print(f"error, {number} times: {words}")


def _seconds(answer: dict[str, Any]) -> float:
    begin, end = (datetime.fromisoformat(str(answer[key])) for key in ("created_at", "completed_at"))
    return (end - begin).total_seconds()


if __name__ == "__main__":
    sys.exit(main())
