"""What every way of reaching a destination offers: files by name, that appear there whole or not at all.

Whoever copies stages, reads back, and only then settles. Names are `/`-separated, below the destination.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol


class Store(Protocol):
    """A destination that is reached; every method raises `Temporary` (it is away), or `Rejected` (it never will)."""

    def size(self, name: str) -> int | None:
        """The size in bytes of the file `name`; None where there is none."""
        ...

    def read(self, name: str) -> Iterator[bytes]:
        """The content of the file `name`, as it is stored, not as it is remembered from writing."""
        ...

    def stage(self, name: str, source: Path, alive: Callable[[], None]) -> str:
        """Copy the local file `source` to where `settle` can give it the name; the name it has until then.

        Where it is `name` itself, the file appeared there in one step. `alive` is called now and then; it raises when
        the copy is to stop. Nothing is left behind then, nor by an error.
        """
        ...

    def settle(self, staged: str, name: str, *, replace: bool = True) -> bool:
        """Give a staged file its name, in one step where the backend can.

        Returns False, with nothing moved, when `replace` is False and something has that name. A backend that cannot
        tell in the same step looks right before.
        """
        ...

    def discard(self, staged: str) -> None:
        """Remove a staged file; it is well if there is none."""
        ...

    def strays(self, name: str) -> Iterator[str]:
        """What attempts at `name` that were killed have staged and left behind."""
        ...
