"""The sheet as YAML: another notation for the same."""

from __future__ import annotations

from typing import Any

import yaml
from hypothesis import given

from clipd.annotations.yaml import render
from clipd.files import yamltext
from tests.contract.test_annotations import SHEET, SHEETS


def test_what_is_read_is_what_was_said() -> None:
    assert yaml.safe_load(render(SHEET)) == SHEET


@given(SHEETS)
def test_that_holds_for_any_sheet(sheet: dict[str, Any]) -> None:
    text = render(sheet)
    assert yaml.safe_load(text) == sheet


def test_the_stricter_reader_of_clipd_reads_the_same() -> None:
    assert yamltext.load(render(SHEET)) == SHEET


def test_no_anchors_for_facts_that_occur_twice() -> None:
    rect = [100, 50, 640, 480]
    assert b"&" not in render({"a": rect, "b": rect})
