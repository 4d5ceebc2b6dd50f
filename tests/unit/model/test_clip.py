"""Status words: which of them ask for work."""

from __future__ import annotations

import pytest

from clipd.model.clip import is_due


@pytest.mark.parametrize("word", ["Process", "process", " PROCESS\n"])
def test_process_is_due_in_any_case(word: str) -> None:
    assert is_due(word)


@pytest.mark.parametrize("word", [None, "", "Draft", "Complete", "Failed", "Rejected", "Processed", "Processing"])
def test_nothing_else_is(word: str | None) -> None:
    assert not is_due(word)
