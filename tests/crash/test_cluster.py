"""A cluster that breaks: workers killed and frozen, the scheduler killed, the network cut, clips cancelled.

Each clip ends Complete with one receipt, nothing is published twice, and nothing is left behind. `HOLD` keeps the clips
of one worker from ending until the test lets them.
"""

from __future__ import annotations

import os
import queue
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clipd.delivery.strays import sweep
from clipd.files import lease
from clipd.model.job import Job
from clipd.model.outcome import Verdict
from clipd.report.health import read_healths
from clipd.worker.executor import Settings
from clipd.worker.pool import Ended
from tests.crash import oracle
from tests.crash.child import clip
from tests.crash.test_mid_job import progress
from tests.e2e.cluster import CLUSTER, ROOT, Cluster, hosts
from tests.e2e.tree import Tree, wait_until
from tests.footage import make

pytest.importorskip("distributed", reason="the extra clipd[dask] is not installed")

from clipd.worker.dask import cluster as executors

SLOW = {**CLUSTER, "clips": {"formats": ["h264"], "processor": "tests.crash.slow:film"}}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=100, size=(64, 48))


@pytest.fixture
def tree(tmp_path: Path, film: Path) -> Tree:
    made = Tree.at(tmp_path / "tree", SLOW)
    made.add_source(film, "match.mp4")
    return made


@pytest.fixture
def hold(tmp_path: Path) -> Path:
    """While this file is there, the workers with HOLD do not get on."""
    path = tmp_path / "hold"
    path.touch()
    return path


def clips(tree: Tree, count: int) -> Path:
    return tree.write_sidecar([clip(f"goal{n}", n, n + 9) for n in range(count)])


def under_way(tree: Tree, count: int = 1) -> None:
    wait_until(lambda: len(progress(tree)) >= count, "the clips to be under way")


def complete(tree: Tree, sidecar: Path) -> None:
    wait_until(lambda: {entry["status"] for entry in tree.clips(sidecar)} == {"Complete"}, "all clips to complete")


def all_is_well(tree: Tree, count: int) -> None:
    """Each clip has one receipt, and its files stand as that says."""
    for _ in sweep(tree.layout, lease.Settings(), older_than=2**40, settle=lambda _: None, say=print):
        pass
    assert oracle.violations(tree.layout) == []
    assert [receipt.run for receipt in oracle.all_receipts(tree.layout)] == [1] * count


def test_the_clips_of_a_killed_worker_are_made_by_another(cluster: Cluster, tree: Tree, hold: Path) -> None:
    sidecar = clips(tree, 3)
    with (
        cluster.workers(tree, "victim", HOLD=str(hold)) as (victim,),
        tree.daemon("--dask", cluster.address, PYTHONPATH=ROOT),
    ):
        under_way(tree)
        victim.kill()
        with cluster.workers(tree, "heir"):
            complete(tree, sidecar)
    assert hosts(tree) == ["heir"] * 3
    all_is_well(tree, 3)


def test_a_worker_frozen_past_its_lease_is_replaced_and_publishes_nothing_when_it_wakes(
    cluster: Cluster, tree: Tree, hold: Path
) -> None:
    sidecar = clips(tree, 3)
    with (
        cluster.workers(tree, "sleeper", HOLD=str(hold), CLIPD_LOG__LEVEL="DEBUG") as (sleeper,),
        tree.daemon("--dask", cluster.address, PYTHONPATH=ROOT),
    ):
        under_way(tree)
        sleeper.send(signal.SIGSTOP)
        with cluster.workers(tree, "heir"):
            complete(tree, sidecar)
            wait_until(lambda: silent(tree) == ["sleeper"], "the status to say who does not answer")
            hold.unlink()
            sleeper.send(signal.SIGCONT)
            wait_until(lambda: "superseded" in sleeper.log or "busy" in sleeper.log, "the sleeper to find out")
    assert hosts(tree) == ["heir"] * 3
    all_is_well(tree, 3)


