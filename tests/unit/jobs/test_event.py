"""Events as people write them: what is refused, and how it is said."""

from __future__ import annotations

from typing import Any

import pytest

from clipd.errors import Rejected
from clipd.jobs import event

OFFSETS = {"start_offset_seconds": 1, "end_offset_seconds": 2}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ({"start": 1, **OFFSETS}, "^start: start_offset_seconds and end_offset_seconds say where .*, or start$"),
        ({"start": 1, "end": 2, **OFFSETS}, "^start and end: .* leave the offsets out, or start and end$"),
        ({"event_id": ..., "event_i": "door"}, '"event_i" stands there, did you mean event_id'),
    ],
)
def test_what_is_wrong_is_named_as_it_is_written(content: dict[str, Any], words: str) -> None:
    written = {"event_id": "door", "video_path": "cam1/s1/match.mp4", **content}
    with pytest.raises(Rejected, match=words):
        event.understood({key: value for key, value in written.items() if value is not ...})
