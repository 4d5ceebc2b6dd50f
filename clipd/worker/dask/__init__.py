"""A Dask cluster as an executor, and the machine that works for one: the only door to Dask.

The daemon submits each job as a task of its own, which no scheduler repeats (`retries=0`) or takes for another
(`pure=False`, a new key each time). On the worker the task waits for the worker's bench, whose processes can be killed,
like those of the local pool. Cancelling goes past the scheduler to the bench. Nothing here is kept: when a connection
breaks, a worker dies or falls silent, the jobs in question end as deferred, and the daemon hands them out again.

Raises `ConfigError` where Dask is not installed.
"""

from __future__ import annotations

from clipd.errors import ConfigError

try:
    import distributed as distributed
except ImportError as error:
    raise ConfigError(
        f"a Dask cluster needs more packages; install them with: pip install clipd[dask] ({error})"
    ) from None
