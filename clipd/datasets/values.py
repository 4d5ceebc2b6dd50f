"""What a function returns, made fit for JSON: arrays go to files, and the result names them.

Every byte written depends on the values alone, so that the same row gives the same files again.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clipd.errors import MediaError
from clipd.files.atomic import translated
from clipd.files.document import is_encodable

RESULT_BYTES = 1 << 20
"""A result that takes more as JSON goes to a file of its own: readers of all results hold one row in memory."""
DEEPEST = 32
"""Lists and objects inside each other."""

_UNFIT = re.compile(r"[^A-Za-z0-9_-]+")


class NotAResult(MediaError):
    """A function returned something that no file can hold; the words say where in it and what would do."""


@dataclass(frozen=True)
class Returned:
    """A result as JSON values, and what had to be said about it."""

    value: Any
    warnings: tuple[str, ...]


def keep(value: Any, folder: Path, below: str) -> Returned:
    """`value` as JSON values; arrays are written into `folder`.

    An array (numpy, or a tensor of torch) becomes {"path": ..., "shape": [...], "dtype": ...}; its file is `.npy`.
    A path into `folder` is named as the output folder knows it. Numbers that JSON lacks (NaN, infinity) become null.

    Args:
        value: what the function returned.
        folder: where files of the row are made.
        below: what `folder` will be called, below the output folder.

    Raises:
        NotAResult: something in it is neither.
    """
    keeper = _Keeper(folder, below)
    plain = keeper.plain(value, "result", 0)
    text = json.dumps(plain, ensure_ascii=False)
    if len(text) > RESULT_BYTES:
        name = keeper.name("result", ".json")
        with translated(f"writing {name}"):
            (folder / name).write_text(text + "\n", encoding="utf-8")
        plain = {"path": f"{below}/{name}", "bytes": len(text.encode())}
        keeper.warnings.append(f"the result takes more than {RESULT_BYTES:,} bytes and stands in a file of its own")
    return Returned(plain, tuple(keeper.warnings))


@dataclass
class _Keeper:
    folder: Path
    below: str
    warnings: list[str] = field(default_factory=list)

    def plain(self, value: Any, at: str, depth: int) -> Any:
        if depth > DEEPEST:
            raise NotAResult(f"{at} lies more than {DEEPEST} deep in the result; return something flatter")
        match value:
            case None | bool():
                return value
            case str():
                return self._text(str(value), at)
            case int():
                return int(value)
            case float():
                return self._number(float(value), at)
            case Path():
                return self._path(value)
            case np.bool_() | np.integer() | np.floating() | np.str_():
                return self.plain(value.item(), at, depth)
            case np.ndarray():
                return self._array(value, at)
            case Mapping():
                return self._mapping(value, at, depth)
            case list() | tuple():
                return [self.plain(item, f"{at}[{number}]", depth + 1) for number, item in enumerate(value)]
        if is_dataclass(value) and not isinstance(value, type):
            return self._mapping({part.name: getattr(value, part.name) for part in fields(value)}, at, depth)
        if type(value).__module__.partition(".")[0] == "torch" and hasattr(value, "detach"):
            return self._array(value.detach().cpu().numpy(), at)
        raise NotAResult(
            f"the function returned a {type(value).__name__} at {at}; "
            "return numbers, text, lists, dicts, paths or arrays"
        )

    def _mapping(self, value: Mapping[Any, Any], at: str, depth: int) -> dict[str, Any]:
        plain = {}
        for key, item in value.items():
            if not isinstance(key, str | int | float | bool | np.integer):
                raise NotAResult(f"the function returned a key of type {type(key).__name__} at {at}; use text")
            name = self._text(str(key), at)
            plain[name] = self.plain(item, f"{at}.{name}", depth + 1)
        return plain

    def _text(self, value: str, at: str) -> str:
        if not is_encodable(value):
            raise NotAResult(f"the function returned text at {at} that is no Unicode")
        return value

    def _number(self, value: float, at: str) -> float | None:
        if math.isfinite(value):
            return value
        self.warnings.append(f"{at} is {value}, which JSON has no word for; null stands for it")
        return None

    def _path(self, value: Path) -> str:
        try:
            return f"{self.below}/{value.relative_to(self.folder).as_posix()}"
        except ValueError:
            return value.as_posix()

    def _array(self, value: np.ndarray[Any, Any], at: str) -> Any:
        if value.ndim == 0:
            return self.plain(value.item(), at, 0)
        if value.dtype.hasobject:
            raise NotAResult(f"the array at {at} holds Python objects; return numbers")
        name = self.name(at.removeprefix("result").lstrip(".") or "result", ".npy")
        with translated(f"writing {name}"), (self.folder / name).open("wb") as file:
            np.save(file, np.ascontiguousarray(value), allow_pickle=False)
        return {"path": f"{self.below}/{name}", "shape": list(value.shape), "dtype": str(value.dtype)}

    def name(self, at: str, suffix: str) -> str:
        """A name for a file of this place in the result, that no file has."""
        stem = _UNFIT.sub("_", at).strip("_")[:80] or "result"
        number, name = 1, f"{stem}{suffix}"
        while (self.folder / name).exists():
            number += 1
            name = f"{stem}_{number}{suffix}"
        return name
