"""Requests as jobs: one that names itself is the same job wherever it lies, and another wish when it is changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.intake.admit import Admission
from clipd.intake.sources.requests import Requests
from clipd.model.job import Job
from clipd.tree.layout import Directories, Layout

REQUESTS = Requests("request", "requests", "clip_id")
EVENTS = Requests("event", "events", "event_id", "event")


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


class TestAFileInAFolderOfEvents:
    def drop(self, layout: Layout, name: str, words: str) -> Admission:
        path = EVENTS.folder(layout) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words)
        return EVENTS.admit(layout, path)

    def test_is_a_request_where_it_has_a_name(self, layout: Layout) -> None:
        (job,) = self.drop(layout, "cam1/door.json", '{"event_id": "d1"}').jobs
        assert job.name == "event d1"

    @pytest.mark.parametrize("words", ['{"event_i": "d1"}', "[1", "[]"])
    def test_is_left_alone_and_told_where_it_has_none(self, layout: Layout, words: str) -> None:
        found = self.drop(layout, "cam1/door.json", words)
        assert found.jobs == ()
        assert "it is left alone" in found.problems[0]

    @pytest.mark.parametrize("place", ["cam1", "cam1/deeper"])
    def test_is_a_part_of_a_folder_that_is_described(self, layout: Layout, place: str) -> None:
        assert self.drop(layout, "cam1/event.yaml", "event_id: d1").jobs
        assert self.drop(layout, f"{place}/door.json", '{"event_id": "d1"}') == Admission(())
