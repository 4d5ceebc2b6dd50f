"""Requests as jobs: one that names itself is the same job wherever it lies, and another wish when it is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.intake.sources.requests import Requests
from clipd.model.job import Job
from clipd.tree.layout import Directories, Layout

REQUESTS = Requests("request", "requests", "clip_id")


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    return Layout(tmp_path, Directories())


def asked(layout: Layout, name: str, **content: object) -> Job:
    path = layout.inbox_of("requests") / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))
    (job,) = REQUESTS.admit(layout, path).jobs
    return job


def test_a_named_request_that_was_corrected_is_the_same_job_and_another_wish(layout: Layout) -> None:
    first = asked(layout, "door.json", clip_id="door-17", timestamp="2026-05-01T14:30:15")
    again = asked(layout, "door.json", clip_id="door-17", timestamp="2026-05-01T14:30:15")
    corrected = asked(layout, "door.json", clip_id="door-17", timestamp="2026-05-01T13:30:15")
    assert again.wish == first.wish
    assert corrected.id == first.id
    assert corrected.wish != first.wish


def test_a_request_without_a_name_is_another_job_with_other_content(layout: Layout) -> None:
    first, other = (asked(layout, "door.json", timestamp=moment) for moment in ("noon", "one"))
    assert first.id != other.id
