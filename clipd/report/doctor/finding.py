"""What an examination is given, and what it yields."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from clipd.delivery.destinations import Destination
from clipd.files.lease import Settings as LeaseSettings
from clipd.files.space import Settings as SpaceSettings
from clipd.intake.schedule import Settings as ScheduleSettings
from clipd.intake.watch import Settings as WatchSettings
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.link import Settings as LinkSettings
from clipd.tree.layout import Layout
from clipd.worker.pool import Settings as PoolSettings


class Level(StrEnum):
    """How grave a finding is, the mildest first."""

    OK = "ok"
    NOTE = "note"
    """Worth knowing; nothing need be done."""
    WARNING = "warning"
    """It works, but less well or less safely than it could."""
    WRONG = "wrong"
    """Work will wait or fail until this is mended."""


@dataclass(frozen=True)
class Finding:
    """One thing that was found, and how to mend it."""

    level: Level
    where: str
    words: str
    mend: str = ""


@dataclass(frozen=True)
class Machine:
    """Where this machine tells of itself, and its clock (seconds since the epoch)."""

    proc: Path = Path("/proc")
    cgroups: Path = Path("/sys/fs/cgroup")
    systemd: Path = Path("/run/systemd/system")
    """Is there where systemd runs."""
    units: tuple[Path, ...] = (
        Path("/etc/systemd/system"),
        Path("/run/systemd/system"),
        Path("/usr/local/lib/systemd/system"),
        Path("/usr/lib/systemd/system"),
        Path("/lib/systemd/system"),
    )
    now: Callable[[], float] = time.time


@dataclass(frozen=True)
class Patient:
    """A tree with its settings, on a machine. Where the settings cannot be read, they are the defaults."""

    layout: Layout
    cache: Path
    settings_file: Path | None = None
    settings_trouble: str = ""
    """Why the settings cannot be read, or no tree is found; "" when all is well."""
    variables: tuple[str, ...] = ()
    """The environment variables that overrule settings."""
    unknown_variables: Mapping[str, str] = field(default_factory=dict)
    """Variables that look like settings and are none, with the one that may be meant ("" where none is near)."""
    watch: WatchSettings = field(default_factory=WatchSettings)
    workers: PoolSettings = field(default_factory=PoolSettings)
    claims: LeaseSettings = field(default_factory=LeaseSettings)
    space: SpaceSettings = field(default_factory=SpaceSettings)
    clips: ClipSettings = field(default_factory=ClipSettings)
    schedule: ScheduleSettings = field(default_factory=ScheduleSettings)
    destinations: tuple[Destination, ...] = ()
    links: LinkSettings = field(default_factory=LinkSettings)
    machine: Machine = field(default_factory=Machine)

    def name(self, path: Path) -> str:
        """`path` as it is shown: relative to the root where it lies below it."""
        return self.layout.relative(path) if path.is_relative_to(self.layout.root) else str(path)


@dataclass(frozen=True)
class Examination:
    """One line of the table; examinations of one `group` are shown together."""

    group: str
    name: str
    examine: Callable[[Patient], Iterator[Finding]]
    of_tree: bool = False
