"""Compounds as people write them: what is refused, and how it is said."""

from __future__ import annotations

import json

import pytest

from clipd.errors import Rejected
from clipd.tree import sidecar


def test_parts_that_are_missing_are_named_with_the_key_that_may_stand_for_them() -> None:
    content = {"clips": [], "compounds": [{"name": "film", "part": [{"clip": "goal"}], "status": "Process"}]}
    (entry,) = sidecar.parse(json.dumps(content).encode()).entries
    with pytest.raises(Rejected) as caught:
        entry.compound()
    assert 'parts is missing; write a list of parts, such as [{"clip": "goal_1"}' in str(caught.value)
    assert str(caught.value).endswith('"part" stands there, did you mean parts?')
