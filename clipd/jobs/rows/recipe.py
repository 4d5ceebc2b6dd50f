"""A recipe: what is done with every row of a dataset; it travels to the processes that do it."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from clipd.errors import Rejected
from clipd.jobs.rows import FUNCTIONS, own
from clipd.jobs.rows.function import Means, RowFunction, Surroundings
from clipd.model.setting import Section


@dataclass(frozen=True)
class Recipe:
    """A function of the table with its settings, or one of somebody's own with its arguments."""

    function: str | Callable[..., Any]
    arguments: Mapping[str, Any]
    means: Means
    name: str
    fingerprint: str
    """All of it that decides results, in words: when it changes, every row runs again."""

    def run(self, around: Surroundings) -> Any:
        """What becomes of one row. Raises the errors of `clipd.errors`."""
        if isinstance(self.function, str):
            known = FUNCTIONS[self.function]
            return known.run(around, _settings(known, self.arguments))
        return own.call(self.function, self.arguments, around)


def recipe(function: str | Callable[..., Any], arguments: Mapping[str, Any], means: Means) -> Recipe:
    """What to do with every row.

    Args:
        function: the name of a function in `FUNCTIONS`, or a function.
        arguments: its settings (for functions of the table, also nested by dots, and as text), or its arguments.
        means: what is worked with.

    Raises:
        Rejected: there is no such function, or an argument does not fit.
    """
    if callable(function):
        own.plan(function, arguments)
        name = getattr(function, "__qualname__", type(function).__qualname__)
        words = f"own {name} {own.identity(function)} {_canonical(arguments)}"
        return Recipe(function, dict(arguments), means, name, words)
    if function not in FUNCTIONS:
        raise Rejected(f"there is no function {function!r}; there are {', '.join(FUNCTIONS)}")
    known, nested = FUNCTIONS[function], _nested(arguments)
    settings = _settings(known, nested).model_dump(mode="json")
    words = f"{function} {known.version} {_canonical(settings)}"
    if known.uses_clip_settings:
        words += _canonical(means.clips.model_dump(mode="json"))
    return Recipe(function, nested, means, function, words)


def load(name: str) -> Callable[..., Any]:
    """The function that `package.module:function` names; only for names that the operator gave.

    Raises:
        Rejected: there is none.
    """
    module, _, attribute = name.partition(":")
    try:
        function = getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise Rejected(f"the function {name!r} cannot be loaded: {error}") from error
    if not callable(function):
        raise Rejected(f"{name!r} is not a function")
    loaded: Callable[..., Any] = function
    return loaded


def _settings(function: RowFunction, arguments: Mapping[str, Any]) -> Section:
    try:
        return function.settings.model_validate(dict(arguments))
    except ValidationError as error:
        problem = error.errors()[0]
        name = ".".join(str(part) for part in problem["loc"])
        if problem["type"] == "extra_forbidden":
            known = ", ".join(function.settings.model_fields) or "none"
            raise Rejected(f"{function.name} has no setting {name!r}; it has {known}") from None
        words = str(problem["msg"]).removeprefix("Value error, ")
        raise Rejected(f"{function.name}: {name} = {problem['input']!r}: {words[:1].lower()}{words[1:]}") from None


def _nested(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """`{"h264.crf": 20}` as `{"h264": {"crf": 20}}`."""
    made: dict[str, Any] = {}
    for key, value in arguments.items():
        *sections, last = key.split(".")
        section = made
        for name in sections:
            inner = section.setdefault(name, {})
            if not isinstance(inner, dict):
                raise Rejected(f"{key} and {name} are both set; keep one of them")
            section = inner
        section[last] = value
    return made


def _canonical(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
