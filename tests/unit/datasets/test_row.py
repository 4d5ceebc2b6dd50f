"""What a row means, who it is, and the folder that it gets."""

from __future__ import annotations

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.datasets.row import NAME_CHARACTERS, WHOLE, Columns, Row, Span, fingerprint, folder_name, understand
from clipd.datasets.table import RawRow
from clipd.errors import Rejected
from clipd.model.crop import CropPath, Rect

COLUMNS = Columns(video="video", id="id")


def row(base: Path = Path("/data"), beneath: Path | None = None, columns: Columns = COLUMNS, **values: Any) -> Row:
    return understand(RawRow(0, 2, {"id": "a", "video": "a.mp4"} | values), columns, base, beneath)


def test_paths_count_from_the_folder_of_the_table(tmp_path: Path) -> None:
    assert row(tmp_path, video="x/../a.mp4").path == tmp_path / "a.mp4"
    assert row(tmp_path, video="/films/a.mp4").path == Path("/films/a.mp4")


@pytest.mark.parametrize("video", ["../a.mp4", "x/../../a.mp4", "/etc/passwd", "..\\a.mp4", "a\0.mp4", "", "  "])
def test_paths_that_leave_the_tree_are_faults(tmp_path: Path, video: str) -> None:
    assert row(tmp_path, tmp_path, video=video).fault


def test_with_roots_paths_count_from_the_first_that_has_the_video_and_stay_in_it(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    for folder, name in ((one, "a.mp4"), (other, "a.mp4"), (other, "b.mp4")):
        folder.mkdir(exist_ok=True)
        (folder / name).write_text("x")
    (other / "link.mp4").symlink_to(one / "a.mp4")

    def meant(video: str) -> Row:
        return understand(RawRow(0, 2, {"id": "a", "video": video}), COLUMNS, tmp_path, None, (one, other))

    assert [meant(video).path for video in ("a.mp4", "b.mp4", "c.mp4")] == [
        one / "a.mp4",
        other / "b.mp4",
        one / "c.mp4",
    ]
    assert all(meant(video).fault for video in ("../one/a.mp4", str(one / "a.mp4")))
    with pytest.raises(Rejected, match="out of the tree"):
        _ = meant("link.mp4").path


def test_a_link_out_of_the_tree_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tree").mkdir()
    (tmp_path / "secret.mp4").write_text("x")
    (tmp_path / "tree" / "a.mp4").symlink_to(tmp_path / "secret.mp4")
    with pytest.raises(Rejected, match="out of the tree"):
        _ = row(tmp_path / "tree", tmp_path / "tree").path
    assert row(tmp_path / "tree").path == tmp_path / "secret.mp4"


@pytest.mark.parametrize(
    ("values", "span"),
    [
        ({}, WHOLE),
        ({"start": "", "end": None}, WHOLE),
        ({"start": "1.5", "end": "00:00:03"}, Span(Fraction(3, 2), Fraction(3))),
        ({"start": 0.1}, Span(Fraction(1, 10))),
        ({"start_frame": "10", "end_frame": 20.0}, Span(first=10, last=20)),
    ],
)
def test_spans_are_exact(values: dict[str, Any], span: Span) -> None:
    assert (row(**values).span, row(**values).fault) == (span, "")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"start": "soon"}, "start: 'soon' is not a time"),
        ({"start": 5, "end": 5}, "not after its start"),
        ({"start_frame": -1}, "whole number"),
        ({"start_frame": "2.5"}, "whole number"),
        ({"start_frame": 9, "end_frame": 8}, "before its start"),
        ({"start": 1, "end_frame": 8}, "in seconds and in frames"),
        ({"start": True}, "write seconds"),
        ({"crop": "1,2,3"}, "no rectangle"),
        ({"crop": "1,2,0,5"}, "empty"),
        ({"crop": "{"}, "no JSON"),
        ({"crop": {"x": [1, 2, 3, 4]}}, "no frame number"),
        ({"crop": "0,0,1e9,5"}, "no rectangle"),
        ({"id": ""}, "id is empty"),
    ],
)
def test_what_is_wrong_is_said(values: dict[str, Any], words: str) -> None:
    assert words in row(**values).fault


@pytest.mark.parametrize("crop", ["1,2,30,40", "1 2 30 40", "[1, 2, 30, 40]", [1, 2, 30, 40], {"0": [1, 2, 30, 40]}])
def test_crops_are_read_in_any_usual_notation(crop: Any) -> None:
    assert row(crop=crop).crop == CropPath(((0, Rect(1, 2, 30, 40)),))


def test_columns_can_mean_nothing() -> None:
    assert row(columns=COLUMNS.without_spans(), start="a date", crop="wheat").fault == ""


def test_a_row_without_an_id_is_its_content() -> None:
    columns = Columns(video="video")
    one = row(columns=columns, note="x")
    assert one.key == replace(row(columns=columns, note="x"), line=7).key
    assert one.key != row(columns=columns, note="y").key
    assert one.folder.startswith("a~")


def test_what_decides_a_result_changes_the_fingerprint(tmp_path: Path) -> None:
    video = tmp_path / "a.mp4"
    video.write_bytes(b"one")
    os.utime(video, ns=(1, 1))
    first = fingerprint(row(tmp_path), "metadata 1")
    assert first == fingerprint(row(tmp_path), "metadata 1")
    assert first != fingerprint(row(tmp_path), "metadata 2")
    assert first != fingerprint(row(tmp_path, note="x"), "metadata 1")
    os.utime(video, ns=(1, 2))
    assert first != fingerprint(row(tmp_path), "metadata 1")
    video.unlink()
    assert first != fingerprint(row(tmp_path), "metadata 1")


def test_plain_ids_name_their_folder() -> None:
    assert folder_name("video_017.cut-2") == "video_017.cut-2"


@pytest.mark.parametrize(
    "id", ["../../etc", "/etc/passwd", ".hidden", "-rf", "con", "NUL.txt", "a/b", "x" * 500, "ü" * 300, "a.", "", "A b"]
)
def test_hostile_ids_get_safe_folders(id: str) -> None:
    name = folder_name(id)
    assert Path(name).name == name
    assert not name.startswith((".", "-"))
    assert not name.endswith((".", " "))
    assert len(name.encode()) <= NAME_CHARACTERS + 13 + 3
    assert "~" in name


@given(st.text(max_size=30), st.text(max_size=30))
def test_no_two_ids_share_a_folder_even_where_case_does_not_matter(one: str, other: str) -> None:
    for twin in (other, one.upper(), one.lower(), one.swapcase()):
        if one != twin:
            assert folder_name(one).casefold() != folder_name(twin).casefold()
