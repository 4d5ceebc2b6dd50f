"""The log: one line a step, with the job's id, to the console and to a rotating file; JSON lines when asked.

Text that came from outside (names, paths, a library's words) is stripped of control characters before it is shown.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from loguru import logger

from clipd.model.setting import Section, setting

if TYPE_CHECKING:
    from loguru import Record

LINE = "{time:YYYY-MM-DD HH:mm:ss.SSS} {level:<7} {extra[job]:<20} {message}"


class Settings(Section):
    """Where the log goes and how much it says."""

    level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = setting("INFO", "The least important line that is written.")
    file: str | None = setting(None, "A log file beside the console, relative to the root; null for none.")
    rotation: str = setting(
        "20 MB",
        "When a new log file is begun: a size (20 MB) or a time (1 day).",
        pattern=r"(?i)^\d+(\.\d+)? ?([kmgt]?i?b|(second|minute|hour|day|week|month)s?)$",
    )
    keep: int = setting(10, "How many old log files are kept.", unit="files", ge=1)
    json_lines: bool = setting(False, "Write each line as a JSON object, for log collectors.")


def plain(text: str) -> str:
    """`text` on one line, fit for a terminal: control and direction characters and lone surrogates are escaped."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape", "surrogatepass").decode() for c in text)


def start(settings: Settings, root: Path | None = None, rotates: bool = True) -> None:
    """Send this process's log where `settings` say. Calling it again replaces the former destinations.

    Several processes append whole lines to one file; only the daemon (`rotates`) begins a new one, and the workers
    notice by themselves.
    """
    logger.remove()
    logger.configure(extra={"job": "-"}, patcher=_sanitise)
    # Not `diagnose`: it would print the values of variables, and with them people's data, into the log.
    logger.add(
        sys.stderr, level=settings.level, format=LINE, serialize=settings.json_lines, backtrace=False, diagnose=False
    )
    if settings.file is not None:
        logger.add(
            (root or Path()) / settings.file,
            level=settings.level,
            format=LINE,
            serialize=settings.json_lines,
            rotation=settings.rotation if rotates else None,
            retention=settings.keep if rotates else None,
            watch=not rotates,
            backtrace=False,
            diagnose=False,
            encoding="utf-8",
            errors="backslashreplace",
        )


def _sanitise(record: Record) -> None:
    record["message"] = plain(record["message"])
