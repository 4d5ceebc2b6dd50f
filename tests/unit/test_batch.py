"""Datasets by hand: what a run leaves, what a second one does, and what people and notebooks may throw at it."""

from __future__ import annotations

import csv
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clipd.batch import BatchVideoProcessor, Standing
from clipd.cli.app import main
from clipd.datasets.loader import VideoLoader
from clipd.datasets.results import Results
from clipd.errors import ConfigError, Deferred, Rejected
from tests.footage import make
from tests.unit.worker.test_pool import until_there

ROOT = str(Path(__file__).parents[2])


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A table of eight rows, some of them bad."""
    make(tmp_path / "film.mp4", count=12)
    make(tmp_path / "other.mp4", count=20)
    (tmp_path / "broken.mp4").write_bytes(b"\0\0\0\x18ftypmp42" + b"x" * 3000)
    (tmp_path / "folder.mp4").mkdir()
    write(
        tmp_path,
        ["a", "film.mp4", ""],
        ["b", "other.mp4", ""],
        ["../c", "film.mp4", "4"],
        ["d", "none.mp4", ""],
        ["e", "broken.mp4", ""],
        ["a", "film.mp4", ""],
        ["g", "folder.mp4", ""],
        ["h", "film.mp4", "soon"],
    )
    return tmp_path


def write(folder: Path, *rows: list[str]) -> None:
    with (folder / "videos.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["id", "video", "start_frame"], *rows])


def process(folder: Path, function: Any, **more: Any) -> dict[str, Any]:
    named = {key: more.pop(key) for key in ("timeout", "checkpoint_path", "num_workers") if key in more}
    processor = BatchVideoProcessor({"cache": str(folder / "cache")}, **{"num_workers": 1} | named)
    return processor.process_dataset(folder / "videos.csv", "video", function, "id", folder / "out", **more)


def kinds(done: dict[str, Any]) -> list[Any]:
    return [row["result"] if row["status"] == "ok" else row["error"]["kind"] for row in done["results"]]


def bytes_of(output: Path) -> dict[str, bytes]:
    """Everything in an output folder that must not depend on how it came about."""
    files = [path for path in output.rglob("*") if path.is_file()]
    kept = {path.relative_to(output).as_posix(): path.read_bytes() for path in files}
    return {
        name: data for name, data in kept.items() if name not in ("processing_stats.json", "processing_ledger.jsonl")
    }


def frames(video: VideoLoader) -> int:
    return video.total_frames


def test_every_row_is_a_result_or_a_failure_with_its_line(folder: Path) -> None:
    done = process(folder, frames)
    assert kinds(done) == [12, 20, 8, "missing", "media", "duplicate", "rejected", "row"]
    assert [row["line"] for row in done["results"]] == list(range(2, 10))
    assert "line 2 already, and again on line 7" in done["results"][5]["error"]["message"]
    stats = done["stats"]
    assert stats == json.loads((folder / "out" / "processing_stats.json").read_text())
    assert (stats["total_videos"], stats["processed"], stats["failed"], stats["skipped"]) == (8, 3, 5, 0)
    assert [error["line"] for error in stats["errors"]] == [5, 6, 7, 8, 9]
    assert stats["success_rate"] == 0.375
    assert list(done["results"]) == json.loads((folder / "out" / "processing_results.json").read_text())


def test_files_of_rows_stand_in_folders_of_their_own(folder: Path) -> None:
    def pictures(video: VideoLoader, row: dict[str, Any], output_dir: Path) -> dict[str, Any]:
        (output_dir / "note.txt").write_text(row["id"])
        return {"frames": video.sample_uniform(2), "note": output_dir / "note.txt"}

    done = process(folder, pictures)
    hostile = done["results"][2]
    assert hostile["id"] == "../c"
    assert hostile["files"] == [hostile["result"]["frames"]["path"], hostile["result"]["note"]]
    for row in list(done["results"])[:3]:
        for name in row["files"]:
            path = folder / "out" / name
            assert path.resolve().is_relative_to(folder / "out" / "rows")
        array = np.load(folder / "out" / row["result"]["frames"]["path"])
        assert list(array.shape) == row["result"]["frames"]["shape"] == [2, 64, 96, 3]
    assert sorted(path.name for path in (folder / "out").iterdir()) == [
        "processing_ledger.jsonl",
        "processing_results.json",
        "processing_stats.json",
        "rows",
    ]


def test_a_second_run_does_nothing_again_and_leaves_the_same_bytes(folder: Path) -> None:
    process(folder, frames)
    before = bytes_of(folder / "out")
    ledger = (folder / "out" / "processing_ledger.jsonl").read_bytes()
    stats = process(folder, frames)["stats"]
    assert (stats["processed"], stats["failed"], stats["resumed"]) == (3, 5, 8)
    assert bytes_of(folder / "out") == before
    assert (folder / "out" / "processing_ledger.jsonl").read_bytes() == ledger


def test_what_changed_runs_again_and_nothing_else(folder: Path) -> None:
    note = folder / "runs.txt"

    def noted(video: VideoLoader, row_id: str, path: str) -> int:
        with Path(path).open("a") as file:
            file.write(f"{row_id} ")
        return video.total_frames

    def run(*rows: list[str]) -> tuple[str, list[Any]]:
        note.write_text("")
        write(folder, *rows)
        done = process(folder, noted, arguments={"path": str(note)})
        return " ".join(sorted(note.read_text().split())), kinds(done)

    rows = [["a", "film.mp4", ""], ["b", "other.mp4", ""], ["c", "late.mp4", ""]]
    assert run(*rows) == ("a b", [12, 20, "missing"])
    assert run(*rows) == ("", [12, 20, "missing"])
    # A row's values, its place in the table, a source that is new or another one.
    rows[0][2] = "5"
    assert run(*rows) == ("a", [7, 20, "missing"])
    assert run(*reversed(rows)) == ("", ["missing", 20, 7])
    make(folder / "late.mp4", count=3)
    assert run(*rows) == ("c", [7, 20, 3])
    make(folder / "other.mp4", count=6)
    assert run(*rows) == ("b", [7, 6, 3])
    assert run(*rows[1:]) == ("", [6, 3])


def test_another_function_or_argument_runs_everything_again(folder: Path) -> None:
    def first(video: VideoLoader, add: int = 0) -> int:
        return video.total_frames + add

    assert kinds(process(folder, first))[:2] == [12, 20]
    assert kinds(process(folder, first, arguments={"add": 1}))[:2] == [13, 21]
    assert kinds(process(folder, lambda video: -video.total_frames))[:2] == [-12, -20]


def test_failed_rows_are_tried_again_when_asked_for_and_just_those(folder: Path) -> None:
    gate = folder / "gate"

    def gated(video: VideoLoader, row_id: str, gate: str) -> int:
        if row_id == "b" and not Path(gate).exists():
            raise RuntimeError("not yet")
        return video.total_frames

    arguments = {"gate": str(gate)}
    assert kinds(process(folder, gated, arguments=arguments))[:2] == [12, "function"]
    gate.touch()
    assert kinds(process(folder, gated, arguments=arguments))[:2] == [12, "function"]
    with (folder / "videos.csv").open("a") as table:
        table.write("new,film.mp4,\n")
    done = process(folder, gated, arguments=arguments, retry_failed=True)
    assert kinds(done)[:2] == [12, 20]
    assert (done["stats"]["skipped"], len(done["results"])) == (1, 8)


def test_whatever_a_function_does_is_one_failure(folder: Path) -> None:
    def bad(video: VideoLoader, row_id: str) -> Any:
        if row_id == "a":
            ctypes.string_at(0)
        if row_id == "b":
            time.sleep(60)
        if row_id == "../c":
            return {"x": object()}
        raise ValueError(row_id)

    done = process(folder, bad, timeout=1.0)
    assert kinds(done)[:3] == ["crash", "timeout", "media"]
    messages = [row["error"]["message"] for row in done["results"]]
    assert messages[0] == "its process was killed by SIGSEGV"
    assert messages[1] == "it took longer than 1 s"
    assert "a object at result.x" in messages[2]


def test_saving_now_and_then_costs_no_more_than_thrice_the_rows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(folder, *([f"r{number}", "none.mp4", ""] for number in range(3000)))
    saved: list[int] = []
    standings: list[Standing] = []
    import clipd.batch

    monkeypatch.setattr(clipd.batch, "AT_ONCE", 10)
    real = clipd.batch.save_results

    def counted(*arguments: Any) -> None:
        real(*arguments)
        saved.append(len(Results(folder / "out" / "processing_results.json")))

    monkeypatch.setattr(clipd.batch, "save_results", counted)
    write(folder, *([f"r{number}", "", ""] for number in range(3000)))
    process(folder, frames, save_interval=10, progress=standings.append)
    assert saved[0] == 10
    assert saved[-1] == 3000
    assert sum(saved) <= 4 * 3000
    assert standings[-1] == Standing(3000, 0, 3000, 0)


def test_a_full_disk_stops_the_run_and_is_no_failure(folder: Path) -> None:
    processor = BatchVideoProcessor({"space": {"reserve": "1000000 TiB"}}, 1)
    with pytest.raises(Deferred, match="disk full"):
        processor.process_dataset(folder / "videos.csv", "video", frames, "id", folder / "out")
    assert kinds(process(folder, frames))[:3] == [12, 20, 8]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("none.csv", "video", frames), "none.csv"),
        (("videos.csv", "path", frames), "no column 'path'"),
        (("videos.csv", "video", frames, "name"), "no column 'name'"),
        (("videos.csv", "video", "extract"), "no function 'extract'"),
        (("videos.csv", "video", lambda a, b, c, d: 1), "wants 'd'"),
    ],
)
def test_what_is_wrong_with_the_whole_is_said_before_any_work(folder: Path, arguments: Any, words: str) -> None:
    with pytest.raises((Rejected, Exception), match=words):
        BatchVideoProcessor().process_dataset(folder / arguments[0], *arguments[1:], output_dir=folder / "out")
    assert not (folder / "out").exists()
    with pytest.raises(ConfigError, match="workers = 0"):
        BatchVideoProcessor(num_workers=0)


def test_one_run_at_a_time_works_on_an_output_folder(folder: Path) -> None:
    from clipd.datasets.ledger import Ledger

    with Ledger(folder / "elsewhere" / "rows.jsonl"), pytest.raises(Rejected, match="another run"):
        process(folder, frames, checkpoint_path=folder / "elsewhere" / "rows.jsonl")


def test_rows_without_ids_and_json_lines_do_as_well(folder: Path) -> None:
    lines = [{"video": "film.mp4"}, {"video": "film.mp4", "start": 0.2}, {"video": "film.mp4"}]
    (folder / "videos.jsonl").write_text("\n".join(map(json.dumps, lines)))
    processor = BatchVideoProcessor(num_workers=1)
    done = processor.process_dataset(folder / "videos.jsonl", "video", frames)
    assert kinds(done) == [12, 7, "duplicate"]
    assert done["results"].path == folder / "videos_outputs" / "processing_results.json"
    assert processor.stats.processed == 2


SCRIPT = """
import json, sys
from clipd.batch import BatchVideoProcessor

