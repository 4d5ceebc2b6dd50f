"""The truth sheet as plain text: a line for each fact, indented by depth, to read without any tool."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clipd.log import plain


def render(sheet: Mapping[str, Any]) -> bytes:
    """`sheet` as UTF-8 lines `name: value`."""
    return ("\n".join(_lines(sheet, 0)) + "\n").encode("utf-8", "backslashreplace")


def _lines(value: Mapping[str, Any], depth: int) -> Iterator[str]:
    for name, fact in value.items():
        label = "  " * depth + plain(str(name).replace("_", " "))
        if isinstance(fact, Mapping) and fact:
            yield f"{label}:"
            yield from _lines(fact, depth + 1)
        elif _is_list(fact) and any(isinstance(item, Mapping) or _is_list(item) for item in fact):
            yield f"{label}:"
            for item in fact:
                yield from _item(item, depth + 1)
        else:
            yield f"{label}: {_word(fact)}"


def _item(item: Any, depth: int) -> Iterator[str]:
    if not isinstance(item, Mapping):
        yield "  " * depth + "- " + _word(item)
        return
    first, *rest = list(_lines(item, depth + 1)) or ["-"]
    yield "  " * depth + "- " + first.lstrip()
    yield from rest


def _is_list(fact: Any) -> bool:
    return isinstance(fact, Sequence) and not isinstance(fact, str)


def _word(fact: Any) -> str:
    """A fact on one line: whatever it holds, it can neither begin another line nor steer a terminal."""
    if _is_list(fact):
        return ", ".join(_word(item) for item in fact) or "-"
    return "-" if fact is None or fact == {} else plain(str(fact))
