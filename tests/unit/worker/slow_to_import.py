"""A module that takes for ever to import, in a worker: what a worker does that is still starting."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

if sys.argv[0].endswith("worker/process.py"):
    began = Path(os.environ["SLOW_TO_IMPORT"]) / "began"
    began.write_text(str(os.getpid()))
    time.sleep(60)


def prepare() -> None:
    """Comes too late."""
