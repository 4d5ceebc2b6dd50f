"""Writing into sidecars that people are editing: our keys of one clip change, and no save of theirs is lost.

The sidecar is read, the clip found by its key, its bytes patched and swapped in (`files.contested` tells what can come
in between). A save that came in between is read and patched in turn; one that was written late into the displaced file
is merged; one that cannot be merged is kept beside the sidecar as a conflict copy, and that is said. Whoever calls
holds the lease on the sidecar's name, so that no other clipd writes at the same time.

A sidecar that does not parse at this moment (an editor is half way through a save) is looked at again for a while. A
sidecar that is gone is not brought back; whether its whole share is gone is for the caller to see first.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from clipd.delivery.merge import merge
from clipd.errors import Deferred, Rejected, Temporary
from clipd.files import atomic, contested
from clipd.files.document import NotADocument
from clipd.tree.sidecar import LIMIT_BYTES, Entry, Sidecar, append, parse, patch

SETTLE_SECONDS = 0.2
PATIENCE_SECONDS = (0.05, 0.1, 0.2, 0.3)
"""Waits between looks at a sidecar that is half-written or absent."""
ATTEMPTS = 40
PAUSE_SECONDS = 0.02
"""Wait after each attempt that met somebody's save, times its number, at most ten times."""

Result = Literal["written", "already", "superseded", "gone", "conflict"]


@dataclass(frozen=True)
class WriteBack:
    """How a write-back ended.

    `written`: it stands in the sidecar now. `already`: it stood there. `superseded`: the person changed the clip, and
    nothing was touched. `gone`: sidecar or clip is no longer there. `conflict`: as `written`, but a save that could not
    be merged is kept as `conflict_copy`.
    """

    result: Result
    message: str
    conflict_copy: Path | None = None


@dataclass(frozen=True)
class _Revised:
    """What becomes of a sidecar's content: new bytes, or None and why there is nothing to write."""

    data: bytes | None
    ending: WriteBack


Revise = Callable[[bytes], _Revised]


def write_back(
    path: Path,
    key: str,
    *,
    expect: Callable[[Entry], bool],
    changes: Mapping[str, Any],
    remove: tuple[str, ...] = (),
    settle: Callable[[float], None],
    settle_seconds: float = SETTLE_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    after_read: Callable[[Path], None] = lambda _: None,
) -> WriteBack:
    """Set and remove keys of the clip `key`, as long as `expect` holds for it as it stands then.

    `settle` lets so many seconds pass; `after_read` is called between reading and writing, for tests.

    Raises:
        Temporary, Deferred: it cannot be written now (no parse, no room, saves without end); nothing is changed.
        Rejected: the sidecar is no regular file any more.
    """

    def revise(data: bytes) -> _Revised:
        entry = parse(data).find(key)
        if entry is None:
            return _Revised(None, WriteBack("gone", f"{path.name} has no clip {key} any more"))
        if entry.fault is not None or not expect(entry):
            return _Revised(
                None, WriteBack("superseded", f"clip {entry.name} was changed meanwhile; that version wins")
            )
        return _revised(data, patch(data, key, changes, remove=remove), f"clip {entry.name} of {path.name}")

    return _Writer(path, revise, settle, settle_seconds, now, after_read).run()


