"""A record: what became of one row; a line of the ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from clipd.errors import ClipdError

Kind = Literal["row", "duplicate", "missing", "rejected", "media", "function", "timeout", "crash"]
"""What a failure is: a fault of the row, an id that stands there twice, a video that is not there, a wish that cannot
be met, a video that cannot be decoded, a function that raised, took too long, or took its process down."""


class NotARecord(ClipdError):
    """A line of a ledger that holds no record."""


@dataclass(frozen=True)
class Failure:
    """Why a row failed. `where` is the place in a function that raised, `file:line in name`."""

    kind: Kind
    message: str
    where: str = ""

    def plain(self) -> dict[str, str]:
        """For JSON."""
        return {key: value for key, value in vars(self).items() if value}


@dataclass(frozen=True)
class Record:
    """What became of a row: a result, or a failure."""

    key: str
    fingerprint: str
    line: int
    id: str | None
    video: str
    result: Any = None
    """What the function returned, as JSON; arrays in it are described by their file."""
    files: tuple[str, ...] = ()
    """Every file that the row left, below the output folder, `/`-separated."""
    warnings: tuple[str, ...] = ()
    failure: Failure | None = None
    seconds: float = 0.0
    """How long the work took. Nothing else in a record depends on time."""

    @property
    def is_ok(self) -> bool:
        """Is there a result?"""
        return self.failure is None

    def line_of_ledger(self) -> bytes:
        """The record as a line."""
        plain = {**vars(self), "failure": None if self.failure is None else self.failure.plain()}
        return _line({key: value for key, value in plain.items() if value not in (None, (), "")})

    def of_results(self, line: int) -> dict[str, Any]:
        """What `processing_results.json` says of the row, which stands on `line` now."""
        named = {"line": line} | ({} if self.id is None else {"id": self.id}) | {"video": self.video}
        if self.failure is not None:
            return named | {"status": "failed", "error": self.failure.plain()}
        ended = {"status": "ok", "result": self.result, "files": list(self.files)}
        return named | ended | ({"warnings": list(self.warnings)} if self.warnings else {})


@dataclass(frozen=True)
class Begun:
    """A row that is being worked on by the process that keeps the ledger: if it dies of it, this is what remains."""

    key: str
    fingerprint: str
    begun: Literal[True] = field(default=True)

    def line_of_ledger(self) -> bytes:
        """The note as a line."""
        return _line(vars(self))


@dataclass(frozen=True)
class Lost:
    """A row that took the process down which was at it."""

    key: str
    fingerprint: str
    lost: Literal[True] = field(default=True)

    def line_of_ledger(self) -> bytes:
        """The note as a line."""
        return _line(vars(self))


def read(line: bytes) -> Record | Begun | Lost:
    """The record in a line of a ledger.

    Raises:
        NotARecord: there is none in it.
    """
    try:
        plain: Mapping[str, Any] = json.loads(line)
        if plain.get("begun"):
            return Begun(_text(plain["key"]), _text(plain["fingerprint"]))
        if plain.get("lost"):
            return Lost(_text(plain["key"]), _text(plain["fingerprint"]))
        failure = plain.get("failure")
        return Record(
            key=_text(plain["key"]),
            fingerprint=_text(plain["fingerprint"]),
            line=int(plain["line"]),
            id=plain.get("id"),
            video=plain.get("video", ""),
            result=plain.get("result"),
            files=tuple(plain.get("files", ())),
            warnings=tuple(plain.get("warnings", ())),
            failure=None if failure is None else Failure(**failure),
            seconds=float(plain.get("seconds", 0.0)),
        )
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise NotARecord(f"a line of the ledger holds no record: {error}") from error


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a text is due")
    return value


def _line(plain: Mapping[str, Any]) -> bytes:
    return _ENCODER.encode(plain).encode() + b"\n"


_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
