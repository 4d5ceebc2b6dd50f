"""JSON, strictly, and edited in place: a change touches the value it names and no other byte.

Reading goes through the C scanner of the standard library, so that ten thousand files cost seconds; only when it, or a
quick look afterwards, finds something wrong does a slower walk over the text say where. `items` and `members` yield
values with their places, `set_members` edits the text of one object.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from clipd.files.document import (
    JSON,
    LIMIT_BYTES,
    LIMIT_DEPTH,
    LIMIT_DIGITS,
    NotADocument,
    decode,
    is_encodable,
    position,
)


@dataclass(frozen=True, slots=True)
class Item:
    """A value in an array and where its text lies: `text[start:end]`."""

    value: Any
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Member:
    """A member of an object; its key's text is `text[key_start:key_end]`, its value's `text[start:end]`."""

    key: str
    key_start: int
    key_end: int
    value: Any
    start: int
    end: int


def load(data: bytes, limit_bytes: int = LIMIT_BYTES) -> JSON:
    """The value of a JSON file.

    Raises:
        NotADocument: it is not JSON, or breaks a limit of `document`; with the place and what would be right.
    """
    return parse(decode(data, limit_bytes)[1])


def parse(text: str) -> JSON:
    """The value of a JSON text, without duplicate keys, NaN, infinities, huge numbers, half surrogates or great depth.

    Raises:
        NotADocument: as `load`.
    """
    try:
        value: JSON = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _syntax_error(text, error) from None
    except (ValueError, RecursionError):
        fault = _find_fault(text)
        raise fault or NotADocument("this is not a JSON document") from None
    if _LONG_NUMBER.search(text) or _SURROGATE.search(text) or _is_deep(value):
        fault = _find_fault(text)
        if fault is not None:
            raise fault
    return value


def skip_blanks(text: str, at: int) -> int:
    """The offset of the first character from `at` on that is no blank."""
    match = _BLANKS.match(text, at)
    return at if match is None else match.end()


def items(text: str, start: int) -> Iterator[Item]:
    """The items of the array whose bracket stands at `start` of a text that `parse` took."""
    at = skip_blanks(text, start + 1)
    while text[at] != "]":
        value, end = _DECODER.raw_decode(text, at)
        yield Item(value, at, end)
        at = skip_blanks(text, end)
        if text[at] == ",":
            at = skip_blanks(text, at + 1)


def members(text: str, start: int) -> Iterator[Member]:
    """The members of the object whose brace stands at `start` of a text that `parse` took."""
    key_start = skip_blanks(text, start + 1)
    while text[key_start] != "}":
        key, key_end = _DECODER.raw_decode(text, key_start)
        at = skip_blanks(text, skip_blanks(text, key_end) + 1)
        value, end = _DECODER.raw_decode(text, at)
        yield Member(key, key_start, key_end, value, at, end)
        key_start = skip_blanks(text, end)
        if text[key_start] == ",":
            key_start = skip_blanks(text, key_start + 1)


def same(one: Any, other: Any) -> bool:
    """Are two JSON values equal? 1 and 1.0 are, 1 and true are not."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(value, other[key]) for key, value in one.items())
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other)


def set_members(text: str, start: int, changes: Mapping[str, JSON], remove: tuple[str, ...] = ()) -> str:
    """The text with members of the object at `start` set or removed; equal values are left as they are spelled.

    A member that is new goes to the end of the object, in the style of the others.
    """
    for key in remove:
        text = _without(text, start, key)
    for key, value in changes.items():
        text = _with(text, start, key, value)
    return text


def append_items(text: str, start: int, values: Sequence[JSON]) -> str:
    """The text with `values` added at the end of the array at `start`, in the style of the items that are there."""
    present = list(items(text, start))
    closing = text.index("]", present[-1].end if present else start)
    if not values:
        return text
    if not present:
        lines = json.dumps(values, ensure_ascii=False, indent=2)
        return text[:start] + lines + text[closing + 1 :]
    before_first = text[start + 1 : present[0].start]
    between = text[present[-2].end : present[-1].start] if len(present) > 1 else "," + (before_first or " ")
    line = before_first.rpartition("\n")
    indent = line[2] if line[1] else ""
    opened = "\n" in text[present[-1].start : present[-1].end]
    spelled = []
    for value in values:
        if opened:
            words = json.dumps(value, ensure_ascii=False, indent=indent or 2).replace("\n", "\n" + indent)
        else:
            words = json.dumps(value, ensure_ascii=False)
        spelled.append(between + words)
    end = present[-1].end
    return text[:end] + "".join(spelled) + text[end:]


