"""Results and numbers: rows in order, read lazily, and sums that add up."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.datasets.record import Failure, Record
from clipd.datasets.results import Results, write_results, write_stats
from clipd.datasets.stats import ProcessingStats, RowError

RECORDS = [
    (2, Record("id:a", "f", 9, "a", "a.mp4", {"text": "},\n{\u2028"}, ("rows/a/x",), ("odd",), None, 1.0)),
    (3, Record("row:x", "f", 3, None, "b.mp4", failure=Failure("missing", "b.mp4 is not there"), seconds=2.0)),
]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_results_are_one_json_array(tmp_path: Path, count: int) -> None:
    path = tmp_path / "results.json"
    write_results(path, RECORDS[:count])
    plain = json.loads(path.read_text())
    results = Results(path)
    assert list(results) == plain == results[:]
    assert len(results) == count
    assert list(tmp_path.iterdir()) == [path]


def test_a_row_says_what_became_of_it_and_nothing_of_time(tmp_path: Path) -> None:
    write_results(tmp_path / "results.json", RECORDS)
    ok, bad = Results(tmp_path / "results.json")
    assert ok == {
        "line": 2,
        "id": "a",
        "video": "a.mp4",
        "status": "ok",
        "result": {"text": "},\n{\u2028"},
        "files": ["rows/a/x"],
        "warnings": ["odd"],
    }
    error = {"kind": "missing", "message": "b.mp4 is not there"}
    assert bad == {"line": 3, "video": "b.mp4", "status": "failed", "error": error}
    assert Results(tmp_path / "results.json")[-1] == bad


def test_results_that_cannot_be_finished_leave_the_former_ones(tmp_path: Path) -> None:
    path = tmp_path / "results.json"
    write_results(path, RECORDS)
    before = path.read_bytes()

    def broken():
        yield RECORDS[0]
        raise KeyError

    with pytest.raises(KeyError):
        write_results(path, broken())
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_the_numbers_add_up(tmp_path: Path) -> None:
    stats = ProcessingStats(10, 6, 2, 2, 3, 16.0, 5.0, (RowError(3, None, "media", "broken"),))
    write_stats(tmp_path / "stats.json", stats)
    assert (
        json.loads((tmp_path / "stats.json").read_text())
        == stats.to_dict()
        == {
            "total_videos": 10,
            "processed": 6,
            "failed": 2,
            "skipped": 2,
            "resumed": 3,
            "success_rate": 0.75,
            "total_time": 16.0,
            "wall_time": 5.0,
            "avg_time_per_video": 2.0,
            "errors": [{"line": 3, "kind": "media", "message": "broken"}],
        }
    )
    assert ProcessingStats().to_dict()["success_rate"] == 0.0