def edit(
    path: Path,
    keys: Sequence[str],
    changes: Mapping[str, Any],
    *,
    remove: tuple[str, ...] = (),
    expect: Callable[[Entry], bool] = lambda _: True,
    settle: Callable[[float], None],
    settle_seconds: float = SETTLE_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> WriteBack:
    """Set and remove the same keys in several clips with one write, as carefully as `write_back`.

    Clips for which `expect` does not hold when they are written are left alone.

    Raises:
        Rejected: a clip is not there, or there twice.
        Temporary, Deferred: as `write_back`.
    """

    def revise(data: bytes) -> _Revised:
        edited = data
        standing = {entry.key: entry for entry in parse(data).entries}
        for key in keys:
            if key in standing and not expect(standing[key]):
                continue
            edited = patch(edited, key, changes, remove=remove)
        return _revised(data, edited, f"{len(keys)} clips of {path.name}")

    return _Writer(path, revise, settle, settle_seconds, now, lambda _: None).run()


def add(
    path: Path,
    choose: Callable[[Sidecar], Sequence[Mapping[str, Any]]],
    *,
    settle: Callable[[float], None],
    settle_seconds: float = SETTLE_SECONDS,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> WriteBack:
    """Add clips to a sidecar that is there, as carefully as `write_back`; `choose` says which, given how it stands.

    Raises:
        Temporary, Deferred: as `write_back`.
    """

    def revise(data: bytes) -> _Revised:
        clips = choose(parse(data))
        return _revised(data, append(data, clips), f"{len(clips)} clips added to {path.name}")

    return _Writer(path, revise, settle, settle_seconds, now, lambda _: None).run()


def recover(path: Path, *, settle: Callable[[float], None]) -> None:
    """Put right what an earlier write-back of the sidecar at `path` left when its process died; the next write-back of
    that sidecar does so too. A save of a person that was out of place is put back, or kept as a conflict copy.

    Raises:
        Temporary, Deferred: it cannot be done now.
    """
    writer = _Writer(
        path,
        lambda _: _Revised(None, WriteBack("already", "")),
        settle,
        SETTLE_SECONDS,
        lambda: datetime.now(UTC),
        lambda _: None,
    )
    writer.recover()


def _revised(data: bytes, edited: bytes, what: str) -> _Revised:
    if edited == data:
        return _Revised(None, WriteBack("already", f"{what}: nothing to write"))
    return _Revised(edited, WriteBack("written", f"{what}: written"))


@dataclass
class _Writer:
    path: Path
    revise: Revise
    settle: Callable[[float], None]
    settle_seconds: float
    now: Callable[[], datetime]
    after_read: Callable[[Path], None]
    copy: Path | None = None
    placed: bytes = b""
    """What we put in place last, if only for a moment."""

    def run(self) -> WriteBack:
        self.recover()
        written: WriteBack | None = None
        for attempt in range(1, ATTEMPTS + 1):
            seen, revised = self._read()
            if seen is None or revised.data is None:
                ending = written if written is not None and revised.ending.result == "already" else revised.ending
                return self._ended(ending)
            self.after_read(self.path)
            self.placed = revised.data
            try:
                swap = contested.swap(self.path, seen, revised.data)
            except atomic.Missing:
                continue
            if swap.placed:
                written = revised.ending
            if not self._clear(swap.left) and swap.placed:
                return self._ended(revised.ending)
            if not swap.placed:
                self.settle(PAUSE_SECONDS * min(attempt, 10))
        raise Temporary(f"{self.path} is being saved over and over; its clip is written later")

    def _ended(self, ending: WriteBack) -> WriteBack:
        if self.copy is None:
            return ending
        message = f"{ending.message}; a save that could not be merged is kept as {self.copy.name}"
        return replace(ending, result="conflict", message=message, conflict_copy=self.copy)

    def _read(self) -> tuple[contested.Seen | None, _Revised]:
        """The sidecar and what becomes of it; without a sidecar, the ending."""
        refusal: Exception | None = None
        for seconds in (*PATIENCE_SECONDS, None):
            try:
                seen = contested.look(self.path, LIMIT_BYTES)
                return seen, self.revise(seen.data)
            except (NotADocument, Temporary) as error:
                if isinstance(error, Deferred):
                    raise
                refusal = error
            if seconds is not None:
                self.settle(seconds)
        if isinstance(refusal, atomic.Missing):
            return None, _Revised(None, WriteBack("gone", f"{self.path.name} was deleted; it is not brought back"))
        raise Temporary(f"{self.path} cannot be read just now: {refusal}") from refusal

    def _clear(self, left: contested.Left | None) -> bool:
        """Take care of a displaced file; was there a save in it?"""
        if left is None:
            return False
        late = contested.late_save(left, self.settle, self.settle_seconds)
        if late is not None:
            self._rescue(left.base, late)
        atomic.remove(left.path)
        return late is not None

    def _rescue(self, base: bytes, late: bytes) -> None:
        """Bring a displaced save into the sidecar, or keep it beside it."""
        for _ in range(ATTEMPTS):
            try:
                current = contested.look(self.path, LIMIT_BYTES)
            except atomic.Missing:
                return  # deleted: that is what the person wants
            untouched = current.data in (base, self.placed) and _is_sidecar(late)
            merged = late if untouched else self._merged(base, late, current.data)
            if merged is None:
                self._keep(late)
                return
            if merged == current.data:
                return
            swap = contested.swap(self.path, current, merged)
            self._clear(swap.left)
            if swap.placed:
                return
        self._keep(late)

    def _merged(self, base: bytes, late: bytes, current: bytes) -> bytes | None:
        """`current` with the changes of `late` and without ours, which are made anew if the clip is as expected."""
        without_ours = merge(self.placed, base, current) if self.placed else None
        return merge(base, late, current if without_ours is None else without_ours)

    def recover(self) -> None:
        """Put right what an earlier write-back left when its process died."""
        try:
            found = list(contested.leftovers(self.path))
        except atomic.Missing:
            return
        for temp, save in found:
            if save is not None and _is_sidecar(save):
                self._reinstate(temp, save)
            atomic.remove(temp)

    def _reinstate(self, temp: Path, save: bytes) -> None:
        try:
            current = contested.look(self.path, LIMIT_BYTES)
        except atomic.Missing:
            return
        if current.data == save:
            return
        if contested.put_in_place_by(temp, current.data):
            swap = contested.swap(self.path, current, save)
            self._clear(swap.left)
            if swap.placed:
                return
        self._keep(save)

    def _keep(self, save: bytes) -> None:
        """Keep a save that cannot be merged, under a name that is never processed."""
        if not save.strip():
            return
        host = "".join(letter if letter.isalnum() or letter == "-" else "-" for letter in socket.gethostname())[:40]
        mark = f"conflict-{self.now():%Y%m%dT%H%M%SZ}-{host}"
        for number in range(1, 1000):
            again = f"-{number}" if number > 1 else ""
            name = f"{self.path.stem[:120]}.{mark}{again}{self.path.suffix}"
            if atomic.create(self.path.with_name(name), save):
                self.copy = self.path.with_name(name)
                return
        raise Rejected(f"{self.path.parent} holds a thousand conflict copies of {self.path.name}; look at them")


def _is_sidecar(data: bytes) -> bool:
    try:
        parse(data)
    except NotADocument:
        return False
    return True
