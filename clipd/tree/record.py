"""What clipd remembers of a job, as files in the state folder: the record, the receipts and the progress note.

* The *record* counts attempts and says how the job stands. Only the holder of the job's claim writes it.
* A *receipt* proves that a revision was published: written once if absent, never changed; it is the commit point.
* The *progress* note is for people and for the stuck-job watch; losing it costs nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter

from clipd.errors import ClipdError
from clipd.files import atomic
from clipd.files.walk import look
from clipd.tree.layout import TICKET_SUFFIX, Layout

Kind = TypeVar("Kind")


@dataclass(frozen=True)
class Record:
    """How a job stands.

    Attempts belong to the clip as it stood (`stand`): when the person changes anything, the count starts anew.
    """

    job: str
    name: str = ""
    origin: str = ""
    stand: str = ""
    failures: int = 0
    """Attempts that ended in an error, or in the death of their worker while its daemon lived on."""
    losses: int = 0
    """Attempts that ended because the whole daemon went away (killed, rebooted)."""
    attempt_by: str | None = None
    """The id of the daemon whose attempt is under way; still set afterwards when that attempt died."""
    host: str = ""
    state: str = "waiting"
    """waiting, running, complete, failed"""
    last_error: str = ""
    next_try_at: str | None = None
    written_back: str | None = None
    """`<revision>.<run>` of the receipt that the person was last told of."""
    failure_told: bool = False
    """Has the person been told of the failure that `state` and `last_error` name?"""
    changed_at: str = ""

    @property
    def closed(self) -> bool:
        """Did the last work on this job end, and was its end told?"""
        return self.state == "complete" or (self.state == "failed" and self.failure_told)


@dataclass(frozen=True)
class Output:
    """A published file: path relative to the root, size in bytes, SHA-256 in hex."""

    path: str
    size: int
    sha256: str
    role: str


@dataclass(frozen=True)
class Receipt:
    """Proof that a revision of a job was published."""

    job: str
    revision: str
    run: int
    name: str
    origin: str
    key: str
    answered: str
    """The answering part of the wish (status, export_path, ...) as it stood when it was claimed."""
    outputs: tuple[Output, ...]
    host: str
    started_at: str
    published_at: str
    warnings: tuple[str, ...] = ()
    number: int = 0
    """Which publication of its job it is, from 1; 0 where an older clipd did not count."""
    facts: dict[str, Any] = field(default_factory=dict)
    """What the job's kind has to say in the answer besides its outputs, plain values."""
    kind: str = "clip"
    asked: str = ""
    """A digest of the question that it answers; "" where no later wish is compared with it."""
    camera: str = ""
    """The camera that it is of, where the job knew one."""

    @property
    def id(self) -> str:
        """`<revision>.<run>`."""
        return f"{self.revision}.{self.run}"

    @property
    def results(self) -> tuple[str, ...]:
        """The paths of what was asked for: the videos, and the files of an operator's own function."""
        return tuple(output.path for output in self.outputs if output.role in ("video", "data"))


@dataclass(frozen=True)
class Progress:
    """How far a running attempt is: `done` of `total` steps (frames, mostly) of `stage`."""

    job: str
    stage: str
    done: int
    total: int
    started_at: str
    at: str
    host: str
    pid: int
    speed: float | None = None
    """Steps per second over the last moments."""


def read_record(layout: Layout, job: str) -> Record:
    """The record of a job; a fresh one where there is none, or where it was damaged by a power cut."""
    return replace(_load(Record, layout.record(job)) or Record(job), job=job)


def recorded_at(layout: Layout, job: str) -> float:
    """When the record of a job was last written, by the share's clock, in seconds since the epoch; 0 without one."""
    seen = look(layout.record(job))
    return 0.0 if seen is None else seen.mtime_ns / 1e9


def write_record(layout: Layout, record: Record, now: datetime, *, durable: bool = True) -> Record:
    """Store `record`; returns it as stored."""
    stored = replace(record, changed_at=now.isoformat(timespec="milliseconds"))
    _store(layout, layout.record(record.job), asdict(stored), durable=durable)
    return stored