def _with(text: str, start: int, key: str, value: JSON) -> str:
    present = list(members(text, start))
    style = _Style.of(text, start, present)
    for member in present:
        if member.key == key:
            spelled = text[member.start : member.end] if same(member.value, value) else style.spell(value)
            return text[: member.start] + spelled + text[member.end :]
    added = style.spell(key) + style.colon + style.spell(value)
    if not present:
        return text[: start + 1] + added + text[start + 1 :]
    end = present[-1].end
    return text[:end] + style.separator + added + text[end:]


def _without(text: str, start: int, key: str) -> str:
    present = list(members(text, start))
    for index, member in enumerate(present):
        if member.key != key:
            continue
        if index + 1 < len(present):
            return text[: member.key_start] + text[present[index + 1].key_start :]
        begin = present[index - 1].end if index else member.key_start
        return text[:begin] + text[member.end :]
    return text


@dataclass(frozen=True, slots=True)
class _Style:
    """How an object is spelled."""

    separator: str
    """What stands between one member's value and the next one's key."""
    colon: str
    newline: str | None
    """The line break and indentation before a key; None when lists and objects are kept on one line."""
    unit: str
    ascii_only: bool

    @classmethod
    def of(cls, text: str, start: int, present: list[Member]) -> _Style:
        if not present:
            return cls(", ", ": ", None, "", text.isascii())
        last = present[-1]
        colon = text[last.key_end : last.start]
        before_first = text[start + 1 : present[0].key_start]
        if len(present) > 1:
            separator = text[present[-2].end : last.key_start]
        else:
            separator = "," + (before_first or (" " if colon.endswith(" ") else ""))
        nested = [text[member.start : member.end] for member in present if _is_full_container(member.value)]
        opened = any("\n" in spelling for spelling in nested) if nested else "\n" in before_first
        line_break = before_first[before_first.rfind("\r\n") :] if "\r\n" in before_first else None
        if line_break is None and "\n" in before_first:
            line_break = before_first[before_first.rfind("\n") :]
        closing = text[last.end : skip_blanks(text, last.end)].rpartition("\n")[2]
        indent = (line_break or "").lstrip("\r\n")
        unit = indent.removeprefix(closing) or "  "
        return cls(separator, colon, line_break if opened else None, unit, text.isascii())

    def spell(self, value: JSON) -> str:
        if self.newline is None or not _is_full_container(value):
            comma = ", " if self.colon.endswith(" ") or "\n" in self.separator else ","
            return json.dumps(value, ensure_ascii=self.ascii_only, separators=(comma, self.colon))
        lines = json.dumps(value, ensure_ascii=self.ascii_only, indent=self.unit, separators=(",", self.colon))
        return lines.replace("\n", self.newline)


def _is_full_container(value: Any) -> bool:
    return isinstance(value, dict | list) and bool(value)


class _SuspectError(ValueError):
    """The fast parse met something that the slow walk must name."""


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise _SuspectError
    return made


def _finite(spelling: str) -> float:
    number = float(spelling)
    if math.isinf(number):
        raise _SuspectError
    return number


