"""Documents from anyone who can write to the share: how large, how deep, in which encoding, and how a fault is told.

`jsontext` and `yamltext` read the two notations under the limits kept here.
"""

from __future__ import annotations

from typing import Any

from clipd.errors import Rejected

JSON = dict[str, Any] | list[Any] | str | int | float | bool | None
"""What a document holds, in either notation."""

LIMIT_BYTES = 4 << 20
"""A larger document is refused: a clip takes about 500 bytes, and parsed values take some 20 times their text."""
LIMIT_DEPTH = 64
"""Lists and objects inside each other; a sidecar needs 5."""
LIMIT_DIGITS = 64
"""Digits in a row in one number."""

BOM = "\ufeff"

_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")


class NotADocument(Rejected):
    """The text is no valid document; `line` and `column` (in characters, both from 1) say where."""

    def __init__(self, words: str, line: int = 1, column: int = 1) -> None:
        super().__init__(f"line {line}, column {column}: {words}")
        self.line = line
        self.column = column


def decode(data: bytes, limit_bytes: int = LIMIT_BYTES) -> tuple[str, str]:
    """The text of a UTF-8 document as (BOM or nothing, the rest): joined and encoded they give `data` again.

    Raises:
        NotADocument: it is too large or not UTF-8.
    """
    if len(data) > limit_bytes:
        raise NotADocument(f"the file holds {len(data):,} bytes; at most {limit_bytes:,} are read")
    if data.startswith(_UTF16_BOMS) or b"\0" in data[:4]:
        raise NotADocument("the text is UTF-16 or UTF-32; save the file as UTF-8")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line, column = position(data[: error.start].decode("utf-8"), None)
        wrong = data[error.start]
        raise NotADocument(f"byte 0x{wrong:02x} is not UTF-8; save the file as UTF-8", line, column) from None
    return (BOM, text[1:]) if text.startswith(BOM) else ("", text)


def position(text: str, offset: int | None) -> tuple[int, int]:
    """Line and column, both from 1, of the character at `offset` (None: of the end)."""
    end = len(text) if offset is None else offset
    return text.count("\n", 0, end) + 1, end - text.rfind("\n", 0, end)


def is_encodable(text: str) -> bool:
    """Is `text` real Unicode, without half a surrogate pair (which no file can hold)?"""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