def read_receipts(layout: Layout, job: str) -> tuple[Receipt, ...]:
    """The receipts of a job, oldest publication first."""
    try:
        names = sorted(entry.name for entry in layout.receipts(job).iterdir())
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise atomic.as_clipd_error(error, f"reading the receipts of {job}") from error
    found = []
    for name in names:
        if name.startswith(".") or not name.endswith(".json"):
            continue
        if (receipt := _load(Receipt, layout.receipts(job) / name)) is not None:
            found.append(receipt)
    return _in_order(found)


@contextmanager
def ticket_for(layout: Layout, job: str, token: str) -> Iterator[Path]:
    """The file that an attempt's receipt is written into; without it nothing can be committed. Gone afterwards."""
    ticket = layout.ticket(job, token)
    atomic.make_folder(ticket.parent, layout.state)
    atomic.write(ticket, b"", durable=False)
    try:
        yield ticket
    finally:
        with suppress(ClipdError):
            atomic.remove(ticket)


def tear_tickets(layout: Layout, job: str) -> None:
    """Keep every attempt at `job` that has not committed yet from ever doing so."""
    try:
        tickets = [path for path in layout.receipts(job).iterdir() if path.name.endswith(TICKET_SUFFIX)]
    except FileNotFoundError:
        return
    except OSError as error:
        raise atomic.as_clipd_error(error, f"reading the receipts of {job}") from error
    for ticket in tickets:
        atomic.remove(ticket)


def commit(layout: Layout, receipt: Receipt, ticket: Path | None = None) -> bool:
    """Write the receipt if absent: the commit point. False when that very run had been committed before.

    Raises:
        Missing: the ticket was torn, because another worker took the job over.
    """
    path = layout.receipt(receipt.job, receipt.revision, receipt.run)
    data = json.dumps(asdict(receipt), indent=1).encode()
    if ticket is None:
        atomic.make_folder(path.parent, layout.state)
        return atomic.create(path, data)
    atomic.fill(ticket, data)
    return atomic.publish(ticket, path, replace=False)


def write_progress(layout: Layout, progress: Progress) -> None:
    """Leave the progress note of a running attempt, if the share takes it: no work is given up for a note."""
    with suppress(ClipdError):
        _store(layout, layout.progress(progress.job), asdict(progress), durable=False)


def read_progress(layout: Layout, job: str) -> Progress | None:
    """The progress note of a job, if an attempt is under way (or died)."""
    return _load(Progress, layout.progress(job))


def clear_progress(layout: Layout, job: str) -> None:
    """Remove the progress note: the attempt has ended."""
    with suppress(ClipdError):
        atomic.remove(layout.progress(job))


def _store(layout: Layout, path: Path, content: dict[str, Any], *, durable: bool) -> None:
    atomic.make_folder(path.parent, layout.state)
    atomic.write(path, json.dumps(content, indent=1).encode(), durable=durable)


def _load(kind: type[Kind], path: Path) -> Kind | None:
    """What the file at `path` says; None when it is not there, or says nothing that can be believed.

    Anybody may write to the share: types are checked, and what is too much is passed over (a newer clipd's, perhaps).
    """
    reader: TypeAdapter[Kind] = _READERS[kind]
    try:
        return reader.validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise atomic.as_clipd_error(error, f"reading {path}") from error
    except ValueError:
        return None


_READERS: dict[type[Any], TypeAdapter[Any]] = {kind: TypeAdapter(kind) for kind in (Record, Receipt, Progress)}


def _in_order(receipts: Sequence[Receipt]) -> tuple[Receipt, ...]:
    """By number, as the clocks of two machines may be days apart. Those without one come first, by time of publication;
    the runs of one revision by their own number, even if the clock was set back between them."""
    latest: dict[str, str] = {}
    keys = []
    for receipt in sorted(receipts, key=lambda receipt: receipt.run):
        latest[receipt.revision] = max(latest.get(receipt.revision, ""), receipt.published_at)
        keys.append((receipt.number, latest[receipt.revision], receipt.run, receipt.revision, receipt))
    return tuple(receipt for *_, receipt in sorted(keys, key=lambda key: key[:4]))
