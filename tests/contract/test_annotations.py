"""What every annotation format must keep, run over the table of formats."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.annotations import ANNOTATIONS, Render

SHEET: dict[str, Any] = {
    "clip": "match / 試合 'goal' \"1\" & <b>",
    "file": "h264/cam1/-s 1/match_goal.mp4",
    "size": 123456789012,
    "key": "id:007",
    "run": 1,
    "source": {"path": "data/source/a: b, [c] #d.mp4", "audio": [{"track": 1, "codec": "aac"}, {"track": 2}]},
    "requested": {"start_seconds": 0.1, "frames": None},
    "crop": {"applied": [{"frame": 250, "rect": [100, 50, 640, 480]}], "variation": "wide"},
    "is_scaled": False,
    "gaps": [],
    "tags": {},
    "warnings": ["it was dark", "yes", "null", "12:30:15", "- not a list", "- "],
    "offsets": [0, -0.000021],
    "started_at": "2026-05-01T12:00:00.000Z",
}  # fmt: skip

TEXTS = st.text(max_size=12)
FACTS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
)
SHEETS = st.dictionaries(
    st.text(st.characters(categories=["Ll", "Nd"], include_characters="_"), min_size=1, max_size=8),
    st.recursive(
        FACTS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3), max_leaves=6
    ),
    max_size=5,
)


@pytest.fixture(params=ANNOTATIONS.values(), ids=list(ANNOTATIONS))
def render(request: pytest.FixtureRequest) -> Render:
    return request.param


def scalars(value: Any) -> list[str]:
    """The texts and numbers in a sheet."""
    if isinstance(value, dict):
        return [word for part in value.values() for word in scalars(part)]
    if isinstance(value, list):
        return [word for part in value for word in scalars(part)]
    return [] if value is None or isinstance(value, bool) else [str(value)]


def test_json_is_in_the_table_because_clipd_itself_reads_it() -> None:
    assert "json" in ANNOTATIONS


@pytest.mark.parametrize("suffix", ANNOTATIONS)
def test_names_are_suffixes(suffix: str) -> None:
    assert re.fullmatch("[a-z0-9]+", suffix)


def test_a_sheet_is_lines_of_text(render: Render) -> None:
    text = render(SHEET).decode("utf-8")
    assert text.endswith("\n")
    assert not text.endswith("\n\n")
    assert "\r" not in text


def test_every_fact_stands_in_it(render: Render) -> None:
    text = render(SHEET).decode("utf-8").replace('\\"', '"').replace("''", "'").replace("-2.1e-05", "-0.000021")
    for fact in scalars({**SHEET, "offsets": []}):
        assert fact in text


def test_names_of_facts_stand_in_it_in_the_sheets_own_order(render: Render) -> None:
    text = render(SHEET).decode("utf-8").replace("_", " ")
    places = [re.search(rf'^"?\s*"?{name.replace("_", " ")}"?:', text, re.MULTILINE) for name in SHEET]
    assert all(places)
    starts = [place.start() for place in places if place]
    assert starts == sorted(starts)


def test_the_same_sheet_gives_the_same_bytes(render: Render) -> None:
    assert render(SHEET) == render(dict(SHEET))


def test_an_empty_sheet_is_no_trouble(render: Render) -> None:
    render({}).decode("utf-8")


def test_the_sheet_is_left_as_it_is(render: Render) -> None:
    before = repr(SHEET)
    render(SHEET)
    assert repr(SHEET) == before


@pytest.mark.parametrize(
    "nasty", ["a\nfile: forged", "a\r\nb", "\x1b[2J", "a\u2028b", "\u202eevil", "\x00", "\x85b", "caf\udce9"]
)
def test_what_came_from_outside_begins_no_line_and_steers_no_terminal(render: Render, nasty: str) -> None:
    text = render({"clip": nasty, nasty: 1, "list": [nasty], "deep": [{"clip": nasty}]}).decode("utf-8")
    assert not re.search(r"^\s*file: forged", text, re.MULTILINE)
    assert not any(character in text for character in "\x1b\x00\r\udce9")


@given(SHEETS)
def test_any_plain_sheet_can_be_written(sheet: dict[str, Any]) -> None:
    for render in ANNOTATIONS.values():
        render(sheet).decode("utf-8")
