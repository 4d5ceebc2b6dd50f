"""The news of one outcome, in the forms in which hooks get it: JSON, environment, words for a person."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

VALUES = (
    "status", "clip", "job", "camera", "session", "sidecar", "key", "output", "outputs", "message", "host", "at",
    "root", "id",
)  # fmt: skip
"""What an argument may name in braces."""
PLACEHOLDER = re.compile(r"\{([a-z_]+)\}")
LONGEST = 32_000
"""Characters of a value that are passed as an argument or in the environment; Linux takes 128 KiB each."""


@dataclass(frozen=True)
class News:
    """How a clip ended."""

    id: str
    """Of this news, new for each outcome and the same in every try: a receiver can tell a repetition by it."""
    status: str
    """complete or failed"""
    clip: str
    """`<video> / <clip>`."""
    job: str
    camera: str
    session: str
    sidecar: str
    """Relative to the root, as all paths here."""
    key: str
    outputs: tuple[str, ...]
    """The videos."""
    message: str
    """Why it failed, or a note."""
    warnings: tuple[str, ...]
    host: str
    at: str
    """When it ended, as clipd writes times."""
    root: Path
    """The tree, as this machine names it; in no JSON."""

    def body(self) -> bytes:
        """As a JSON object, in ASCII."""
        content = asdict(self)
        del content["root"]
        return json.dumps(content).encode("ascii")

    def values(self) -> Mapping[str, str]:
        """By the names in `VALUES`, as text that an argument or the environment can take; outputs one on a line."""
        content = asdict(self)
        content["output"] = self.outputs[0] if self.outputs else ""
        content["outputs"] = "\n".join(self.outputs)
        return {name: _fit(str(content[name])) for name in VALUES}

    @property
    def title(self) -> str:
        """A line for a person."""
        return f"clipd: {self.clip} {'is complete' if self.status == 'complete' else 'failed'}"

    @property
    def words(self) -> str:
        """A few lines for a person."""
        return "\n".join(line for line in (self.message, *self.outputs, *self.warnings) if line) or self.title


class Undelivered(Exception):
    """A try failed; the words hold no secret."""

    def __init__(self, words: str, *, hopeless: bool = False) -> None:
        super().__init__(words)
        self.hopeless = hopeless
        """Would another try end the same?"""


def _fit(text: str) -> str:
    return text[:LONGEST].encode("utf-8", "replace").decode().replace("\0", "\ufffd")
