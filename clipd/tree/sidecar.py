"""Sidecars: the JSON beside a source, an array of clips or an object with a `clips` array, and perhaps `compounds`.

`parse` reads one as entries that stand apart: a wrong entry says so (`problem`, or `Rejected` from `clip()`) and the
others are none the worse. `patch` edits the text in place: the named keys of one clip change, and no other byte.
"""

from __future__ import annotations

import hashlib
import json
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal, TypeVar

from pydantic import TypeAdapter

from clipd.errors import Rejected
from clipd.files import document, jsontext
from clipd.files.document import JSON, NotADocument, decode
from clipd.model.clip import Clip, is_due
from clipd.model.compound import Compound
from clipd.tree.clip_entry import ClipEntry, WrongValueError, as_clip
from clipd.tree.compound_entry import SidecarObject, as_compound

OWN_KEYS = ("status", "export_path", "modified_at", "error")
"""What clipd writes into a clip; everything else is people's."""
LIMIT_BYTES = document.LIMIT_BYTES
LIMIT_CLIPS = 20_000

_LINE_END = re.compile("\n")

Kind = Literal["clip", "compound"]
Asked = TypeVar("Asked")
_ARRAYS: dict[Kind, str] = {"clip": "clips", "compound": "compounds"}
_MARKS: dict[Kind, str] = {"clip": "", "compound": "+"}
_SHAPE: dict[Kind, str] = {
    "clip": 'a sidecar is an array of clips, [{"name": ...}], or an object with one, {"clips": [{"name": ...}]}',
    "compound": 'compounds are an array, [{"name": ..., "parts": [{"clip": ...}]}]',
}


@dataclass(frozen=True)
class Entry:
    """One entry of a sidecar, as it stands."""

    key: str
    """`id:<id>`, or `name:<name>` without an id; `#<number from 1>` when it has neither. `+` before it: a compound."""
    name: str
    id: str | None
    raw: Mapping[str, Any]
    """The entry's JSON object; empty when it is none."""
    index: int
    """Its place in its array."""
    fault: str | None = None
    """Why the entry cannot be worked on: it is no object, has no name, or has the id or name of another one."""
    kind: Kind = "clip"
    _text: _Text = field(repr=False, compare=False, kw_only=True)

    @property
    def problem(self) -> str | None:
        """`fault` with its line and column."""
        if self.fault is None:
            return None
        line, column = self.position
        return f"line {line}, column {column}: {self.fault}"

    @property
    def status(self) -> str | None:
        """The status as it is written, if it is a word."""
        word = self.raw.get("status")
        return word if isinstance(word, str) else None

    @property
    def due(self) -> bool:
        """Does it ask for work?"""
        return is_due(self.status)

    @property
    def position(self) -> tuple[int, int]:
        """Line and column, from 1, where the entry begins."""
        return self._text.position(self._text.places(self.kind)[self.index].start)

    @property
    def line(self) -> int:
        """The line, from 1, where the entry begins."""
        return self.position[0]

    def position_of(self, key: str) -> tuple[int, int]:
        """Line and column, from 1, of the value of `key`; of the entry itself where it has no such key."""
        for member in self._text.members(self.kind, self.index) if key in self.raw else ():
            if member.key == key:
                return self._text.position(member.start)
        return self.position

    def clip(self) -> Clip:
        """The clip it asks for.

        Raises:
            Rejected: something in it is wrong; the words say where, and what would be right.
        """
        return self._understood(lambda: as_clip(self.raw, self.key, self.name))

    def compound(self) -> Compound:
        """The compound it asks for. Raises as `clip` does."""
        return self._understood(lambda: as_compound(self.raw, self.key, self.name, self._clip_named))

    def request(self) -> Clip | Compound:
        """What it asks for, clip or compound. Raises as `clip` does."""
        return self.clip() if self.kind == "clip" else self.compound()

    def _clip_named(self, word: str) -> Clip | None:
        clips = [entry for entry in _entries(self._text, "clip") if word in (entry.id, entry.name)]
        return clips[0].clip() if clips else None

    def _understood(self, read: Callable[[], Asked]) -> Asked:
        if self.fault is not None:
            raise Rejected(str(self.problem))
        try:
            return read()
        except WrongValueError as error:
            line, column = self.position_of(error.field)
            wrong = f"{error.field} is {_shown(self.raw[error.field])}: " if error.field in self.raw else ""
            raise Rejected(f"line {line}, column {column}, {self.kind} {_shown(self.name)}: {wrong}{error}") from None


@dataclass(frozen=True)
class Sidecar:
    """The entries of a sidecar, in the file's order."""

    entries: tuple[Entry, ...]

    def find(self, key: str) -> Entry | None:
        """The entry with this key (it may have a `problem`)."""
        return next((entry for entry in self.entries if entry.key == key), None)


def parse(data: bytes, limit_bytes: int = LIMIT_BYTES) -> Sidecar:
    """The sidecar that these bytes hold.

    Raises:
        NotADocument: they are no JSON, or JSON of another shape.
    """
    text = _Text(decode(data, limit_bytes)[1])
    return Sidecar((*_entries(text, "clip"), *_entries(text, "compound")))