def silent(tree: Tree) -> list[str]:
    """The workers that the daemon says do not answer."""
    nodes = [node for note in read_healths(tree.layout) for node in note.nodes]
    return [node.name.rpartition("-")[0] for node in nodes if not node.answers]


def test_a_killed_scheduler_costs_nothing_and_is_found_again(tree: Tree, tmp_path: Path, hold: Path) -> None:
    sidecar = clips(tree, 6)
    with (
        Cluster(tmp_path) as cluster,
        cluster.workers(tree, "node1", HOLD=str(hold)),
        cluster.workers(tree, "node2", HOLD=str(hold)),
        tree.daemon("--dask", cluster.address, PYTHONPATH=ROOT) as daemon,
    ):
        under_way(tree, 2)
        cluster.scheduler.kill()
        wait_until(lambda: "was lost" in daemon.log, "the loss to be noticed")
        hold.unlink()
        wait_until(lambda: len(oracle.all_receipts(tree.layout)) == 2, "what had begun to be published meanwhile")
        cluster.scheduler.start()
        complete(tree, sidecar)
        assert daemon.stop() == 0
    assert set(hosts(tree)) == {"node1", "node2"}
    all_is_well(tree, 6)


def test_a_job_that_waits_at_a_scheduler_that_is_killed_is_told_once(tree: Tree, tmp_path: Path) -> None:
    told: queue.SimpleQueue[Ended] = queue.SimpleQueue()
    with Cluster(tmp_path) as outside:
        executor = Settings(kind="dask", scheduler=outside.address, ahead=1)
        daemon_side = executors.Cluster(executor, lease.Settings(), tree.layout, told.put)
        daemon_side.start()
        wait_until(lambda: daemon_side.free > 0, "the scheduler to be found")
        job = Job("job", "clip", "origin", "id:1", "match / goal", "cam1", "s1", 0, datetime(2026, 5, 1, tzinfo=UTC))
        daemon_side.submit(job)
        outside.scheduler.kill()
        ended = told.get(timeout=30)
        assert (ended.job, ended.outcome and ended.outcome.verdict) == (job, Verdict.DEFERRED)
        assert daemon_side.running == set()
        daemon_side.stop(0)
    assert told.empty()


