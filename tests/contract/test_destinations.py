"""What every way of reaching a destination must keep, run over the table of ways and over backends of fsspec."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest

from clipd.delivery.destinations import STORES, Destination, Store
from clipd.errors import ClipdError, Rejected, Temporary

NAME = 'h264/cam 1/-s\'1/match [1]* "試合"? #1%20_goal.mp4'
DATA = secrets.token_bytes(3 << 20)


@dataclass(frozen=True)
class Reached:
    """A destination that is reached, and a look at it that goes past clipd."""

    store: Store
    there: Callable[[], dict[str, bytes]]


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def in_memory(prefix: str) -> dict[str, bytes]:
    files = fsspec.filesystem("memory")
    return {path.removeprefix(f"{prefix}/"): files.cat_file(path) for path in files.find(prefix)}


def a_directory(tmp_path: Path) -> tuple[Destination, Callable[[], dict[str, bytes]]]:
    folder = tmp_path / "archive"
    folder.mkdir()
    return Destination(directory=str(folder)), lambda: below(folder)


def a_folder_by_its_address(tmp_path: Path) -> tuple[Destination, Callable[[], dict[str, bytes]]]:
    folder = tmp_path / "by address"
    return Destination(url=f"file://{folder}"), lambda: below(folder)


def memory(tmp_path: Path) -> tuple[Destination, Callable[[], dict[str, bytes]]]:
    prefix = f"/{secrets.token_hex(4)}/clips"
    return Destination(url=f"memory:/{prefix}"), lambda: in_memory(prefix)


class Objects(fsspec.get_filesystem_class("memory")):  # type: ignore[misc]
    """Memory that behaves as object stores do: an object is there when its upload ends, and nothing is renamed."""

    protocol = "s3"
    cachable = False

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return "/" + path.removeprefix("s3://").strip("/")

    def put_file(self, lpath: str, rpath: str, callback: Any = None, **kwargs: Any) -> None:
        data = Path(lpath).read_bytes()
        for _ in range(3):
            callback.relative_update(len(data) // 3)
        self.pipe_file(rpath, data)

    def mv(self, *args: Any, **kwargs: Any) -> None:
        raise NotImplementedError

    cp_file = makedirs = mv


def objects(tmp_path: Path) -> tuple[Destination, Callable[[], dict[str, bytes]]]:
    fsspec.register_implementation("s3", Objects, clobber=True)
    bucket = secrets.token_hex(4)
    return Destination(url=f"s3://{bucket}/clips"), lambda: in_memory(f"/{bucket}/clips")


KINDS = (a_directory, a_folder_by_its_address, memory, objects)


@pytest.fixture(params=KINDS, ids=[kind.__name__ for kind in KINDS])
def reached(request: pytest.FixtureRequest, tmp_path: Path) -> Reached:
    destination, there = request.param(tmp_path)
    return Reached(STORES[destination.way](destination, tmp_path), there)


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "original.mp4"
    path.write_bytes(DATA)
    return path


def nothing() -> None:
    """The copy goes on."""


def bring(store: Store, name: str, source: Path) -> None:
    store.settle(store.stage(name, source, nothing), name)


def test_every_way_is_tried_here(tmp_path: Path) -> None:
    assert {kind(tmp_path)[0].way for kind in KINDS} == set(STORES)


def test_a_file_is_there_whole_under_its_very_name_and_nothing_else(reached: Reached, source: Path) -> None:
    bring(reached.store, NAME, source)
    assert reached.there() == {NAME: DATA}
    assert reached.store.size(NAME) == len(DATA)
    assert b"".join(reached.store.read(NAME)) == DATA


def test_what_is_not_there_has_no_size(reached: Reached) -> None:
    assert reached.store.size("h264/no.mp4") is None


def test_until_it_is_settled_a_name_holds_nothing_or_the_whole_file(reached: Reached, source: Path) -> None:
    staged = reached.store.stage(NAME, source, nothing)
    assert b"".join(reached.store.read(staged)) == DATA
    assert reached.store.size(NAME) == (len(DATA) if staged == NAME else None)


def test_a_former_file_stands_until_another_one_takes_its_place(reached: Reached, source: Path, tmp_path: Path) -> None:
    bring(reached.store, NAME, source)
    other = tmp_path / "other.mp4"
    other.write_bytes(b"another one")
    bring(reached.store, NAME, other)
    assert reached.there() == {NAME: b"another one"}


def test_a_file_that_came_to_the_name_stands_where_nothing_is_to_be_replaced(
    reached: Reached, source: Path, tmp_path: Path
) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_bytes(b"somebody else's")
    staged = reached.store.stage(NAME, source, nothing)
    if staged == NAME:
        assert reached.store.settle(staged, NAME, replace=False)
        return  # it took the name when its upload ended
    bring(reached.store, NAME, theirs)
    assert not reached.store.settle(staged, NAME, replace=False)
    assert reached.there() == {NAME: b"somebody else's", staged: DATA}
    assert reached.store.settle(staged, "h264/free.mp4", replace=False)
    assert reached.there() == {NAME: b"somebody else's", "h264/free.mp4": DATA}


def test_a_copy_that_is_stopped_in_the_middle_leaves_what_was_there(reached: Reached, source: Path) -> None:
    before = Path(source).with_name("before")
    before.write_bytes(b"before")
    bring(reached.store, NAME, before)
    left = [1]

    def alive() -> None:
        if not left:
            raise Temporary("stop")
        left.pop()

    with pytest.raises(ClipdError):
        reached.store.stage(NAME, source, alive)
    assert reached.there() == {NAME: b"before"}


def test_what_was_staged_can_be_thrown_away_also_twice(reached: Reached, source: Path) -> None:
    staged = reached.store.stage(NAME, source, nothing)
    reached.store.discard(staged)
    reached.store.discard(staged)
    assert reached.there() == {}


def test_strays_of_a_name_are_found_and_nobody_elses(reached: Reached, source: Path) -> None:
    long = "h264/" + "Ω" * 120 + ".mp4"
    bring(reached.store, "h264/match.mp4", source)
    for name in (long, "h264/match.mp4"):
        other = reached.store.stage("h264/other.mp4", source, nothing)
        staged = reached.store.stage(name, source, nothing)
        assert list(reached.store.strays(name)) == ([] if staged == name else [staged])
        assert list(reached.store.strays("nowhere/match.mp4")) == []
        for path in (staged, other):
            if path != name:
                reached.store.discard(path)


def test_an_empty_file_is_a_file(reached: Reached, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    bring(reached.store, "ffv1/empty.mkv", empty)
    assert reached.there() == {"ffv1/empty.mkv": b""}


def test_a_folder_in_the_place_of_a_file_is_refused(reached: Reached, source: Path) -> None:
    bring(reached.store, "h264/match.mp4/inside.mp4", source)
    if "h264/match.mp4/inside.mp4" in reached.there() and isinstance(getattr(reached.store, "_files", None), Objects):
        return  # object stores have no folders
    with pytest.raises(Rejected):
        reached.store.size("h264/match.mp4")
