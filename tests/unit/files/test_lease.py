"""Leases: one holder, taken over when the holder is dead or silent, and a lost claim is noticed."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

import pytest
from filelock import SoftFileLease

from clipd.errors import ClaimLost, Deferred
from clipd.files.lease import (
    LONGEST_LEASE_SECONDS,
    Claim,
    Settings,
    Taken,
    claimed,
    heartbeat,
    holder,
    seems_held,
    silence_seconds,
)

SHORT = Settings(lease_seconds=1.0, heartbeat_seconds=0.05)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "claims" / "job.lock"


def foreign_claim(path: Path, *, host: str = "elsewhere", pid: int = 7, lease_seconds: float = 1.0) -> None:
    """The claim of another machine that gives no heartbeat any more."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"filelock/2\npid={pid}\nhost={host}\nmode=lease\ntoken=abc\nduration={lease_seconds}\n")


def dead_process() -> int:
    """The id of a process that has ended."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid


def lose(claim: Claim) -> None:
    """Look at the claim until its loss is noticed."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        claim.check()
        time.sleep(0.02)


def test_a_claim_is_held_while_the_block_runs_and_gone_afterwards(place: Path) -> None:
    assert not seems_held(place)
    assert holder(place) is None
    assert heartbeat(place) is None
    with claimed(place, SHORT) as claim:
        claim.check()
        assert claim.held
        assert claim.token
        assert seems_held(place)
        assert holder(place) == f"{socket.gethostname()}, process {os.getpid()}"
        assert heartbeat(place) is not None
    assert not place.exists()


def test_every_claim_has_a_token_of_its_own(place: Path) -> None:
    with claimed(place, SHORT) as one:
        pass
    with claimed(place, SHORT) as other:
        assert other.token != one.token


def test_a_claim_goes_when_the_block_fails(place: Path) -> None:
    with pytest.raises(ZeroDivisionError), claimed(place, SHORT):
        raise ZeroDivisionError
    assert not place.exists()


def test_a_claim_that_somebody_holds_is_taken_and_says_by_whom(place: Path) -> None:
    foreign_claim(place)
    with pytest.raises(Taken, match="elsewhere, process 7"), claimed(place, SHORT, wait_seconds=0.2):
        pass
    assert "elsewhere" in place.read_text()
    assert seems_held(place)


def test_a_claim_without_a_heartbeat_is_taken_over_after_the_lease_time_and_not_before(place: Path) -> None:
    foreign_claim(place)
    began = time.monotonic()
    with claimed(place, SHORT, wait_seconds=5.0) as claim:
        assert time.monotonic() - began >= SHORT.lease_seconds
        claim.check()
        assert holder(place) == f"{socket.gethostname()}, process {os.getpid()}"


