"""The campaign, briefly: what `scripts/campaign.py` does for as long as one likes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.crash.campaign import campaign

SECONDS = float(os.environ.get("CLIPD_TEST_CAMPAIGN_SECONDS", "10"))


@pytest.mark.parametrize("seed", [1])
def test_whatever_happens_every_promise_is_kept(tmp_path: Path, seed: int) -> None:
    with campaign(tmp_path, seed=seed, clips=9, daemons=2, tell=print) as made:
        made.run(SECONDS, (0.1, 0.5))
        assert made.counts.total() > SECONDS
