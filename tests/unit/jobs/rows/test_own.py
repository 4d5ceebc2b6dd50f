"""Functions of people's own: what they are given by name and by place, and when they count as changed."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from clipd.datasets.loader import VideoLoader
from clipd.datasets.row import Columns, understand
from clipd.datasets.table import RawRow
from clipd.errors import Deferred, MediaError, Rejected
from clipd.jobs.clip import Settings
from clipd.jobs.rows.function import Means, Surroundings
from clipd.jobs.rows.own import FunctionFailed, call, identity, plan
from clipd.media.door import Limits
from tests.footage import make


@pytest.fixture
def around(tmp_path: Path) -> Surroundings:
    make(tmp_path / "film.mp4", count=10)
    raw = RawRow(0, 2, {"id": "a", "video": "film.mp4", "note": "x", "start_frame": 2})
    row = understand(raw, Columns(video="video", id="id"), tmp_path, None)
    (tmp_path / "out").mkdir()
    means = Means(Limits(), Settings(), None, 1)
    return Surroundings(row, tmp_path / "out", "rows/a", means, lambda stage, done, total: None)


@pytest.mark.parametrize(
    "function",
    [
        lambda loader: loader,
        lambda video: video,
        lambda v: v,
        lambda v, /: v,
        lambda a, b, c: (a, b, c)[0],
        lambda output_dir, row, loader: loader,
    ],
)
def test_the_loader_is_of_the_rows_part(around: Surroundings, function: Callable[..., Any]) -> None:
    loader = call(function, {}, around)
    assert isinstance(loader, VideoLoader)
    assert (loader.total_frames, loader.first_frame) == (8, 2)


def test_all_else_comes_by_name_or_place(around: Surroundings) -> None:
    assert call(lambda video_path: video_path, {}, around) == str(around.row.path)
    assert call(lambda video_path, meta: meta, {}, around) == dict(around.row.values)
    assert call(lambda v, r, o: o, {}, around) == around.folder
    assert call(lambda row, row_id, k=1: (row["note"], row_id, k), {"k": 2}, around) == ("x", "a", 2)
    assert call(lambda path, **more: more, {"size": 3}, around) == {"size": 3}
    assert call(functools.partial(lambda row, k: k, k=5), {}, around) == 5


@pytest.mark.parametrize(
    ("function", "arguments", "words"),
    [
        (lambda a, b, c, d: 1, {}, "wants 'd'"),
        (lambda a, *, size: 1, {}, "wants 'size'"),
        (lambda a: 1, {"size": 1}, "no parameter 'size'"),
    ],
)
def test_what_nothing_gives_is_refused_before_any_work(
    function: Callable[..., Any], arguments: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        plan(function, arguments)


def raising(video: VideoLoader) -> None:
    raise KeyError("no such class")


def test_what_a_function_raises_is_told_with_its_place(around: Surroundings) -> None:
    with pytest.raises(FunctionFailed, match="KeyError: 'no such class'") as failed:
        call(raising, {}, around)
    assert failed.value.where == f"test_own.py:{raising.__code__.co_firstlineno + 1} in raising"
    with pytest.raises(FunctionFailed, match="SystemExit: 3"):
        call(lambda row: sys.exit(3), {}, around)


def test_errors_of_ours_keep_their_kind(around: Surroundings) -> None:
    def full(row: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(Deferred):
        call(full, {}, around)
    with pytest.raises(Rejected, match="no frame 99"):
        call(lambda video: video.get_frame(99), {}, around)
    around.row.path.write_bytes(b"broken")
    with pytest.raises(MediaError):
        call(lambda video: 1, {}, around)
    assert call(lambda path: 1, {}, around) == 1


def made(text: str) -> Callable[..., Any]:
    """A function without source, as from a notebook that is gone."""
    space: dict[str, Any] = {}
    exec(text, space)
    function: Callable[..., Any] = space["f"]
    return function


def scaled(factor: int) -> Callable[..., Any]:
    def inner(video: VideoLoader) -> int:
        return factor * video.total_frames

    return inner


def test_a_function_changes_with_its_code_and_what_it_encloses() -> None:
    assert identity(raising) == identity(raising)
    assert identity(raising) != identity(scaled(1))
    assert identity(scaled(1)) == identity(scaled(1))
    assert identity(scaled(1)) != identity(scaled(2))
    assert identity(made("def f(v): return 1")) != identity(made("def f(v): return 2"))
    assert identity(made("def f(v): return 1")) == identity(made("def f(v):\n  # why\n  return 1"))
    assert identity(functools.partial(raising, 1)) != identity(functools.partial(raising, 2))
    assert identity(lambda v: 1) != identity(lambda v: 2)
