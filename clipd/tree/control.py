"""Control files: what people drop into the state folder to steer clipd through the share alone.

* `PAUSE`, while it lies there, keeps new work from starting; with the content `hard`, or as `PAUSE-HARD`, it also stops
  what runs. The person removes it.
* `RETRY-<clip>`, `RETRY-all` and `CANCEL-<clip>` are orders. Of the daemons that see one, the one whose rename succeeds
  carries it out; until that is done the order lies in that daemon's own folder, and should the daemon die it is laid
  back. A clip that cannot be served is answered by `<order>.unknown`, whose content says why.

A name is only ever data: it is compared with the names of clips, and no path is built from it but its own. `.txt` at
the end is forgiven, because some desktops add it unseen; case does not matter in the first word.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Collection
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from pydantic import TypeAdapter

from clipd.errors import ClipdError
from clipd.files import atomic
from clipd.files.walk import any_of
from clipd.tree.layout import Layout

UNKNOWN = ".unknown"
"""Ends the name of an order that could not be carried out."""
FORGIVEN = ".txt"
CONTENT_BYTES = 1024
RETRIED_KEPT = 10_000
"""How many retried jobs are remembered for daemons that have not looked yet; no more wait in one memory in practice."""
RETRIED_BYTES = 1 << 20


class Pause(Enum):
    """How a person paused the tree."""

    SOFT = "PAUSE"
    """What runs finishes."""
    HARD = "PAUSE-HARD"
    """What runs stops, counts no attempt, and is begun again later."""


class Verb(Enum):
    """What an order asks for."""

    RETRY = "RETRY"
    CANCEL = "CANCEL"


@dataclass(frozen=True)
class Order:
    """An order as it lies there."""

    verb: Verb
    words: str
    """The clip that is meant, by one of its names."""
    path: Path

    @property
    def everything(self) -> bool:
        """Is every clip meant?"""
        return self.verb is Verb.RETRY and self.names[-1].casefold() == "all"

    @property
    def names(self) -> tuple[str, ...]:
        """The names that may be meant, the likeliest first."""
        short = self.words[: -len(FORGIVEN)] if self.words.casefold().endswith(FORGIVEN) else ""
        return (self.words, short) if short else (self.words,)


@dataclass(frozen=True)
class Controls:
    """The control files at one moment."""

    pause: Pause | None = None
    orders: tuple[Order, ...] = ()


def look(layout: Layout, ignore: tuple[str, ...]) -> Controls:
    """The control files that lie in the state folder; names that match `ignore` are not there yet.

    Raises:
        ClipdError: the folder cannot be listed.
    """
    pauses, orders = [], []
    ignored = any_of(ignore).match
    with atomic.translated(f"listing {layout.state}"):
        paths = sorted(layout.state.iterdir())
    for path in paths:
        name = path.name
        if (pause := _pause(name, path)) is not None:
            pauses.append(pause)
        elif not ignored(name) and (order := _order(name, path)) is not None:
            orders.append(order)
    hardest = Pause.HARD if Pause.HARD in pauses else next(iter(pauses), None)
    return Controls(hardest, tuple(orders))


def pause(layout: Layout) -> Pause | None:
    """How the tree is paused at this moment. Raises as `look`."""
    return look(layout, ("*",)).pause


def take(layout: Layout, order: Order, daemon: str) -> Order | None:
    """The order as the daemon of this id has it for itself; None when another one was faster.

    Raises:
        ClipdError: the share does not let us.
    """
    own = layout.taken_orders(daemon) / order.path.name
    atomic.make_folder(own.parent, layout.state)
    try:
        atomic.rename(order.path, own)
    except atomic.Missing:
        return None
    return Order(order.verb, order.words, own)


def taken(layout: Layout, daemon: str) -> tuple[Order, ...]:
    """The orders that the daemon of this id has taken and not closed. Raises as `take`."""
    folder = layout.taken_orders(daemon)
    with atomic.translated(f"listing {folder}"):
        try:
            paths = sorted(folder.iterdir())
        except FileNotFoundError:
            return ()
    return tuple(order for path in paths if (order := _order(path.name, path)) is not None)


def close(layout: Layout, order: Order, refusal: str = "") -> None:
    """The order is carried out: it goes; where nothing could be done, its answer says so in words."""
    if refusal:
        name = os.fsdecode(os.fsencode(order.path.name)[: atomic.NAME_BYTES - len(UNKNOWN)]) + UNKNOWN
        atomic.write(layout.control(name), f"{refusal}\n".encode("utf-8", "backslashreplace"))
    atomic.remove(order.path)


def lay_back(layout: Layout, alive: Collection[str]) -> None:
    """Put the orders of daemons that are not `alive` (by id) back where all see them. Raises as `take`."""
    with atomic.translated(f"listing {layout.orders}"):
        try:
            folders = [folder for folder in sorted(layout.orders.iterdir()) if folder.name not in alive]
        except FileNotFoundError:
            return
    for folder in folders:
        give_back(layout, folder.name)


def give_back(layout: Layout, daemon: str) -> None:
    """Put the orders that the daemon of this id has taken back where all see them. Raises as `take`."""
    folder = layout.taken_orders(daemon)
    with atomic.translated(f"listing {folder}"):
        try:
            paths = sorted(folder.iterdir())
        except FileNotFoundError:
            return
    for path in paths:
        try:
            atomic.rename(path, layout.control(path.name))
        except atomic.Missing:
            continue
    _drop(folder)


def tell_retried(layout: Layout, jobs: Collection[str]) -> None:
    """Tell all daemons that these jobs need not wait any longer. Raises as `take`."""
    known = [job for job in retried(layout) if job not in jobs]
    content = json.dumps([*jobs, *known][:RETRIED_KEPT])
    atomic.write(layout.retried, content.encode(), durable=False)


def retried(layout: Layout) -> tuple[str, ...]:
    """The jobs that were told so lately, on any machine; none where that cannot be read."""
    try:
        content, _ = atomic.read_regular(layout.retried, RETRIED_BYTES)
        return _JOBS.validate_json(content)
    except (ClipdError, ValueError):
        return ()


_JOBS = TypeAdapter(tuple[str, ...])


def _drop(folder: Path) -> None:
    try:
        folder.rmdir()
    except OSError:
        return  # another daemon did, or an order came in between: next time


def _pause(name: str, path: Path) -> Pause | None:
    word = name.upper().removesuffix(FORGIVEN.upper())
    if word == Pause.HARD.value:
        return Pause.HARD
    if word != Pause.SOFT.value:
        return None
    try:
        content, _ = atomic.read_regular(path, CONTENT_BYTES)
    except atomic.Missing:
        return None
    except ClipdError:
        return Pause.SOFT  # whatever it is, it has the name
    return Pause.HARD if content.decode("utf-8", "replace").strip("\ufeff \t\r\n").casefold() == "hard" else Pause.SOFT


def _order(name: str, path: Path) -> Order | None:
    word, dash, words = name.partition("-")
    if not dash or not words.strip() or word.upper() not in Verb.__members__ or name.endswith(UNKNOWN):
        return None
    with atomic.translated(f"looking at {path}"):
        try:
            regular = stat.S_ISREG(path.lstat().st_mode)
        except FileNotFoundError:
            return None
    return Order(Verb[word.upper()], words.strip(), path) if regular else None
