"""When to try again, and when to stop trying."""

from __future__ import annotations

from clipd.model.setting import Section, setting


class Settings(Section):
    """How often and how soon failed work is tried again."""

    attempts: int = setting(
        3, "Attempts after which a clip becomes Failed, when its worker dies or I/O fails.", unit="attempts", ge=1
    )
    media_attempts: int = setting(
        2,
        "Attempts after which a clip becomes Failed, when its media cannot be read or written.",
        unit="attempts",
        ge=1,
    )
    losses: int = setting(
        20,
        "Attempts lost together with their whole daemon (power cut, kill) after which a clip becomes Failed.",
        unit="attempts",
        ge=1,
    )
    first_wait_seconds: float = setting(5.0, "Wait before the second attempt; doubled each time.", unit="s", gt=0)
    longest_wait_seconds: float = setting(900.0, "The longest wait between two attempts.", unit="s", gt=0)
    deferred_wait_seconds: float = setting(
        15.0, "How often work that waits for disk space or for a share looks again.", unit="s", gt=0
    )
    source_patience_seconds: float = setting(
        600.0,
        "A source video that cannot be read is taken to be unfinished until it has held still for this long.",
        unit="s",
        ge=0,
    )


def wait_seconds(failures: int, settings: Settings) -> float:
    """Seconds to wait after the `failures`-th failure: doubling from the first wait up to the longest."""
    return min(settings.first_wait_seconds * 2.0 ** min(max(failures - 1, 0), 32), settings.longest_wait_seconds)