SCALE = 10

class Model:
    def score(self, video):
        return SCALE * video.total_frames

model = Model()

def score(video):
    return {"score": model.score(video)}

done = BatchVideoProcessor(num_workers=1).process_dataset(sys.argv[1], "video", score, "id", sys.argv[2])
print(json.dumps([row.get("result") for row in done["results"]]))
"""


@pytest.mark.parametrize("how", ["script", "cells"])
def test_functions_of_a_script_or_a_notebook_are_run(folder: Path, how: str) -> None:
    # Without `if __name__ == "__main__"`; as in a notebook, where no file holds them at all.
    (folder / "script.py").write_text(SCRIPT)
    code = {"script": [str(folder / "script.py")], "cells": ["-c", SCRIPT]}[how]
    command = [sys.executable, *code, str(folder / "videos.csv"), str(folder / "out")]
    for _ in range(2 if how == "script" else 1):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)[:3] == [{"score": 120}, {"score": 200}, {"score": 80}]
    lines = (folder / "out" / "processing_ledger.jsonl").read_text().splitlines()
    assert len(lines) == 1 + 8


@dataclass
class Said:
    """How the command ended, and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def clipd(folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Runs `clipd batch videos.csv` in the folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    monkeypatch.setattr(sys, "path", [*sys.path])

    def run(*arguments: str) -> Said:
        command = ["clipd", "batch", "videos.csv", "--video-col", "video", "--workers", "1", *arguments]
        monkeypatch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            main()
        printed = capsys.readouterr()
        return Said(int(ended.value.code or 0), printed.out, printed.err)

    return run


def test_the_command_says_what_became_of_the_rows(folder: Path, clipd: Command) -> None:
    arguments = ["--id-col", "id", "--process", "extract_keyframes", "--set", "num_frames=2", "-o", "out"]
    done = clipd(*arguments)
    assert done.code == 1, done.err
    assert "line 5 (d): none.mp4 is not there" in done.out
    assert "8 rows: 3 processed, 5 failed" in done.out
    assert "--retry-failed" in done.out
    assert len(list((folder / "out" / "rows").rglob("*.jpg"))) == 6
    write(folder, ["a", "film.mp4", ""], ["b", "other.mp4", ""])
    done = clipd(*arguments)
    assert done.code == 0
    assert "2 rows: 2 processed, 0 failed (2 of them by earlier runs)" in done.out


def test_the_command_runs_a_function_of_the_folder(folder: Path, clipd: Command) -> None:
    (folder / "mine.py").write_text("def count(video, add): return video.total_frames + add\n")
    write(folder, ["a", "film.mp4", ""])
    done = clipd("--process", "mine:count", "--set", "add=5", "-o", "out")
    assert done.code == 0, done.err
    assert Results(folder / "out" / "processing_results.json")[0]["result"] == 17


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--process", "metadata", "--set", "fast"], 2, "NAME=VALUE"),
        (["--process", "metadata", "--set", "fast=1"], 1, "no setting 'fast'"),
        (["--process", "nothing"], 1, "no function 'nothing'"),
        (["--process", "metadata", "--workers", "0"], 2, "workers = 0"),
    ],
)
def test_the_command_refuses_with_words(clipd: Command, arguments: list[str], code: int, words: str) -> None:
    done = clipd(*arguments, "-o", "out")
    assert done.code == code
    assert words in done.err


