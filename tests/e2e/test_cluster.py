"""A Dask cluster as people use it: a real scheduler, real workers, the real daemon, and what it tells when something is
missing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from clipd.cli.cluster import Home
from clipd.config import load
from clipd.daemon import Daemon
from clipd.errors import ConfigError
from clipd.report.health import read_healths
from clipd.tree.layout import Layout
from tests.crash import oracle
from tests.crash.child import clip
from tests.e2e.cluster import CLUSTER, Cluster, Program, free_port, hosts
from tests.e2e.tree import Tree, wait_until
from tests.footage import make

pytest.importorskip("distributed", reason="the extra clipd[dask] is not installed")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as made:
        yield made


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("film") / "film.mp4", count=100, size=(64, 48), keyframes=range(0, 100, 25))


def tree_with(folder: Path, film: Path) -> Tree:
    tree = Tree.at(
        folder / "tree",
        {**CLUSTER, "clips": {"formats": ["h264"]}, "recordings": {"time_zone": "UTC", "settle_seconds": 0}},
    )
    tree.add_source(film, "match.mp4")
    return tree


@pytest.fixture
def tree(tmp_path: Path, film: Path) -> Tree:
    return tree_with(tmp_path, film)


def told(tree: Tree) -> dict[str, int]:
    """The workers that the daemon tells of, and their slots."""
    return {node.name.rpartition("-")[0]: node.slots for note in read_healths(tree.layout) for node in note.nodes}


def test_every_kind_of_work_is_done_by_the_workers_on_whatever_mount_they_see(
    cluster: Cluster, tree: Tree, film: Path, tmp_path: Path
) -> None:
    sidecar = tree.write_sidecar([clip(f"goal{n}", n, n + 19) for n in range(6)])
    elsewhere = tmp_path / "mounted" / "here"
    elsewhere.parent.mkdir()
    elsewhere.symlink_to(tree.root)
    recording = tree.layout.recordings / "cam9" / f"cam9_{datetime(2026, 5, 1, 12, tzinfo=UTC):%Y%m%d_%H%M%S}.mp4"
    recording.parent.mkdir(parents=True)
    recording.write_bytes(film.read_bytes())
    question = tree.layout.inbox_of("requests") / "moment.json"
    question.parent.mkdir(parents=True, exist_ok=True)
    span = {"start_time": "2026-05-01T12:00:01Z", "end_time": "2026-05-01T12:00:02Z"}
    question.write_text(json.dumps({"camera_id": "cam9", **span}))
    dropped = tree.layout.dropped_videos / "cam2" / "s1" / "new.mp4"
    dropped.parent.mkdir(parents=True)
    dropped.write_bytes(film.read_bytes())

    table = tree.layout.inbox_of("datasets") / "videos.csv"
    table.parent.mkdir(parents=True, exist_ok=True)
    table.with_suffix(".yaml").write_text("video_col: video\nid_col: id\nprocess: metadata\n")
    table.write_text("id,video\nv1,cam1/s1/match.mp4\nv2,cam1/s1/match.mp4\n")

    def answered() -> bool:
        done = [path.parent / "done" / path.name for path in (question, table)]
        return all(path.exists() for path in done) and {entry["status"] for entry in tree.clips(sidecar)} == {
            "Complete"
        }

    other = cluster.worker(Tree(type(tree.layout)(elsewhere, tree.layout.directories), tmp_path), "node2")
    with cluster.workers(tree, "node1"), tree.daemon("--dask", cluster.address) as daemon:
        other.says("works for")
        wait_until(answered, "everything to be done")
        wait_until(lambda: (tree.layout.source / "cam2/s1/new.mp4").exists(), "the dropped video to be filed")
        wait_until(lambda: bool(list(tree.layout.sidecars.glob("cam2/**/*_clips.json"))), "its clips to be suggested")
        wait_until(lambda: told(tree) == {"node1": 1, "node2": 1}, "the status to name the workers")
        assert "2 slots of the Dask cluster" in tree.run("status").stdout
        assert daemon.stop() == 0
    other.stop()
    assert set(hosts(tree)) == {"node1", "node2"}
    assert oracle.violations(tree.layout) == []
    assert "claimed" not in daemon.log, "the daemon worked itself"


def reasons(tree: Tree) -> str:
    return " ".join(why for note in read_healths(tree.layout) for why in note.waiting.values())


def test_a_worker_of_another_tree_takes_nothing_and_the_status_says_why(
    cluster: Cluster, tree: Tree, film: Path, tmp_path: Path
) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 19)])
    with cluster.workers(tree_with(tmp_path / "other", film), "stranger"), tree.daemon("--dask", cluster.address):
        wait_until(lambda: "serves another tree" in reasons(tree), "the reason to be told")
        assert tree.clip(sidecar, "goal")["status"] == "Process"


def test_what_is_missing_is_said_and_waited_for(cluster: Cluster, tree: Tree) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 19)])
    nobody = f"tcp://127.0.0.1:{free_port()}"
    for address, words in ((nobody, f"the Dask scheduler {nobody} does not answer"),
                           (cluster.address, "start some with: clipd worker")):  # fmt: skip
        ended = tree.run("run", "--once", "--dask", address, CLIPD_EXECUTOR__CONNECT_SECONDS="0.5")
        assert words in ended.stdout
    assert tree.clip(sidecar, "goal")["status"] == "Process"


def test_a_worker_that_dask_starts_itself_works_with_the_preload(cluster: Cluster, tree: Tree, tmp_path: Path) -> None:
    sidecar = tree.write_sidecar([clip("goal", 0, 19)])
    command = [
        sys.executable,
        "-m",
        "distributed.cli.dask_worker",
        cluster.address,
        "--nthreads",
        "1",
        "--no-dashboard",
    ]
    started = Program(
        tmp_path / "dask.log", [*command, "--resources", "ffmpeg=1", "--preload", "clipd.cli.cluster"],
        CLIPD_ROOT=str(tree.root), DASK_TEMPORARY_DIRECTORY=str(tmp_path),
    )  # fmt: skip
    started.start()
    try:
        with tree.daemon("--dask", cluster.address):
            wait_until(lambda: tree.clip(sidecar, "goal")["status"] == "Complete", "the clip to complete")
    finally:
        started.stop()


def certificates(folder: Path) -> dict[str, str]:
    """An authority and one certificate by it, as the manual makes them."""
    subject = ["-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    for arguments in (
        ["req", "-x509", *subject, "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=clipd cluster"],
        ["req", *subject, "-keyout", "node.key", "-out", "node.csr", "-subj", "/CN=node"],
        ["x509", "-req", "-in", "node.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", "node.pem"],
    ):  # fmt: skip
        subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)
    return {part: str(folder / name) for part, name in
            (("ca_file", "ca.pem"), ("cert_file", "node.pem"), ("key_file", "node.key"))}  # fmt: skip


def test_with_certificates_nobody_without_one_gets_in(film: Path, tmp_path: Path) -> None:
    files = certificates(tmp_path)
    tls = ["--tls-ca-file", files["ca_file"], "--tls-cert", files["cert_file"], "--tls-key", files["key_file"]]
    tree = Tree.at(
        tmp_path / "tree", {**CLUSTER, "executor": {**CLUSTER["executor"], **files}, "clips": {"formats": ["h264"]}}
    )
    tree.add_source(film, "match.mp4")
    sidecar = tree.write_sidecar([clip("goal", 0, 19)])
    with Cluster(tmp_path, flags=tls) as cluster, cluster.workers(tree, "node1"):
        tree.once("--dask", cluster.address)
        tree.write_sidecar([clip("goal", 0, 19), clip("more", 0, 19)])
        (tmp_path / "other").mkdir()
        forged = {f"CLIPD_EXECUTOR__{part.upper()}": file for part, file in certificates(tmp_path / "other").items()}
        assert "does not answer" in tree.run("run", "--once", "--dask", cluster.address, **forged).stdout
    assert [receipt.name for receipt in oracle.all_receipts(tree.layout)] == ["match / goal"]
    assert tree.clip(sidecar, "more")["status"] == "Process"


@pytest.mark.parametrize(
    ("executor", "words"),
    [
        ({"kind": "dask"}, "scheduler must name"),
        ({"kind": "dask", "scheduler": "node1:8786"}, "begin with tls:// or tcp://"),
        ({"kind": "dask", "scheduler": "tls://node1:8786"}, "ca_file, cert_file, key_file is missing"),
        ({"resources": {"gpu": -1}}, "gpu must not be negative"),
    ],
)
def test_wrong_settings_are_refused_with_what_would_be_right(
    tmp_path: Path, executor: dict[str, object], words: str
) -> None:
    with pytest.raises(ConfigError, match=words):
        load(tmp_path, None, {"executor": executor})


def test_at_home_the_work_stays_and_the_machine_is_ones_own(tree: Tree, tmp_path: Path) -> None:
    config = load(tree.root, tree.root / "clipd.yaml", {"clips": {"formats": ["ffv1"]}, "workers": {"threads": 1}})
    sent = Daemon(config).workplace
    home = Home(Layout(tmp_path / "mount", config.directories), "node1", tmp_path / "cache", threads=7)
    home.layout.state.mkdir(parents=True)
    place = home.place(sent)
    assert (place.layout, place.host, place.cache, place.threads) == (home.layout, "node1", tmp_path / "cache", 7)
    assert place.daemon not in ("", sent.daemon)
    assert place.kinds["clip"] == sent.kinds["clip"]
    assert place.kinds["request"].model_dump() == {
        **sent.kinds["request"].model_dump(), "cache": tmp_path / "cache", "share_offset": home.share_offset,
    }  # fmt: skip
    for theirs in (str(tree.root), sent.daemon, str(config.cache_folder)):
        assert theirs not in repr(place), "something of the daemon's machine is left"
