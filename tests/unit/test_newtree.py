"""New trees, and Clipper's trees taken over as they are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from clipd.config import load
from clipd.errors import ConfigError
from clipd.newtree import CONFIG_SCHEMA, SIDECAR_SCHEMA, from_clipper, make
from clipd.tree.layout import CONFIG_NAME, Layout
from clipd.tree.marker import require_same_share

CLIPPER = """
# Clipper configuration
directories:
  source:
    base: data/source
    raw: 00_RAW
    calibrated: 01_CALIBRATED
  output:
    base: data/prept
    clips: 03_CLIPPED
    configs: _configs
calibration:
  use_calibrated_footage: no
  pattern: "{camera}_calib.npz"
export:
  create_missing_dirs: true
  preserve_structure: true
  crop_variations:
    enabled: true
    camera_types:
      - SONY_300
      - GP2
"""


class TestMake:
    def test_it_has_its_folders_its_marker_its_settings_and_its_schemas(self, tmp_path: Path) -> None:
        layout, written = make(tmp_path / "new")
        for folder in (layout.source, layout.sidecars, layout.outputs, layout.inbox, layout.state):
            assert folder.is_dir()
        assert require_same_share(layout)
        assert [path.name for path in written] == [CONFIG_NAME, SIDECAR_SCHEMA, CONFIG_SCHEMA]
        assert json.loads((layout.state / SIDECAR_SCHEMA).read_text())["title"] == "clipd sidecar"
        assert "watch" in json.loads((layout.state / CONFIG_SCHEMA).read_text())["properties"]

    def test_its_settings_are_the_defaults_and_hold_no_root_so_that_it_can_be_moved(self, tmp_path: Path) -> None:
        make(tmp_path / "new")
        text = (tmp_path / "new" / CONFIG_NAME).read_text()
        assert str(tmp_path) not in text
        (tmp_path / "new").rename(tmp_path / "moved")
        root = tmp_path / "moved"
        assert load(None, root / CONFIG_NAME) == load(root, None)

    def test_making_it_again_changes_nothing(self, tmp_path: Path) -> None:
        layout, _ = make(tmp_path)
        (layout.root / CONFIG_NAME).write_text("stop_seconds: 7\n")
        before = sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*") if path.is_file())
        again, written = make(tmp_path)
        assert (again, written) == (layout, [])
        assert sorted((path, path.stat().st_mtime_ns) for path in tmp_path.rglob("*") if path.is_file()) == before

    def test_overrides_go_into_the_settings_file(self, tmp_path: Path) -> None:
        layout, _ = make(tmp_path, {"directories": {"source": "videos"}, "clips": {"formats": ["ffv1"]}})
        config = load(None, tmp_path / CONFIG_NAME)
        assert layout.source == tmp_path / "videos"
        assert layout.source.is_dir()
        assert (config.directories.source, config.clips.formats) == ("videos", ("ffv1",))

    def test_an_existing_settings_file_wins_and_its_folders_are_made(self, tmp_path: Path) -> None:
        (tmp_path / CONFIG_NAME).write_text("directories: {source: mine}\n")
        layout, written = make(tmp_path, {"directories": {"source": "theirs"}})
        assert CONFIG_NAME not in [path.name for path in written]
        assert layout.source == tmp_path / "mine"
        assert (tmp_path / "mine").is_dir()
        assert not (tmp_path / "theirs").exists()

    def test_what_the_environment_says_today_does_not_go_into_the_file(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_STOP_SECONDS", "7")
        monkeypatch.setenv("CLIPD_ROOT", "/elsewhere")
        make(tmp_path)
        monkeypatch.delenv("CLIPD_STOP_SECONDS")
        assert load(None, tmp_path / CONFIG_NAME).stop_seconds != 7

    @pytest.mark.parametrize("overrides", [{"wach": {}}, {"watch": {"mode": "pull"}}])
    def test_wrong_overrides_are_refused_before_anything_is_made(
        self, tmp_path: Path, overrides: dict[str, Any]
    ) -> None:
        with pytest.raises(ConfigError):
            make(tmp_path / "new", overrides)
        assert list((tmp_path / "new").iterdir()) == []

    def test_wrong_settings_that_are_there_are_refused(self, tmp_path: Path) -> None:
        (tmp_path / CONFIG_NAME).write_text("wach: 5\n")
        with pytest.raises(ConfigError, match="line 1"):
            make(tmp_path)


def clipper(tmp_path: Path, text: str, name: str = "tree/config.yaml") -> Path:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def taken_over(tmp_path: Path, text: str = CLIPPER, name: str = "tree/config.yaml") -> dict[str, Any]:
    """The settings that a Clipper configuration amounts to; clipd itself must take them."""
    settings = from_clipper(clipper(tmp_path, text, name), tmp_path / "tree")
    load(tmp_path / "tree", None, settings)
    return settings


def directories(source: str, output: str) -> str:
    return f"directories:\n  source: {{{source}}}\n  output: {{{output}}}\n"


class TestFromClipper:
    def test_directories_structure_and_variations_become_settings(self, tmp_path: Path) -> None:
        assert taken_over(tmp_path) == {
            "directories": {
                "source": "data/source/00_RAW",
                "sidecars": "data/prept/_configs",
                "outputs": "data/prept/03_CLIPPED",
                "preserve_structure": True,
            },
            "clips": {"variations": {"enabled": True, "camera_types": ["SONY_300", "GP2"]}},
        }

    def test_a_tree_made_with_them_finds_what_clipper_left_there(self, tmp_path: Path) -> None:
        video = tmp_path / "tree/data/source/00_RAW/SONY_300/s1/match.mp4"
        video.parent.mkdir(parents=True)
        video.touch()
        layout, _ = make(tmp_path / "tree", taken_over(tmp_path))
        sidecar = layout.sidecars / "SONY_300/s1/match_clips.json"
        assert layout == Layout(tmp_path / "tree", load(None, tmp_path / "tree" / CONFIG_NAME).directories)
        for written in (
            "data/source/00_RAW/SONY_300/s1/match.mp4",
            "00_RAW/SONY_300/s1/match.mp4",
            "SONY_300/s1/match.mp4",
        ):
            assert layout.find_source(written, sidecar)[0] == video

    def test_absolute_directories_inside_the_root_become_relative(self, tmp_path: Path) -> None:
        root = tmp_path / "tree"
        text = directories(f"base: {root}/video, raw: raw", f"base: {root}/out, clips: {root}/done/clips, configs: cfg")
        assert taken_over(tmp_path, text)["directories"] == {
            "source": "video/raw", "sidecars": "out/cfg", "outputs": "done/clips",
        }  # fmt: skip

    def test_absolute_directories_outside_the_root_stay_absolute(self, tmp_path: Path) -> None:
        text = directories("base: /mnt/nas/footage, raw: raw", "base: data, clips: /mnt/big/clips, configs: _configs")
        assert taken_over(tmp_path, text)["directories"] == {
            "source": "/mnt/nas/footage/raw", "sidecars": "data/_configs", "outputs": "/mnt/big/clips",
        }  # fmt: skip

    def test_roundabout_ways_are_straightened(self, tmp_path: Path) -> None:
        text = directories("base: ./data/../video/, raw: .", "base: ../tree/out, clips: clips, configs: ../../nas/cfg")
        assert taken_over(tmp_path, text)["directories"] == {
            "source": "video", "outputs": "out/clips", "sidecars": str(tmp_path / "nas/cfg"),
        }  # fmt: skip

    def test_what_exists_only_beside_the_configuration_is_meant_there(self, tmp_path: Path) -> None:
        (tmp_path / "app/data/source/00_RAW").mkdir(parents=True)
        (tmp_path / "tree/data/prept/_configs").mkdir(parents=True)
        (tmp_path / "app/data/prept/_configs").mkdir(parents=True)
        found = taken_over(tmp_path, CLIPPER, "app/config.yaml")["directories"]
        assert found["source"] == str(tmp_path / "app/data/source/00_RAW")
        assert found["sidecars"] == "data/prept/_configs"
        assert found["outputs"] == "data/prept/03_CLIPPED"

    @pytest.mark.parametrize(
        ("source", "output", "expected"),
        [
            ("raw: raw", "clips: c, configs: k", ("raw", "k", "c")),
            ("base: b", "base: p", ("b", "p", "p")),
            ("base: b, raw: null", "base: p, clips: c, configs: ~", ("b", "p", "p/c")),
        ],
    )
    def test_base_or_the_rest_may_be_missing(self, tmp_path: Path, source: str, output: str, expected) -> None:
        found = taken_over(tmp_path, directories(source, output))["directories"]
        assert (found["source"], found["sidecars"], found["outputs"]) == expected

    def test_names_that_yaml_takes_for_something_else_stay_names(self, tmp_path: Path) -> None:
        text = directories("base: 2026, raw: 007", "base: on, clips: 1.50, configs: 12:30") + (
            "export: {crop_variations: {camera_types: [1, 007, yes, 2.0], exclude_camera_types: [no, null]}}"
        )
        found = taken_over(tmp_path, text)
        assert found["directories"] == {"source": "2026/007", "sidecars": "on/12:30", "outputs": "on/1.5"}
        assert found["clips"]["variations"] == {
            "camera_types": ["1", "007", "yes", "2.0"],
            "exclude_camera_types": ["no"],
        }

    @pytest.mark.parametrize(
        ("words", "truth"),
        [
            ("true", True),
            ("yes", True),
            ("On", True),
            ("1", 1),
            ("false", False),
            ("no", False),
            ("OFF", False),
            ("0", 0),
        ],
    )
    def test_truth_is_what_clippers_own_reader_takes_for_it(self, tmp_path: Path, words: str, truth: object) -> None:
        found = taken_over(
            tmp_path,
            directories("base: a", "base: b")
            + f"export: {{preserve_structure: {words}, crop_variations: {{enabled: {words}}}}}",
        )
        assert found["directories"]["preserve_structure"] == truth
        config = load(tmp_path / "tree", None, found)
        assert config.directories.preserve_structure is config.clips.variations.enabled is bool(truth)

    @pytest.mark.parametrize(
        "export", ["", "export:", "export: {}", "export: {crop_variations: }", "export: {preserve_structure: }"]
    )
    def test_what_is_not_said_is_left_to_the_defaults(self, tmp_path: Path, export: str) -> None:
        found = taken_over(tmp_path, directories("base: a", "base: b") + export)
        assert found == {"directories": {"source": "a", "sidecars": "b", "outputs": "b"}}

    @pytest.mark.parametrize(
        ("cameras", "names"),
        [
            ("[SONY, GP1]", ["SONY", "GP1"]),
            ("[{name: SONY, fps: 50}, {name: 7}]", ["SONY", "7"]),
            ("{SONY: {fps: 50}, GP1: {}}", ["SONY", "GP1"]),
            ("SONY", ["SONY"]),
            ("12", ["12"]),
        ],
    )
    def test_cameras_in_any_shape_are_names(self, tmp_path: Path, cameras: str, names: list[str]) -> None:
        assert taken_over(tmp_path, directories("base: a", "base: b") + f"cameras: {cameras}")["cameras"] == names

    @pytest.mark.parametrize("cameras", ["[]", "~", "{}", "[{fps: 50}]"])
    def test_no_cameras_are_all_cameras(self, tmp_path: Path, cameras: str) -> None:
        assert "cameras" not in taken_over(tmp_path, directories("base: a", "base: b") + f"cameras: {cameras}")

    def test_variations_and_their_factor_come_along(self, tmp_path: Path) -> None:
        text = directories("base: a", "base: b") + (
            "export: {crop_variations: {variations: [original, wide], wide_crop_factor: 1.75, "
            "exclude_camera_types: GP1}}"
        )
        assert taken_over(tmp_path, text)["clips"]["variations"] == {
            "variations": ["original", "wide"], "wide_factor": 1.75, "exclude_camera_types": ["GP1"],
        }  # fmt: skip

    def test_folders_of_a_windows_machine_are_named_and_refused(self, tmp_path: Path) -> None:
        with pytest.raises(
            ConfigError, match=r"D:/footage is a folder of a Windows machine; write where it is mounted"
        ):
            taken_over(tmp_path, directories("base: 'D:\\footage', raw: raw", "base: b"))
        found = taken_over(tmp_path, directories("base: 'data\\source', raw: 'a\\b'", "base: b"))
        assert found["directories"]["source"] == "data/source/a/b"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("", "the file is empty"),
            ("directories: [", "this is not YAML"),
            ("[]", "has no `directories:` section; a Clipper configuration names"),
            ("directories: data", "has no `directories:` section"),
            ("directories: {source: {base: a}}", "has no `output:` section"),
            ("directories: {source: data, output: {base: a}}", "has no `source:` section"),
            ("directories: {source: {}, output: {base: a}}", "directories name neither `base` nor `raw`"),
            (directories("base: a", "base: b") + "export: [1]", "`export:` is \\[1\\]; a section"),
            (directories("base: a", "base: b") + "export: {crop_variations: true}", "`crop_variations:` is True"),
            ("a: &x 1\nb: *x", "line 1, column 4: the anchor"),
        ],
    )
    def test_what_is_no_clipper_configuration_is_told_with_what_one_is(
        self, tmp_path: Path, text: str, words: str
    ) -> None:
        with pytest.raises(ConfigError, match=words) as caught:
            taken_over(tmp_path, text)
        assert "config.yaml" in str(caught.value)

    def test_a_file_that_is_not_there_is_told(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match="cannot be read: No such file"):
            from_clipper(tmp_path / "none.yaml", tmp_path)
