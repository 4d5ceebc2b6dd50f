"""Is there a systemd unit for this tree, and can it work as it is written? Read from files; nothing is started."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clipd.report.doctor.finding import Finding, Level, Machine, Patient

NAMES = ("clipd.service", "clipd@.service")
EXAMPLE = "copy systemd/clipd.service from clipd's sources to /etc/systemd/system, set the tree in it, then: "
ENABLE = "sudo systemctl daemon-reload && sudo systemctl enable --now {}"


@dataclass(frozen=True)
class Unit:
    """A unit as its file and the files over it (`clipd.service.d/*.conf`) read, `%i` filled in."""

    name: str
    file: Path
    enabled: bool
    values: dict[str, list[str]] = field(default_factory=dict)
    """Directive -> its values, in order; an empty one has emptied the list."""

    def last(self, directive: str) -> str:
        """The value that holds; "" where none is set."""
        return next(reversed(self.values.get(directive, [])), "")

    @property
    def root(self) -> Path | None:
        """The tree that it serves, as far as its lines tell."""
        variables = dict(
            word.partition("=")[::2] for line in self.values.get("Environment", []) for word in _words(line)
        )
        words = _words(self.last("ExecStart"))
        named = variables.get("CLIPD_ROOT", "")
        for word, after in zip(words, [*words[1:], ""], strict=True):
            if word == "--root" or word.startswith("--root="):
                named = word.partition("=")[2] or after
        for name, value in variables.items():
            named = named.replace(f"${{{name}}}", value).replace(f"${name}", value)
        return Path(named) if named else None


def unit(patient: Patient) -> Iterator[Finding]:
    """The unit that serves this tree: enabled, watched over, and run by a user who can write here."""
    machine, root = patient.machine, patient.layout.root
    if not machine.systemd.is_dir():
        mend = "let whatever starts programs here run: clipd run --root ..., and start it again when it ends"
        yield Finding(Level.NOTE, "systemd", "it does not run here, so nothing restarts a daemon that dies", mend)
        return
    found = list(units(machine))
    ours = [one for one in found if one.root is not None and _same(one.root, root)]
    if not ours:
        others = ", ".join(f"{one.name} serves {one.root or 'no tree that it names'}" for one in found)
        words = f"no unit serves {root}" + (f" ({others})" if others else "")
        yield Finding(Level.NOTE, "systemd", words, EXAMPLE + ENABLE.format("clipd"))
    for one in ours:
        yield from _one(patient, one)


def units(machine: Machine) -> Iterator[Unit]:
    """The units of clipd that are installed, with one for each enabled instance of the template."""
    for name in NAMES:
        file = next((folder / name for folder in machine.units if (folder / name).is_file()), None)
        if file is None:
            continue
        stem, at, _ = name.partition("@")
        wanted = sorted({link.name for folder in machine.units for link in folder.glob(f"*.wants/{stem}*")})
        if not at:
            yield Unit(name, file, name in wanted, _read(machine, name, file, ""))
            continue
        for instance in (link for link in wanted if link.startswith("clipd@") and link != name):
            inside = instance.removeprefix("clipd@").removesuffix(".service")
            yield Unit(instance, file, True, _read(machine, name, file, inside))


def _one(patient: Patient, unit: Unit) -> Iterator[Finding]:
    start = _words(unit.last("ExecStart"))
    program = start[0].lstrip("-@:+!") if start else ""
    if unit.enabled:
        yield Finding(Level.OK, unit.name, f"{unit.file}, enabled, serves {unit.root}")
    else:
        words = f"{unit.file} is not enabled: it does not start with the machine"
        yield Finding(Level.WARNING, unit.name, words, ENABLE.format(unit.name))
    if not program or not os.access(program, os.X_OK):
        words = f"ExecStart runs {program or 'nothing'}, which is not there"
        yield Finding(Level.WRONG, unit.name, words, "set ExecStart to where clipd is installed (command -v clipd)")
    if unit.last("Type") != "notify" or not unit.last("WatchdogSec"):
        words = "without Type=notify and WatchdogSec a daemon that hangs is not restarted"
        yield Finding(Level.WARNING, unit.name, words, f"sudo systemctl edit {unit.name}: Type=notify, WatchdogSec=60")
    protects, opened = (
        unit.last("ProtectSystem"),
        [path for line in unit.values.get("ReadWritePaths", []) for path in _words(line)],
    )
    if protects == "strict" and (shut := [path for path in _written(patient) if not _is_below(path, opened)]):
        words = f"ProtectSystem=strict lets it not write {', '.join(str(path) for path in shut)}"
        yield Finding(Level.WRONG, unit.name, words, f"add to its [Service]: ReadWritePaths={shut[0]}")
    yield from _user(patient, unit)


def _user(patient: Patient, unit: Unit) -> Iterator[Finding]:
    name = unit.last("User") or "root"
    if name == "root":
        yield Finding(Level.WARNING, unit.name, "it runs as root", "set User= to a user of its own that owns the tree")
        return
    try:
        user = pwd.getpwuid(int(name)) if name.isdecimal() else pwd.getpwnam(name)
    except KeyError:
        mend = f"sudo useradd --system --no-create-home {name}"
        yield Finding(Level.WRONG, unit.name, f"its user {name} does not exist", mend)
        return
    if os.geteuid() not in (0, user.pw_uid):
        mend = f"sudo -u {name} clipd doctor --root {patient.layout.root}"
        yield Finding(Level.NOTE, unit.name, f"whether its user {name} can write here was not tried", mend)
        return
    refused = [path for path in _written(patient) if path.is_dir() and not _may_write(user, path)]
    if refused:
        words = f"its user {name} cannot write {', '.join(patient.name(path) for path in refused)}"
        yield Finding(
            Level.WRONG,
            unit.name,
            words,
            f"sudo setfacl -R -m u:{name}:rwX,d:u:{name}:rwX {shlex.quote(str(refused[0]))} (or chown it)",
        )
    else:
        yield Finding(Level.OK, unit.name, f"its user {name} can write sidecars, outputs and state")


def _may_write(user: pwd.struct_passwd, path: Path) -> bool:
    """Asked as that user, with all their groups; access lists and servers have their say."""
    if os.geteuid() == user.pw_uid:
        return os.access(path, os.W_OK | os.X_OK)
    groups = {user.pw_gid, *(group.gr_gid for group in grp.getgrall() if user.pw_name in group.gr_mem)}
    asked = subprocess.run(  # noqa: S603 - a fixed program, the path is one argument
        [shutil.which("test") or "/usr/bin/test", "-w", str(path)],
        user=user.pw_uid,
        group=user.pw_gid,
        extra_groups=sorted(groups),
        cwd="/",
        check=False,
    )
    return asked.returncode == 0


def _written(patient: Patient) -> tuple[Path, ...]:
    layout = patient.layout
    return tuple(dict.fromkeys((layout.sidecars, layout.outputs, layout.state)))


def _is_below(path: Path, opened: list[str]) -> bool:
    return any(path.resolve().is_relative_to(Path(one.lstrip("-+")).resolve()) for one in opened)


def _same(one: Path, other: Path) -> bool:
    return one.resolve() == other.resolve()


def _read(machine: Machine, name: str, file: Path, instance: str) -> dict[str, list[str]]:
    values: dict[str, list[str]] = {}
    over = sorted((path for folder in machine.units for path in folder.glob(f"{name}.d/*.conf")), key=lambda p: p.name)
    for path in (file, *over):
        lines = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ").splitlines()
        for line in lines:
            directive, equals, value = line.strip().partition("=")
            if not equals or directive.startswith(("#", ";", "[")):
                continue
            if value.strip():
                values.setdefault(directive.strip(), []).append(value.strip().replace("%i", instance))
            else:
                values.pop(directive.strip(), None)
    return values


def _words(line: str) -> list[str]:
    try:
        return shlex.split(line)
    except ValueError:
        return line.split()
