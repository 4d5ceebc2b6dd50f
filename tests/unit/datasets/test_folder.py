"""The output folder: files of a row appear whole, replace those of a former run in one step, and lead nowhere else."""

from __future__ import annotations

from pathlib import Path

import pytest

from clipd.datasets.folder import OutputFolder, sync_all
from clipd.errors import ClaimLost


def files(output: OutputFolder) -> dict[str, str]:
    return {str(path.relative_to(output.root)): path.read_text() for path in output.root.rglob("*") if path.is_file()}


def stage(output: OutputFolder, content: str, name: str = "x") -> None:
    (output.begin("a") / name).write_text(content)


def test_a_row_is_published_and_replaced_whole(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path / "out")
    stage(output, "one")
    output.publish("a")
    assert files(output) == {"rows/a/x": "one"}
    stage(output, "two", "y")
    output.publish("a")
    assert files(output) == {"rows/a/y": "two"}


def test_a_row_without_files_has_none_any_more(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    stage(output, "one")
    output.publish("a")
    output.begin("a")
    output.publish("a")
    assert files(output) == {}
    assert not output.staging("a").exists()


def test_who_was_replaced_does_not_publish(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    stage(output, "one")
    output.publish("a")
    with pytest.raises(ClaimLost):
        output.publish("a")
    assert files(output) == {"rows/a/x": "one"}


def test_what_a_failed_row_staged_goes_and_what_it_had_stays(tmp_path: Path) -> None:
    output = OutputFolder(tmp_path)
    stage(output, "one")
    output.publish("a")
    stage(output, "two")
    output.discard("a")
    assert files(output) == {"rows/a/x": "one"}


def test_links_are_not_published(tmp_path: Path) -> None:
    folder = tmp_path / "a"
    (folder / "deep").mkdir(parents=True)
    (folder / "deep" / "b").write_text("x")
    (folder / "a").write_text("x")
    (folder / "link").symlink_to("/etc/passwd")
    (folder / "way").symlink_to("/etc")
    assert sync_all(folder) == ("a", "deep/b")
    assert sorted(path.name for path in folder.iterdir()) == ["a", "deep"]
