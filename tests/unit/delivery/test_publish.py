"""Publication: nothing that clipd did not make is ever lost, and nothing that it made stands without its sheet."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from clipd.clock import stamp
from clipd.delivery.publish import intact, publish, sheet_path, withdraw
from clipd.errors import ClaimLost, Rejected
from clipd.model.artifact import Artifact, Role
from clipd.tree.layout import Directories, Layout
from clipd.tree.record import Output, Receipt
from tests.fake_clock import NOON

FOLDER = "h264/cam1/s1"
ASIDE = "before-clipd-20260501T120000Z"
Arrange = Callable[[str, Callable[[], object]], None]


class Shop:
    """A tree with a staging folder."""

    def __init__(self, root: Path, job: str = "job") -> None:
        self.layout = Layout(root, Directories())
        self.job = job
        self.staging = self.layout.staging(job, "token")
        self.staging.mkdir(parents=True)
        self.shown = self.layout.outputs / FOLDER

    def make(self, name: str, content: str, role: Role = "video", staged: str = "") -> Artifact:
        """A finished file in staging."""
        data = content.encode()
        (self.staging / (staged or name)).write_bytes(data)
        digest = hashlib.sha256(data).hexdigest()
        return Artifact(name, FOLDER, role, name.rpartition(".")[2], len(data), digest, {}, staged)

    def film(self, job: str = "", name: str = "match_goal", content: str = "film") -> list[Artifact]:
        """A video, its thumbnail and its truth sheet."""
        clip = f"match / {name.removeprefix('match_')}"
        sheet = json.dumps({"job": job or self.job, "clip": clip, "content": content})
        return [
            self.make(f"{name}.mp4", content),
            self.make(f"{name}.jpg", f"picture of {content}", "thumbnail", f"{name}.mp4.jpg"),
            self.make(f"{name}.json", sheet, "annotation", f"{name}.mp4.json"),
        ]

    def publish(self, artifacts: list[Artifact], job: str = "") -> tuple[tuple[Output, ...], tuple[str, ...]]:
        """Publish them, at noon."""
        return publish(self.layout, job or self.job, self.staging, artifacts, NOON)

    def receipt(self, outputs: Iterable[Output], job: str = "job", revision: str = "rev") -> Receipt:
        """The receipt of a run that published `outputs`."""
        return Receipt(
            job, revision, 1, "match / goal", "x_clips.json", "id:1", "", tuple(outputs), "here", "", stamp(NOON)
        )

    def names(self) -> list[str]:
        """What stands in the output folder."""
        return sorted(path.name for path in self.shown.iterdir()) if self.shown.exists() else []

    def read(self, name: str) -> str:
        """A published file."""
        return (self.shown / name).read_text()


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


@pytest.fixture
def while_synced(monkeypatch: pytest.MonkeyPatch) -> Arrange:
    """`while_synced(name, happens)`: something happens while the file `name` is synced, once."""

    def arrange(name: str, happens: Callable[[], object]) -> None:
        fsync, left = os.fsync, [happens]

        def slow(descriptor: int) -> None:
            fsync(descriptor)
            if left and Path(f"/proc/self/fd/{descriptor}").readlink().name == name:
                left.pop()()

        monkeypatch.setattr(os, "fsync", slow)

    return arrange


class TestPublish:
    def test_every_file_gets_its_final_name_and_leaves_staging(self, shop: Shop) -> None:
        film = shop.film()
        outputs, kept = shop.publish(film)
        assert shop.names() == ["match_goal.jpg", "match_goal.json", "match_goal.mp4"]
        assert list(shop.staging.iterdir()) == []
        assert kept == ()
        base = "data/prept/03_CLIPPED/h264/cam1/s1"
        assert [output.path for output in outputs] == [f"{base}/{artifact.name}" for artifact in film]
        assert [(o.size, o.sha256, o.role) for o in outputs] == [(a.size, a.sha256, a.role) for a in film]

    def test_a_run_replaces_what_its_own_job_made_before(self, shop: Shop) -> None:
        shop.publish(shop.film(content="old"))
        _, kept = shop.publish(shop.film(content="new"))
        assert kept == ()
        assert shop.names() == ["match_goal.jpg", "match_goal.json", "match_goal.mp4"]
        assert shop.read("match_goal.mp4") == "new"

    def test_the_sheet_stands_before_the_video_so_that_a_crash_in_between_leaves_an_owner(self, shop: Shop) -> None:
        film = shop.film()
        (shop.staging / "match_goal.mp4").unlink()
        with pytest.raises(ClaimLost):
            shop.publish(film)
        assert json.loads(shop.read("match_goal.json"))["job"] == "job"
        _, kept = shop.publish(shop.film(content="again"))
        assert kept == ()
        assert shop.read("match_goal.mp4") == "again"

    def test_the_output_of_another_clip_is_refused_with_its_name_and_nothing_is_published(self, shop: Shop) -> None:
        shop.publish(shop.film(job="other", content="theirs"), job="other")
        with pytest.raises(
            Rejected, match=r"match_goal.mp4 is already the output of another clip \(match / goal\)"
        ) as caught:
            shop.publish(shop.film(content="mine"))
        assert "rename one of the two clips, or remove that file" in str(caught.value)
        assert shop.read("match_goal.mp4") == "theirs"
        assert len(list(shop.staging.iterdir())) == 3

    def test_a_clash_in_one_file_publishes_none_of_the_others(self, shop: Shop) -> None:
        shop.publish(shop.film(job="other", name="match_b"), job="other")
        with pytest.raises(Rejected):
            shop.publish([*shop.film(name="match_a"), *shop.film(name="match_b")])
        assert "match_a.mp4" not in shop.names()

    def test_a_file_that_nobody_accounts_for_is_moved_aside_and_that_is_said(self, shop: Shop) -> None:
        shop.shown.mkdir(parents=True)
        (shop.shown / "match_goal.mp4").write_text("a person's own")
        _, kept = shop.publish(shop.film())
        assert shop.read(f"match_goal.{ASIDE}.mp4") == "a person's own"
        assert shop.read("match_goal.mp4") == "film"
        assert kept == (
            f"data/prept/03_CLIPPED/{FOLDER}/match_goal.mp4 was there before and is kept as match_goal.{ASIDE}.mp4",
        )

    def test_what_was_moved_aside_is_never_overwritten_either(self, shop: Shop) -> None:
        shop.shown.mkdir(parents=True)
        for number in range(3):
            (shop.shown / "match_goal.mp4").write_text(f"own {number}")
            (shop.shown / "match_goal.json").unlink(missing_ok=True)
            shop.publish(shop.film())
        assert [shop.read(f"match_goal.{ASIDE}{which}.mp4") for which in ("", "-2", "-3")] == [
            "own 0",
            "own 1",
            "own 2",
        ]

    @pytest.mark.parametrize("sheet", ["", "[]", "not json", '{"job": 5}', '{"other": 1}', "\0"])
    def test_a_sheet_that_says_nothing_accounts_for_nothing(self, shop: Shop, sheet: str) -> None:
        shop.shown.mkdir(parents=True)
        (shop.shown / "match_goal.mp4").write_text("a person's own")
        (shop.shown / "match_goal.json").write_text(sheet)
        shop.publish(shop.film())
        assert shop.read(f"match_goal.{ASIDE}.mp4") == "a person's own"
        assert shop.read(f"match_goal.{ASIDE}.json") == sheet

    def test_a_folder_in_the_way_is_moved_aside_whole(self, shop: Shop) -> None:
        (shop.shown / "match_goal.mp4").mkdir(parents=True)
        (shop.shown / "match_goal.mp4" / "inside").write_text("kept")
        shop.publish(shop.film())
        assert shop.read(f"match_goal.{ASIDE}.mp4/inside") == "kept"

    def test_a_link_in_the_way_is_neither_followed_nor_replaced(self, shop: Shop, tmp_path: Path) -> None:
        shop.shown.mkdir(parents=True)
        (tmp_path / "precious").write_text("kept")
        (shop.shown / "match_goal.mp4").symlink_to(tmp_path / "precious")
        with pytest.raises(Rejected):
            shop.publish(shop.film())
        assert (tmp_path / "precious").read_text() == "kept"

    def test_a_frozen_worker_whose_files_were_swept_away_publishes_nothing(self, shop: Shop) -> None:
        film = shop.film()
        for path in shop.staging.iterdir():
            path.unlink()
        with pytest.raises(ClaimLost, match="another worker took the job over"):
            shop.publish(film)
        assert not shop.shown.exists()
        assert shop.names() == []

    def test_a_failing_filesystem_is_told_apart(self, shop: Shop) -> None:
        (shop.layout.outputs / "h264").write_text("in the way")
        with pytest.raises(Rejected, match="making"):
            shop.publish(shop.film())


class TestPublishWhileOthersDo:
    """What comes to a name between the look at it and the publication."""

    def test_of_two_clips_of_one_name_one_is_published_and_the_other_told_of_it(
        self, shop: Shop, tmp_path: Path, while_synced: Arrange
    ) -> None:
        other = Shop(tmp_path, "other")
        theirs = other.film(content="theirs")
        while_synced("match_goal.mp4.json", lambda: other.publish(theirs))
        with pytest.raises(Rejected, match=r"is already the output of another clip \(match / goal\)"):
            shop.publish(shop.film(content="mine"))
        assert shop.names() == ["match_goal.jpg", "match_goal.json", "match_goal.mp4"]
        assert shop.read("match_goal.mp4") == "theirs"
        assert json.loads(shop.read("match_goal.json"))["job"] == "other"

    def test_who_is_refused_gives_the_names_back_that_were_free(
        self, shop: Shop, tmp_path: Path, while_synced: Arrange
    ) -> None:
        shop.publish(shop.film(name="match_c", content="former"))
        other = Shop(tmp_path, "other")
        theirs = other.film(name="match_b", content="theirs")
        while_synced("match_b.mp4.json", lambda: other.publish(theirs))
        with pytest.raises(Rejected):
            shop.publish([made for name in "abc" for made in shop.film(name=f"match_{name}", content="mine")])
        assert [name for name in shop.names() if name.startswith("match_a")] == []
        assert shop.read("match_b.mp4") == "theirs"
        assert json.loads(shop.read("match_c.json"))["content"] == "former"

    @pytest.mark.parametrize("suffix", ["mp4", "jpg", "json"])
    def test_a_file_that_somebody_puts_there_is_moved_aside_and_that_is_said(
        self, shop: Shop, while_synced: Arrange, suffix: str
    ) -> None:
        film = shop.film()
        synced = "match_goal.mp4" if suffix == "mp4" else f"match_goal.mp4.{suffix}"
        while_synced(synced, lambda: (shop.shown / f"match_goal.{suffix}").write_text("a person's own"))
        outputs, kept = shop.publish(film)
        assert shop.read(f"match_goal.{ASIDE}.{suffix}") == "a person's own"
        assert kept == (
            f"data/prept/03_CLIPPED/{FOLDER}/match_goal.{suffix} was there before "
            f"and is kept as match_goal.{ASIDE}.{suffix}",
        )
        assert intact(shop.layout, shop.receipt(outputs))
        assert shop.read("match_goal.mp4") == "film"

    def test_a_run_that_is_repeated_replaces_what_a_killed_one_had_placed(
        self, shop: Shop, while_synced: Arrange
    ) -> None:
        def killed() -> None:
            raise KeyboardInterrupt

        film = shop.film(content="first")
        while_synced("match_goal.mp4", killed)
        with pytest.raises(KeyboardInterrupt):
            shop.publish(film)
        assert shop.names() == ["match_goal.json"]
        _, kept = shop.publish(shop.film(content="second"))
        assert kept == ()
        assert json.loads(shop.read("match_goal.json"))["content"] == "second"
        assert shop.names() == ["match_goal.jpg", "match_goal.json", "match_goal.mp4"]


class TestIntact:
    def test_outputs_that_stand_with_their_sizes_are_intact(self, shop: Shop) -> None:
        outputs, _ = shop.publish(shop.film())
        assert intact(shop.layout, shop.receipt(outputs))

    @pytest.mark.parametrize("name", ["match_goal.mp4", "match_goal.jpg", "match_goal.json"])
    @pytest.mark.parametrize("damage", ["gone", "longer"])
    def test_a_missing_or_changed_one_is_not(self, shop: Shop, name: str, damage: str) -> None:
        outputs, _ = shop.publish(shop.film())
        if damage == "gone":
            (shop.shown / name).unlink()
        else:
            (shop.shown / name).write_text("something else, and longer than what was there before it")
        assert not intact(shop.layout, shop.receipt(outputs))


class TestWithdraw:
    def test_outputs_that_no_longer_apply_go(self, shop: Shop) -> None:
        former, _ = shop.publish(shop.film(name="match_goal"))
        present, _ = shop.publish(shop.film(name="match_winner"))
        gone = withdraw(shop.layout, [shop.receipt(former)], present)
        assert gone == [output.path for output in former]
        assert shop.names() == ["match_winner.jpg", "match_winner.json", "match_winner.mp4"]

    def test_outputs_that_were_made_again_stay(self, shop: Shop) -> None:
        former, _ = shop.publish(shop.film(content="same size"))
        present, _ = shop.publish(shop.film(content="size same"))
        assert withdraw(shop.layout, [shop.receipt(former), shop.receipt(present)], present) == []
        assert shop.read("match_goal.mp4") == "size same"

    @pytest.mark.parametrize("own", ["a person's own", "FILM"], ids=["other size", "same size"])
    def test_a_file_that_somebody_put_in_its_place_stays(self, shop: Shop, own: str) -> None:
        former, _ = shop.publish(shop.film(name="match_goal"))
        (shop.shown / "match_goal.mp4").write_text(own)
        present, _ = shop.publish(shop.film(name="match_winner"))
        withdraw(shop.layout, [shop.receipt(former)], present)
        assert shop.read("match_goal.mp4") == own

    def test_a_file_that_another_clip_owns_by_now_stays(self, shop: Shop) -> None:
        former, _ = shop.publish(shop.film(name="match_goal"))
        (shop.shown / "match_goal.json").write_text('{"job": "other"}')
        present, _ = shop.publish(shop.film(name="match_winner"))
        assert withdraw(shop.layout, [shop.receipt(former)], present) == []
        assert "match_goal.mp4" in shop.names()

    def test_what_is_gone_already_is_no_trouble(self, shop: Shop) -> None:
        former, _ = shop.publish(shop.film())
        for path in shop.shown.iterdir():
            path.unlink()
        assert withdraw(shop.layout, [shop.receipt(former)] * 2, ()) == []

    def test_nothing_is_withdrawn_where_there_was_nothing(self, shop: Shop) -> None:
        present, _ = shop.publish(shop.film())
        assert withdraw(shop.layout, [], present) == []

    @pytest.mark.parametrize("path", ["precious", "../precious", "data/prept/03_CLIPPED/../../../precious", "/tmp/x"])
    def test_a_forged_receipt_removes_nothing_outside_the_outputs(self, shop: Shop, tmp_path: Path, path: str) -> None:
        root = tmp_path / "deeper"
        forged = Shop(root)
        for place in (tmp_path / "precious", root / "precious"):
            place.write_text("kept")
        digest = hashlib.sha256(b"kept").hexdigest()
        receipt = forged.receipt([Output(path, 4, digest, "video")])
        assert withdraw(forged.layout, [receipt], ()) == []
        assert (tmp_path / "precious").exists()
        assert (root / "precious").exists()

    def test_a_link_is_not_followed(self, shop: Shop, tmp_path: Path) -> None:
        former, _ = shop.publish(shop.film())
        path = shop.shown / "match_goal.mp4"
        path.rename(tmp_path / "precious")
        path.symlink_to(tmp_path / "precious")
        link = replace(former[0], size=path.lstat().st_size)
        assert withdraw(shop.layout, [shop.receipt([link])], ()) == []
        assert path.is_symlink()


def test_the_sheet_lies_beside_its_output() -> None:
    assert sheet_path(Path("a/match_v1.2.mp4")) == Path("a/match_v1.2.json")
