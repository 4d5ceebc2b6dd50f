"""Retention: what the rules cover goes, oldest first; what is not surely ours, or whose clip is open, stays."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from clipd.clock import stamp
from clipd.delivery.retention import Done, Rule, Settings, Step, plan, remove, sweep
from clipd.errors import Deferred
from clipd.files import lease
from clipd.model.job import job_id
from clipd.tree import outbox
from clipd.tree import record as records
from clipd.tree.layout import Directories, Layout
from clipd.tree.marker import establish
from clipd.tree.outbox import Note
from clipd.tree.record import Output, Receipt, Record
from clipd.tree.removal import Removal, note_removal, read_removal
from tests.fake_clock import FakeClock

CLAIMS = lease.Settings(lease_seconds=1, heartbeat_seconds=0.3)
VIDEO_BYTES = 1000
SHEET, PICTURE = ".json", ".jpg"


class Place:
    """A tree with published clips, as old as they are said to be."""

    def __init__(self, root: Path, **directories: str) -> None:
        self.layout = Layout(root, Directories(**directories))
        establish(self.layout)
        self.layout.outputs.mkdir(parents=True)
        self.clock = FakeClock()
        self.clips: dict[Path, list[dict[str, Any]]] = {}

    def add(
        self,
        clip: str,
        days: float,
        camera: str = "cam1",
        formats: tuple[str, ...] = ("ffv1",),
        size: int = VIDEO_BYTES,
    ) -> str:
        """Publish a clip `days` ago; its job id."""
        sidecar = self.layout.sidecars / camera / "day" / "match_clips.json"
        self.clips.setdefault(sidecar, []).append({"id": clip, "name": clip, "status": "Complete"})
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        sidecar.write_text(json.dumps(self.clips[sidecar]))
        origin = self.layout.relative(sidecar)
        job = job_id("clip", origin, f"id:{clip}")
        outputs = []
        for name in formats:
            for suffix, role in (
                (".mkv", "video"),
                (PICTURE, "thumbnail"),
                (SHEET, "annotation"),
                (".txt", "annotation"),
            ):
                path = self.layout.outputs / name / camera / "day" / f"match_{clip}{suffix}"
                path.parent.mkdir(parents=True, exist_ok=True)
                content = json.dumps({"job": job, "clip": clip}).encode() if suffix == SHEET else b"x" * size
                path.write_bytes(content)
                outputs.append(Output(self.layout.relative(path), len(content), "", role))
        moment = stamp(self.clock.now() - timedelta(days=days))
        receipt = Receipt(job, "r", 1, f"match / {clip}", origin, f"id:{clip}", "", tuple(outputs), "h", moment, moment)
        records.commit(self.layout, receipt)
        return job

    def set_status(self, clip: str, status: str) -> None:
        for sidecar, entries in self.clips.items():
            for entry in entries:
                if entry["name"] == clip:
                    entry["status"] = status
            sidecar.write_text(json.dumps(entries))

    def planned(self, *rules: Rule) -> list[str]:
        return [Path(step.product.video.path).stem.removeprefix("match_") for step in self.steps(*rules)]

    def steps(self, *rules: Rule) -> list[Step]:
        return [step for step in plan(self.layout, rules, self.clock.now()) if step is not None]

    def remove_all(self, *rules: Rule) -> list[Done]:
        return [remove(self.layout, step, CLAIMS, self.clock) for step in self.steps(*rules)]

    def files(self) -> set[str]:
        return {path.relative_to(self.layout.outputs).as_posix() for path in self.layout.outputs.rglob("*.*")}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path / "tree")


def old(days: float, **more: Any) -> Rule:
    return Rule(older_than_days=days, **more)


ALL = old(0)


def test_what_is_older_goes_oldest_first(place: Place) -> None:
    for clip, days in (("new", 1), ("oldest", 40), ("old", 30), ("future", -5)):
        place.add(clip, days)
    assert place.planned(old(30)) == ["oldest", "old"]
    assert place.planned(old(30.1)) == ["oldest"]
    assert place.planned() == []


def test_beyond_a_size_the_oldest_go_until_the_rest_fits(place: Place) -> None:
    for number in range(4):
        place.add(f"c{number}", number)
    each = place.steps(ALL)[0].product.size
    assert 3 * VIDEO_BYTES < each < 4 * VIDEO_BYTES
    assert place.planned(Rule(larger_than=2 * each)) == ["c3", "c2"]
    assert place.planned(Rule(larger_than=2 * each - 1)) == ["c3", "c2", "c1"]
    assert place.planned(Rule(larger_than=4 * each)) == []
    assert place.planned(old(3), Rule(larger_than=3 * each)) == ["c3"]  # what is gone anyway needs no room


def test_what_lies_in_no_cameras_folder_is_covered_by_the_camera_that_its_receipt_names(place: Place) -> None:
    job = place.add("b", days=5)
    (receipt,) = records.read_receipts(place.layout, job)
    origin, kind = "data/inbox/requests/gate.json", "request"
    asked = Receipt(**{**vars(receipt), "run": 2, "number": 2, "origin": origin, "kind": kind, "camera": "gate"})
    records.commit(place.layout, asked)
    assert place.planned(old(1, cameras=("_",))) == []
    assert place.planned(old(1, cameras=("gate",))) == ["b"]


def test_a_rule_may_be_for_formats_and_cameras(place: Place) -> None:
    place.add("a", 3, "cam1", ("ffv1", "h264"))
    place.add("b", 2, "cam2", ("ffv1", "h264"))
    assert place.planned(old(1, formats=("ffv1",), cameras=("cam2",))) == ["b"]
    assert place.planned(old(1, formats=("gif",))) == []
    done = place.remove_all(old(1, formats=("h264",)))
    assert [step.result for step in done] == ["removed", "removed"]
    assert {name.split("/")[0] for name in place.files()} == {"ffv1"}


def test_with_a_video_goes_what_belongs_to_it_and_nothing_else(place: Place) -> None:
    job = place.add("a", 3)
    place.add("ab", 0.5)
    own = place.layout.outputs / "ffv1/cam1/day/match_a.srt"
    own.write_text("a person's")
    sidecar = place.layout.sidecars / "cam1/day/match_clips.json"
    before = sidecar.read_bytes()
    (done,) = place.remove_all(old(1))
    assert done.result == "removed"
    assert place.files() == {"ffv1/cam1/day/match_a.srt"} | {
        f"ffv1/cam1/day/match_ab{suffix}" for suffix in (".mkv", PICTURE, SHEET, ".txt")
    }
    assert sidecar.read_bytes() == before
    note = read_removal(place.layout, job)
    assert note is not None
    assert note.paths == ("data/prept/03_CLIPPED/ffv1/cam1/day/match_a.mkv",)
    assert "3.0 days old" in note.why
    assert place.planned(ALL) == ["ab"]


def test_a_file_that_changed_is_not_ours(place: Place) -> None:
    place.add("a", 3)
    place.add("b", 3)
    (place.layout.outputs / "ffv1/cam1/day/match_a.mkv").write_bytes(b"mine")
    (place.layout.outputs / "ffv1/cam1/day/match_b.jpg").write_bytes(b"my picture")
    assert place.planned(ALL) == ["b"]
    place.remove_all(ALL)
    assert place.files() == {f"ffv1/cam1/day/match_a{s}" for s in (".mkv", PICTURE, SHEET, ".txt")} | {
        "ffv1/cam1/day/match_b.jpg"
    }


@pytest.mark.parametrize("status", ["Process", " process "])
def test_a_clip_that_asks_for_work_is_open(place: Place, status: str) -> None:
    place.add("a", 3)
    before = place.files()
    place.set_status("a", status)
    (done,) = place.remove_all(ALL)
    assert done.result == "kept"
    assert "asks" in done.words
    assert place.files() == before


def test_a_clip_that_is_claimed_is_open(place: Place) -> None:
    job = place.add("a", 3)
    before = place.files()
    with lease.claimed(place.layout.claim(job), CLAIMS):
        assert place.remove_all(ALL)[0].result == "kept"
    assert place.files() == before


@pytest.mark.parametrize(("status", "result"), [("Complete", "removed"), ("Process", "kept")])
def test_an_attempt_that_was_killed_before_its_close_keeps_only_what_is_asked_for(
    place: Place, status: str, result: str
) -> None:
    job = place.add("a", 3)
    records.write_record(place.layout, Record(job, state="running", attempt_by="killed"), place.clock.now())
    place.set_status("a", status)
    assert place.remove_all(ALL)[0].result == result
    assert bool(place.files()) is (result == "kept")


def test_what_is_still_to_be_copied_stays_and_what_cannot_be_copied_does_not(place: Place) -> None:
    job = place.add("a", 3)
    note = Note(job, "r.1", "archive", "match / a", "cam1", "")
    outbox.post(place.layout, note)
    (done,) = place.remove_all(ALL)
    assert (done.result, done.words) == ("kept", "it is still to be copied to a destination")
    outbox.give_up(place.layout, outbox.pending(place.layout, "archive")[0], note)
    assert place.remove_all(ALL)[0].result == "removed"


def test_in_doubt_everything_stays(place: Place) -> None:
    place.add("a", 3)
    before = place.files()
    sidecar = place.layout.sidecars / "cam1/day/match_clips.json"
    whole = sidecar.read_bytes()
    sidecar.write_bytes(whole[:-9])
    (done,) = place.remove_all(ALL)
    assert done.result == "kept"
    assert "cannot be" in done.words
    sidecar.write_bytes(whole)
    (place.layout.outputs / "ffv1/cam1/day/match_a.json").write_text(json.dumps({"job": "somebody else's"}))
    assert all(done.result == "kept" for done in place.remove_all(ALL))
    assert place.files() == before
    place.layout.marker.unlink()
    with pytest.raises(Deferred):
        place.steps(ALL)


def test_outputs_of_clips_that_are_gone_go_too(place: Place) -> None:
    place.add("a", 3)
    (place.layout.sidecars / "cam1/day/match_clips.json").unlink()
    assert place.remove_all(ALL)[0].result == "removed"
    assert place.files() == set()


@pytest.mark.parametrize(
    "path",
    ["data/source/film.mkv", "data/prept/03_CLIPPED/../../source/film.mkv", "../outside.mkv", "/etc/hostname",
     "data/prept/03_CLIPPED/ffv1/link/film.mkv", "data/prept/03_CLIPPED/ffv1/film.mkv", "data/prept/03_CLIPPED"],
)  # fmt: skip
def test_a_receipt_cannot_name_a_file_elsewhere(place: Place, path: str) -> None:
    layout = place.layout
    layout.source.mkdir(parents=True)
    for file in (layout.source / "film.mkv", layout.root.parent / "outside.mkv"):
        file.write_bytes(b"12345")
    (layout.outputs / "ffv1").mkdir()
    (layout.outputs / "ffv1/link").symlink_to(layout.source)
    (layout.outputs / "ffv1/film.mkv").symlink_to(layout.source / "film.mkv")
    origin = "data/prept/_configs/cam/day/match_clips.json"
    job = job_id("clip", origin, "id:a")
    moment = stamp(place.clock.now() - timedelta(days=9))
    output = Output(path, 5, "", "video")
    records.commit(layout, Receipt(job, "r", 1, "a", origin, "id:a", "", (output,), "h", moment, moment))
    strange: list[str] = []
    assert list(plan(layout, (ALL,), place.clock.now(), strange.append)) == [None]
    assert [words.startswith(path) for words in strange] == [True]
    assert (layout.source / "film.mkv").read_bytes() == b"12345"
    assert (layout.root.parent / "outside.mkv").exists()


def test_sources_within_the_outputs_tree_are_no_outputs(tmp_path: Path) -> None:
    place = Place(tmp_path / "tree", outputs="data", source="data/ffv1/cam1", sidecars="data/sidecars", state="state")
    place.add("a", 3)
    place.add("b", 3, "cam2")
    assert place.planned(ALL) == ["b"]


def test_made_again_means_not_the_same_output(place: Place) -> None:
    job = place.add("a", 3)
    (step,) = place.steps(ALL)
    (receipt,) = records.read_receipts(place.layout, job)
    records.commit(place.layout, Receipt(**{**vars(receipt), "run": 2}))
    assert remove(place.layout, step, CLAIMS, place.clock).words == "it was made again meanwhile"


def test_a_removal_that_was_killed_is_finished(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from clipd.delivery import retention

    job = place.add("a", 3)
    monkeypatch.setattr(retention, "remove_beneath", _killed_after(1, retention.remove_beneath))
    with pytest.raises(KeyboardInterrupt):
        place.remove_all(ALL)
    monkeypatch.undo()
    assert len(place.files()) == 3
    assert read_removal(place.layout, job) is not None
    assert [done.result for done in place.remove_all(Rule(older_than_days=400))] == ["removed"]
    assert place.files() == set()


def _killed_after(count: int, call: Callable[..., bool]) -> Callable[..., bool]:
    calls = []

    def killed(*arguments: Any) -> bool:
        calls.append(arguments)
        if len(calls) > count:
            raise KeyboardInterrupt
        return call(*arguments)

    return killed


def test_the_sweep_says_what_it_removed(place: Place) -> None:
    place.add("a", 3)
    place.add("b", 3)
    place.set_status("b", "Process")
    said: list[str] = []
    for _ in sweep(place.layout, Settings(rules=(ALL,)), CLAIMS, place.clock, said.append):
        pass
    assert said == ["retention: removed data/prept/03_CLIPPED/ffv1/cam1/day/match_a.mkv (3.0 days old, more than 0)"]


def test_notes_of_one_receipt_add_up_and_a_damaged_one_is_none(place: Place) -> None:
    for path in ("one", "two", "one"):
        note_removal(place.layout, Removal("j", "r.1", "now", "old", (path,)))
    note = read_removal(place.layout, "j")
    assert note is not None
    assert note.paths == ("one", "two")
    note_removal(place.layout, Removal("j", "r.2", "now", "old", ("three",)))
    assert read_removal(place.layout, "j") == Removal("j", "r.2", "now", "old", ("three",))
    for damage in ("", "[]", "{}", '{"paths": 3}', '{"paths": [], "x": 1}'):
        place.layout.removal("j").write_text(damage)
        assert read_removal(place.layout, "j") is None
    assert read_removal(place.layout, "nobody") is None


@pytest.mark.parametrize("wrong", [{}, {"older_than_days": -1}, {"larger_than": "much"}, {"formats": ["h264"]}])
def test_a_rule_without_a_limit_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Rule(**wrong)


def test_nothing_is_removed_by_itself_unless_it_is_said() -> None:
    assert Settings().dry_run
    assert Settings(rules=({"larger_than": "500GiB"},)).rules[0].larger_than == 500 * 2**30
