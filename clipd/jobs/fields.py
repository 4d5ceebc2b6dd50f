"""Fields: the kinds of values that people and programs write into requests, with words for when one is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, TypeVar

from pydantic import BaseModel, BeforeValidator, ValidationError

from clipd.errors import Rejected
from clipd.model import slip

Form = TypeVar("Form", bound=BaseModel)

LONGEST_NAME: Final = 120
"""Characters of a name that becomes part of a file's."""


def checked(form: type[Form], content: Mapping[str, Any], missing: str) -> Form:
    """`content` as a `form`.

    Raises:
        Rejected: something in it is wrong, the first thing in words; `missing` is said of a key that is not there.
    """
    try:
        return form.model_validate(content)
    except ValidationError as error:
        problem = error.errors()[0]
        key = str(problem["loc"][0]) if problem["loc"] else ""
        if problem["type"] == "missing":
            unknown = [one for one in content if one not in form.model_fields]
            raise Rejected(f"{key} is missing; {missing}{slip.instead(key, unknown)}") from None
        raise Rejected(f"{key}: {str(problem['msg']).removeprefix('Value error, ')}") from None


def name(example: str, *, needed: bool = True) -> BeforeValidator:
    """A name that becomes part of a file's, such as `example`; a whole number counts as one."""

    def named(value: object) -> object:
        if value is None and not needed:
            return None
        written = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
        if not isinstance(written, str) or not written.strip():
            else_ = "" if needed else ", or leave the key out"
            raise ValueError(f"write a name in quotes, such as {json.dumps(example)}{else_}")
        found = written.strip()
        if "/" in found or "\\" in found or found in (".", "..") or not found.isprintable():
            shown = json.dumps(found[:LONGEST_NAME])
            raise ValueError(f"{shown} cannot be part of a file name; write a name without slashes and dots only")
        if len(found) > LONGEST_NAME:
            raise ValueError(f"it has {len(found)} characters; write a name of at most {LONGEST_NAME}")
        return found

    return BeforeValidator(named)


def between(least: float, most: float, what: str = "number") -> BeforeValidator:
    """A number from `least` to `most`, exactly as it is written (`Fraction`), or None."""

    def within(value: object) -> object:
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            shown = json.dumps(value, default=str)
            raise ValueError(f"{shown} is no {what}; write one from {least:.9g} to {most:.9g}")
        if not least <= value <= most:
            raise ValueError(f"{value:.9g} is out of range; write a {what} from {least:.9g} to {most:.9g}")
        return Fraction(repr(value))

    return BeforeValidator(within)


def one_of(*words: str) -> BeforeValidator:
    """One of `words`, in any case, or None."""

    def chosen(value: object) -> object:
        word = value.strip().casefold() if isinstance(value, str) else value
        if word is not None and word not in words:
            raise ValueError(f"{json.dumps(value, default=str)} is none of {', '.join(words)}")
        return word

    return BeforeValidator(chosen)


def _flag(value: object) -> object:
    if not isinstance(value, bool | None):
        raise ValueError("write true or false, without quotes")
    return bool(value)


flag: Final = BeforeValidator(_flag)
"""True or false; None is false."""
