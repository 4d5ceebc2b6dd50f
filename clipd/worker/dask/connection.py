"""The connection to a scheduler: its certificates, how long it may take, and what went wrong with it."""

from __future__ import annotations

from pathlib import Path

from distributed import Security

from clipd.errors import ConfigError
from clipd.worker.executor import Settings

AGAIN_SECONDS = 2.0
"""How soon a scheduler is tried again that does not answer."""


def security(settings: Settings, address: str) -> Security:
    """The certificates to use for `address`; both ends show one.

    Raises:
        ConfigError: a file is not named or not there.
    """
    if not address.startswith("tls://"):
        return Security()
    try:
        settings.require_files(address)
    except ValueError as error:
        raise ConfigError(f"executor: {error}") from error
    for name in ("ca_file", "cert_file", "key_file"):
        if not Path(getattr(settings, name)).is_file():
            raise ConfigError(f"executor.{name} = {getattr(settings, name)!r}: there is no such file")
    ends = {
        f"tls_{end}_{part}": getattr(settings, f"{part}_file")
        for end in ("client", "worker")
        for part in ("cert", "key")
    }
    return Security(tls_ca_file=settings.ca_file, require_encryption=True, **ends)


def words(error: BaseException) -> str:
    """What went wrong, in a line."""
    return str(error).splitlines()[0] if str(error) else type(error).__name__
