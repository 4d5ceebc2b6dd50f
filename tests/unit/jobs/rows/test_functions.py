"""Every function of the table on a real film, and what each promises."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from clipd.datasets.folder import OutputFolder
from clipd.datasets.record import Record
from clipd.datasets.row import Columns, understand
from clipd.datasets.table import RawRow
from clipd.errors import Rejected
from clipd.jobs.clip import Settings
from clipd.jobs.rows import FUNCTIONS
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.recipe import load, recipe
from clipd.jobs.rows.run import Work, do
from clipd.media.door import Limits
from tests.footage import make

MEANS = Means(Limits(), Settings(), None, 2)


def run(folder: Path, function: str, arguments: dict[str, Any] | None = None, **values: Any) -> Record:
    """What becomes of one row; its files are published."""
    if not (folder / "film.mp4").exists():
        make(folder / "film.mp4", count=50, keyframes=(25,))
    raw = RawRow(0, 2, {"id": "a", "video": "film.mp4"} | values)
    row = understand(raw, Columns(video="video", id="id"), folder, None)
    output = OutputFolder(folder / "out")
    record = do(Work(row, "f"), recipe(function, arguments or {}, MEANS), output, lambda stage, done, total: None)
    if record.is_ok:
        output.publish(row.folder)
    return record


@pytest.mark.parametrize(
    ("function", "arguments"), [*((name, {}) for name in FUNCTIONS), ("export", {"formats": "ffv1"})]
)
def test_every_function_gives_the_same_bytes_again_and_names_its_files(
    tmp_path: Path, function: str, arguments: dict[str, Any]
) -> None:
    first = run(tmp_path, function, arguments)
    assert first.is_ok, first.failure
    out = tmp_path / "out"
    files = {
        path.relative_to(out).as_posix(): path.read_bytes() for path in (out / "rows").rglob("*") if path.is_file()
    }
    assert sorted(files) == list(first.files)
    again = run(tmp_path, function, arguments)
    assert (again.result, again.files) == (first.result, first.files)
    # x264 itself is not the same to the byte each time; nothing in the results may show it.
    exact = {name: data for name, data in files.items() if not name.endswith(".mp4")}
    assert {name: (out / name).read_bytes() for name in exact} == exact
    assert str(tmp_path) not in json.dumps(first.result)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_function_fails_by_the_row_on_what_is_no_video(tmp_path: Path, function: str) -> None:
    (tmp_path / "film.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 3000)
    record = run(tmp_path, function)
    assert record.failure is not None
    assert record.failure.kind == "media"
    assert run(tmp_path, function, video="none.mp4").failure.kind == "missing"  # type: ignore[union-attr]


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_setting_that_there_is_not_is_refused(function: str) -> None:
    with pytest.raises(Rejected, match="no setting 'nonsense'"):
        recipe(function, {"nonsense": 1}, MEANS)


def test_keyframes_are_evenly_spread_over_the_rows_part(tmp_path: Path) -> None:
    arguments = {"num_frames": "3", "resolution": "48x48"}
    record = run(tmp_path, "extract_keyframes", arguments, start=1, end=2, crop="0,0,40,20")
    assert [frame["index"] for frame in record.result["frames"]] == [25, 37, 49]
    assert [frame["seconds"] for frame in record.result["frames"]] == [0.0, 0.48, 0.96]
    with av.open(str(tmp_path / "out" / record.files[0])) as picture:
        assert (picture.streams.video[0].width, picture.streams.video[0].height) == (40, 20)


def test_keyframes_as_arrays(tmp_path: Path) -> None:
    record = run(tmp_path, "extract_keyframes", {"num_frames": 4, "format": "npz"})
    with np.load(tmp_path / "out" / record.result["path"]) as held:
        assert held["frames"].shape == (4, 64, 96, 3)
        assert held["indices"].tolist() == [0, 16, 33, 49]
        assert held["seconds"].tolist() == [0.0, 0.64, 1.32, 1.96]


def test_frames_come_at_a_rate(tmp_path: Path) -> None:
    record = run(tmp_path, "extract_frames", {"fps": 5})
    assert [frame["index"] for frame in record.result["frames"]] == list(range(0, 50, 5))
    assert len(record.files) == 10
    failed = run(tmp_path, "extract_frames", {"fps": 25, "max_frames": 10})
    assert "more than 10 frames" in str(failed.failure)


def test_thumbnails_show_the_middles_of_equal_parts(tmp_path: Path) -> None:
    record = run(tmp_path, "thumbnails", {"count": 2})
    assert [thumbnail["index"] for thumbnail in record.result["thumbnails"]] == [12, 37]


def test_metadata_counts_the_frames_of_the_part(tmp_path: Path) -> None:
    result = run(tmp_path, "metadata", start_frame=10, end_frame=19).result
    assert (result["total_frames"], result["first_frame"], result["duration"]) == (10, 10, 0.4)


def test_export_cuts_what_the_row_names(tmp_path: Path) -> None:
    arguments = {"formats": "h264,ffv1", "thumbnail": True, "crf": 30}
    record = run(tmp_path, "export", arguments, start="00:00:01", crop="3,3,31,21")
    assert (record.result["first_frame"], record.result["last_frame"]) == (25, 49)
    videos = {entry["format"]: entry["path"] for entry in record.result["outputs"] if entry["role"] == "video"}
    for format, size in {"h264": (30, 20), "ffv1": (31, 21)}.items():
        with av.open(str(tmp_path / "out" / videos[format])) as film:
            stream = film.streams.video[0]
            assert (stream.width, stream.height) == size
            assert sum(1 for _ in film.decode(stream)) == 25
    truth = json.loads((tmp_path / "out" / record.result["truth"]).read_text())
    assert truth["source_path"] == "film.mp4"
    assert len(record.files) == 5


def test_export_takes_no_function_and_no_codec_options_from_a_dataset() -> None:
    for name in ("processor", "h264", "ffv1.options"):
        with pytest.raises(Rejected, match="no setting"):
            recipe("export", {name: "os:system"}, MEANS)


def test_segment_takes_whole_videos_only(tmp_path: Path) -> None:
    assert "whole videos" in str(run(tmp_path, "segment", start=1).failure)
    assert run(tmp_path, "segment", {"mode": "v1"}).result["clips"][0]["end_frame"] == 49


def test_what_decides_is_in_the_fingerprint() -> None:
    one = recipe("export", {"crf": 20}, MEANS).fingerprint
    assert one == recipe("export", {"crf": "20"}, MEANS).fingerprint
    assert one != recipe("export", {"crf": 21}, MEANS).fingerprint
    scaler = Means(Limits(), Settings(scaler="area"), None, 2)
    assert one != recipe("export", {"crf": 20}, scaler).fingerprint
    assert recipe("metadata", {}, MEANS).fingerprint == recipe("metadata", {}, scaler).fingerprint


def test_a_function_is_found_by_its_name() -> None:
    assert load("fractions:Fraction") is Fraction
    for name in ("no_such_module:f", "fractions:none", "fractions:__name__"):
        with pytest.raises(Rejected):
            load(name)
    with pytest.raises(Rejected, match="there are extract_keyframes"):
        recipe("extract", {}, MEANS)
