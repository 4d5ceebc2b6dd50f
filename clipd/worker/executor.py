"""An executor: where the jobs of a daemon run. The local pool is one, a Dask cluster the other; the daemon cannot tell.

Whatever becomes of a job is told once, as `Ended`: an executor that loses sight of a job (its machine died, the
scheduler is gone) says so as a deferral. The files are the queue: the daemon hands the job out again, and claims see to
it that it is not done twice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from pydantic import field_validator, model_validator

from clipd.model.job import Job
from clipd.model.setting import Section, setting

SCHEMES = ("tls://", "tcp://")


class Settings(Section):
    """Where jobs run."""

    kind: Literal["local", "dask"] = setting("local", "In worker processes of this machine, or on a Dask cluster.")
    scheduler: str = setting("", "The Dask scheduler, as tls://host:8786; tcp:// has neither keys nor encryption.")
    ca_file: str = setting("", "The certificate of the authority that signed all others (PEM), for tls://.")
    cert_file: str = setting("", "This machine's own certificate (PEM), for tls://.")
    key_file: str = setting("", "The key of that certificate (PEM), for tls://; keep it off the share.")
    slots: int = setting(
        0, "Jobs that one `clipd worker` works on at the same time; 0 is as workers.max_workers says.", ge=0
    )
    resources: dict[str, float] = setting(
        {"ffmpeg": 1.0},
        "What one job takes of its worker, by the names of Dask's resources; a worker has one of each for every slot, "
        "unless its --resource says otherwise.",
    )
    ahead: int = setting(
        0,
        "Jobs handed to the scheduler beyond the free slots. Dask's adaptive scaling starts machines for those.",
        unit="jobs",
        ge=0,
    )
    connect_seconds: float = setting(
        10.0, "How long one try to reach the scheduler may take; clipd tries for ever.", unit="s", gt=0
    )
    begin_seconds: float = setting(
        60.0, "A job that no worker begins for so long although a slot is free is handed out anew.", unit="s", gt=0
    )

    @field_validator("scheduler")
    @classmethod
    def _known_scheme(cls, address: str) -> str:
        if address and not address.startswith(SCHEMES):
            raise ValueError(f"it must begin with {' or '.join(SCHEMES)}, such as tls://node1:8786")
        return address

    @field_validator("resources")
    @classmethod
    def _not_negative(cls, resources: dict[str, float]) -> dict[str, float]:
        if wrong := next((name for name, amount in resources.items() if amount < 0), None):
            raise ValueError(f"{wrong} must not be negative; 0 asks for none")
        return resources

    @model_validator(mode="after")
    def _complete(self) -> Settings:
        if self.kind == "dask" and not self.scheduler:
            raise ValueError("scheduler must name the Dask scheduler, such as tls://node1:8786")
        self.require_files(self.scheduler)
        return self

    def require_files(self, address: str) -> None:
        """Raise `ValueError` unless all files are named that `address` asks for."""
        missing = [name for name in ("ca_file", "cert_file", "key_file") if not getattr(self, name)]
        if address.startswith("tls://") and missing:
            raise ValueError(f"tls:// needs ca_file, cert_file and key_file; {', '.join(missing)} is missing")

    @property
    def needs(self) -> dict[str, float]:
        """The resources that a job really takes."""
        return {name: amount for name, amount in self.resources.items() if amount}


@dataclass(frozen=True)
class Node:
    """A worker of a cluster: how many jobs it can do at the same time, and the names of those it does."""

    name: str
    slots: int
    jobs: tuple[str, ...]
    answers: bool = True


class Executor(Protocol):
    """Runs jobs elsewhere than in the daemon's own process."""

    @property
    def label(self) -> str:
        """What it is, for the log: `2 workers`."""
        ...

    @property
    def trouble(self) -> str:
        """Why nothing can be begun, for people; "" when all is well."""
        ...

    @property
    def slots(self) -> int:
        """How many jobs can be worked on at the same time."""
        ...

    @property
    def nodes(self) -> list[Node]:
        """Who does what, where that is not the daemon's own machine."""
        ...

    @property
    def free(self) -> int:
        """How many more jobs may be submitted now."""
        ...

    @property
    def running(self) -> set[str]:
        """The ids of the jobs that were submitted and have not ended."""
        ...

    @property
    def running_jobs(self) -> list[Job]:
        """The jobs that were submitted and have not ended."""
        ...

    @property
    def begun_jobs(self) -> list[Job]:
        """Those of them that a worker has in hand."""
        ...

    def start(self) -> None:
        """Begin to look for workers, where that takes time."""
        ...

    def submit(self, job: Job, *arguments: object) -> None:
        """Run `job`; its end is told. Raises `Deferred` when nothing can be begun just now."""
        ...

    def cancel(self, job: str, why: str) -> None:
        """Stop the attempt at `job`; its end is told."""
        ...

    def stop(self, seconds: float) -> None:
        """Let running jobs finish for up to `seconds`, then end."""
        ...
