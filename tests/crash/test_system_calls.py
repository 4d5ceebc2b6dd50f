"""System calls that kill or fail: wherever the kernel ends a worker, or a disk refuses to sync, nothing is lost.

`CLIPD_TEST_CALLS` sets how many places of the sweep are tried; 0 is all of them.
"""

from __future__ import annotations

import os
import re
import signal
from collections import Counter
from pathlib import Path

import pytest

from tests.crash import oracle
from tests.crash.child import attempt, clip, swept
from tests.crash.traced import Call, attempt_traced, require_strace
from tests.e2e.tree import Tree
from tests.footage import make

PLACES = int(os.environ.get("CLIPD_TEST_CALLS", "10"))
CHANGING = (
    "openat,write,pwrite64,ftruncate,fsync,fdatasync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,"
    "mkdir,mkdirat,rmdir,fchmod,fchown,utimensat,fcntl"
)
SYNCS = "fsync,fdatasync"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require_strace()
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=12, size=(64, 48))


def tree_at(folder: Path, film: Path) -> tuple[Tree, Path]:
    tree = Tree.at(folder, {"clips": {"formats": ["h264"]}, "retry": {"first_wait_seconds": 0.01}})
    tree.add_source(film, "match.mp4")
    return tree, tree.write_sidecar([clip("goal", 2, 8)])


def places(calls: tuple[Call, ...]) -> list[tuple[str, int]]:
    """`PLACES` of these calls, spread evenly: the name of each, and which call of that name it is."""
    seen: Counter[str] = Counter()
    every = []
    for call in calls:
        seen[call.name] += 1
        every.append((call.name, seen[call.name]))
    step = max(1, len(every) // PLACES) if PLACES else 1
    return every[step // 2 :: step]


def test_a_kill_at_any_system_call_is_recovered_from(tmp_path: Path, film: Path) -> None:
    tree, sidecar = tree_at(tmp_path / "whole", film)
    whole = attempt_traced(tree.layout, sidecar, tmp_path / "whole.txt", CHANGING)
    assert whole.code == 0
    # strace counts for each thread by itself; the one that works makes most of the calls.
    ((worker, count),) = Counter(call.process for call in whole.calls).most_common(1)
    assert count > 100
    for name, at in places(tuple(call for call in whole.calls if call.process == worker)):
        tree, sidecar = tree_at(tmp_path / f"{name}-{at}", film)
        killed = attempt_traced(
            tree.layout, sidecar, tmp_path / f"{name}-{at}.txt", name, f"{name}:signal=SIGKILL:when={at}"
        )
        # A thread may make a call more or less than before, so that the last ones of a name may not come.
        assert killed.code in (-signal.SIGKILL, 0)
        (goal,) = oracle.load(sidecar)
        assert goal["note"] == "mine"
        if goal["status"] == "Process":
            code, _ = attempt(tree.layout, sidecar)
            assert code == 0, f"killed at {name} {at}, the next attempt did not complete"
        assert oracle.load(sidecar)[0]["status"] == "Complete", f"killed at {name} {at}"
        assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] in ([1], [1, 2])
        assert oracle.violations(swept(tree.layout)) == [], f"killed at {name} {at}"


def test_a_failed_sync_is_never_tried_again_on_the_same_file(tmp_path: Path, film: Path) -> None:
    tree, sidecar = tree_at(tmp_path / "whole", film)
    whole = attempt_traced(tree.layout, sidecar, tmp_path / "whole.txt", SYNCS)
    assert whole.code == 0
    assert len(whole.calls) > 8
    for at in range(1, len(whole.calls) + 1):
        tree, sidecar = tree_at(tmp_path / f"failed-{at}", film)
        failed = attempt_traced(
            tree.layout, sidecar, tmp_path / f"{at}.txt", f"{SYNCS},unlink,unlinkat", f"{SYNCS}:error=EIO:when={at}"
        )
        (bad,) = [number for number, call in enumerate(failed.calls) if call.injected]
        file = synced_file(failed.calls[bad].words)
        later = failed.calls[bad + 1 :]
        if not Path(file).is_dir():
            assert not Path(file).exists(), f"{file} could not be synced, and was kept"
            assert file not in [synced_file(call.words) for call in later if "sync" in call.name]
        (goal,) = oracle.load(sidecar)
        if goal["status"] == "Process":
            assert attempt(tree.layout, sidecar)[0] == 0, f"sync {at} of {file} failed, and so did the next attempt"
        assert oracle.load(sidecar)[0]["status"] == "Complete"
        assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] == [1], f"sync {at} of {file} failed"
        assert oracle.violations(swept(tree.layout)) == [], f"sync {at} of {file} failed"


def synced_file(words: str) -> str:
    """The path that a traced fsync is about."""
    found = re.match(r"\d+<(.*?)>", words)
    assert found is not None, words
    return found[1].removesuffix("(deleted)")
