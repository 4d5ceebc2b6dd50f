"""Do the workers fit into the memory and the processors that this process may use?"""

from __future__ import annotations

import resource
from collections.abc import Iterator
from pathlib import Path

from pydantic import ByteSize

from clipd.report.doctor.finding import Finding, Level, Machine, Patient
from clipd.worker.pool import cores

FEW_FILES = 256
"""Descriptors: a worker has some dozens open."""


def limits(patient: Patient) -> Iterator[Finding]:
    """Memory, processors and open files against what the workers may take."""
    yield from _memory(patient)
    yield from _processors(patient)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files != resource.RLIM_INFINITY and files < FEW_FILES:
        yield Finding(
            Level.WARNING, "open files", f"at most {files} (ulimit -n)", "ulimit -n 1024, or LimitNOFILE=1024"
        )


def memory_bytes(machine: Machine) -> tuple[int, str] | None:
    """The memory that there is for this process, and what says so: the machine's, or a control group's limit."""
    found = []
    for line in _lines(machine.proc / "meminfo"):
        if line.startswith("MemTotal:"):
            found.append((int(line.split()[1]) * 1024, "this machine's memory"))
    for folder in _groups(machine, "memory"):
        for name in ("memory.max", "memory.limit_in_bytes"):
            found += [(int(line), f"the control group's {name}") for line in _lines(folder / name) if line.isdecimal()]
    return min(found, default=None)


def processors(machine: Machine) -> float | None:
    """How many processors' time a control group grants this process; None without a limit."""
    found = []
    for folder in _groups(machine, "cpu"):
        for line in _lines(folder / "cpu.max"):
            quota, _, period = line.partition(" ")
            if quota.isdecimal() and period.isdecimal():
                found.append(int(quota) / int(period))
        quota, period = (next(iter(_lines(folder / f"cpu.cfs_{name}_us")), "") for name in ("quota", "period"))
        if quota.isdecimal() and period.isdecimal():
            found.append(int(quota) / int(period))
    return min(found, default=None)


def _memory(patient: Patient) -> Iterator[Finding]:
    workers, each = patient.workers.worker_count, int(patient.workers.memory)
    known = memory_bytes(patient.machine)
    if known is None:
        yield Finding(Level.NOTE, "memory", "this machine does not say how much there is")
        return
    there, source = known
    if not each:
        words = f"workers have no limit (workers.memory: 0) in {_size(there)}, {source}"
        yield Finding(Level.NOTE, "memory", words, f"workers.memory: {_share(there, workers)}")
    elif workers * each > there:
        words = (
            f"{workers} x {_size(each)} for workers is more than {_size(there)}, {source}: "
            "greedy clips may have the kernel kill processes"
        )
        yield Finding(Level.NOTE, "memory", words, f"workers.memory: {_share(there, workers)}, or fewer workers")
    else:
        yield Finding(Level.OK, "memory", f"{workers} x {_size(each)} for workers, of {_size(there)}, {source}")


def _processors(patient: Patient) -> Iterator[Finding]:
    workers, each, here = patient.workers.worker_count, patient.workers.threads_each, cores()
    granted = processors(patient.machine)
    if granted is not None and granted < here:
        words = f"{here} are seen, but a control group grants the time of {granted:g}; workers are reckoned from {here}"
        fitting = max(1, int(granted) // 2)
        mend = f"workers.max_workers: {fitting}, workers.threads: {max(1, int(granted) // fitting)}"
        level = Level.NOTE if workers * each <= max(1.0, granted) else Level.WARNING
        yield Finding(level, "processors", words, mend)
    elif workers * each > here:
        words = f"{workers} x {each} threads for workers on {here}: they get into each other's way"
        yield Finding(Level.NOTE, "processors", words, "workers.threads: 0 shares the processors out")
    else:
        yield Finding(Level.OK, "processors", f"{here}; {workers} x {each} threads for workers")


def _groups(machine: Machine, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and all above it: version 2, or the controller's of version 1."""
    for line in _lines(machine.proc / "self/cgroup"):
        _, _, rest = line.partition(":")
        names, _, path = rest.partition(":")
        if names and controller not in names.split(","):
            continue
        top = machine.cgroups / controller if names else machine.cgroups
        inside = top / path.lstrip("/")
        yield from (folder for folder in (inside, *inside.parents) if folder.is_relative_to(top))


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text().splitlines()
    except (OSError, ValueError):
        return []


def _share(there: int, workers: int) -> str:
    """What each worker may take so that an eighth is left for everything else."""
    return f"{max(1, there * 7 // 8 // workers // 2**20)}MiB"


def _size(count: int) -> str:
    return ByteSize(count).human_readable()