def _refuse_constant(_: str) -> NoReturn:
    raise _SuspectError


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_float=_finite, parse_constant=_refuse_constant)
_BLANKS = re.compile(r"[ \t\r\n]*")
_CLOSING = {"[": "]", "{": "}"}
_LONG_NUMBER = re.compile(f"[0-9]{{{LIMIT_DIGITS + 1}}}")
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
# Possessive, and closed by the end of the text too: linear on any input.
_TOKEN = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[\]{}:,]|[^\s\[\]{}:,"]++', re.DOTALL)


def _is_deep(value: JSON) -> bool:
    level = [value] if isinstance(value, dict | list) else []
    for _ in range(LIMIT_DEPTH):
        if not level:
            return False
        level = [
            child
            for container in level
            for child in (container.values() if isinstance(container, dict) else container)
            if isinstance(child, dict | list)
        ]
    return bool(level)


def _syntax_error(text: str, error: json.JSONDecodeError) -> NotADocument:
    if not text.strip():
        return NotADocument("the file is empty; write [] for a sidecar without clips")
    words = {
        "Extra data": "the document ended before this; remove what follows, or join it with the rest",
        "Expecting value": "a value is missing here (or a comma too many stands before)",
        "Expecting property name enclosed in double quotes": 'a key in double quotes belongs here, such as "name"',
        "Expecting ':' delimiter": "a colon belongs between key and value",
        "Expecting ',' delimiter": "a comma is missing before this",
        "Unterminated string starting at": "this text has no closing quote",
        "Invalid control character at": "a line break or control character must be written as \\n, \\t or \\u00XX",
        "Illegal trailing comma before end of array": "a comma too many stands before the ]",
        "Illegal trailing comma before end of object": "a comma too many stands before the }",
    }.get(error.msg, error.msg)
    return NotADocument(_unclosed(text, error) or words, error.lineno, error.colno)


def _unclosed(text: str, error: json.JSONDecodeError) -> str | None:
    """What is wrong where the text ends, or another bracket stands, before a list or an object was closed."""
    at = skip_blanks(text, error.pos)
    rest = text[at : at + 1]
    if rest not in ("", "]", "}") and not (rest == "{" and error.msg.startswith("Expecting property name")):
        return None
    opened: list[int] = []
    for match in _TOKEN.finditer(text, 0, at):
        if match[0] in ("[", "{"):
            opened.append(match.start())
        elif match[0] in ("]", "}"):
            del opened[-1:]
    if not opened or rest == _CLOSING[text[opened[-1]]]:
        return None
    bracket, (line, _) = text[opened[-1]], position(text, opened[-1])
    before = f"before this {rest}" if rest else "before the file ends"
    return f"the {bracket} of line {line} is not closed {before}; write the {_CLOSING[bracket]} that is missing"


def _find_fault(text: str) -> NotADocument | None:
    """Walk over the text and say what a strict reader minds; None when it minds nothing."""
    keys: list[set[str] | None] = []  # for each open object its keys so far, for each open array None
    key_next = False
    for match in _TOKEN.finditer(text):
        lexeme, words = match[0], None
        if lexeme in "[{":
            keys.append(set() if lexeme == "{" else None)
            key_next = lexeme == "{"
            if len(keys) > LIMIT_DEPTH:
                words = f"lists and objects lie more than {LIMIT_DEPTH} deep in each other; make it flatter"
        elif lexeme in "]}":
            del keys[-1:]
        elif lexeme == ",":
            key_next = bool(keys) and keys[-1] is not None
        elif lexeme[0] == '"':
            words = _fault_of_string(lexeme, keys[-1] if key_next else None)
            key_next = False
        elif lexeme != ":":
            words = _fault_of_scalar(lexeme)
        if words is not None:
            return NotADocument(words, *position(text, match.start()))
    return None


def _fault_of_string(lexeme: str, keys: set[str] | None) -> str | None:
    try:
        content = json.loads(lexeme) if "\\" in lexeme else lexeme[1:-1]
    except ValueError:
        return "this text has a wrong escape or no closing quote"
    if not is_encodable(content):
        return f"{lexeme[:40]} holds half of a surrogate pair; write the character itself"
    if keys is None:
        return None
    if content in keys:
        return f"the key {lexeme[:80]} stands here for the second time in one object; keep one of them"
    keys.add(content)
    return None


def _fault_of_scalar(lexeme: str) -> str | None:
    if lexeme in ("NaN", "Infinity", "-Infinity"):
        return f"{lexeme} is no JSON value; write a number or null"
    if _LONG_NUMBER.search(lexeme):
        return f"a number with more than {LIMIT_DIGITS} digits in a row; write a shorter one"
    if lexeme[0] in "-0123456789" and "e" in lexeme.lower():
        try:
            too_large = math.isinf(float(lexeme))
        except ValueError:
            return None
        if too_large:
            return f"{lexeme[:40]} is too large for a number"
    return None
