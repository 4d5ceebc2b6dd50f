"""The marker: an unmounted share is waited for, a foreign state folder is refused, and both with words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from clipd.errors import ConfigError, Deferred
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import PROTOCOL, NoTree, establish, require_root, require_same_share


def at(root: Path) -> Layout:
    return Layout(root, Directories())


def test_a_new_tree_has_a_marker_and_a_version_of_one_share(tmp_path: Path) -> None:
    layout = at(tmp_path / "new")
    share = establish(layout)
    assert json.loads(layout.marker.read_text()) == {"share": share}
    assert json.loads(layout.version.read_text()) == {"protocol": PROTOCOL, "share": share}
    require_root(layout)
    assert require_same_share(layout) == share


def test_establishing_again_changes_nothing(tmp_path: Path) -> None:
    layout = at(tmp_path)
    share, before = establish(layout), (layout.marker.stat(), layout.version.stat())
    assert establish(layout) == share
    assert (layout.marker.stat(), layout.version.stat()) == before


def test_two_trees_are_two_shares(tmp_path: Path) -> None:
    assert establish(at(tmp_path / "a")) != establish(at(tmp_path / "b"))


def test_an_empty_mount_point_is_waited_for(tmp_path: Path) -> None:
    with pytest.raises(Deferred, match="the share is not mounted"):
        require_root(at(tmp_path))
    with pytest.raises(Deferred):
        require_root(at(tmp_path / "gone"))


def test_a_folder_without_a_marker_is_no_tree_and_nothing_is_changed(tmp_path: Path) -> None:
    with pytest.raises(NoTree, match="clipd init"):
        require_same_share(at(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_a_state_folder_that_rsync_left_out_is_made_anew(tmp_path: Path) -> None:
    layout = at(tmp_path)
    share = establish(layout)
    shutil.rmtree(layout.state)
    assert require_same_share(layout) == share
    assert json.loads(layout.version.read_text())["share"] == share


def test_a_lost_marker_gets_the_share_of_the_state_folder_back(tmp_path: Path) -> None:
    layout = at(tmp_path)
    share = establish(layout)
    layout.marker.unlink()
    assert establish(layout) == share


def test_a_state_folder_of_another_tree_is_refused_with_the_mend(tmp_path: Path) -> None:
    one, other = at(tmp_path / "a"), at(tmp_path / "b")
    establish(one)
    establish(other)
    shutil.rmtree(other.state)
    shutil.copytree(one.state, other.state)
    with pytest.raises(ConfigError, match="was copied from another tree.*delete that folder"):
        require_same_share(other)


def test_another_protocol_is_refused_with_the_mend(tmp_path: Path) -> None:
    layout = at(tmp_path)
    share = establish(layout)
    layout.version.write_text(json.dumps({"protocol": PROTOCOL + 1, "share": share}))
    with pytest.raises(ConfigError, match=f"is of protocol {PROTOCOL + 1}, this clipd speaks {PROTOCOL}"):
        require_same_share(layout)


@pytest.mark.parametrize("content", ["", "{", "\0\0\0", "[]", "{}", '{"share": 5}'])
@pytest.mark.parametrize("name", ["marker", "version"])
def test_a_damaged_file_is_named_and_so_is_the_mend(tmp_path: Path, name: str, content: str) -> None:
    layout = at(tmp_path)
    establish(layout)
    path = getattr(layout, name)
    path.write_text(content)
    with pytest.raises(ConfigError, match=path.name) as caught:
        require_same_share(layout)
    if name == "marker":
        assert f"clipd init {tmp_path}" in str(caught.value)


def test_a_damaged_version_names_the_root_to_init(tmp_path: Path) -> None:
    layout = at(tmp_path)
    establish(layout)
    layout.version.write_text("{")
    with pytest.raises(ConfigError, match=f"delete it and run: clipd init {tmp_path}$"):
        require_same_share(layout)
