"""The layout: where everything lies, and which video a clip means, however oddly or maliciously it is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from clipd.errors import Rejected
from clipd.tree.layout import Directories, Layout, Place


@pytest.fixture
def layout(tmp_path: Path) -> Layout:
    root = tmp_path / "tree"
    made = Layout(root, Directories())
    for folder in (made.source, made.sidecars, made.outputs, made.state):
        folder.mkdir(parents=True)
    return made


def video(layout: Layout, name: str) -> Path:
    path = layout.source / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(name)
    return path


def sidecar(layout: Layout, name: str = "cam1/s1/match_clips.json") -> Path:
    path = layout.sidecars / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("[]")
    return path


class TestPlaces:
    def test_every_path_lies_below_the_root_by_default(self, layout: Layout) -> None:
        paths = [
            layout.source, layout.sidecars, layout.outputs, layout.inbox, layout.recordings, layout.state,
            layout.marker, layout.version, layout.control("PAUSE"), layout.claim("j"), layout.sidecar_claim("s"),
            layout.taken_orders("d"), layout.removal("j"), layout.all_receipts,
            layout.record("j"), layout.progress("j"), layout.receipt("j", "r", 1), layout.heartbeat("h"),
            layout.staging("j", "t"),
        ]  # fmt: skip
        assert all(path.is_relative_to(layout.root) for path in paths)
        assert len(set(paths)) == len(paths)

    def test_staging_lies_on_the_outputs_own_filesystem(self, layout: Layout) -> None:
        elsewhere = Layout(layout.root, Directories(outputs="/mnt/big/clips"))
        assert elsewhere.staging("j", "t").is_relative_to("/mnt/big/clips")

    def test_a_request_that_is_a_folder_keeps_its_whole_name(self, layout: Layout) -> None:
        file, folder = layout.inbox / "14.30.json", layout.inbox / "14.30"
        assert [layout.answer(file).name, layout.answer(folder, is_folder=True).name] == ["14.30.status.json"] * 2
        assert layout.finished(file, "done", 2) == layout.inbox / "done/14.30.2.json"
        assert layout.finished(folder, "done", 2, is_folder=True) == layout.inbox / "done/14.30.2"

    def test_what_is_written_down_is_relative_and_has_slashes(self, layout: Layout) -> None:
        assert layout.relative(layout.output("h264/cam1/s1", "match_goal.mp4")) == (
            "data/prept/03_CLIPPED/h264/cam1/s1/match_goal.mp4"
        )

    @pytest.mark.parametrize(
        ("name", "place"),
        [
            ("cam1/s1/match_clips.json", Place("cam1", "s1", "match")),
            ("cam1/2026/05/01/match_clips.json", Place("cam1", "2026/05/01", "match")),
            ("cam1/match_clips.json", Place("cam1", "_", "match")),
            ("match_clips.json", Place("_", "_", "match")),
            ("cam 1/ü '1'/-a.b_clips_clips.json", Place("cam 1", "ü '1'", "-a.b_clips")),
        ],
    )
    def test_a_sidecars_own_path_names_camera_session_and_video(self, layout: Layout, name: str, place: Place) -> None:
        assert layout.place(layout.sidecars / name) == place

    def test_outputs_mirror_the_place_unless_told_otherwise(self, layout: Layout) -> None:
        flat = Layout(layout.root, Directories(preserve_structure=False))
        assert layout.output_folder("h264", Place("cam1", "a/b", "match")) == "h264/cam1/a/b"
        assert layout.output_folder("h264", Place("_", "_", "match")) == "h264/_/_"
        assert flat.output_folder("h264", Place("cam1", "a/b", "match")) == "h264"

    @pytest.mark.parametrize("root", ["tree", "x/../tree", "tree/."])
    def test_folders_beside_the_root_have_one_name_however_they_are_written(self, tmp_path: Path, root: str) -> None:
        layout = Layout(tmp_path / root, Directories(sidecars="../cfg/./all", outputs="./out/../../clips"))
        assert layout.sidecars == tmp_path / "cfg/all"
        assert layout.outputs == tmp_path / "clips"
        path = layout.sidecars / "cam1/s1/match_clips.json"
        assert layout.at(layout.relative(path)) == path
        assert layout.place(layout.at(layout.relative(path))) == Place("cam1", "s1", "match")

    @pytest.mark.parametrize(
        ("name", "counts"),
        [("match_clips.json", True), ("_clips.json", False), ("match.json", False), ("match_clips.json.bak", False)],
    )
    def test_sidecars_are_known_by_their_suffix(self, layout: Layout, name: str, counts: bool) -> None:
        assert layout.is_sidecar(name) is counts

    def test_the_suffix_is_a_setting(self, layout: Layout) -> None:
        other = Layout(layout.root, Directories(sidecar_suffix=".clips"))
        assert other.is_sidecar("match.clips")
        assert other.place(other.sidecars / "cam1/s1/match.clips").video == "match"

    def test_a_claim_on_a_sidecar_fits_into_a_file_name_whatever_the_sidecar_is_called(self, layout: Layout) -> None:
        long = "試合" * 40 + "_clips.json"
        claim = layout.sidecar_claim(f"data/prept/_configs/cam1/s1/{long}")
        assert len(os.fsencode(claim.name)) < 200
        assert claim.name.startswith("試合")

    def test_sidecars_of_one_name_have_claims_of_their_own(self, layout: Layout) -> None:
        assert layout.sidecar_claim("a/match_clips.json") != layout.sidecar_claim("b/match_clips.json")
        assert layout.sidecar_claim("caf\udce9_clips.json").parent == layout.state / "claims"


class TestFindSource:
    def test_a_path_below_the_source_folder_is_taken_at_its_word(self, layout: Layout) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        assert layout.find_source("cam1/s1/match.mp4", sidecar(layout, "other/x_clips.json")) == (path, ())
        assert layout.find_source("./cam1//s1/match.mp4", sidecar(layout)) == (path, ())

    @pytest.mark.parametrize("prefix", ["source", "data/source", "tree/data/source"])
    def test_it_may_begin_with_the_source_folders_own_name(self, layout: Layout, prefix: str) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        assert layout.find_source(f"{prefix}/cam1/s1/match.mp4", sidecar(layout)) == (path, ())

    def test_a_camera_that_is_called_like_the_source_folder_is_a_camera(self, layout: Layout) -> None:
        path = video(layout, "source/s1/match.mp4")
        assert layout.find_source("source/s1/match.mp4", sidecar(layout, "source/s1/match_clips.json")) == (path, ())

    def test_backslashes_are_slashes(self, layout: Layout) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        assert layout.find_source("cam1\\s1\\match.mp4", sidecar(layout)) == (path, ())

    @pytest.mark.parametrize("name", ["été 1/-a 'b'/ma\"tch.mp4", "cam1/http:match.mp4", "cam1/s1/file%20.mp4"])
    def test_odd_names_are_names(self, layout: Layout, name: str) -> None:
        assert layout.find_source(name, sidecar(layout)) == (video(layout, name), ())

    @pytest.mark.parametrize("source_path", [None, ""])
    def test_without_a_path_the_video_at_the_mirrored_place_is_meant_and_that_is_said(
        self, layout: Layout, source_path: str | None
    ) -> None:
        path = video(layout, "cam1/a/b/match.mov")
        found, notes = layout.find_source(source_path, sidecar(layout, "cam1/a/b/match_clips.json"))
        assert found == path
        assert notes == ("source_path is missing; used data/source/cam1/a/b/match.mov, the sidecar's own place",)

    @pytest.mark.parametrize(
        "stale",
        [
            "old/place/match.mp4",
            "match.mp4",
            "/mnt/c/videos/match.mp4",
            "C:\\videos\\match.mp4",
            "\\\\nas\\v\\match.mp4",
        ],
    )
    def test_a_stale_path_leads_to_the_mirrored_place_and_that_is_said(self, layout: Layout, stale: str) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        found, notes = layout.find_source(stale, sidecar(layout))
        assert found == path
        assert notes == (
            f"source_path {stale!r} names no file; used data/source/cam1/s1/match.mp4, the sidecar's own place",
        )

    @pytest.mark.parametrize(("name", "place"), [("match_clips.json", ""), ("cam1/match_clips.json", "cam1/")])
    def test_a_missing_camera_or_session_folder_is_missing_in_the_source_tree_too(
        self, layout: Layout, name: str, place: str
    ) -> None:
        path = video(layout, f"{place}match.mp4")
        assert layout.find_source(None, sidecar(layout, name))[0] == path

    def test_capital_suffixes_count(self, layout: Layout) -> None:
        path = video(layout, "cam1/s1/match.MP4")
        assert layout.find_source(None, sidecar(layout))[0] == path

    def test_one_file_under_two_spellings_is_one_file(self, layout: Layout) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        # As on SMB, where both names lead to the same file.
        os.link(path, path.with_suffix(".MP4"))
        assert layout.find_source(None, sidecar(layout))[0] == path

    def test_of_several_videos_the_one_with_the_stale_paths_suffix_is_meant(self, layout: Layout) -> None:
        video(layout, "cam1/s1/match.mp4")
        path = video(layout, "cam1/s1/match.mov")
        assert layout.find_source("gone/match.MOV", sidecar(layout))[0] == path

    @pytest.mark.parametrize("source_path", [None, "gone/match.avi"])
    def test_several_videos_that_could_be_meant_are_all_named(self, layout: Layout, source_path: str | None) -> None:
        video(layout, "cam1/s1/match.mp4")
        video(layout, "cam1/s1/match.mov")
        with pytest.raises(Rejected, match=r"match\.mp4, match\.mov.*name one in source_path"):
            layout.find_source(source_path, sidecar(layout))

    def test_where_nothing_is_found_it_says_where_the_video_is_waited_for(self, layout: Layout) -> None:
        wanted = sidecar(layout)
        assert layout.find_source("cam2/s2/final.mp4", wanted) == (layout.source / "cam2/s2/final.mp4", ())
        assert layout.find_source(None, wanted) == (layout.source / "cam1/s1/match.mp4", ())

    @pytest.mark.parametrize(
        "absolute", ["/etc/passwd", "//etc/passwd", "/none", "//none/at/all", "\\\\none\\x", "C:/none"]
    )
    def test_an_absolute_path_is_never_followed_not_even_to_wait_for_it(self, layout: Layout, absolute: str) -> None:
        found, _ = layout.find_source(absolute, sidecar(layout))
        assert found == layout.source / "cam1/s1/match.mp4"

    @pytest.mark.parametrize(
        "path", ["../x.mp4", "cam1/../../x.mp4", "cam1/..", "..", "cam1\\..\\..\\x.mp4", "a\0b.mp4"]
    )
    def test_a_path_that_climbs_is_refused(self, layout: Layout, path: str) -> None:
        (layout.source.parent / "x.mp4").write_text("secret")
        with pytest.raises(Rejected, match="leaves the source folder"):
            layout.find_source(path, sidecar(layout))

    def test_a_name_with_two_dots_climbs_nowhere(self, layout: Layout) -> None:
        path = video(layout, "cam1/s..1/ma..tch.mp4")
        assert layout.find_source("cam1/s..1/ma..tch.mp4", sidecar(layout)) == (path, ())

    @pytest.mark.parametrize("source_path", ["cam1/s1/match.mp4", None])
    def test_a_folder_that_is_a_link_out_of_the_tree_is_refused(
        self, layout: Layout, tmp_path: Path, source_path: str | None
    ) -> None:
        (tmp_path / "outside/s1").mkdir(parents=True)
        (tmp_path / "outside/s1/match.mp4").write_text("secret")
        (layout.source / "cam1").symlink_to(tmp_path / "outside")
        with pytest.raises(
            Rejected, match="data/source/cam1/s1/match.mp4 leads out of the source folder through a link"
        ):
            layout.find_source(source_path, sidecar(layout))

    def test_a_link_within_the_source_tree_is_followed_and_named_by_where_it_leads(self, layout: Layout) -> None:
        path = video(layout, "cam1/s1/match.mp4")
        (layout.source / "today").symlink_to("cam1")
        assert layout.find_source("today/s1/match.mp4", sidecar(layout)) == (path, ())

    def test_the_source_folder_may_be_a_link_and_is_named_as_configured_on_every_machine(
        self, layout: Layout, tmp_path: Path
    ) -> None:
        layout.source.rmdir()
        (tmp_path / "nas").mkdir()
        layout.source.symlink_to(tmp_path / "nas")
        video(layout, "cam1/s1/match.mp4")
        found, _ = layout.find_source("cam1/s1/match.mp4", sidecar(layout))
        assert layout.relative(found) == "data/source/cam1/s1/match.mp4"

    def test_the_root_may_be_a_link(self, layout: Layout, tmp_path: Path) -> None:
        video(layout, "cam1/s1/match.mp4")
        (tmp_path / "mnt").symlink_to(layout.root)
        mounted = Layout(tmp_path / "mnt", layout.directories)
        found, notes = mounted.find_source(None, mounted.sidecars / "cam1/s1/match_clips.json")
        assert mounted.relative(found) == "data/source/cam1/s1/match.mp4"
        assert "data/source/cam1/s1/match.mp4" in notes[0]

    def test_a_source_folder_outside_the_root_works(self, layout: Layout, tmp_path: Path) -> None:
        apart = Layout(layout.root, Directories(source=str(tmp_path / "nas/raw")))
        path = video(apart, "cam1/s1/match.mp4")
        assert apart.find_source("raw/cam1/s1/match.mp4", sidecar(layout)) == (path, ())
        assert apart.find_source(None, sidecar(layout))[0] == path

    def test_names_longer_than_a_filesystem_takes_are_not_there(self, layout: Layout) -> None:
        assert layout.find_source("x" * 300 + ".mp4", sidecar(layout))[0].name == "x" * 300 + ".mp4"
