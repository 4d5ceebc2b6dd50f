"""What people write into requests: what is taken, and what is said of the rest."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any

import pytest
from pydantic import BaseModel, ValidationError

from clipd.jobs import fields


class Form(BaseModel):
    """One of each."""

    needed: Annotated[str, fields.name("door-42")] = "there"
    spare: Annotated[str | None, fields.name("door-1", needed=False)] = None
    number: Annotated[Any, fields.between(0.5, 10**6, "number of seconds")] = None
    word: Annotated[str | None, fields.one_of("mp4", "gif")] = None
    yes: Annotated[bool, fields.flag] = False


@pytest.mark.parametrize(
    ("field", "written", "taken"),
    [
        ("needed", " a b ", "a b"),
        ("needed", 42, "42"),
        ("spare", None, None),
        ("number", 7.1, Fraction(71, 10)),
        ("number", 10**6, Fraction(10**6)),
        ("number", None, None),
        ("word", " GIF ", "gif"),
        ("word", None, None),
        ("yes", True, True),
        ("yes", None, False),
    ],
)
def test_what_is_right_is_taken(field: str, written: object, taken: object) -> None:
    assert getattr(Form.model_validate({field: written}), field) == taken


@pytest.mark.parametrize(
    ("field", "written", "words"),
    [
        ("needed", None, 'write a name in quotes, such as "door-42"'),
        ("spare", " ", 'such as "door-1", or leave the key out'),
        ("needed", True, "write a name in quotes"),
        ("needed", "a/b", '"a/b" cannot be part of a file name'),
        ("needed", "..", "cannot be part of a file name"),
        ("needed", "a\nb", "cannot be part of a file name"),
        ("needed", "x" * 121, "it has 121 characters; write a name of at most 120"),
        ("number", "7", '"7" is no number of seconds; write one from 0.5 to 1000000'),
        ("number", True, "true is no number of seconds"),
        ("number", float("nan"), "is no number of seconds"),
        ("number", 0.25, "0.25 is out of range; write a number of seconds from 0.5 to 1000000"),
        ("word", "avi", '"avi" is none of mp4, gif'),
        ("word", 3, "3 is none of mp4, gif"),
        ("yes", "yes", "write true or false, without quotes"),
    ],
)
def test_what_is_wrong_is_refused_with_words(field: str, written: object, words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Form.model_validate({field: written})
    assert words in str(refused.value)
