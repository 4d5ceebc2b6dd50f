"""Any edits, kills and attempts, in any order that hypothesis thinks of: the oracle holds after each, and in the end
everything is done.

The lifecycle is the real one, in a forked child that may die before its n-th change on disk, with a clock of its own
and a kind of job that only writes down what it was asked for. `CLIPD_TEST_EXAMPLES` sets how many orders are tried.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from clipd.config import load
from clipd.daemon import Daemon
from clipd.errors import Deferred, MediaError, Rejected
from clipd.intake.admit import admit
from clipd.jobs import KINDS
from clipd.jobs.context import Context
from clipd.jobs.kind import Prepared, Result
from clipd.lifecycle import process
from clipd.media.door import Limits
from clipd.model.artifact import Artifact
from clipd.model.clip import Clip
from clipd.model.job import Job
from clipd.tree.layout import Layout
from tests.crash import oracle
from tests.crash.child import KILLED, in_child, swept
from tests.e2e.tree import Tree, save
from tests.fake_clock import FakeClock

EXAMPLES = int(os.environ.get("CLIPD_TEST_EXAMPLES", "12"))
NAMES = ("one", "two", "three")
TROUBLES = ("media", "rejected", "deferred", "crash")
MANY_CHANGES = 70


class Scribe:
    """A kind of job whose output says what was asked for; `trouble` and `meanwhile` happen in the middle of a run."""

    def __init__(self) -> None:
        self.trouble: str | None = None
        self.meanwhile: Callable[[], None] | None = None

    def prepare(self, layout: Layout, job: Job, request: Clip, settings: Any) -> Prepared:
        source, _ = layout.find_source(request.source_path, layout.at(job.origin))
        if not source.exists():
            raise Deferred(f"waiting for its source: {source}")
        decides = {"span": str(request.span), "name": request.name}
        return Prepared(request, source, layout.relative(source), decides)

    def needed_bytes(self, prepared: Prepared, settings: Any, limits: Limits, cache: Path | None) -> int:
        return 0

    def run(self, prepared: Prepared, settings: Any, context: Context) -> Result:
        context.checkpoint("writing", 0, 2)
        if self.meanwhile is not None:
            self.meanwhile()
        match self.trouble:
            case "media":
                raise MediaError("it cannot be read")
            case "rejected":
                raise Rejected("that cannot be done")
            case "deferred":
                raise Deferred("no room")
            case "crash":
                raise ZeroDivisionError("a slip")
        content = json.dumps({**prepared.decides, "source": prepared.source.read_text()}).encode()
        name = f"{prepared.request.name}.mp4"
        (context.staging / name).write_bytes(content)
        context.checkpoint("writing", 2, 2)
        digest = hashlib.sha256(content).hexdigest()
        return Result((Artifact(name, "h264/cam1/s1", "video", "h264", len(content), digest, {}),), TRUTH)


TRUTH: Mapping[str, Any] = {"outputs": {}, "source": {}}


class AnyOrder(RuleBasedStateMachine):
    """One sidecar with three clips, and what people want of them."""

    older = Bundle("older")

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="clipd-any-order-"))
        self.tree = Tree.at(self.folder / "tree", {"retry": {"attempts": 3, "losses": 1000}})
        self.scribe, self.former = Scribe(), KINDS["clip"]
        KINDS["clip"] = self.scribe
        self.clock = FakeClock()
        place = Daemon(load(self.tree.root, self.tree.root / "clipd.yaml")).workplace
        quick = place.retry.model_copy(update={"source_patience_seconds": 0.0})
        self.place = replace(place, clock=self.clock, retry=quick, cache=None)
        self.source = self.tree.layout.source / "cam1/s1/match.mp4"
        self.source.parent.mkdir(parents=True)
        self.source.write_text("film 0")
        self.path = self.tree.write_sidecar(
            [
                {"id": name, "name": name, "source_path": "cam1/s1/match.mp4", "start_frame": number, "end_frame": 9,
                 "status": "Process", "export_path": None, "note": 0}
                for number, name in enumerate(NAMES)
            ]
        )  # fmt: skip
        self.notes = 0
        self.asks = dict.fromkeys(NAMES, 1)
        self.crashes = 0
        self.wanted: dict[str, set[str]] = {name: {"Process", "Complete", "Failed"} for name in NAMES}
        self.edits: dict[tuple[str, str, str], set[Any]] = {}

    @initialize(target=older)
    def begin(self) -> bytes:
        return self.path.read_bytes()

    # --- people ---

    @rule(name=st.sampled_from(NAMES))
    def note(self, name: str) -> None:
        self._edit(name)

    @rule(name=st.sampled_from(NAMES))
    def ask(self, name: str) -> None:
        self._edit(name, status="Process")
        self._asked(name)

    @rule(name=st.sampled_from(NAMES), first=st.integers(0, 3))
    def change(self, name: str, first: int) -> None:
        self._edit(name, status="Process", start_frame=first)
        self._asked(name)

    @rule(name=st.sampled_from(NAMES), word=st.sampled_from(["Draft", "Rejected", "archived"]))
    def put_aside(self, name: str, word: str) -> None:
        self._edit(name, status=word)
        self.wanted[name] = {word}

    @rule(target=older)
    def back_up(self) -> bytes:
        return self.path.read_bytes()

    @rule(data=older)
    def restore(self, data: bytes) -> None:
        save(self.path, data.decode())
        for clip in json.loads(data):
            self._set(clip["id"], clip["note"])
            due = clip["status"] == "Process"
            self.asks[clip["id"]] += due
            self.wanted[clip["id"]] = {"Process", "Complete", "Failed"} if due else {clip["status"]}

    @rule()
    def reorder(self) -> None:
        save(self.path, self.tree.clips(self.path)[::-1])

    @rule(number=st.integers(1, 3))
    def replace_source(self, number: int) -> None:
        self.source.write_text(f"film {number}")

    @rule()
    def lose_an_output(self) -> None:
        # Only of a clip that is not Complete: what people do to a Complete one is theirs.
        open_clips = {clip["name"] for clip in self.tree.clips(self.path) if clip["status"] == "Process"}
        for name in open_clips:
            (self.tree.layout.outputs / f"h264/cam1/s1/{name}.mp4").unlink(missing_ok=True)

    # --- work ---

    @rule(
        die_at=st.none() | st.integers(1, MANY_CHANGES),
        trouble=st.none() | st.sampled_from(TROUBLES),
        hours=st.integers(-30, 30),
        edited=st.none() | st.sampled_from(NAMES),
        status=st.sampled_from(["Process", "Draft"]),
    )
    def work(self, die_at: int | None, trouble: str | None, hours: int, edited: str | None, status: str) -> None:
        """One attempt at each due clip; in the middle of the first, a person edits a clip, perhaps that very one."""
        self.clock.set(self.clock.now() + timedelta(hours=hours))
        flag = self.folder / "edited"
        flag.unlink(missing_ok=True)

        def meanwhile() -> None:
            if edited is not None and not flag.exists():
                self._edit(edited, status=status)
                flag.touch()

        self.scribe.trouble, self.scribe.meanwhile = trouble, meanwhile
        died = self._attempts(die_at)
        self.crashes += died
        if flag.exists() and edited is not None:
            # What the child did to the file, the model has to be told of.
            self.notes += 1
            self._set(edited, self.notes)
            if status == "Draft":
                self.wanted[edited] = {"Draft"}
            else:
                self._asked(edited)

    # --- what holds ---

    @invariant()
    def nothing_is_lost_and_complete_means_proven(self) -> None:
        assert oracle.lost_edits(self.tree.layout, self.edits) == []
        for clip in self.tree.clips(self.path):
            assert clip["status"] in self.wanted[clip["id"]], clip
        # An output that was lost, or a restored word, makes no promise of ours: only clips we answered last count.
        assert [words for words in oracle.broken_promises(self.tree.layout) if not self._is_theirs(words)] == []

    def teardown(self) -> None:
        try:
            self.scribe.trouble = self.scribe.meanwhile = None
            for _ in range(6):
                self.clock.pass_(2000)
                self._attempts(None)
            left = [clip for clip in self.tree.clips(self.path) if clip["status"] == "Process"]
            assert left == [], "not done in the end"
            assert [words for words in oracle.violations(swept(self.tree.layout)) if not self._is_theirs(words)] == []
            made = [receipt.key.removeprefix("id:") for receipt in oracle.all_receipts(self.tree.layout)]
            assert sum(max(0, made.count(name) - self.asks[name]) for name in NAMES) <= self.crashes
        finally:
            KINDS["clip"] = self.former
            shutil.rmtree(self.folder)

    # --- how ---

    def _attempts(self, die_at: int | None) -> bool:
        """An attempt at each clip that is due, in a child; did it die?"""

        def run() -> int:
            for job in admit(self.tree.layout, self.path).jobs:
                process(job, self.place)
            return 0

        code, _ = in_child(run, die_at)
        assert code in (0, KILLED), "the child broke"
        return code == KILLED

    def _edit(self, name: str, **changes: Any) -> None:
        clips = self.tree.clips(self.path)
        self.notes += 1
        for clip in clips:
            if clip["id"] == name:
                clip |= {**changes, "note": self.notes}
        self._set(name, self.notes)
        save(self.path, clips)

    def _set(self, name: str, note: Any) -> None:
        self.edits[self.tree.layout.relative(self.path), f"id:{name}", "note"] = {note}

    def _asked(self, name: str) -> None:
        self.asks[name] += 1
        self.wanted[name] = {"Process", "Complete", "Failed"}

    def _is_theirs(self, words: str) -> bool:
        """Is it about a clip whose status word a restored copy brought, rather than our answer?"""
        return any(self.wanted[name] == {"Complete"} and name in words for name in NAMES)


@pytest.mark.filterwarnings("ignore")
def test_in_any_order_nothing_is_lost_and_everything_is_done() -> None:
    run_state_machine_as_test(
        AnyOrder,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=25,
            deadline=None,
            # Files, forks and clocks make shrinking slow; the steps as they were found tell enough.
            phases=(Phase.explicit, Phase.reuse, Phase.generate),
            derandomize="CLIPD_TEST_EXAMPLES" not in os.environ,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
