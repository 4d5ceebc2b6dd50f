"""The truth sheet as plain text: a line for each fact, indented by depth, to read without any tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as UTF-8 lines `name: value`."""
    return ("\n".join(_lines(sheet, 0)) + "\n").encode("utf-8", "backslashreplace")


def _lines(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, fact in value.items():
        label = "  " * depth + str(name).replace("_", " ")
        if isinstance(fact, Mapping):
            yield f"{label}:"
            yield from _lines(fact, depth + 1)
        elif (
            isinstance(fact, Sequence)
            and not isinstance(fact, str)
            and any(isinstance(f, Mapping | list) for f in fact)
        ):
            yield f"{label}:"
            for item in fact:
                yield from _item(item, depth + 1)
        elif isinstance(fact, Sequence) and not isinstance(fact, str):
            yield f"{label}: " + ", ".join(_word(item) for item in fact)
        else:
            yield f"{label}: {_word(fact)}"


def _item(item: Any, depth: int) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield "  " * depth + "- " + _word(item)
        return
    lines = list(_lines(item, depth + 1))
    if lines:
        yield "  " * depth + "- " + lines[0].lstrip()
        yield from lines[1:]


def _word(fact: object) -> str:
    return "-" if fact is None else str(fact)
