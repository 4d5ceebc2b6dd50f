"""A table in the inbox is known by how it looks and by the note beside it; a wrong note is a fault with its name."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipd.tree.dataset import is_table, read


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "videos.csv"
    path.write_text("video_path\na.mp4\n")
    return path


def signature(table: Path) -> str:
    file = read(table)
    assert file is not None
    return file.signature


def test_another_table_or_note_is_another_dataset(table: Path) -> None:
    plain = signature(table)
    assert signature(table) == plain
    note = table.with_suffix(".yaml")
    note.write_text("process: metadata\n")
    noted = signature(table)
    note.write_text("process: segment\n")
    changed = signature(table)
    table.write_text("video_path\nbb.mp4\n")
    assert len({plain, noted, changed, signature(table)}) == 4


def test_what_the_note_says_is_read_in_yaml_and_json(table: Path) -> None:
    table.with_suffix(".json").write_text('{"process": "metadata"}')
    file = read(table)
    assert file is not None
    assert (file.content, list(file.notes), file.fault) == (
        {"process": "metadata"}, [table.with_suffix(".json")], ""
    )  # fmt: skip


@pytest.mark.parametrize(
    ("suffix", "text", "words"),
    [
        (".yaml", "process: [", "videos.yaml: line"),
        (".yaml", "- metadata\n", "`name: value` lines"),
        (".json", "{'a': 1}", "videos.json: line 1"),
        (".yml", "a: " + "x" * 70_000, "70,00"),
    ],
)
def test_a_wrong_note_is_a_fault_with_its_name(table: Path, suffix: str, text: str, words: str) -> None:
    table.with_suffix(suffix).write_text(text)
    file = read(table)
    assert file is not None
    assert words in file.fault


def test_two_notes_are_one_too_many(table: Path) -> None:
    table.with_suffix(".yaml").write_text("process: metadata\n")
    table.with_suffix(".json").write_text("{}")
    file = read(table)
    assert file is not None
    assert "keep one of them" in file.fault


def test_a_link_is_no_note(table: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("process: metadata\n")
    table.with_suffix(".yaml").symlink_to(tmp_path / "secret")
    file = read(table)
    assert file is not None
    assert file.fault.startswith("videos.yaml: ")
    assert file.content == {}


def test_a_table_that_is_gone_is_none(table: Path) -> None:
    table.unlink()
    assert read(table) is None


def test_tables_are_known_by_their_names() -> None:
    assert all(map(is_table, ("a.csv", "A.CSV", "-x.jsonl", "b.parquet")))
    assert not any(map(is_table, ("a.yaml", "a.status.json", "csv", "a.txt", "a.csv.part")))
