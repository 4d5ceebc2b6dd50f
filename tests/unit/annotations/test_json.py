"""The sheet as JSON: programs read back what was said."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given

from clipd.annotations.json import render
from tests.contract.test_annotations import SHEET, SHEETS


def test_what_is_read_is_what_was_said() -> None:
    assert json.loads(render(SHEET)) == SHEET


@given(SHEETS)
def test_that_holds_for_any_sheet(sheet: dict[str, Any]) -> None:
    assert json.loads(render(sheet)) == sheet


def test_a_rectangle_stands_on_one_line_and_texts_are_left_alone() -> None:
    sheet = {"rect": [100, 50, 640, 480], "float": [0.5, -1], "one": [7], "text": "[\n 1, 2\n ]", "mixed": [1, "a"]}
    text = render(sheet).decode()
    assert '"rect": [100, 50, 640, 480]' in text
    assert '"float": [0.5, -1]' in text
    assert json.loads(text) == sheet


def test_letters_stay_letters() -> None:
    assert "試合" in render({"clip": "試合"}).decode()


def test_a_name_that_is_no_unicode_survives() -> None:
    assert json.loads(render({"clip": "caf\udce9"})) == {"clip": "caf\udce9"}