def test_a_cancelled_clip_stops_at_its_worker_and_the_others_go_on(cluster: Cluster, tree: Tree, hold: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal0", 0, 99), clip("goal1", 0, 9)])
    with cluster.workers(tree, "node1", HOLD=str(hold)), tree.daemon("--dask", cluster.address, PYTHONPATH=ROOT):
        under_way(tree)
        tree.run("cancel", "goal0")
        hold.unlink()
        wait_until(lambda: tree.clip(sidecar, "goal1")["status"] == "Complete", "the other to complete")
    assert tree.clip(sidecar, "goal0")["status"] == "Draft"
    all_is_well(tree, 1)


def test_an_attempt_that_does_not_get_on_is_stopped_at_its_worker(
    cluster: Cluster, tmp_path: Path, film: Path, hold: Path
) -> None:
    tree = Tree.at(tmp_path / "tree", {**SLOW, "workers": {"no_progress_seconds": 1.5}, "retry": {"attempts": 1}})
    tree.add_source(film, "match.mp4")
    sidecar = clips(tree, 1)
    with cluster.workers(tree, "node1", HOLD=str(hold)), tree.daemon("--dask", cluster.address, PYTHONPATH=ROOT):
        wait_until(lambda: tree.clip(sidecar, "goal0")["status"] == "Failed", "the clip to be given up")
    assert "it did not get on for 1.5 s" in tree.clip(sidecar, "goal0")["error"]


# --- hosts of their own -----------------------------------------------------------------------------------------


class Hosts:
    """Network namespaces, each with a link to a common bridge that lies in the first, `hub`."""

    def __init__(self, tag: str, names: tuple[str, ...]) -> None:
        self.hub = f"{tag}hub"
        self._names = {name: f"{tag}{name}" for name in names}

    def __enter__(self) -> Hosts:
        ip("netns", "add", self.hub)
        ip("link", "add", "bridge", "type", "bridge", at=self.hub)
        ip("address", "add", "10.211.7.1/24", "dev", "bridge", at=self.hub)
        for device in ("lo", "bridge"):
            ip("link", "set", device, "up", at=self.hub)
        for number, (name, space) in enumerate(self._names.items(), start=2):
            ip("netns", "add", space)
            ip("link", "add", name, "type", "veth", "peer", "name", "eth", "netns", space, at=self.hub)
            ip("link", "set", name, "master", "bridge", "up", at=self.hub)
            ip("address", "add", f"10.211.7.{number}/24", "dev", "eth", at=space)
            for device in ("lo", "eth"):
                ip("link", "set", device, "up", at=space)
        return self

    def __exit__(self, *_: object) -> None:
        for space in (*self._names.values(), self.hub):
            subprocess.run(["ip", "netns", "delete", space], check=False, capture_output=True)

    def on(self, name: str = "") -> list[str]:
        """What goes before a command that is to run on a host; on the hub without a name. Each has its own name."""
        space = self._names.get(name, self.hub)
        renamed = 'hostname "$0" && exec "$@"'
        return ["ip", "netns", "exec", space, "unshare", "--uts", "sh", "-c", renamed, space]

    @contextmanager
    def cut(self, name: str) -> Iterator[None]:
        """No packet gets to or from a host."""
        ip("link", "set", name, "down", at=self.hub)
        try:
            yield
        finally:
            ip("link", "set", name, "up", at=self.hub)


def ip(*arguments: str, at: str | None = None) -> None:
    subprocess.run(["ip", *(("-n", at) if at else ()), *arguments], check=True, capture_output=True)


def why_no_hosts() -> str:
    """Why this machine makes no network namespaces; "" when it does."""
    if shutil.which("ip") is None or shutil.which("unshare") is None:
        return "there is no ip or no unshare here"
    try:
        with Hosts(f"c{os.getpid()}t", ("one",)) as hosts:
            subprocess.run([*hosts.on("one"), "true"], check=True, capture_output=True)
    except subprocess.CalledProcessError as error:
        return f"network namespaces cannot be made here: {error.stderr.decode().strip()}"
    return ""


def test_a_host_whose_network_is_cut_finishes_what_it_has_and_comes_back(
    tree: Tree, tmp_path: Path, hold: Path
) -> None:
    if why := why_no_hosts():
        pytest.skip(why)
    sidecar = clips(tree, 6)
    soon = {"DASK_DISTRIBUTED__COMM__TIMEOUTS__TCP": "11s", "DASK_DISTRIBUTED__SCHEDULER__WORKER_TTL": "4s"}
    with (
        Hosts(f"c{os.getpid()}", ("one", "two")) as net,
        Cluster(tmp_path, "10.211.7.1", at=net.on(), **soon) as cluster,
    ):
        one = cluster.worker(tree, "one", at=net.on("one"), HOLD=str(hold), **soon)
        two = cluster.worker(tree, "two", at=net.on("two"), **soon)
        for worker in (one, two):
            worker.says("works for")
        with tree.daemon("--dask", cluster.address, at=net.on(), PYTHONPATH=ROOT) as daemon:
            wait_until(lambda: "one" in {note["host"] for note in progress(tree)}, "the host to work")
            with net.cut("one"):
                wait_until(lambda: "1 slots on 1 workers" in daemon.log, "the loss to be noticed")
                hold.unlink()
                complete(tree, sidecar)
            wait_until(lambda: "2 slots on 2 workers" in daemon.log.rpartition("1 slots")[2], "the host to be back")
            assert daemon.stop() == 0
    assert set(hosts(tree)) == {"one", "two"}
    all_is_well(tree, 6)
