"""Drop a video, get its clips: the real daemon on real footage, and the commands by hand."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.e2e.tree import Tree, wait_until
from tests.footage import footage, make

STEEL = "mdnshared_tears-of-steel-battle-clip-medium.webm"
FRIDAY = "mdn_friday.mp4"


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree.at(tmp_path / "tree")


@pytest.fixture(scope="module")
def steel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tree in which one video was dropped and analysed; nothing is changed in it."""
    tree = Tree.at(tmp_path_factory.mktemp("steel") / "tree")
    drop(tree, footage(STEEL))
    tree.once()
    return tree.root


def drop(tree: Tree, video: Path, name: str | None = None, place: str = "cam1/s1") -> Path:
    """Copy `video` into the inbox."""
    target = tree.layout.dropped_videos / place / (name or video.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(video, target)
    return target


def note(tree: Tree, name: str, text: str, place: str = "cam1/s1") -> None:
    """Write settings beside a dropped video."""
    path = tree.layout.dropped_videos / place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def answer(tree: Tree, name: str, place: str = "cam1/s1") -> dict[str, object]:
    path = tree.layout.dropped_videos / place / f"{name}.status.json"
    content: dict[str, object] = json.loads(path.read_text())
    return content


def test_a_dropped_video_is_filed_and_its_moments_stand_in_a_sidecar_as_drafts(steel: Path) -> None:
    sidecar = steel / "data/prept/_configs/cam1/s1/mdnshared_tears-of-steel-battle-clip-medium_clips.json"
    clips = json.loads(sidecar.read_text())
    assert len(clips) >= 3
    assert {clip["status"] for clip in clips} == {"Draft"}
    for clip in clips:
        assert clip["source_path"] == f"cam1/s1/{STEEL}"
        assert 0 <= clip["start_frame"] < clip["end_frame"] < 1691
        assert 0 <= clip["quality"] <= 1
        assert clip["reason"]
        assert clip["origin"] == "v2"
    assert (steel / "data/source/cam1/s1" / STEEL).read_bytes() == footage(STEEL).read_bytes()
    assert not list((steel / "data/inbox/videos").rglob("*.webm"))


def test_the_report_the_features_the_debug_file_and_thumbnails_lie_together(steel: Path) -> None:
    folder = steel / "data/prept/03_CLIPPED/segments/cam1/s1" / Path(STEEL).stem
    clips = json.loads((folder / "v2_clips.json").read_text())["clips"]
    assert {path.stem for path in (folder / "thumbnails").iterdir()} == {clip["name"] for clip in clips}
    debug = json.loads((folder / "debug/segmentation_v2_debug.json").read_text())
    assert len(debug["final_clips"]) == len(clips)
    assert (folder / "features/features_v2.json").stat().st_size > 1000
    page = (folder / "report.html").read_text()
    assert all(clip["name"] in page for clip in clips)
    sheet = json.loads((folder / "truth.json").read_text())
    assert {Path(file["path"]).name for file in sheet["files"]} >= {"report.html", "v2_clips.json"}
    status = json.loads(
        (steel / "data/inbox/videos/cam1/s1" / f"{Path(STEEL).stem}.status.json").read_text()
    )  # fmt: skip
    assert status["status"] == "done"
    assert (steel / status["report"]).exists()
    assert (steel / status["path"]).exists()


def test_no_suggested_clip_shows_a_frame_of_the_neighbouring_shot(steel: Path) -> None:
    cuts = json.loads((footage(STEEL).parent / "shots.json").read_text())[STEEL]["hard_cuts"]
    sidecar = steel / "data/prept/_configs/cam1/s1" / f"{Path(STEEL).stem}_clips.json"
    for clip in json.loads(sidecar.read_text()):
        near = [cut for cut in cuts if 0 < cut - clip["start_frame"] <= 3 or 0 <= clip["end_frame"] - cut < 3]
        assert not near, clip


def test_the_best_are_processed_at_once_where_the_note_beside_the_video_asks_for_it(tree: Tree) -> None:
    note(tree, "match.yaml", "auto_process: {min_quality: 0.0, max_clips: 1}\nmode: v1\n")
    drop(tree, footage(FRIDAY), "match.mp4")
    with tree.daemon():
        sidecar = tree.layout.sidecars / "cam1/s1/match_clips.json"
        wait_until(lambda: sidecar.exists() and tree.clips(sidecar)[0]["status"] == "Complete", "the clip to be cut")
    (clip,) = tree.clips(sidecar)
    assert clip["origin"] == "v1"
    assert (tree.root / clip["export_path"][0]).exists()
    assert (tree.layout.dropped_videos / "cam1/s1/done/match.yaml").exists()
    assert not tree.strays()


def test_a_sidecar_that_is_there_is_not_touched(tree: Tree) -> None:
    sidecar = tree.write_sidecar([{"name": "mine", "start_frame": 0, "end_frame": 9, "status": "Draft"}])
    before = sidecar.read_bytes()
    drop(tree, footage(FRIDAY), "match.mp4")
    tree.once()
    assert sidecar.read_bytes() == before
    assert "stays as it is" in str(answer(tree, "match")["message"])


def test_the_same_video_twice_is_said_and_done_once_and_another_of_its_name_is_refused(
    tree: Tree, tmp_path: Path
) -> None:
    drop(tree, footage(FRIDAY), "match.mp4")
    tree.once()
    drop(tree, footage(FRIDAY), "match.mp4")
    drop(tree, footage(FRIDAY), "again.mp4")
    tree.once()
    assert "same video" in str(answer(tree, "again")["message"])
    assert not (tree.layout.source / "cam1/s1/again.mp4").exists()
    assert (tree.layout.dropped_videos / "cam1/s1/done/again.mp4").exists()
    assert (tree.layout.dropped_videos / "cam1/s1/done/match.mp4").exists()
    drop(tree, make(tmp_path / "other.mp4", count=60), "match.mp4")
    tree.once(expect=1)
    said = answer(tree, "match")
    assert said["status"] == "failed"
    assert "is another video" in str(said["message"])
    assert (tree.layout.source / "cam1/s1/match.mp4").read_bytes() == footage(FRIDAY).read_bytes()
    assert (tree.layout.dropped_videos / "cam1/s1/failed/match.mp4").exists()


def test_no_film_is_lost_though_the_next_of_its_name_is_dropped_as_soon_as_done_is_read(
    tree: Tree, tmp_path: Path
) -> None:
    with tree.daemon():
        for place, count in (("cam1/s1", 20), ("cam2/s1", 30)):
            films = [make(tmp_path / f"{frames}.mp4", count=frames, size=(64, 48)) for frames in (count, count + 5)]
            video = drop(tree, films[0], "match.mp4", place)
            shutil.copyfile(films[1], following := tmp_path / "next.mp4")
            end = time.monotonic() + 60
            while b'"status": "done"' not in content(video.with_name("match.status.json")):
                assert time.monotonic() < end
            following.replace(video)
            wait_until(lambda: answer(tree, "match", place)["status"] == "failed", "the next film to be refused")  # noqa: B023
            assert (tree.layout.source / place / "match.mp4").read_bytes() == films[0].read_bytes()
            assert (video.parent / "failed/match.mp4").read_bytes() == films[1].read_bytes()


def test_a_video_that_has_not_arrived_whole_is_waited_for_and_never_filed(tree: Tree) -> None:
    whole = make(tree.root / "whole.mp4", count=60, container_options={"movflags": "faststart"})
    video = drop(tree, whole, "match.mp4")
    video.write_bytes(whole.read_bytes()[:-500])
    with tree.daemon():
        wait_until(lambda: b'"status": "waiting"' in content(video.with_name("match.status.json")), "it to wait")
        assert "ends 500 bytes early" in str(answer(tree, "match")["message"])
        assert not (tree.layout.source / "cam1/s1/match.mp4").exists()
        shutil.copyfile(whole, video)
        wait_until(lambda: answer(tree, "match")["status"] == "done", "the whole video to be filed")
    assert (tree.layout.source / "cam1/s1/match.mp4").read_bytes() == whole.read_bytes()


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_the_same_video_is_one_of_the_same_content_that_is_still_there(tree: Tree, tmp_path: Path) -> None:
    film, other = make(tmp_path / "a.mp4", count=20), make(tmp_path / "b.mp4", count=25)
    drop(tree, film, "match.mp4")
    tree.once()
    filed = tree.layout.source / "cam1/s1/match.mp4"
    drop(tree, film, "again.mp4")
    tree.once()
    assert answer(tree, "again")["path"] == "data/source/cam1/s1/match.mp4"
    shutil.copyfile(other, filed)
    drop(tree, film, "original.mp4")
    tree.once()
    assert (tree.layout.source / "cam1/s1/original.mp4").read_bytes() == film.read_bytes()


def test_what_is_no_video_and_a_wrong_note_fail_with_words_and_stay(tree: Tree) -> None:
    drop(tree, footage(FRIDAY), "good.mp4", place="cam2/s1")
    note(tree, "good.yaml", "windows: {min_second: 4}\n", place="cam2/s1")
    broken = drop(tree, footage(FRIDAY), "broken.mp4")
    broken.write_bytes(b"this is no video" * 1000)
    tree.once(expect=1)
    said = answer(tree, "good", place="cam2/s1")
    assert said["status"] == "failed"
    assert "cam2/s1/good.yaml: there is no setting 'windows.min_second'; did you mean min_seconds?" in str(
        said["message"]
    )
    assert answer(tree, "broken")["status"] == "failed"
    assert (tree.layout.dropped_videos / "cam1/s1/failed/broken.mp4").exists()


@pytest.mark.parametrize("wrong", ["mode: v1\nprofle: sport\n", "mode: v1\n  profile: sport\n"])
def test_videos_wait_for_a_wrong_note_of_their_folder_to_be_mended(tree: Tree, wrong: str) -> None:
    note(tree, "segment.yaml", wrong, place="cam1")
    video = drop(tree, footage(FRIDAY), "match.mp4")
    tree.once()
    said = answer(tree, "match")
    assert said["status"] == "waiting"
    assert "data/inbox/videos/cam1/segment.yaml" in str(said["message"])
    assert "did you mean profile?" in str(said["message"]) or "line 2" in str(said["message"])
    assert video.exists()
    with tree.daemon():
        note(tree, "segment.yaml", "mode: v1\nprofile: sport\n", place="cam1")
        wait_until(lambda: answer(tree, "match")["status"] == "done", "the video to be filed")


def test_videos_of_the_source_tree_are_analysed_where_the_settings_say_so(tmp_path: Path) -> None:
    tree = Tree.at(tmp_path / "tree", {"segmentation": {"source_tree": True, "mode": "v1"}})
    tree.add_source(footage(FRIDAY), "match.mp4")
    tree.once()
    sidecar = tree.layout.sidecars / "cam1/s1/match_clips.json"
    assert len(tree.clips(sidecar)) == 1
    sidecar.unlink()
    tree.once()
    assert not sidecar.exists(), "a deleted sidecar was brought back"


def test_analyze_by_hand_adds_what_is_new_and_never_what_was_deleted(tree: Tree, tmp_path: Path) -> None:
    video = tree.add_source(footage(STEEL), "match.webm")
    out = tmp_path / "out"
    said = tree.run("analyze", str(video), "-o", str(out), "--into-sidecar").stdout
    assert "clips" in said
    assert {path.name for path in out.iterdir()} == {
        *("v2_clips.json", "features", "debug", "report.html", "report.jpg", "thumbnails")
    }
    sidecar = tree.layout.sidecars / "cam1/s1/match_clips.json"
    clips = tree.clips(sidecar)
    mine = {"name": "mine", "start_frame": 3, "end_frame": 9, "status": "Draft", "note": "keep"}
    sidecar.write_text(json.dumps([mine, *clips[1:]], indent=4))
    said = tree.run("analyze", str(video), "-o", str(out), "--into-sidecar", "--set", "filters.overlap_iou=0.9").stdout
    standing = tree.clips(sidecar)
    assert standing[0] == mine
    deleted = clips[0]
    assert all((clip["start_frame"], clip["end_frame"]) != (deleted["start_frame"], deleted["end_frame"])
               for clip in standing)  # fmt: skip


def test_explain_says_in_a_sentence_why_a_moment_was_kept_or_not(tree: Tree) -> None:
    video = tree.add_source(footage(STEEL), "match.webm")
    kept = tree.run("explain", str(video), "52").stdout
    assert "is in" in kept
    assert len(kept.strip().splitlines()) == 1
    assert "is not in this video" in tree.run("explain", str(video), "00:10:00").stdout


def test_cuts_lists_where_shots_change(tree: Tree) -> None:
    video = tree.add_source(footage(STEEL), "match.webm")
    found = {cut["frame"] for cut in json.loads(tree.run("cuts", str(video), "--json").stdout)}
    known = json.loads((footage(STEEL).parent / "shots.json").read_text())[STEEL]["hard_cuts"]
    right = sum(any(abs(cut - frame) <= 1 for frame in found) for cut in known)
    assert 2 * right / (len(found) + len(known)) > 0.9
    assert "cuts in" in tree.run("cuts", str(video), "--detector", "scene").stdout
