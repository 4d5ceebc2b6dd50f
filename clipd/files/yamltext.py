"""YAML, read as plain data: what JSON can say, in YAML's notation, and nothing that surprises.

No aliases, anchors, merge keys or tags, one document, no duplicate keys. Scalars follow YAML 1.2's core schema: `yes`
is a text and so is `14:30:15` (YAML 1.1 would make a number of it), a number with a leading zero stays the text it
looks like, and keys are always texts.
"""

from __future__ import annotations

import math
import re
from typing import Any

import yaml

from clipd.files.document import JSON, LIMIT_DEPTH, LIMIT_DIGITS, NotADocument, decode, is_encodable

LIMIT_BYTES = 1 << 20
"""YAML reads ten times slower than JSON."""

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INTEGER = re.compile(r"[-+]?(?:0|[1-9][0-9]*)", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|(?:0|[1-9][0-9]*)(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF|nan|NaN|NAN)", re.ASCII)
_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def load(data: bytes, limit_bytes: int = LIMIT_BYTES) -> JSON:
    """The value of a YAML file.

    Raises:
        NotADocument: it is not YAML, says more than JSON can, or breaks a limit; with the place and the mend.
    """
    text = decode(data, limit_bytes)[1]
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=_LOADER):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise NotADocument(f"this is not YAML: {error.problem or error.context}", line, column) from None
    except yaml.YAMLError as error:
        raise NotADocument(f"this is not YAML: {error}") from None
    if not builder.documents:
        raise NotADocument("the file is empty")
    return builder.value


class _Builder:
    """Builds the value from the parser's events, which come one by one: a bomb is refused before it goes off."""

    def __init__(self) -> None:
        self.value: JSON = None
        self.documents = 0
        self._open: list[dict[str, Any] | list[Any]] = []
        self._keys: list[str | None] = []
        """For each open mapping the key that waits for its value."""

    def take(self, event: Any) -> None:
        if isinstance(event, yaml.DocumentStartEvent):
            self.documents += 1
            if self.documents > 1:
                raise _fault(event, "a second document begins here; keep one document to a file")
        elif isinstance(event, yaml.AliasEvent):
            raise _fault(event, f"the alias *{event.anchor} is not taken; write the value out")
        elif isinstance(event, yaml.NodeEvent):
            self._take_node(event)
        elif isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
            self._open.pop()
            self._keys.pop()

    def _take_node(self, event: Any) -> None:
        if event.anchor is not None:
            raise _fault(event, f"the anchor &{event.anchor} is not taken; write the value out where it is needed")
        if event.tag is not None:
            raise _fault(event, f"the tag {event.tag} is not taken; leave it away")
        if self._open and isinstance(self._open[-1], dict) and self._keys[-1] is None:
            self._take_key(event, self._open[-1])
            return
        value: JSON = _scalar(event) if isinstance(event, yaml.ScalarEvent) else []
        if isinstance(event, yaml.MappingStartEvent):
            value = {}
        self._place(value)
        if isinstance(value, dict | list):
            self._open.append(value)
            self._keys.append(None)
            if len(self._open) > LIMIT_DEPTH:
                raise _fault(event, f"lists and mappings lie more than {LIMIT_DEPTH} deep in each other")

    def _take_key(self, event: Any, mapping: dict[str, Any]) -> None:
        if not isinstance(event, yaml.ScalarEvent):
            raise _fault(event, "a key must be a text")
        if event.value == "<<" and not event.style:
            raise _fault(event, "the merge key << is not taken; write the members out")
        if event.value in mapping:
            raise _fault(event, f"the key {event.value!r} stands here for the second time; keep one of them")
        self._keys[-1] = _text(event)

    def _place(self, value: JSON) -> None:
        if not self._open:
            self.value = value
            return
        container, key = self._open[-1], self._keys[-1]
        if isinstance(container, list):
            container.append(value)
        elif key is not None:
            container[key] = value
            self._keys[-1] = None


def _fault(event: Any, words: str) -> NotADocument:
    return NotADocument(words, event.start_mark.line + 1, event.start_mark.column + 1)


def _text(event: Any) -> str:
    text: str = event.value
    if not is_encodable(text):
        raise _fault(event, "this text holds half of a surrogate pair; write the character itself")
    return text


def _scalar(event: Any) -> JSON:
    text = _text(event)
    if event.style:
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise _fault(event, f"{text} is not a number that can be used")
    if not _FLOAT.fullmatch(text):
        return text
    if len(text) > LIMIT_DIGITS:
        raise _fault(event, f"a number of {len(text):,} characters; write a shorter one, or put it in quotes")
    if _INTEGER.fullmatch(text):
        return int(text)
    if math.isinf(number := float(text)):
        raise _fault(event, f"{text} is too large for a number")
    return number
