"""Copying: what one publication made, into one destination. Every file is there whole and proven, or not at all.

A file is staged at the destination, read back from there, compared with the receipt by size and SHA-256, and only then
given its name; truth sheets go first, as they do in the tree. A file that is there already is replaced only where it is
what a former publication of the same clip left there; one that comes meanwhile is left alone, and judged by the next
attempt.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from clipd.delivery.destinations import Destination, Store
from clipd.errors import ClipdError, Rejected, Temporary
from clipd.files import atomic
from clipd.files.beneath import opened_beneath
from clipd.tree.layout import Layout
from clipd.tree.record import Output, Receipt

Alive = Callable[[], None]
"""Called for every piece of a file; raises when the copy is to stop."""


def planned(destinations: Iterable[Destination], below: str, camera: str) -> tuple[str, ...]:
    """Where the output `below` the outputs tree is to be copied to, for its truth sheet."""
    return tuple(f"{one.label.rstrip('/')}/{below}" for one in destinations if one.takes(below, camera))


def wanted(layout: Layout, receipt: Receipt, destination: Destination, camera: str) -> tuple[Output, ...]:
    """The outputs of a publication that a destination is to get."""
    outputs = (output for output in receipt.outputs if layout.at(output.path).is_relative_to(layout.outputs))
    return tuple(output for output in outputs if destination.takes(_below(layout, output), camera))


def copy(
    layout: Layout, receipts: Sequence[Receipt], destination: Destination, camera: str, store: Store, alive: Alive
) -> tuple[Output, ...]:
    """Bring what the newest of a job's `receipts` tells of to `store`; the outputs that are there now.

    Raises:
        Rejected: another file is there, or the output is no longer what was published; nothing is tried again.
        Temporary: the destination is away, or the copy differs from the original.
    """
    outputs = wanted(layout, receipts[-1], destination, camera)
    for output in sorted(outputs, key=lambda output: output.role != "annotation"):
        former = {(o.size, o.sha256) for receipt in receipts for o in receipt.outputs if o.path == output.path}
        name = _below(layout, output)
        there = _what_is_there(store, name, former, alive)
        if there != (output.size, output.sha256):
            _bring(layout, name, output, store, alive, replace=there is not None)
    return outputs


def _what_is_there(store: Store, name: str, former: set[tuple[int, str]], alive: Alive) -> tuple[int, str] | None:
    """Which of the `former` files (size and SHA-256) has the name; None where it is free."""
    size = store.size(name)
    if size is None:
        return None
    found = (size, _digest(store, name, alive)) if any(size == known for known, _ in former) else (size, "")
    if found not in former:
        raise Rejected(f"{name} is there already and is another file; remove or rename it")
    return found


def _bring(layout: Layout, name: str, output: Output, store: Store, alive: Alive, *, replace: bool) -> None:
    for stray in list(store.strays(name)):
        store.discard(stray)
    try:
        with opened_beneath(layout.outputs, name) as descriptor:
            staged = store.stage(name, Path(f"/proc/self/fd/{descriptor}"), alive)
    except atomic.Missing as error:
        raise Rejected(f"{output.path} is gone, there is nothing to copy") from error
    try:
        if store.size(staged) != output.size or _digest(store, staged, alive) != output.sha256:
            raise _Differs
        alive()
        if not store.settle(staged, name, replace=replace):
            raise Temporary(f"another file came to {name} while it was being copied")
    except _Differs:
        store.discard(staged)
        raise _why_it_differs(layout, name, output) from None
    except ClipdError:
        if staged != name:
            store.discard(staged)
        raise
    if store.size(name) != output.size:
        raise Temporary(f"{name} has another size than it was copied with")


class _Differs(Exception):
    """What was read back is not what was published."""


def _why_it_differs(layout: Layout, name: str, output: Output) -> ClipdError:
    with opened_beneath(layout.outputs, name) as descriptor, open(descriptor, "rb", closefd=False) as file:
        if hashlib.file_digest(file, "sha256").hexdigest() != output.sha256:
            return Rejected(f"{output.path} is no longer what was published; it is not copied")
    return Temporary(f"the copy of {name} differs from the original when it is read back")


def _digest(store: Store, name: str, alive: Alive) -> str:
    digest = hashlib.sha256()
    for data in store.read(name):
        alive()
        digest.update(data)
    return digest.hexdigest()


def _below(layout: Layout, output: Output) -> str:
    return layout.at(output.path).relative_to(layout.outputs).as_posix()
