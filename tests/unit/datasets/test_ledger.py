"""The ledger and its register: torn lines, two runs, and what counts of several records."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from clipd.datasets.ledger import HEADER, Ledger, records
from clipd.datasets.record import Begun, Failure, Lost, Record
from clipd.datasets.register import Register, Sums
from clipd.errors import Rejected

OK = Record("id:a", "f1", 2, "a", "a.mp4", {"n": [1, None]}, ("rows/a/x.npy",), ("odd",), None, 0.25)
BAD = Record("id:b", "f1", 3, "b", "b.mp4", failure=Failure("function", "ValueError: \u2028no", "x.py:1 in f"))


def test_what_was_appended_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "ledger.jsonl"
    with Ledger(path) as ledger:
        first = ledger.append([OK, BAD])
    with Ledger(path) as ledger:
        second = ledger.append([replace(OK, result=None)])
    assert list(records(path)) == [
        (first[0], OK),
        (first[1], BAD),
        (second[0], replace(OK, result=None)),
    ]


def test_a_ledger_torn_at_any_byte_keeps_every_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        offsets = [*ledger.append([OK]), *ledger.append([BAD])]
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with Ledger(path) as ledger:
            ledger.append([OK])
        kept = [
            record for offset, record in zip([*offsets[1:], len(whole)], [OK, BAD], strict=True) if offset <= length
        ]
        assert [record for _, record in records(path)] == [*kept, OK], length


def test_blocks_that_a_power_cut_left_empty_are_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(HEADER + b"\0" * 5000 + b"\n" + OK.line_of_ledger() + b'{"key": 7}\n')
    assert [record for _, record in records(path)] == [OK]


@pytest.mark.parametrize("content", [b"id,video\n", b'{"clipd":"ledger","version":2}\n'])
def test_another_file_is_no_ledger_and_stays_as_it_is(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ledger.jsonl"
    path.write_bytes(content)
    with pytest.raises(Rejected, match="no ledger"):
        Ledger(path)
    assert path.read_bytes() == content


def test_one_run_at_a_time_and_a_dead_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = "import sys, time; from clipd.datasets.ledger import Ledger; from pathlib import Path;"
    code += "held = Ledger(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline()
        with pytest.raises(Rejected, match="another run"):
            Ledger(path)
        other.kill()
        other.wait()
        Ledger(path).__exit__(None, None, None)


def test_the_last_record_of_a_row_counts(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append([OK, BAD, replace(OK, fingerprint="f2", failure=Failure("media", "broken"))])
    with Register() as register:
        register.load(path)
        done = register.done("id:a")
        assert done is not None
        assert (done.fingerprint, done.is_ok) == ("f2", False)
        assert register.current("id:a") is None
        assert register.sums() == Sums(0, 0, 0, 0.0)
        register.confirm("id:a", 7)
        register.confirm("id:a", 7)
        assert register.sums() == Sums(0, 1, 1, 0.25)
        assert [(line, record.failure) for line, record in register.failures(5)] == [(7, Failure("media", "broken"))]


def test_a_new_record_takes_the_place_of_a_confirmed_one(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger, Register() as register:
        ledger.append([BAD])
        register.load(path)
        register.confirm("id:b", 3)
        (offset,) = ledger.append([replace(BAD, failure=None, seconds=2.0)])
        register.add(path, offset, replace(BAD, failure=None, seconds=2.0))
        assert register.sums() == Sums(1, 0, 0, 2.0)
        assert register.current("id:b") == replace(BAD, failure=None, seconds=2.0)


def test_rows_that_took_their_process_down_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    with Ledger(path) as ledger:
        ledger.append([Begun("id:a", "f1"), Lost("id:a", "f1"), Begun("id:a", "f1"), Lost("id:a", "f1")])
        ledger.append([Lost("id:b", "f0"), Begun("id:b", "f1")])
        ledger.append([Begun("id:c", "f1"), Lost("id:c", "f1"), replace(OK, key="id:c")])
    with Register() as register:
        register.load(path)
        assert [register.times_lost(key, "f1") for key in ("id:a", "id:b", "id:c", "id:d")] == [2, 0, None, None]