def test_the_claim_of_a_killed_process_of_this_machine_is_taken_over_at_once(place: Path) -> None:
    hold = (
        "import sys, pathlib; from clipd.files.lease import *\n"
        "with claimed(pathlib.Path(sys.argv[1]), Settings(lease_seconds=600)): print('held', flush=True); input()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(place)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        assert seems_held(place)
        with pytest.raises(Taken), claimed(place, Settings(lease_seconds=600), wait_seconds=0.1):
            pass
        process.send_signal(signal.SIGKILL)
    assert place.exists()
    assert not seems_held(place)
    with claimed(place, Settings(lease_seconds=600)) as claim:
        claim.check()


class TestWhereTwoFilesCannotBeExchanged:
    """On NFS and SMB, where filelock by itself takes no claim over."""

    @pytest.fixture(autouse=True)
    def _no_exchange(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("filelock._soft.exchange_names", lambda *_: False)
        monkeypatch.setattr("filelock._util.exchange_names", lambda *_: False)

    def test_a_claim_without_a_heartbeat_is_taken_over(self, place: Path) -> None:
        foreign_claim(place)
        began = time.monotonic()
        with claimed(place, SHORT, wait_seconds=1.2) as claim:
            assert time.monotonic() - began >= SHORT.lease_seconds
            claim.check()
            assert "elsewhere" not in place.read_text()
        assert list(place.parent.iterdir()) == []

    def test_a_claim_that_was_not_watched_for_the_lease_time_is_left_alone(self, place: Path) -> None:
        foreign_claim(place)
        with pytest.raises(Taken), claimed(place, SHORT, wait_seconds=0.2):
            pass
        assert "elsewhere" in place.read_text()

    def test_a_claim_with_a_heartbeat_is_left_alone(self, place: Path) -> None:
        foreign_claim(place)
        beating = threading.Timer(0.6, lambda: os.utime(place))
        beating.start()
        with pytest.raises(Taken), claimed(place, SHORT, wait_seconds=1.2):
            pass
        beating.join()
        assert "elsewhere" in place.read_text()

    def test_the_claim_of_a_dead_process_of_this_machine_is_taken_over_at_once(self, place: Path) -> None:
        with claimed(place, SHORT):
            owner = SoftFileLease(place).owner
        assert owner is not None
        foreign_claim(place, host=owner.hostname, pid=dead_process(), lease_seconds=600)
        with claimed(place, Settings(lease_seconds=600)) as claim:
            claim.check()

    def test_of_many_that_take_one_over_one_has_it(self, place: Path) -> None:
        foreign_claim(place, host=socket.gethostname(), pid=dead_process())
        gate, held = threading.Barrier(8), []

        def contend() -> None:
            gate.wait()
            with suppress(Taken), claimed(place, SHORT) as claim:
                time.sleep(1.0)  # longer than anybody waits, and long enough to notice a loss
                held.append(claim.held)

        threads = [threading.Thread(target=contend) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert held.count(True) == 1


def test_a_dead_process_is_known_by_the_name_that_this_machine_signs_with(place: Path) -> None:
    with claimed(place, SHORT):
        owner = SoftFileLease(place).owner
    assert owner is not None
    foreign_claim(place, host=owner.hostname, pid=dead_process())
    assert not seems_held(place)
    foreign_claim(place, host=owner.hostname, pid=os.getpid())
    assert seems_held(place)


def test_a_process_of_another_container_on_this_machine_cannot_be_called_dead(place: Path) -> None:
    foreign_claim(place, host=f"{socket.gethostname()}?pidns-f0000099", pid=dead_process())
    assert seems_held(place)
    assert str(holder(place)).startswith(f"{socket.gethostname()}, process ")


def test_machines_that_disagree_on_the_lease_time_wait_and_say_so(place: Path) -> None:
    foreign_claim(place, lease_seconds=99.0)
    with pytest.raises(Deferred, match="claims.lease_seconds"), claimed(place, SHORT):
        pass


@pytest.mark.parametrize(("theirs", "silence"), [(0.5, 1.0), (2.0, 2.0)])
def test_where_machines_disagree_a_silent_claim_is_taken_over_after_the_longer_lease(
    place: Path, theirs: float, silence: float
) -> None:
    foreign_claim(place, lease_seconds=theirs)
    assert silence_seconds(place, SHORT) == silence
    began = time.monotonic()
    with claimed(place, SHORT, wait_seconds=1.5) as claim:
        assert time.monotonic() - began >= silence
        claim.check()
        assert holder(place) == f"{socket.gethostname()}, process {os.getpid()}"
    assert list(place.parent.iterdir()) == []


def test_where_machines_disagree_a_claim_with_a_heartbeat_is_left_alone(place: Path) -> None:
    foreign_claim(place, lease_seconds=1.5)
    beating = threading.Timer(0.5, lambda: os.utime(place))
    beating.start()
    with pytest.raises(Taken, match="elsewhere"), claimed(place, SHORT, wait_seconds=1.5):
        pass
    beating.join()


def test_where_machines_disagree_a_claim_that_is_let_go_is_had(place: Path) -> None:
    foreign_claim(place, lease_seconds=60.0)
    letting_go = threading.Timer(0.3, place.unlink)
    letting_go.start()
    with claimed(place, SHORT, wait_seconds=1.5) as claim:
        claim.check()
    letting_go.join()


def test_a_lease_without_measure_holds_nobody_up_for_ever(place: Path) -> None:
    foreign_claim(place, lease_seconds=1e12)
    assert silence_seconds(place, SHORT) == LONGEST_LEASE_SECONDS


def test_a_claim_that_was_removed_is_noticed(place: Path) -> None:
    with claimed(place, SHORT) as claim:
        place.unlink()
        with pytest.raises(ClaimLost, match=r"claim job\.lock was lost: marker-missing"):
            lose(claim)
        assert not claim.held


def test_a_claim_that_another_machine_took_is_noticed_and_left_to_it(place: Path) -> None:
    with claimed(place, SHORT) as claim:
        place.unlink()
        foreign_claim(place)
        with pytest.raises(ClaimLost, match="owner-changed"):
            lose(claim)
    assert "elsewhere" in place.read_text()


def test_a_heartbeat_changes_how_the_claim_looks(place: Path) -> None:
    with claimed(place, SHORT):
        first = heartbeat(place)
        deadline = time.monotonic() + 10
        while heartbeat(place) == first:
            assert time.monotonic() < deadline
            time.sleep(0.02)
    foreign_claim(place)
    assert heartbeat(place) == heartbeat(place) != first


def test_a_folder_that_cannot_be_made_is_no_crash(tmp_path: Path) -> None:
    (tmp_path / "claims").write_text("in the way")
    with pytest.raises(Exception, match="making") as caught, claimed(tmp_path / "claims" / "job.lock", SHORT):
        pass
    assert type(caught.value).__module__ == "clipd.errors"


def test_a_release_that_the_share_refuses_does_not_undo_the_work(place: Path) -> None:
    with claimed(place, SHORT):
        place.unlink()
        place.parent.rmdir()
        place.parent.write_text("not a folder any more")
