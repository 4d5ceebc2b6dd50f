"""What rows are put through in `test_batch_kills`: importable by a fresh process, and quick to import."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np


def work(row: dict[str, Any], row_id: str, output_dir: Path) -> dict[str, Any] | None:
    number = int(row_id[1:])
    if number % 7 == 3:
        raise ValueError(row_id)
    (output_dir / "a").mkdir()
    (output_dir / "a" / "note.txt").write_text(row_id * 100)
    time.sleep(0.01)
    return {"id": row_id, "array": np.full((number, 3), number)} if number % 5 else None