def test_a_table_that_changes_meanwhile_ends_the_run_and_what_is_done_is_kept(folder: Path) -> None:
    table = folder / "videos.csv"

    def changing(row_id: str, table: str) -> str:
        if row_id == "b" and len(Path(table).read_text()) < 1000:
            Path(table).write_text("id,video,start_frame\n" + "\n" * 1000 + "a,film.mp4,\nb,other.mp4,\n")
        return row_id

    write(folder, ["a", "film.mp4", ""], ["b", "other.mp4", ""])
    with pytest.raises(Rejected, match="was changed while it was worked on"):
        process(folder, changing, arguments={"table": str(table)})
    done = process(folder, changing, arguments={"table": str(table)})
    assert (kinds(done), done["stats"]["resumed"]) == (["a", "b"], 2)
    assert [row["line"] for row in done["results"]] == [1002, 1003]


def test_ctrl_c_saves_and_says_how_to_go_on(folder: Path) -> None:
    (folder / "mine.py").write_text(
        "import pathlib, time\n"
        "def slow(row, row_id):\n"
        "    if row_id == 'b' and not pathlib.Path('go').exists():\n"
        "        pathlib.Path('here').write_text('x')\n"
        "        time.sleep(60)\n"
        "    return row_id\n"
    )
    write(folder, ["a", "film.mp4", ""], ["b", "film.mp4", ""], ["c", "film.mp4", ""])
    command = [sys.executable, "-m", "clipd", "batch", "videos.csv", "--video-col", "video", "--id-col", "id"]
    command += ["--workers", "1", "--process", "mine:slow", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": ROOT}
    with subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.PIPE, text=True) as run:
        until_there(folder / "here")
        run.send_signal(signal.SIGINT)
        said = run.communicate(timeout=30)[0]
    assert run.returncode == 130
    assert "the same command goes on" in said
    assert [row["id"] for row in Results(folder / "out" / "processing_results.json")] == ["a"]
    (folder / "go").touch()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "3 rows: 3 processed, 0 failed (1 of them by earlier runs)" in done.stdout
