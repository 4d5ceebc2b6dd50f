"""Tables as people and programs write them; what is wrong with one row costs that row alone."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.datasets.table import BEGINNING, RawRow, open_table, require_columns, some
from clipd.errors import Rejected
from clipd.files.atomic import Missing


def table(folder: Path, content: str | bytes, name: str = "videos.csv") -> Path:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def rows(path: Path) -> list[RawRow]:
    return list(some(open_table(path), BEGINNING, None))


def test_rows_come_with_the_line_they_begin_on(tmp_path: Path) -> None:
    path = table(tmp_path, 'id,video\r\na,a.mp4\r\n\r\n"b\nb",b.mp4\r\nc,"c, d.mp4"\r\n')
    assert [(row.line, row.values["id"], row.values["video"]) for row in rows(path)] == [
        (2, "a", "a.mp4"),
        (4, "b\nb", "b.mp4"),
        (6, "c", "c, d.mp4"),
    ]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_any_usual_delimiter_and_a_byte_order_mark_are_read(tmp_path: Path, delimiter: str) -> None:
    path = table(tmp_path, "\ufeff" + f'id{delimiter}"my, video"\nü{delimiter}a.mp4\n')
    assert rows(path)[0].values == {"id": "ü", "my, video": "a.mp4"}


def test_a_quote_that_does_not_end_costs_one_row(tmp_path: Path) -> None:
    body = "".join(f"v{number},{number}.mp4\n" for number in range(500))
    read = rows(table(tmp_path, f'id,video\nfirst,a.mp4\n"open,b.mp4\n{body}'))
    assert [row.line for row in read if row.fault] == [3]
    assert [row.values["id"] for row in read if not row.fault] == ["first", *(f"v{number}" for number in range(500))]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"a,b,c", "3 cells"),
        (b"a,\xff.mp4", "UTF-8"),
        (b'"a"x,b', "cannot be read as CSV"),
        (b"a," + b"x" * 200_000, "field larger"),
        (b"a," + b"x" * 3_000_000, "longer than"),
    ],
)
def test_a_bad_line_is_told_and_the_next_one_read(tmp_path: Path, line: bytes, words: str) -> None:
    bad, good = rows(table(tmp_path, b"id,video\n" + line + b"\nnext,n.mp4\n"))
    assert words in bad.fault
    assert (good.line, good.values, good.fault) == (3, {"id": "next", "video": "n.mp4"}, "")


def test_missing_cells_at_the_end_are_empty(tmp_path: Path) -> None:
    (row,) = rows(table(tmp_path, "id,video,start\na,a.mp4\n"))
    assert row.values == {"id": "a", "video": "a.mp4", "start": ""}


@pytest.mark.parametrize(
    ("content", "name", "words"),
    [
        ("", "v.csv", "no header"),
        ("a,a\n", "v.csv", "two columns"),
        ("{}", "v.json", "no table that clipd reads"),
        ("PAR1", "v.parquet", "Parquet"),
        ("i\0d\n", "v.csv", "no header"),
    ],
)
def test_what_is_no_table_is_refused_with_words(tmp_path: Path, content: str, name: str, words: str) -> None:
    with pytest.raises(Rejected, match=words):
        open_table(table(tmp_path, content, name))


def test_a_column_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path) -> None:
    opened = open_table(table(tmp_path, "id,path\na,a.mp4\n"))
    with pytest.raises(Rejected, match=r"no column 'video'; it has 'id', 'path'"):
        require_columns(opened, "video", None)
    with pytest.raises(Missing):
        open_table(tmp_path / "none.csv")


def test_json_lines_are_read_strictly_line_by_line(tmp_path: Path) -> None:
    text = '{"video": "a.mp4", "start": 1.5}\n\n{"video": NaN}\n[1]\nno\n{"video": "b.mp4"}'
    read = rows(table(tmp_path, text, "videos.jsonl"))
    assert [row.line for row in read] == [1, 3, 4, 5, 6]
    assert [bool(row.fault) for row in read] == [False, True, True, True, False]
    assert read[0].values == {"video": "a.mp4", "start": 1.5}


def test_parquet_gives_plain_values(tmp_path: Path) -> None:
    columns = {"video": ["a.mp4", "b.mp4"], "start": [1.5, None], "crop": [[1, 2, 3, 4], None]}
    pyarrow.parquet.write_table(pyarrow.table(columns), tmp_path / "videos.parquet")
    first, second = rows(tmp_path / "videos.parquet")
    assert (first.line, first.values) == (1, {"video": "a.mp4", "start": 1.5, "crop": [1, 2, 3, 4]})
    assert second.values == {"video": "b.mp4", "start": None, "crop": None}


def test_without_its_library_parquet_is_refused_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Rejected, match=r"pip install 'clipd\[parquet\]'"):
        open_table(table(tmp_path, "PAR1", "videos.parquet"))


cells = st.text(st.characters(codec="utf-8", exclude_characters="\r\0"), max_size=12)


@given(st.lists(st.tuples(cells, cells), max_size=20), st.integers(0, 20))
def test_reading_goes_on_from_any_mark(tmp_path_factory: pytest.TempPathFactory, made: list, at: int) -> None:
    folder = tmp_path_factory.mktemp("tables")
    lines = ["id,video"] + [",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in made]
    json_lines = [json.dumps({"id": id, "video": video}, ensure_ascii=False) for id, video in made]
    columns = {"id": [id for id, _ in made], "video": [video for _, video in made]}
    pyarrow.parquet.write_table(
        pyarrow.table(columns, pyarrow.schema({"id": pyarrow.string(), "video": pyarrow.string()})),
        folder / "v.parquet",
        row_group_size=3,
    )
    for path in (
        table(folder, "\n".join(lines) + "\n"),
        table(folder, "\n".join(json_lines), "v.jsonl"),
        folder / "v.parquet",
    ):
        opened = open_table(path)
        marked = list(opened.rows())
        assert [(row.values["id"], row.values["video"]) for row, _ in marked] == made
        start = marked[at - 1][1] if 0 < at <= len(marked) else BEGINNING
        rest = [row for row, _ in marked][at if 0 < at <= len(marked) else 0 :]
        assert list(some(opened, start, None)) == rest
        assert list(some(opened, start, 2)) == rest[:2]
