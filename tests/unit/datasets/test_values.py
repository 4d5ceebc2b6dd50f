"""What functions return: plain values as they are, arrays in files, everything else refused with its place."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipd.datasets.values import RESULT_BYTES, NotAResult, keep


def kept(value: Any, folder: Path) -> Any:
    return keep(value, folder, "rows/a").value


@dataclass
class Found:
    score: float
    boxes: np.ndarray


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        (None, None),
        (True, True),
        ((1, 2.5, "ü"), [1, 2.5, "ü"]),
        ({1: np.int64(2), "x": np.float32(0.5), "y": np.bool_(True)}, {"1": 2, "x": 0.5, "y": True}),
        (np.array(7), 7),
        (Path("/elsewhere/x"), "/elsewhere/x"),
    ],
)
def test_plain_values_stay(tmp_path: Path, value: Any, plain: Any) -> None:
    assert kept(value, tmp_path) == plain
    assert not list(tmp_path.iterdir())


def test_arrays_go_to_files_that_the_result_names(tmp_path: Path) -> None:
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    plain = kept({"a/../b": [array, array.T], "found": Found(0.5, array[0])}, tmp_path)
    assert plain["found"]["score"] == 0.5
    named = [*plain["a/../b"], plain["found"]["boxes"]]
    assert [entry["shape"] for entry in named] == [[3, 4], [4, 3], [4]]
    assert all(entry["dtype"] == "float32" for entry in named)
    names = [Path(entry["path"]).name for entry in named]
    assert sorted(names) == sorted(path.name for path in tmp_path.iterdir())
    np.testing.assert_array_equal(np.load(tmp_path / names[1]), array.T)


def test_files_of_an_array_are_alike_in_each_run(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / name).mkdir()
        kept(np.asfortranarray(np.eye(3)), tmp_path / name)
    assert (tmp_path / "a" / "result.npy").read_bytes() == (tmp_path / "b" / "result.npy").read_bytes()


def test_what_json_has_no_word_for_is_named(tmp_path: Path) -> None:
    returned = keep({"mean": float("nan"), "many": [float("inf")]}, tmp_path, "rows/a")
    assert returned.value == {"mean": None, "many": [None]}
    assert [words.split(",")[0] for words in returned.warnings] == ["result.mean is nan", "result.many[0] is inf"]


def test_a_path_into_the_folder_is_named_from_the_output_folder(tmp_path: Path) -> None:
    assert kept(tmp_path / "x.txt", tmp_path) == "rows/a/x.txt"


def test_a_large_result_goes_to_a_file(tmp_path: Path) -> None:
    returned = keep(["x" * 100] * (RESULT_BYTES // 100), tmp_path, "rows/a")
    assert returned.value["path"] == "rows/a/result.json"
    assert len(json.loads((tmp_path / "result.json").read_text())) == RESULT_BYTES // 100


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"x": [1, {2}]}, "a set at result.x[1]"),
        ({"x": object()}, "a object at result.x"),
        (b"x", "a bytes at result"),
        ({(1, 2): 3}, "key of type tuple"),
        ("\ud800", "no Unicode"),
        (np.array([object()]), "Python objects"),
    ],
)
def test_anything_else_is_refused_with_its_place(tmp_path: Path, value: Any, words: str) -> None:
    with pytest.raises(NotAResult) as refused:
        kept(value, tmp_path)
    assert words in str(refused.value)


def test_a_result_without_end_is_refused(tmp_path: Path) -> None:
    value: list[Any] = []
    value.append(value)
    with pytest.raises(NotAResult, match="deep"):
        kept(value, tmp_path)