def _entries(text: _Text, kind: Kind) -> list[Entry]:
    raws, mark = text.raws(kind), _MARKS[kind]
    identities = [_identity(raw) for raw in raws]
    keys = Counter(key for key, _, _ in identities if key is not None)
    entries = []
    for index, (raw, (key, name, own_id)) in enumerate(zip(raws, identities, strict=True)):
        shape = raw if isinstance(raw, dict) else {}
        fault = _fault(raw, name, own_id) if key is None or keys[key] > 1 else None
        number = f"#{index + 1}"
        entries.append(Entry(mark + (key or number), name or number, own_id, shape, index, fault, kind, _text=text))
    return entries


def stand(entry: Entry) -> str:
    """A SHA-256, in hex, of the whole clip as it stands, clipd's own keys included."""
    return _digest(entry.raw)


def answered(entry: Entry) -> str:
    """A SHA-256, in hex, of clipd's own keys as they stand: what the person was last told, or asked anew."""
    return _digest({key: value for key, value in entry.raw.items() if key in OWN_KEYS})


def patch(data: bytes, key: str, changes: Mapping[str, JSON], *, remove: tuple[str, ...] = ()) -> bytes:
    """`data` with keys of one clip set or removed, in the file's own style; all other bytes are as they were.

    Raises:
        NotADocument: as `parse`.
        Rejected: no clip has this key, or several have.
    """
    entry = parse(data, max(LIMIT_BYTES, len(data))).find(key)
    if entry is None or entry.fault is not None:
        raise Rejected(f"no clip can be found by {_shown(key)}" if entry is None else str(entry.problem))
    mark, text = decode(data, len(data))
    start = entry._text.places(entry.kind)[entry.index].start
    return (mark + jsontext.set_members(text, start, changes, remove)).encode("utf-8")


def append(data: bytes, clips: Sequence[Mapping[str, Any]]) -> bytes:
    """`data` with `clips` added at its end, in the file's own style; all other bytes are as they were.

    Raises:
        NotADocument: as `parse`.
    """
    mark, text = decode(data, len(data))
    return (
        mark + jsontext.append_items(text, _Text(text).array_start("clip"), [dict(clip) for clip in clips])
    ).encode()


def schema() -> dict[str, Any]:
    """The JSON Schema of a sidecar, in both shapes."""
    made: dict[str, Any] = TypeAdapter(list[ClipEntry] | SidecarObject).json_schema()
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "clipd sidecar", **made}


class _Text:
    """The text of a sidecar; places are found only when they are asked for, which a healthy sidecar never is."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._value = jsontext.parse(text)
        self._places: dict[Kind, list[jsontext.Item]] = {}

    def raws(self, kind: Kind) -> list[Any]:
        """The values of the entries of a kind."""
        if not isinstance(self._value, dict):
            value = self._value if kind == "clip" else []
        elif kind == "compound" or _ARRAYS["compound"] in self._value:
            value = self._value.get(_ARRAYS[kind], [])
        else:
            value = self._value.get(_ARRAYS[kind])
        if not isinstance(value, list):
            raise NotADocument(_SHAPE[kind], *self.position(self.array_start(kind)))
        if len(value) > LIMIT_CLIPS:
            raise NotADocument(f"this sidecar has {len(value):,} entries; at most {LIMIT_CLIPS:,} are read")
        return value

    def places(self, kind: Kind) -> list[jsontext.Item]:
        """The entries of a kind with their places."""
        if kind not in self._places:
            self._places[kind] = list(jsontext.items(self.text, self.array_start(kind)))
        return self._places[kind]

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _LINE_END.finditer(self.text))]

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1, of the character at `offset`."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    def members(self, kind: Kind, index: int) -> list[jsontext.Member]:
        """The members of one entry with their places."""
        return list(jsontext.members(self.text, self.places(kind)[index].start))

    def array_start(self, kind: Kind) -> int:
        """The offset of the bracket that opens the array of a kind."""
        start = jsontext.skip_blanks(self.text, 0)
        if isinstance(self._value, dict):
            for member in jsontext.members(self.text, start):
                if member.key == _ARRAYS[kind]:
                    return member.start
        return start


def _identity(raw: Any) -> tuple[str | None, str | None, str | None]:
    """Key, name and id of an entry, each None where it has none."""
    if not isinstance(raw, dict):
        return None, None, None
    own_id, name = _word(raw.get("id")), _word(raw.get("name"))
    if own_id is not None:
        return f"id:{own_id}", name or own_id, own_id
    return (None, None, None) if name is None else (f"name:{name}", name, None)


def _word(value: Any) -> str | None:
    if isinstance(value, bool) or not isinstance(value, str | int):
        return None
    return str(value).strip() or None


def _fault(raw: Any, name: str | None, own_id: str | None) -> str:
    if not isinstance(raw, dict):
        return f'{_shown(raw)} is no clip; write an object, {{"name": ..., "start_frame": ..., "end_frame": ...}}'
    if own_id is not None:
        return f"clip {_shown(name)}: another clip has the id {_shown(own_id)} too; give each its own"
    if name is not None:
        return f"clip {_shown(name)}: another clip has this name too and neither has an id; rename one of them"
    return 'this clip has neither a name nor an id; give it one, such as "name": "goal_1"'


def _shown(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _digest(raw: Mapping[str, Any]) -> str:
    text = json.dumps(_canonical(raw), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _canonical(value: Any) -> Any:
    """The value with whole floats as integers: an editor that writes 250 for 250.0 has changed nothing."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, Mapping):
        return {key: _canonical(item) for key, item in value.items()}
    return [_canonical(item) for item in value] if isinstance(value, list) else value
