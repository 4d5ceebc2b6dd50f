"""Marking: what a person asks for is done, or told that it could not be."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from clipd.delivery.marking import cancel
from clipd.errors import Rejected
from clipd.files import lease
from tests.fake_clock import FakeClock
from tests.place import laid_out


def test_a_clip_that_has_ended_meanwhile_is_not_called_stopped(tmp_path: Path) -> None:
    layout = laid_out(tmp_path)
    sidecar = layout.sidecars / "cam" / "s" / "match_clips.json"
    sidecar.parent.mkdir(parents=True)
    text = json.dumps([{"name": "goal", "start_frame": 0, "end_frame": 9, "status": "Complete"}])
    sidecar.write_text(text)
    with pytest.raises(Rejected, match="match / goal does not ask for work any more"):
        cancel(layout, lease.Settings(), "job", "match / goal", sidecar, "name:goal", FakeClock())
    assert sidecar.read_text() == text
