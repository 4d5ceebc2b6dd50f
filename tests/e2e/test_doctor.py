"""`clipd doctor` through the command line, on trees that are well and on trees that are not."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.tree import Tree

NOBODY = 65534
AS_NOBODY = f"""
import os, sys
import clipd.cli.doctor
from typer.testing import CliRunner
from clipd.cli.app import app
arguments = ["doctor", "--json", "--root", sys.argv[1]]
CliRunner().invoke(app, arguments)  # loads everything while the interpreter's own folder can be read
os.setgroups([])
os.setgid({NOBODY})
os.setuid({NOBODY})
result = CliRunner().invoke(app, arguments)
sys.stdout.write(result.output)
sys.exit(result.exit_code)
"""


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path / "tree")


@pytest.fixture
def open_tree() -> Iterator[Tree]:
    """A tree that other users can reach."""
    folder = Path(tempfile.mkdtemp(prefix="clipd-doctor-"))
    folder.chmod(0o755)
    yield Tree.at(folder / "tree")
    shutil.rmtree(folder)


def findings(tree: Tree, *, expect: int, **environment: str) -> list[dict[str, Any]]:
    told = json.loads(tree.run("doctor", "--json", expect=expect, **environment).stdout)
    assert (told["levels"]["wrong"] > 0) == bool(expect)
    return list(told["findings"])


def wrong(found: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {finding["where"]: finding for finding in found if finding["level"] == "wrong"}


def test_a_new_tree_is_well_and_fits_on_80_columns(tree: Tree) -> None:
    files = {path for path in tree.root.rglob("*") if path.is_file()}
    ended = tree.run("doctor")
    assert ended.stderr == ""
    assert ended.stdout.splitlines()[-1].endswith(" 0 wrong")
    # A path is not broken: it could not be copied.
    assert [line for line in ended.stdout.splitlines() if len(line) > 80 and " " in line[10:].strip()] == []
    assert files == {path for path in tree.root.rglob("*") if path.is_file()}


def test_a_served_tree_shows_its_daemon(tree: Tree) -> None:
    with tree.daemon():
        alive = [found for found in findings(tree, expect=0) if found["examination"] == "daemons"]
    assert any("alive" in found["words"] for found in alive)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_folders_that_this_user_may_not_write_are_told_with_the_command(open_tree: Tree) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(open_tree.root)], capture_output=True, text=True, cwd="/", timeout=180
    )
    assert ended.returncode == 1, ended.stdout + ended.stderr
    found = wrong(json.loads(ended.stdout)["findings"])
    assert {"data/prept/_configs", "data/prept/03_CLIPPED", "data/.clipd"} <= set(found)
    assert "Permission denied" in found["data/.clipd"]["words"]
    assert "setfacl" in found["data/.clipd"]["mend"]
    assert "data/source" not in found  # it need only be read


def test_a_stale_claim_is_told(tree: Tree) -> None:
    with subprocess.Popen(["true"]) as process:
        process.wait()
    claim = tree.layout.claim("j1")
    claim.parent.mkdir(parents=True)
    content = f"filelock/2\npid={process.pid}\nhost={socket.gethostname()}\nmode=lease\ntoken=abc\nduration=30.0\n"
    claim.write_text(content)
    (found,) = [found for found in findings(tree, expect=0) if found["examination"] == "claims"]
    assert (found["level"], found["where"]) == ("warning", "claim j1")
    assert claim.read_text() == content


def test_a_copied_state_folder_is_wrong(tree: Tree, tmp_path: Path) -> None:
    other = Tree.at(tmp_path / "other")
    shutil.copyfile(other.layout.version, tree.layout.version)
    found = wrong(findings(tree, expect=1))
    assert "copied from another tree" in found["data/.clipd/version"]["words"]
    assert found["data/.clipd/version"]["mend"].startswith("delete that folder")


def test_too_little_space_is_wrong(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {"space": {"reserve": "900PiB"}})
    assert "new work waits" in wrong(findings(tree, expect=1))["data/prept/03_CLIPPED"]["words"]


def test_wrong_settings_are_told_by_file_and_line_and_software_is_examined_still(tree: Tree) -> None:
    (tree.root / "clipd.yaml").write_text("watch:\n  interval_seconds: soon\n")
    found = findings(tree, expect=1)
    assert [where for where in wrong(found) if where.endswith("clipd.yaml, line 2")]
    assert {"codecs", "hardware"} <= {finding["examination"] for finding in found}


def test_a_missing_marker_and_no_tree_at_all_are_wrong(tree: Tree, tmp_path: Path) -> None:
    tree.layout.marker.unlink()
    assert ".clipd-root" in wrong(findings(tree, expect=1))
    assert not tree.layout.marker.exists()
    nowhere = tmp_path / "nowhere"
    nowhere.mkdir()
    ended = tree.run("doctor", "--root", str(nowhere), expect=1)
    assert "is not a clipd tree" in " ".join(ended.stdout.split())
    assert not list(nowhere.iterdir())


def test_variables_that_are_no_settings_are_named_with_the_one_meant(tree: Tree) -> None:
    found = findings(tree, expect=0, CLIPD_FAILED_STATUSES="No", CLIPD_STOP_SECONDS="4")
    environment = {finding["where"]: finding for finding in found if finding["examination"] == "environment"}
    assert "CLIPD_STOP_SECONDS" in environment["environment"]["words"]
    assert "CLIPD_FAILED_STATUS is meant" in environment["CLIPD_FAILED_STATUSES"]["mend"]
