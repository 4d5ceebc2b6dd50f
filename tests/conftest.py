"""For all tests: no setting of this machine's environment gets in, and `tests` is a package wherever pytest starts."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings

# Time is no property of the code here: on a busy machine any example may take long.
settings.register_profile("clipd", deadline=None)
settings.load_profile("clipd")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """`CLIPD_WATCH__...` of whoever runs the tests would change what they test; CLIPD_TEST_... are the tests' own."""
    for name in [name for name in os.environ if name.startswith("CLIPD_") and not name.startswith("CLIPD_TEST_")]:
        monkeypatch.delenv(name)
