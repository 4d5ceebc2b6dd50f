"""One small film for all reports."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.footage import make
from tests.unit.report.workplace import Workplace


@pytest.fixture(scope="session")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=60)


@pytest.fixture
def place(tmp_path: Path, film: Path) -> Workplace:
    return Workplace(tmp_path / "tree", film)
