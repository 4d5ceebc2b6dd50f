"""Slips of the pen: which name somebody may have meant who wrote one that is not known."""

from __future__ import annotations

import difflib
import json
from collections.abc import Collection, Iterable

NEAR = 0.75
"""How alike an unknown name must be to a known one to be taken for a slip of the pen."""


def near(word: str, known: Iterable[str]) -> str:
    """The one of `known` that comes nearest to `word`; "" where none comes near."""
    return next(iter(difflib.get_close_matches(word.casefold(), list(known), n=1, cutoff=NEAR)), "")


def meant(word: str, known: Collection[str]) -> str:
    """What to say of `word`, which is none of `known`: which one is meant, or which there are."""
    found = near(word, known)
    return f"did you mean {found}?" if found else f"there are {', '.join(known)}"


def instead(wanted: str, standing: Iterable[str]) -> str:
    """What to add to "`wanted` is missing" where a key that may stand for it is among the unknown ones; else ""."""
    found = near(wanted, standing)
    return f"; {json.dumps(found, ensure_ascii=False)} stands there, did you mean {wanted}?" if found else ""
