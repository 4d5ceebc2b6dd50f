"""Who works on this tree, on what claims, and what did those leave behind who died?"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from itertools import islice
from pathlib import Path

from clipd import __version__
from clipd.delivery import staging
from clipd.files import lease
from clipd.files.ability import try_folder
from clipd.files.arrival import FUTURE_SECONDS
from clipd.files.walk import look
from clipd.report.doctor.finding import Finding, Level, Patient
from clipd.report.health import Health, read_notes
from clipd.tree import control
from clipd.tree.record import read_record

MOST_CLAIMS = 2000
SHOWN = 10


def daemons(patient: Patient) -> Iterator[Finding]:
    """Who is alive, who went without a word, whether all are of one version and by one clock."""
    layout = patient.layout
    living = []
    for note in read_notes(layout, _offset(patient)):
        who = f"{note.host}, process {note.pid}"
        if note.alive:
            living.append(note)
            cameras = f", cameras {', '.join(note.cameras)}" if note.cameras else ""
            workers = "1 worker" if note.workers == 1 else f"{note.workers} workers"
            yield Finding(Level.OK, who, f"clipd {note.version}, {workers}, alive{cameras}")
        else:
            words = f"has said nothing for {_span(note.age_seconds)}; it ended without saying so"
            yield Finding(Level.NOTE, who, words, f"look at its log; then delete {_beat(patient, note)}")
        yield from _skew(patient, note, who)
    versions = {note.version for note in living}
    if versions - {__version__}:
        words = f"daemons run {', '.join(sorted(versions))}; this is clipd {__version__}"
        yield Finding(Level.WARNING, "versions", words, "install one version everywhere and restart the daemons")
    if not living:
        mend = f"clipd run --root {layout.root} (or: systemctl start clipd)"
        yield Finding(Level.NOTE, "daemons", "none is running on this tree", mend)
    if layout.state.is_dir() and (pause := control.pause(layout)) is not None:
        where = patient.name(layout.control(pause.value))
        yield Finding(Level.NOTE, where, "the tree is paused; no new work starts", "delete that file to go on")


def claims(patient: Patient) -> Iterator[Finding]:
    """Claims that no living process holds."""
    folder = patient.layout.claim("x").parent
    offset = _offset(patient)
    held, stale = 0, []
    for path in islice(sorted(folder.glob("*.lock")) if folder.is_dir() else (), MOST_CLAIMS):
        if found := _stale(patient, path, offset):
            stale.append(found)
        else:
            held += 1
    yield from stale[:SHOWN]
    if len(stale) > SHOWN:
        yield Finding(Level.WARNING, patient.name(folder), f"and {len(stale) - SHOWN} more stale claims")
    if not stale:
        yield Finding(Level.OK, patient.name(folder), f"{held} held, none of them by the dead")


def leftovers(patient: Patient) -> Iterator[Finding]:
    """Staging that no living attempt uses."""
    layout = patient.layout
    where = patient.name(layout.stagings)
    free = [folder for job, folder in staging.abandoned(layout) if not lease.seems_held(layout.claim(job))]
    if not free:
        yield Finding(Level.OK, where, "nothing is left of killed attempts")
        return
    now = patient.machine.now() + _offset(patient)
    ages = [now - seen.mtime_ns / 1e9 for folder in free if (seen := look(folder)) is not None]
    words = f"{len(free)} folders of killed attempts, the oldest {_span(max(ages, default=0.0))} old"
    mend = f"a running daemon removes them after {_span(patient.space.stray_seconds)} (space.stray_seconds)"
    yield Finding(Level.NOTE, where, words, mend)


def _stale(patient: Patient, path: Path, offset: float) -> Finding | None:
    where = f"claim {path.stem}"
    if name := read_record(patient.layout, path.stem).name:
        where += f" ({name})"
    who, seen = lease.holder(path), lease.heartbeat(path)
    if seen is None:
        return None  # released meanwhile
    patience = patient.claims.lease_seconds
    if who is None:
        words, mend = "it names no holder", "a daemon takes it over once it has aged; to be sure, delete it"
    elif not lease.seems_held(path):
        words = f"it was held by {who}, a process of this machine that is gone"
        mend = "nothing need be done: the next daemon here that wants it takes it at once"
    elif (silence := patient.machine.now() + offset - seen.mtime_ns / 1e9) > patience:
        words = f"{who} has given no heartbeat for {_span(silence)}"
        mend = f"nothing need be done: a daemon that sees no heartbeat for {patience:g} s takes it over"
    else:
        return None
    return Finding(Level.WARNING, where, words, mend)


def _skew(patient: Patient, note: Health, who: str) -> Iterator[Finding]:
    """A note is written in the moment that it names: the share's stamp on it tells how its writer's clock goes."""
    with suppress(OSError):
        stamped = patient.layout.heartbeat(f"{note.host}.{note.pid}").stat().st_mtime
        if abs(apart := stamped - _moment(note)) >= FUTURE_SECONDS:
            side = "behind" if apart > 0 else "ahead of"
            words = f"its clock is {abs(apart):.1f} s {side} the share's"
            yield Finding(Level.WARNING, who, words, "keep it by NTP: sudo timedatectl set-ntp true")


def _beat(patient: Patient, note: Health) -> str:
    return patient.name(patient.layout.heartbeat(f"{note.host}.{note.pid}"))


def _moment(note: Health) -> float:
    return datetime.fromisoformat(note.at).timestamp()


def _offset(patient: Patient) -> float:
    """The share's clock minus this machine's; 0 where it cannot be measured."""
    folder = patient.layout.state
    return try_folder(folder, patient.machine.now).clock_offset if folder.is_dir() else 0.0


def _span(seconds: float) -> str:
    for unit, length in (("days", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{max(0.0, seconds):.0f} s"
