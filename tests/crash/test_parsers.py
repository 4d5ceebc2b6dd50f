"""Whatever stands in a sidecar or in the settings, it is read or refused with words, and soon."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from clipd.config import load
from clipd.errors import ConfigError, Rejected
from clipd.files.document import NotADocument
from clipd.model.clip import Status
from clipd.tree import sidecar
from clipd.tree.clip_entry import ClipEntry

EXAMPLES = int(os.environ.get("CLIPD_TEST_EXAMPLES", "150"))
Refusal = TypeVar("Refusal", bound=Exception)
FIELDS = [*ClipEntry.model_fields, "", "unknown"]
SCALARS = (
    st.none() | st.booleans() | st.integers(-(10**20), 10**20) | st.floats() | st.text(max_size=12)
    | st.sampled_from([str(status) for status in Status])
    | st.sampled_from(["00:00:12.500", "99:99:99", "1080p", "-1x0", "cam1/s1/match.mp4", "../x", "/etc/passwd", "a\0b"])
)  # fmt: skip
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=6), inner, max_size=4),
    max_leaves=8,
)
CLIPS = st.lists(st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=8) | VALUES, max_size=4)


def refused(read: Callable[[], object], kind: type[Refusal]) -> Refusal | None:
    """How `read` refuses; None where it does not. Any other error is a fault."""
    try:
        read()
    except kind as error:
        return error
    return None


def damaged(text: str, cuts: list[tuple[float, str]]) -> str:
    """`text` with characters put in at some places, each a share of its length."""
    for place, piece in cuts:
        at = int(place * len(text))
        text = text[:at] + piece + text[at + len(piece) :]
    return text


DAMAGE = st.lists(
    st.tuples(
        st.floats(0, 1), st.sampled_from(['"', "{", "}", "[", "]", ",", ":", "\\", "\\u", "e", "-", "\x00", "'"])
    ),
    max_size=3,
)


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(clips=CLIPS, wrapped=st.booleans(), cuts=DAMAGE, mark=st.booleans())
@example(clips=[{"id": "a", "start_frame": 1e308, "end_frame": -0.0}], wrapped=False, cuts=[], mark=True)
def test_any_sidecar_is_read_or_refused(clips: list[Any], wrapped: bool, cuts: list[Any], mark: bool) -> None:
    text = damaged(json.dumps({"clips": clips} if wrapped else clips), cuts)
    data = (b"\xef\xbb\xbf" if mark else b"") + text.encode("utf-8", "surrogatepass")
    refusal = refused(lambda: sidecar.parse(data), NotADocument)
    if refusal is not None:
        assert refusal.line >= 1
        return
    for entry in sidecar.parse(data).entries:
        assert (entry.fault is None) == (entry.problem is None)
        sidecar.stand(entry)
        sidecar.answered(entry)
        wrong = refused(entry.clip, Rejected)
        assert wrong is None or str(wrong).startswith("line ")
        if entry.fault is None:
            edited = sidecar.patch(data, entry.key, {"status": "Complete", "export_path": ["a"]})
            found = sidecar.parse(edited).find(entry.key)
            assert found is not None
            assert found.raw["status"] == "Complete"


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    refusal = refused(lambda: sidecar.parse(data), NotADocument)
    assert refusal is None or refusal.line >= 1


SECTIONS = [
    "clips",
    "watch",
    "workers",
    "retry",
    "claims",
    "space",
    "hooks",
    "directories",
    "schedule",
    "cameras",
    "log",
]
KEYS = [
    "formats",
    "h264",
    "crf",
    "lease_seconds",
    "reserve",
    "windows",
    "memory",
    "source",
    "settle_seconds",
    "mode",
    "x",
]


@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    content=st.dictionaries(
        st.sampled_from(SECTIONS), VALUES | st.dictionaries(st.sampled_from(KEYS), VALUES, max_size=3), max_size=3
    ),
    cuts=DAMAGE,
)
def test_any_settings_are_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, content: dict[str, Any], cuts: list[Any]
) -> None:
    folder = tmp_path_factory.getbasetemp()
    file: Path = folder / "fuzzed.yaml"
    file.write_bytes(damaged(json.dumps(content), cuts).encode("utf-8", "surrogatepass"))
    refusal = refused(lambda: load(folder, file), ConfigError)
    assert refusal is None or "fuzzed.yaml" in str(refusal) or "command line or default" in str(refusal)
