"""Settings: file, environment and flags, the later over the earlier, each wrong one told with its place and mend."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from clipd.config import Config, find, load
from clipd.errors import ConfigError
from clipd.tree.layout import CONFIG_NAME, MARKER_NAME


def write(folder: Path, text: str | bytes, name: str = CONFIG_NAME) -> Path:
    """A settings file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def refused(root: Path, text: str | bytes, flags: dict[str, Any] | None = None) -> str:
    """The words with which these settings are refused."""
    with pytest.raises(ConfigError) as caught:
        load(root, write(root, text), flags)
    return str(caught.value)


class TestOrder:
    FILE = "watch:\n  interval_seconds: 1\n  settle_seconds: 1\n  rescan_seconds: 1\nfailed_status: File\n"

    def test_file_then_environment_then_flags(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CLIPD_WATCH__SETTLE_SECONDS", "2")
        monkeypatch.setenv("CLIPD_WATCH__RESCAN_SECONDS", "2")
        monkeypatch.setenv("CLIPD_STOP_SECONDS", "2")
        flags = {"watch": {"rescan_seconds": 3.0}, "workers": {"nice": 3}}
        config = load(tmp_path, write(tmp_path, self.FILE), flags)
        assert config.watch.interval_seconds == 1
        assert config.watch.settle_seconds == 2
        assert config.watch.rescan_seconds == 3
        assert (config.stop_seconds, config.failed_status, config.workers.nice) == (2, "File", 3)

    def test_what_nobody_sets_is_as_by_default(self, tmp_path: Path) -> None:
        config = load(tmp_path, write(tmp_path, self.FILE))
        assert config.clips == Config().clips
        assert config.watch.ignore == Config().watch.ignore

    @pytest.mark.parametrize(
        "text", ["", " \n", "# all as by default\n", "\n# a\n  # b\r\n#c", b"\xef\xbb\xbf# bom\n", "---\n", "~"]
    )
    def test_a_file_that_says_nothing_leaves_everything_as_by_default(self, tmp_path: Path, text: str | bytes) -> None:
        assert load(tmp_path, write(tmp_path, text)) == load(tmp_path, None)

    def test_an_empty_section_leaves_it_as_by_default_or_is_refused(self, tmp_path: Path) -> None:
        assert "line 1: watch = None" in refused(tmp_path, "watch:\n")

    def test_without_the_environment_the_environment_does_not_count(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_STOP_SECONDS", "2")
        assert load(tmp_path, None, environment=False).stop_seconds == Config.model_fields["stop_seconds"].default

    @pytest.mark.parametrize(
        ("value", "cameras"),
        [
            ("cam1", ("cam1",)),
            ("cam1, cam 2,", ("cam1", "cam 2")),
            ('["a,b", "c"]', ("a,b", "c")),
            ("", ()),
            ("[]", ()),
        ],
    )
    def test_a_list_in_the_environment_is_words_or_json(self, tmp_path: Path, monkeypatch, value: str, cameras) -> None:
        monkeypatch.setenv("CLIPD_CAMERAS", value)
        assert load(tmp_path, write(tmp_path, "cameras: [other]")).cameras == cameras

    def test_a_list_of_sections_in_the_environment_is_json(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_HOOKS", '[{"command": ["notify", "{clip}"], "on": ["failed"]}]')
        (hook,) = load(tmp_path, None).hooks
        assert hook.on == ("failed",)

    def test_variables_of_others_do_not_matter(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_TEST_MEDIA", "/x")
        monkeypatch.setenv("CLIPDX", "1")
        load(tmp_path, None)

    def test_a_processor_may_be_given_by_its_name_alone(self, tmp_path: Path) -> None:
        config = load(tmp_path, write(tmp_path, "clips:\n  processor: lab.cut:cut\n"))
        assert config.clips.processor.function == "lab.cut:cut"

    def test_settings_cannot_be_changed_afterwards(self, tmp_path: Path) -> None:
        config = load(tmp_path, None)
        for section, name in ((config, "stop_seconds"), (config.watch, "interval_seconds")):
            with pytest.raises(ValueError, match="frozen"):
                setattr(section, name, 1)


class TestRefused:
    def test_a_wrong_value_is_told_with_file_line_key_value_and_what_would_be_right(self, tmp_path: Path) -> None:
        words = refused(tmp_path, "# mine\nwatch:\n  settle_seconds: 1\n  interval_seconds: 0\n")
        assert words == f"{tmp_path / CONFIG_NAME}, line 4: watch.interval_seconds = 0: input should be greater than 0"

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("stop_seconds: soon", "line 1: stop_seconds = 'soon': input should be a valid number"),
            ("watch:\n  mode: pull", "line 2: watch.mode = 'pull': input should be 'auto', 'events' or 'polling'"),
            (
                "clips:\n  formats: [h264,\n    h265]",
                "line 3: clips.formats.1 = 'h265': input should be 'h264' or 'ffv1'",
            ),
            ("clips:\n  formats: []", "line 2: clips.formats = []"),
            (
                "annotations: [json, pdf]",
                "line 1: annotations = ['json', 'pdf']: 'pdf' is no annotation format; there are json",
            ),
            ("failed_status: complete ", "line 1: failed_status = 'complete': it must be a word of its own"),
            ("failed_status: ''", "line 1: failed_status = ''"),
            ("workers:\n  memory: much", "line 2: workers.memory = 'much': could not parse value"),
            ("clips:\n  processor: os.system", "line 2: clips.processor"),
            ("cameras: 5", "line 1: cameras = 5"),
            ("root: 5", "line 1: root = 5"),
        ],
    )
    def test_each_in_its_own_words(self, tmp_path: Path, text: str, words: str) -> None:
        assert f"{CONFIG_NAME}, {words}" in refused(tmp_path, text)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            (
                "wach:\n  mode: auto",
                "line 1: wach = {'mode': 'auto'}: there is no setting of this name; there are annotations, ",
            ),
            (
                "watch:\n  moed: auto",
                "line 2: watch.moed = 'auto': there is no setting of this name; there are ignore, inter",
            ),
        ],
    )
    def test_an_unknown_key_is_told_with_the_known_ones(self, tmp_path: Path, text: str, words: str) -> None:
        assert words in refused(tmp_path, text)

    def test_all_that_is_wrong_is_told_at_once(self, tmp_path: Path) -> None:
        words = refused(tmp_path, "stop_seconds: -1\nwach: 1\nwatch:\n  mode: pull\n").splitlines()
        assert sorted(line.split(", ")[1].split(":")[0] for line in words) == ["line 1", "line 2", "line 4"]

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("watch: &w {mode: auto}\nlog: *w", "line 1, column 8: the anchor &w is not taken"),
            ("log: *w", "line 1, column 6: the alias *w is not taken"),
            (
                "stop_seconds: 1\nstop_seconds: 2",
                "line 2, column 1: the key 'stop_seconds' stands here for the second time",
            ),
            ("watch:\n  <<: {mode: auto}", "line 2, column 3: the merge key << is not taken"),
            ("root: !!python/object/apply:os.system [ls]", "the tag"),
            ("watch: [", "this is not YAML"),
            ("- a\n- b", "line 1: settings are `name: value` lines"),
            ("text", "line 1: settings are `name: value` lines"),
            (b"root: \xff", "is not UTF-8"),
            ("a: 1\n---\nb: 2", "a second document begins here"),
        ],
    )
    def test_what_is_no_settings_file_is_told_with_its_place(
        self, tmp_path: Path, text: str | bytes, words: str
    ) -> None:
        assert f"{tmp_path / CONFIG_NAME}" in (told := refused(tmp_path, text))
        assert words in told

    @pytest.mark.parametrize("name", ["CLIPD_WATCH__INTERVAL_SECONDS", "clipd_watch__interval_seconds"])
    def test_a_wrong_variable_is_told_by_its_name_also_when_the_file_says_something_else(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, "often")
        words = refused(tmp_path, "watch:\n  interval_seconds: 5\n")
        assert words.startswith(
            f"environment variable {name}: watch.interval_seconds = 'often': input should be a valid"
        )

    def test_an_unknown_variable_of_a_section_is_told_by_its_name(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_WATCH__INTERVL", "5")
        assert "environment variable CLIPD_WATCH__INTERVL: watch.intervl = '5': there is no setting" in refused(
            tmp_path, ""
        )

    def test_a_section_in_one_variable_is_told_by_its_name(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.setenv("CLIPD_WATCH", "often")
        assert refused(tmp_path, "").startswith("environment variable CLIPD_WATCH: watch = 'often'")

    def test_a_wrong_flag_is_told_as_one_although_the_file_and_the_environment_set_it_too(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("CLIPD_WATCH__INTERVAL_SECONDS", "5")
        words = refused(tmp_path, "watch:\n  interval_seconds: 5\n", {"watch": {"interval_seconds": -1.0}})
        assert words == "command line: watch.interval_seconds = -1.0: input should be greater than 0"

    def test_a_file_that_cannot_be_read_is_told(self, tmp_path: Path) -> None:
        (tmp_path / CONFIG_NAME).mkdir()
        with pytest.raises(ConfigError, match=r"clipd.yaml cannot be read: Is a directory"):
            load(tmp_path, tmp_path / CONFIG_NAME)


class TestRoot:
    def test_the_root_is_the_files_folder_unless_it_says_otherwise(self, tmp_path: Path, monkeypatch) -> None:
        file = write(tmp_path, "stop_seconds: 1")
        monkeypatch.chdir(tmp_path)
        assert load(*find(None, None)).root == tmp_path
        assert load(*find(None, file)).root == tmp_path

    @pytest.mark.parametrize(
        ("words", "root"), [("tree", "etc/tree"), ("../srv", "etc/../srv"), (".", "etc"), ("/mnt/x", "/mnt/x")]
    )
    def test_a_root_in_the_file_counts_from_the_file(self, tmp_path: Path, monkeypatch, words: str, root: str) -> None:
        file = write(tmp_path / "etc", f"root: {words}\n")
        monkeypatch.chdir(tmp_path)
        assert load(*find(None, Path("etc") / CONFIG_NAME)).root == tmp_path / root
        assert load(*find(None, file)).root == tmp_path / root

    def test_the_nearest_tree_at_or_above_is_meant(self, tmp_path: Path, monkeypatch) -> None:
        file = write(tmp_path / "tree", "")
        below = tmp_path / "tree/data/source/cam1"
        below.mkdir(parents=True)
        monkeypatch.chdir(below)
        assert find(None, None) == (None, file)
        (tmp_path / "tree/data" / MARKER_NAME).touch()
        assert find(None, None) == (tmp_path / "tree/data", None)

    def test_a_tree_with_a_marker_needs_no_file(self, tmp_path: Path, monkeypatch) -> None:
        (tmp_path / MARKER_NAME).touch()
        monkeypatch.chdir(tmp_path)
        assert load(*find(None, None)) == load(tmp_path, None)

    def test_a_root_that_is_named_is_taken_at_its_word_and_nothing_above_it(self, tmp_path: Path, monkeypatch) -> None:
        write(tmp_path, "")
        monkeypatch.chdir(tmp_path)
        with pytest.raises(
            ConfigError, match=r"other is not a clipd tree \(no .clipd-root\). Is its share mounted\?.*clipd init"
        ):
            find(Path("other"), None)

    def test_where_there_is_no_tree_it_says_how_to_make_one(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match="clipd init DIR"):
            find(None, None)

    def test_a_file_that_was_named_must_be_there(self, tmp_path: Path) -> None:
        with pytest.raises(ConfigError, match=r"none.yaml is not there.*clipd init"):
            find(None, tmp_path / "none.yaml")

    def test_the_variable_names_the_root_over_the_file_and_the_flag_over_both(
        self, tmp_path: Path, monkeypatch
    ) -> None:
        for name in ("flag", "variable", "here"):
            write(tmp_path / name, "root: elsewhere\n")
        monkeypatch.chdir(tmp_path / "here")
        assert load(*find(None, None)).root == tmp_path / "here/elsewhere"
        monkeypatch.setenv("CLIPD_ROOT", str(tmp_path / "variable"))
        assert load(*find(None, None)).root == tmp_path / "variable"
        assert load(*find(Path("../flag"), None)).root == tmp_path / "here/../flag"

    def test_a_root_may_be_named_beside_a_file(self, tmp_path: Path, monkeypatch) -> None:
        file = write(tmp_path / "etc", "root: elsewhere\nstop_seconds: 7\n")
        monkeypatch.setenv("CLIPD_ROOT", str(tmp_path / "variable"))
        assert load(*find(None, file)).root == tmp_path / "variable"
        config = load(*find(tmp_path / "flag", file))
        assert (config.root, config.stop_seconds) == (tmp_path / "flag", 7)

    def test_a_file_elsewhere_that_says_no_root_is_for_the_tree_at_or_above(self, tmp_path: Path, monkeypatch) -> None:
        write(tmp_path / "tree", "stop_seconds: 1\n")
        other = tmp_path / "etc" / "club.yaml"
        other.parent.mkdir()
        other.write_text("stop_seconds: 7\n")
        below = tmp_path / "tree/data"
        below.mkdir()
        monkeypatch.chdir(below)
        config = load(*find(None, other))
        assert (config.root, config.stop_seconds) == (tmp_path / "tree", 7)
        monkeypatch.chdir(tmp_path)
        with pytest.raises(ConfigError, match="is not a clipd tree"):
            find(None, other)

    def test_a_file_in_a_tree_is_for_that_tree(self, tmp_path: Path, monkeypatch) -> None:
        for name in ("one", "two"):
            write(tmp_path / name, "")
        (tmp_path / "one" / "night.yaml").write_text("stop_seconds: 7\n")
        monkeypatch.chdir(tmp_path / "two")
        assert load(*find(None, tmp_path / "one" / "night.yaml")).root == tmp_path / "one"

    def test_a_relative_root_is_made_absolute(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.chdir(tmp_path)
        assert load(Path("tree"), None).root == tmp_path / "tree"


class TestCache:
    def test_it_lies_on_this_machine_and_never_on_the_share_unless_told(self, tmp_path: Path, monkeypatch) -> None:
        monkeypatch.delenv("CACHE_DIRECTORY", raising=False)
        monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
        monkeypatch.setenv("HOME", "/home/me")
        assert load(tmp_path, None).cache_folder == Path("/home/me/.cache/clipd")
        monkeypatch.setenv("XDG_CACHE_HOME", "/fast")
        assert load(tmp_path, None).cache_folder == Path("/fast/clipd")
        monkeypatch.setenv("CACHE_DIRECTORY", "/var/cache/clipd")
        assert load(tmp_path, None).cache_folder == Path("/var/cache/clipd/clipd")

    @pytest.mark.parametrize(("words", "folder"), [("cache", "{root}/cache"), ("/var/tmp/c", "/var/tmp/c")])
    def test_it_may_be_named(self, tmp_path: Path, words: str, folder: str) -> None:
        config = load(tmp_path, write(tmp_path, f"cache: {words}"))
        assert str(config.cache_folder) == folder.format(root=tmp_path)
