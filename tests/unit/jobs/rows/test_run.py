"""A table in shards: each done apart, in any order, with deaths in between; the results are those of one run."""

from __future__ import annotations

import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import pytest

from clipd.datasets.folder import OutputFolder
from clipd.datasets.row import Columns
from clipd.datasets.shard import Shard
from clipd.errors import ClaimLost, Deferred
from clipd.jobs.clip import Settings
from clipd.jobs.rows.finish import cut_up, merge
from clipd.jobs.rows.function import Means
from clipd.jobs.rows.recipe import Recipe, recipe
from clipd.jobs.rows.run import Dataset, run_shard
from clipd.media.door import Limits
from tests.footage import make

MEANS = Means(Limits(), Settings(), None, 1)


def go_on(_stage: str, _done: int, _total: int) -> None:
    """Nobody stops."""


def frames(video: Any) -> int:
    return int(video.total_frames)


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    make(tmp_path / "film.mp4", count=12)
    lines = [f"v{number},film.mp4,{number}" for number in range(8)]
    lines[3] = "v1,film.mp4,5"
    lines[5] = "v5,none.mp4,"
    lines[6] = ",film.mp4,"
    (tmp_path / "videos.csv").write_text("\n".join(["id,video,start_frame", *lines]) + "\n")
    return Dataset(tmp_path / "videos.csv", Columns(video="video", id="id"))


def results(output: OutputFolder) -> list[Any]:
    return [row.get("result", row.get("error", {}).get("kind")) for row in json.loads(output.results.read_text())]


def merged(dataset: Dataset, made: Recipe, output: OutputFolder, shards: list[Shard]) -> dict[str, Any]:
    ledgers = [path for shard in shards for path in output.shard_ledgers(shard.number)]
    return merge(dataset, made, output, ledgers).to_dict()


@pytest.mark.parametrize("rows_per_shard", [1, 3, 8, 100])
def test_shards_in_any_order_give_the_results_of_one(dataset: Dataset, tmp_path: Path, rows_per_shard: int) -> None:
    made, output = recipe(frames, {}, MEANS), OutputFolder(tmp_path / "out")
    shards = list(cut_up(dataset, rows_per_shard))
    assert sum(shard.count for shard in shards) == 8
    for shard in reversed(pickle.loads(pickle.dumps(shards))):
        run_shard(dataset, shard, made, output, go_on)
    stats = merged(dataset, made, output, shards)
    assert results(output) == [12, 11, 10, "duplicate", 8, "missing", "row", 5]
    assert (stats["processed"], stats["failed"], stats["skipped"]) == (5, 3, 0)


def test_a_shard_goes_on_with_the_next_row(dataset: Dataset, tmp_path: Path) -> None:
    made, output = recipe(frames, {}, MEANS), OutputFolder(tmp_path / "out")
    (shard,) = cut_up(dataset, 100)

    def stop_at_4(stage: str, done: int, _total: int) -> None:
        if done == 4:
            raise Deferred("enough")

    with pytest.raises(Deferred):
        run_shard(dataset, shard, made, output, stop_at_4)
    assert merged(dataset, made, output, [shard])["skipped"] == 4
    seen: list[int] = []
    run_shard(dataset, shard, made, output, lambda stage, done, total: seen.append(done))
    assert seen[0] == 4
    assert merged(dataset, made, output, [shard])["skipped"] == 0


def test_a_row_that_takes_its_process_down_is_given_up(dataset: Dataset, tmp_path: Path) -> None:
    class Died(BaseException):
        """What a kill is to the process that it hits."""

    def deadly(video: Any) -> int:
        if video.first_frame == 2:
            raise Died
        return int(video.total_frames)

    made, output = recipe(deadly, {}, MEANS), OutputFolder(tmp_path / "out")
    (shard,) = cut_up(dataset, 100)
    # Three times with its daemon, and so by no fault of the row; then twice alone.
    for number, was_lost in enumerate([False, False, False, True]):
        with pytest.raises(Died):
            run_shard(dataset, shard, made, output, go_on, attempt=str(number), was_lost=was_lost)
    run_shard(dataset, shard, made, output, go_on, attempt="last", was_lost=True)
    merged(dataset, made, output, [shard])
    assert results(output) == [12, 11, "crash", "duplicate", 8, "missing", "row", 5]


def test_who_was_replaced_while_at_a_row_publishes_nothing_of_it(dataset: Dataset, tmp_path: Path) -> None:
    def note(output_dir: Path) -> int:
        (output_dir / "note").write_text("x")
        replaced.append(True)
        return 1

    def look(_stage: str, _done: int, _total: int) -> None:
        if replaced:
            raise ClaimLost("another worker took it")

    replaced: list[bool] = []
    made, output = recipe(note, {}, MEANS), OutputFolder(tmp_path / "out")
    (shard,) = cut_up(dataset, 100)
    with pytest.raises(ClaimLost):
        run_shard(dataset, shard, made, output, look)
    assert replaced == [True]
    assert not output.rows.exists()
    assert merged(dataset, made, output, [shard])["processed"] == 0


def test_who_was_replaced_and_does_not_know_it_ends_no_row(dataset: Dataset, tmp_path: Path) -> None:
    def note(output_dir: Path) -> None:
        shutil.rmtree(scratch)
        (output_dir / "note").write_text("x")

    scratch = tmp_path / "scratch"
    scratch.mkdir()
    made, output = recipe(note, {}, MEANS), OutputFolder(tmp_path / "out", scratch=scratch)
    (shard,) = cut_up(dataset, 100)
    for _ in range(2):
        with pytest.raises(ClaimLost):
            run_shard(dataset, shard, made, output, go_on)
    assert not scratch.exists()
    stats = merged(dataset, made, output, [shard])
    assert (stats["processed"], stats["failed"]) == (0, 0)


def test_a_full_disk_is_no_fault_of_the_row(dataset: Dataset, tmp_path: Path) -> None:
    def full(row: dict[str, Any]) -> None:
        raise OSError(28, "No space left on device")

    made, output = recipe(full, {}, MEANS), OutputFolder(tmp_path / "out")
    (shard,) = cut_up(dataset, 100)
    with pytest.raises(Deferred):
        run_shard(dataset, shard, made, output, go_on)
    assert merged(dataset, made, output, [shard])["processed"] == 0
    assert results(output) == []


def test_a_link_out_of_the_tree_is_one_failure(dataset: Dataset, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    tree.mkdir()
    (tree / "link.mp4").symlink_to(tmp_path / "film.mp4")
    (tree / "videos.csv").write_text("id,video\na,link.mp4\nb,../film.mp4\n")
    beneath = Dataset(tree / "videos.csv", dataset.columns, tree)
    made, output = recipe(frames, {}, MEANS), OutputFolder(tmp_path / "out")
    (shard,) = cut_up(beneath, 100)
    run_shard(beneath, shard, made, output, go_on)
    merged(beneath, made, output, [shard])
    assert results(output) == ["rejected", "row"]


def test_messages_do_not_name_the_staging_folder(dataset: Dataset, tmp_path: Path) -> None:
    def fails(output_dir: Path) -> None:
        (output_dir / "deep" / "x").write_text("")

    made, output = recipe(fails, {}, MEANS), OutputFolder(tmp_path / "out")
    shard = next(cut_up(dataset, 1))
    run_shard(dataset, shard, made, output, go_on)
    with output.shard_ledger(0).open("rb") as ledger:
        assert b"'output_dir/deep/x'" in ledger.read()
