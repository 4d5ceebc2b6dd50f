"""Tables in the inbox: first a job that cuts one up, then a job for each piece, then one that puts results together.

A table may hold millions of rows and is never read here: what is due stands in its plan and in the marks of the jobs
that ended.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from clipd.errors import ClipdError, Rejected
from clipd.intake.admit import Admission, written_at
from clipd.jobs.dataset import Order, understood
from clipd.jobs.rows.plan import Plan, ended, read_plan
from clipd.model.job import Job, job_id
from clipd.tree import dataset as datasets
from clipd.tree.dataset import DatasetFile
from clipd.tree.layout import DONE, FAILED, UNNAMED, Layout

AHEAD = 1024
"""Jobs of one table that stand in the queue at the same time: more than there are workers, and not all of millions."""


class Datasets:
    """Tables, wherever they lie below their folder of the inbox."""

    ignore: tuple[str, ...] = (DONE, FAILED)

    def folder(self, layout: Layout) -> Path:
        """The folder of the inbox."""
        return layout.inbox_of("datasets")

    def wants(self, layout: Layout, name: str) -> bool:
        """Does `name` end as tables do?"""
        return datasets.is_table(name)

    def admit(self, layout: Layout, path: Path) -> Admission:
        """What is to be done next for the table at `path`."""
        origin = layout.relative(path)
        try:
            origin.encode()
        except UnicodeEncodeError:
            raise Rejected(
                "its path is not valid UTF-8 and cannot be written down; rename the file or folder"
            ) from None
        file = datasets.read(path)
        return Admission(() if file is None else tuple(_jobs(layout, path, origin, file)))

    def refused(self, layout: Layout, path: Path, error: ClipdError) -> Admission:
        """Nothing: it is told, and stays where it is."""
        return Admission(())


def _jobs(layout: Layout, path: Path, origin: str, file: DatasetFile) -> Iterator[Job]:
    plan, priority, written = read_plan(layout, origin), _priority(file), written_at(os.lstat(path))

    def job(kind: str, key: str, name: str, number: int = 0) -> Job:
        # Known by its place in the table, so that pieces of two plans are not worked on at the same time.
        return Job(
            job_id(kind, origin, str(number)), kind, origin, key, f"dataset {path.stem}{name}", "", UNNAMED,
            priority, written, number,
        )  # fmt: skip

    if plan is None or plan.signature != file.signature:
        yield job("dataset", file.signature, "")
        return
    known = ended(layout, origin, plan.run).jobs
    due = list(islice((n for n in range(plan.jobs) if n not in known), AHEAD))
    for number in due:
        yield job("rows", f"{plan.run}:{number}", f" / {_rows_of(plan, number)}", number)
    if not due:
        yield job("results", plan.run, " / results")


def _rows_of(plan: Plan, number: int) -> str:
    first = number * plan.rows_per_job + 1
    return f"rows {first} to {min(first + plan.rows_per_job - 1, plan.rows)}"


def _priority(file: DatasetFile) -> int:
    """As the note says; what is wrong with it is told under the claim."""
    try:
        return understood(file.content).priority
    except Rejected:
        return Order().priority
