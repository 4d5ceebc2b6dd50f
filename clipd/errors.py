"""What can go wrong, sorted by the one question that matters: try again?

Every error carries words for a person. Low floors raise these; `lifecycle` decides what becomes of the job.
"""

from __future__ import annotations


class ClipdError(Exception):
    """The base of all errors that clipd raises on purpose; `str(error)` is fit to show."""


class Rejected(ClipdError):
    """Never again as it stands: the words say what is wrong, where, and what would be right."""


class Temporary(ClipdError):
    """Worth another try, with back-off, up to `retry.attempts` tries."""


class Deferred(Temporary):
    """Not the job's fault (disk full, share away or read-only): waits as long as it takes and counts no attempt.

    `wait_seconds` says when another look is worth it, where that is known.
    """

    def __init__(self, message: str, wait_seconds: float | None = None) -> None:
        super().__init__(message)
        self.wait_seconds = wait_seconds


class MediaError(ClipdError):
    """A media file could not be read, decoded or encoded; `tail` holds the library's last words. One retry."""

    def __init__(self, message: str, *, tail: str = "") -> None:
        super().__init__(message if not tail else f"{message} ({tail})")
        self.tail = tail


class Superseded(ClipdError):
    """The person changed, cancelled or removed the clip while it was being worked on; their version wins."""


class ClaimLost(ClipdError):
    """Another worker took the claim (this one was frozen or cut off); nothing of this attempt may be published."""


class ConfigError(ClipdError):
    """A setting is wrong; the words name the key, the value, the file and line, and what would be right."""
