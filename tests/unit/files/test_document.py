"""Documents in both notations: what is refused and where, and that an edit changes no byte but the named."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clipd.files import jsontext, yamltext
from clipd.files.document import LIMIT_BYTES, NotADocument, decode

DEEP = 100_000

REFUSED_JSON = {
    "empty": (b"", 1, 1, "the file is empty"),
    "blank": (b" \n ", 1, 1, "the file is empty"),
    "missing value": (b'{"a":\n }', 2, 2, "a value is missing"),
    "comma too many": (b"[1,]", 1, 4, "a value is missing"),
    "missing comma": (b"[1\n 2]", 2, 2, "a comma is missing"),
    "missing comma at another object": (b'[{"a": 1}\n {"b": 2}]', 2, 2, "a comma is missing"),
    "open object": (b'{"a": [1],\n "b": 1\n', 3, 1, "the { of line 1 is not closed before the file ends; write the }"),
    "open list": (b'{"a": {},\n "b": [1', 2, 9, "the [ of line 2 is not closed before the file ends; write the ]"),
    "other bracket": (b'[{"a": 1\n]', 2, 1, "the { of line 1 is not closed before this ]; write the } that is missing"),
    "another object": (b'[{"a": 1,\n {"b": 2}]', 2, 2, "the { of line 1 is not closed before this {; write the }"),
    "missing colon": (b'{"a" 1}', 1, 6, "a colon belongs"),
    "single quotes": (b"{'a': 1}", 1, 2, "double quotes"),
    "open text": (b'["abc', 1, 2, "no closing quote"),
    "line break in text": (b'["a\nb"]', 1, 4, "control character"),
    "something after": (b"[] []", 1, 4, "ended before this"),
    "duplicate key": (b'[{"a": 1,\n  "a": 2}]', 2, 3, 'the key "a" stands here for the second time'),
    "duplicate key, escaped": (b'{"a": 1, "\\u0061": 2}', 1, 10, "for the second time"),
    "duplicate key after a list": (b'{"a": ["b", {"b": 1}], "b": 1, "b": 2}', 1, 32, "for the second time"),
    "NaN": (b'{"a": NaN}', 1, 7, "NaN is no JSON value"),
    "infinity": (b"[\n-Infinity]", 2, 1, "-Infinity is no JSON value"),
    "too large": (b"[1, 1e999]", 1, 5, "too large"),
    "many digits": (b"[%s]" % (b"1" * 5000), 1, 2, "64 digits"),
    "many digits after the point": (b"[0.%s]" % (b"1" * 5000), 1, 2, "64 digits"),
    "deep lists": (b"[" * DEEP, 1, 65, "64 deep"),
    "deep lists, closed": (b"[" * 100 + b"]" * 100, 1, 65, "64 deep"),
    "deep objects": (b'{"a":' * DEEP, 1, 64 * 5 + 1, "64 deep"),
    "half a pair": (b'["\\ud83d\\ude00", "\\ud83d"]', 1, 18, "surrogate"),
    "half a pair in a key": (b'{"\\udc00": 1}', 1, 2, "surrogate"),
    "UTF-16": ("[]".encode("utf-16"), 1, 1, "UTF-16"),
    "UTF-16 without BOM": ("[]".encode("utf-16-le"), 1, 1, "UTF-16"),
    "Latin-1": ('["\u00fc",\n "a\u00fc"]'.encode("latin-1"), 1, 3, "byte 0xfc is not UTF-8"),
    "100 MB": (b"[" + b" " * 100_000_000 + b"]", 1, 1, "at most 4,194,304"),
    "quotes in rows": (b"[" + b'"\\"' * 1_000_000, 1, 6, "comma"),
    "a late duplicate": (b'[{"a":1,"a":2},' + b"[]," * 1_000_000 + b"[]]", 1, 9, "second time"),
}

REFUSED_YAML = {
    "empty": (b"", 1, 1, "empty"),
    "only a comment": (b"# nothing\n", 1, 1, "empty"),
    "syntax": (b"a: [1\nb: 2", 2, 2, "not YAML"),
    "control character": (b"a: \x01", 1, 1, "not YAML"),
    "alias": (b"a: 1\nb: *x", 2, 4, "alias *x"),
    "anchor": (b"a: &x [1]", 1, 4, "anchor &x"),
    "laughs": (b"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]", 1, 4, "anchor"),
    "merge key": (b"a:\n  <<: {b: 1}", 2, 3, "merge key"),
    "tag": (b"a: !!python/object/apply:os.system [ls]", 1, 4, "tag"),
    "own tag": (b"a: !secret x", 1, 4, "tag !secret"),
    "duplicate key": (b"a: 1\nb: 2\na: 3", 3, 1, "'a' stands here for the second time"),
    "list as key": (b"? [a]\n: 1", 1, 3, "a key must be a text"),
    "two documents": (b"a: 1\n---\nb: 1", 2, 1, "second document"),
    "not a number": (b"a: .nan", 1, 4, "not a number"),
    "infinity": (b"a: -.inf", 1, 4, "not a number"),
    "too large": (b"a: 1e999", 1, 4, "too large"),
    "many digits": (b"a: " + b"1" * 5000, 1, 4, "5,000 characters"),
    "deep lists": (b"[" * DEEP, 1, 65, "64 deep"),
    "deep block": (b"- " * DEEP, 1, 129, "64 deep"),
    "half a pair": (b'"\\ud800"', 1, 4, "not YAML"),
    "UTF-16": ("a: 1".encode("utf-16"), 1, 1, "UTF-16"),
    "100 MB": (b"a" * 100_000_000, 1, 1, "at most 1,048,576"),
}


def refusal(load: Callable[[bytes], Any], data: bytes) -> NotADocument:
    began = time.process_time()
    with pytest.raises(NotADocument) as caught:
        load(data)
    assert time.process_time() - began < 1
    return caught.value


@pytest.mark.parametrize("name", REFUSED_JSON)
def test_json_is_refused_with_its_place(name: str) -> None:
    data, line, column, words = REFUSED_JSON[name]
    error = refusal(jsontext.load, data)
    assert words in str(error)
    assert (error.line, error.column) == (line, column)
    assert str(error).startswith(f"line {line}, column {column}: ")


@pytest.mark.parametrize("name", REFUSED_YAML)
def test_yaml_is_refused_with_its_place(name: str) -> None:
    data, line, column, words = REFUSED_YAML[name]
    error = refusal(yamltext.load, data)
    assert words in str(error)
    assert (error.line, error.column) == (line, column)


@pytest.mark.parametrize("data", [b"[" + b"[]," * 1_000_000 + b"[[1,2],{}", b"[" * LIMIT_BYTES, b'{"a":' * 500_000])
def test_memory_stays_bounded(data: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(NotADocument):
        jsontext.load(data)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 200 << 20


def test_long_digits_in_a_text_and_whole_pairs_are_well() -> None:
    assert jsontext.load(b'["%s", "\\ud83d\\ude00", 1e3, 0.5]' % (b"1" * 100)) == ["1" * 100, "\U0001f600", 1000.0, 0.5]


def test_yaml_scalars_follow_the_core_schema() -> None:
    text = b"""
        t: 14:30:15
        yes: no
        camera: 007
        250: [1, -2, 0.5, 1e3, .5, true, ~, null, 'null', "1", 2024-01-02, 0x10, 1_000]
        empty:
        """
    assert yamltext.load(text) == {
        "t": "14:30:15",
        "yes": "no",
        "camera": "007",
        "250": [1, -2, 0.5, 1000.0, 0.5, True, None, None, "null", "1", "2024-01-02", "0x10", "1_000"],
        "empty": None,
    }


def test_yaml_reads_json() -> None:
    assert yamltext.load(b'\xef\xbb\xbf{"a": [1, "x", {"b": null}]}') == {"a": [1, "x", {"b": None}]}


@given(st.binary(max_size=200) | st.text(max_size=200).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for load in (jsontext.load, yamltext.load):
        with suppress(NotADocument):
            load(data)


@given(st.text(alphabet='[]{}:,"\\u0dD8c1e.- \n', max_size=60))
def test_nearly_json_is_read_as_the_standard_library_reads_it_or_refused(text: str) -> None:
    try:
        value = jsontext.parse(text)
    except NotADocument:
        return
    assert json.loads(text) == value


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, max_size=5)
BLANKS = st.text(" \t\r\n", max_size=3)
KEYS = st.sampled_from(["status", "error", "export_path", "ä"])


@st.composite
def spelled(draw: st.DrawFn, value: Any) -> str:
    """Some JSON text for `value`: any blanks, any spelling."""
    blank = lambda: draw(BLANKS)  # noqa: E731
    if isinstance(value, dict):
        pairs = [f"{blank()}{draw(spelled(key))}{blank()}:{draw(spelled(item))}" for key, item in value.items()]
        return f"{blank()}{{{','.join(pairs) or blank()}}}{blank()}"
    if isinstance(value, list):
        return f"{blank()}[{','.join(draw(spelled(item)) for item in value) or blank()}]{blank()}"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=draw(st.booleans()))
    return f"{blank()}{json.dumps(value)}{blank()}"


@given(st.data(), OBJECTS, st.dictionaries(KEYS, VALUES, max_size=4), st.sets(KEYS, max_size=2))
def test_an_edit_changes_the_value_and_no_other_character(data, content, changes, removed) -> None:
    text = data.draw(spelled(content)).strip(" \t\r\n")
    removed -= changes.keys()
    edited = jsontext.set_members(text, 0, changes, tuple(removed))
    expected = {key: value for key, value in content.items() if key not in removed} | changes
    assert jsontext.same(jsontext.parse(edited), expected)
    assert list(jsontext.parse(edited)) == list(expected)
    before, after = (
        [(m.key, s[m.key_start : m.key_end], s[m.start : m.end]) for m in jsontext.members(s, 0)]
        for s in (text, edited)
    )
    kept = [member for member in before if member[0] not in removed | changes.keys()]
    assert [member for member in after if member[0] not in changes] == kept


@given(st.data(), OBJECTS)
def test_setting_equal_values_is_the_identity(data, content) -> None:
    text = data.draw(spelled(content)).strip(" \t\r\n")
    assert jsontext.set_members(text, 0, content, ("never there",)) == text


@given(st.data(), OBJECTS.filter(bool))
def test_around_one_changed_value_all_is_equal(data, content) -> None:
    text = data.draw(spelled(content)).strip(" \t\r\n")
    key = data.draw(st.sampled_from(sorted(content)))
    (old,) = [member for member in jsontext.members(text, 0) if member.key == key]
    edited = jsontext.set_members(text, 0, {key: "a quite new value"})
    assert edited == text[: old.start] + '"a quite new value"' + text[old.end :]


def test_one_and_true_are_not_the_same() -> None:
    assert jsontext.set_members('{"a": 1}', 0, {"a": True}) == '{"a": true}'
    assert jsontext.set_members('{"a": 1e0}', 0, {"a": 1}) == '{"a": 1e0}'


ADDED = {"error": "e", "export_path": ["x", "y"]}


@pytest.mark.parametrize(
    ("text", "edited"),
    [
        ('{"a":1}', '{"a":1,"error":"e","export_path":["x","y"]}'),
        ('{"a": 1}', '{"a": 1, "error": "e", "export_path": ["x", "y"]}'),
        ('{ "a" : 1 }', '{ "a" : 1, "error" : "e", "export_path" : ["x", "y"] }'),
        ('{"a": [1], "b": 1}', '{"a": [1], "b": 1, "error": "e", "export_path": ["x", "y"]}'),
        ("{}", '{"error": "e", "export_path": ["x", "y"]}'),
        (
            '{\n  "a": 1\n}',
            '{\n  "a": 1,\n  "error": "e",\n  "export_path": [\n    "x",\n    "y"\n  ]\n}',
        ),
        (
            '{\r\n\t"a": 1\r\n}',
            '{\r\n\t"a": 1,\r\n\t"error": "e",\r\n\t"export_path": [\r\n\t\t"x",\r\n\t\t"y"\r\n\t]\r\n}',
        ),
        (
            '{\n    "a": [1, 2],\n    "b": 2\n}',
            '{\n    "a": [1, 2],\n    "b": 2,\n    "error": "e",\n    "export_path": ["x", "y"]\n}',
        ),
        ('{ "a": 1\n, "b": 2\n}', '{ "a": 1\n, "b": 2\n, "error": "e"\n, "export_path": ["x", "y"]\n}'),
    ],
)
def test_new_members_follow_the_style_of_the_object(text: str, edited: str) -> None:
    assert jsontext.set_members(text, 0, ADDED) == edited
    assert jsontext.set_members(edited, 0, {}, tuple(ADDED)).replace(" ", "") == text.replace(" ", "")


def test_texts_are_escaped_as_the_file_does() -> None:
    assert jsontext.set_members('{"a": "u"}', 0, {"a": "\u00fc"}) == '{"a": "\\u00fc"}'
    assert jsontext.set_members('{"\u00e4": "u"}', 0, {"\u00e4": "\u00fc"}) == '{"\u00e4": "\u00fc"}'


@given(st.binary(max_size=30))
def test_decoding_keeps_every_byte(data: bytes) -> None:
    try:
        mark, text = decode(data)
    except NotADocument:
        return
    assert (mark + text).encode() == data
