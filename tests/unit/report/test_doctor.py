"""The examinations one by one, each on a tree or a machine that has what it looks for."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from clipd import __version__
from clipd.clock import stamp
from clipd.delivery.destinations import STORES, Destination, Store
from clipd.errors import Deferred
from clipd.files.lease import Settings as LeaseSettings
from clipd.files.lease import claimed
from clipd.files.space import Settings as SpaceSettings
from clipd.intake.watch import Settings as WatchSettings
from clipd.jobs.clip import Settings as ClipSettings
from clipd.jobs.link import Settings as LinkSettings
from clipd.newtree import make
from clipd.report.doctor import (
    EXAMINATIONS,
    elsewhere,
    examine,
    folders,
    machine,
    service,
    settings,
    share,
    software,
    work,
)
from clipd.report.doctor.finding import Finding, Level, Machine, Patient
from clipd.report.health import Health, write_health
from clipd.tree.layout import Layout
from clipd.worker.pool import Settings as PoolSettings
from clipd.worker.pool import cores


@pytest.fixture
def patient(tmp_path: Path) -> Patient:
    layout, _ = make(tmp_path / "tree")
    elsewhere = Machine(cgroups=tmp_path / "cgroups", systemd=tmp_path / "systemd", units=(tmp_path / "units",))
    return Patient(layout, tmp_path / "cache", machine=elsewhere)


def only(findings: Iterator[Finding]) -> Finding:
    (finding,) = findings
    return finding


def worst(findings: Iterator[Finding]) -> Level:
    return max((finding.level for finding in findings), key=list(Level).index)


def on(patient: Patient, **changes: Any) -> Patient:
    return replace(patient, machine=replace(patient.machine, **changes))


def proc(patient: Patient, kind: str = "ext4", **files: str) -> Patient:
    """The same patient on a machine whose /proc says what is wanted."""
    folder = patient.layout.root.parent / "proc"
    told = {
        "mounts": f"none / ext4 rw 0 0\nserver:/x {patient.layout.root} {kind} rw 0 0\n",
        "meminfo": "MemTotal: 8388608 kB\n",
        "self/cgroup": "",
        **{name.replace("__", "/"): words for name, words in files.items()},
    }
    for name, words in told.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(words)
    return on(patient, proc=folder)


def dead_process() -> int:
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return process.pid


def claim(layout: Layout, job: str, host: str, pid: int) -> Path:
    path = layout.claim(job)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"filelock/2\npid={pid}\nhost={host}\nmode=lease\ntoken=abc\nduration=30.0\n")
    return path


# --- the whole ------------------------------------------------------------------------------------------------------


def test_a_new_tree_has_nothing_wrong_and_is_left_as_it_was(patient: Patient) -> None:
    before = {path: path.lstat().st_mtime_ns for path in patient.layout.root.rglob("*") if path.is_file()}
    found = list(examine(replace(proc(patient), space=SpaceSettings(reserve=1))))
    assert [finding for _, finding in found if finding.level in (Level.WARNING, Level.WRONG)] == []
    assert before == {path: path.lstat().st_mtime_ns for path in patient.layout.root.rglob("*") if path.is_file()}
    assert {examination.name for examination, _ in found} == {one.name for one in EXAMINATIONS} - {
        "processor", "destinations", "links"
    }  # fmt: skip


def test_every_finding_that_is_not_well_names_its_mend(patient: Patient) -> None:
    claim(patient.layout, "j", socket.gethostname(), dead_process())
    broken = replace(patient, space=SpaceSettings(reserve=1 << 60), unknown_variables={"CLIPD_X": ""})
    grave = [finding for _, finding in examine(broken) if finding.level in (Level.WARNING, Level.WRONG)]
    assert len(grave) >= 3
    assert all(finding.mend for finding in grave)


def test_an_examination_that_is_refused_is_a_finding_and_the_others_go_on(patient: Patient) -> None:
    patient.layout.version.unlink()
    patient.layout.version.mkdir()
    found = [(examination.name, finding) for examination, finding in examine(patient)]
    assert any(name == "marker" and finding.level is Level.WRONG for name, finding in found)
    assert any(name == "systemd" for name, _ in found)


def test_with_wrong_settings_only_the_machine_is_examined(patient: Patient) -> None:
    found = list(examine(replace(patient, settings_trouble="clipd.yaml, line 3: watch.mode: it is wrong; mend it")))
    assert {examination.group for examination, _ in found} == {"software", "settings"}
    finding = next(finding for _, finding in found if finding.level is Level.WRONG)
    assert finding == Finding(Level.WRONG, "clipd.yaml, line 3", "watch.mode: it is wrong", "mend it")


# --- software -------------------------------------------------------------------------------------------------------


def test_every_library_is_new_enough(patient: Patient) -> None:
    found = list(software.versions(patient))
    assert worst(iter(found)) is Level.OK
    assert any("filelock" in finding.words for finding in found)


def test_a_codec_that_fails_is_wrong_where_it_is_used_only(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = (software.trial.Tried("libx264", "it broke"), software.trial.Tried("ffv1", "it broke"))
    monkeypatch.setattr(software.trial, "software", lambda: iter(lost))
    assert [finding.level for finding in software.codecs(patient)] == [Level.WRONG, Level.WARNING]


def test_hardware_encoders_with_one_reason_share_a_line(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    tried = (
        software.trial.Tried("h264_nvenc", "no card"),
        software.trial.Tried("hevc_nvenc", "no card"),
        software.trial.Tried("h264_qsv"),
    )
    monkeypatch.setattr(software.trial, "hardware", lambda: tried)
    works, lacks = software.hardware(patient)
    assert (works.level, works.where) == (Level.OK, "h264_qsv")
    assert (lacks.level, lacks.where) == (Level.NOTE, "h264_nvenc, hevc_nvenc")
    assert "NVIDIA" in lacks.mend


# --- settings and marker --------------------------------------------------------------------------------------------


def test_variables_are_told_apart(patient: Patient) -> None:
    known, stray = settings.environment(
        replace(patient, variables=("CLIPD_STOP_SECONDS",), unknown_variables={"CLIPD_STOP": "CLIPD_STOP_SECONDS"})
    )
    assert (known.level, stray.level) == (Level.NOTE, Level.WARNING)
    assert "CLIPD_STOP_SECONDS" in stray.mend


def test_a_missing_marker_is_wrong(patient: Patient) -> None:
    patient.layout.marker.unlink()
    assert only(settings.marker(patient)).level is Level.WRONG


def test_a_version_that_is_missing_is_not_written(patient: Patient) -> None:
    patient.layout.version.unlink()
    assert only(settings.marker(patient)).level is Level.NOTE
    assert not patient.layout.version.exists()


@pytest.mark.parametrize(
    ("name", "level"),
    [("json:dumps", Level.OK), ("no.such:thing", Level.WRONG), ("json:nothing", Level.WRONG), ("sick:go", Level.WRONG)],
)
def test_a_processor_is_loaded(
    patient: Patient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, level: Level
) -> None:
    (tmp_path / "sick.py").write_text("raise ZeroDivisionError('at import')\n")
    monkeypatch.syspath_prepend(tmp_path)
    named = replace(patient, clips=ClipSettings.model_validate({"processor": name}))
    assert only(settings.processor(named)).level is level


# --- folders --------------------------------------------------------------------------------------------------------


def test_missing_folders_are_made_by_the_daemon(patient: Patient) -> None:
    patient.layout.source.rmdir()
    found = {finding.where: finding for finding in folders.standing(patient)}
    assert found["data/source"].level is Level.NOTE
    assert found["data/recordings"].level is Level.NOTE


def test_links_are_told_and_dangling_ones_are_wrong(patient: Patient, tmp_path: Path) -> None:
    patient.layout.source.rmdir()
    patient.layout.source.symlink_to(tmp_path / "disk")
    assert Level.WRONG in [f.level for f in folders.standing(patient) if f.where == "data/source"]
    (tmp_path / "disk").mkdir()
    found = [finding for finding in folders.standing(patient) if finding.where == "data/source"]
    assert [finding.level for finding in found] == [Level.NOTE, Level.OK]


def test_a_file_in_a_folders_place_is_wrong(patient: Patient) -> None:
    patient.layout.outputs.rmdir()
    patient.layout.outputs.touch()
    assert worst(f for f in folders.standing(patient) if f.where == "data/prept/03_CLIPPED") is Level.WRONG


def test_folders_are_counted_up_to_a_bound(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(10):
        (patient.layout.sidecars / f"cam{number}").mkdir()
    assert folders.count(patient.layout.sidecars) == (11, True)
    monkeypatch.setattr(folders, "MOST_FOLDERS", 5)
    assert folders.count(patient.layout.sidecars) == (5, False)


# --- share ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "level", "word"),
    [
        ("ext4", Level.OK, "disk of this machine"),
        ("nfs4", Level.OK, "claims"),
        ("fuse.sshfs", Level.OK, "claims"),
        ("tmpfs", Level.WARNING, "reboot"),
        ("overlay", Level.WARNING, "container"),
        ("vfat", Level.WARNING, "no links"),
    ],
)
def test_each_filesystem_says_what_it_means(patient: Patient, kind: str, level: Level, word: str) -> None:
    finding = only(share.filesystems(proc(patient, kind)))
    assert (finding.level, word in finding.words) == (level, True)


def test_changes_on_a_disk_are_heard_of(patient: Patient) -> None:
    found = only(share.events(proc(patient, sys__fs__inotify__max_user_watches="1000\n")))
    assert (found.level, "heard of; 1 of 1000" in found.words) == (Level.OK, True)
    assert not list(patient.layout.sidecars.iterdir())


def test_too_few_watches_are_told_with_the_command(patient: Patient) -> None:
    for number in range(10):
        (patient.layout.sidecars / f"cam{number}").mkdir()
    found = only(share.events(proc(patient, sys__fs__inotify__max_user_watches="5\n")))
    assert found.level is Level.WARNING
    assert "sysctl fs.inotify.max_user_watches=" in found.mend


def test_a_share_is_polled_and_events_on_one_are_warned_of(patient: Patient) -> None:
    there = proc(patient, "cifs", sys__fs__inotify__max_user_watches="1000\n")
    assert only(share.events(there)).level is Level.OK
    assert "every 5 s" in only(share.events(there)).words
    forced = replace(there, watch=WatchSettings(mode="events"))
    assert worst(share.events(forced)) is Level.WARNING
    assert only(share.events(replace(patient, watch=WatchSettings(mode="polling")))).level is Level.NOTE


@pytest.mark.parametrize(("skew", "level"), [(0.0, Level.OK), (10.0, Level.WARNING), (-600.0, Level.WARNING)])
def test_the_shares_clock_is_held_against_this_one(patient: Patient, skew: float, level: Level) -> None:
    found = only(share.clock(on(patient, now=lambda: time.time() - skew)))
    assert found.level is level
    if skew:
        assert f"{abs(skew):.0f}." in found.words
        assert ("ahead of" if skew > 0 else "behind") in found.words


def test_space_is_held_against_the_reserve(patient: Patient) -> None:
    free = os.statvfs(patient.layout.outputs)
    there = free.f_bavail * free.f_frsize
    for reserve, level in ((1, Level.OK), (int(there * 0.7), Level.WARNING), (there * 2, Level.WRONG)):
        assert worst(share.space(replace(patient, space=SpaceSettings(reserve=reserve)))) is level


def test_a_cache_on_a_share_or_in_a_files_place_is_warned_of(patient: Patient, tmp_path: Path) -> None:
    assert only(share.cache(patient)).level is Level.OK
    assert only(share.cache(proc(replace(patient, cache=patient.layout.root / "cache"), "nfs4"))).level is Level.WARNING
    (tmp_path / "file").touch()
    assert only(share.cache(replace(patient, cache=tmp_path / "file"))).level is Level.WARNING


# --- work -----------------------------------------------------------------------------------------------------------


def beat(patient: Patient, at: datetime, **changes: Any) -> None:
    note = Health("studio", 7, "d", __version__, stamp(at), 2, [], {}, {}, True, False)
    write_health(patient.layout.heartbeat("studio.7"), replace(note, **changes))


def test_living_daemons_are_told_and_mixed_versions_warned_of(patient: Patient) -> None:
    beat(patient, datetime.now(UTC))
    assert only(work.daemons(patient)).level is Level.OK
    beat(patient, datetime.now(UTC), version="0.0.9")
    assert [finding.where for finding in work.daemons(patient) if finding.level is Level.WARNING] == ["versions"]


def test_a_daemon_that_fell_silent_is_told(patient: Patient) -> None:
    gone = datetime.now(UTC) - timedelta(hours=3)
    beat(patient, gone)
    os.utime(patient.layout.heartbeat("studio.7"), (gone.timestamp(), gone.timestamp()))
    silent, none = work.daemons(patient)
    assert "3 h" in silent.words
    assert none.words == "none is running on this tree"


def test_the_clock_of_another_machine_is_read_off_its_note(patient: Patient) -> None:
    beat(patient, datetime.now(UTC) + timedelta(seconds=20))
    assert any("ahead of the share's" in finding.words for finding in work.daemons(patient))


def test_a_pause_is_told(patient: Patient) -> None:
    patient.layout.control("PAUSE").touch()
    assert any("paused" in finding.words for finding in work.daemons(patient))


def test_claims_of_the_living_are_well(patient: Patient) -> None:
    with claimed(patient.layout.claim("j1"), LeaseSettings()):
        assert only(work.claims(patient)).words.startswith("1 held")


def test_claims_of_the_dead_are_told_with_what_becomes_of_them(patient: Patient) -> None:
    claim(patient.layout, "j1", socket.gethostname(), dead_process())
    silent = claim(patient.layout, "j2", "elsewhere", 7)
    os.utime(silent, (time.time() - 300, time.time() - 300))
    claim(patient.layout, "j3", "elsewhere", 8)
    claim(patient.layout, "j4", "elsewhere", 9).write_text("nonsense")
    found = {finding.where: finding for finding in work.claims(patient)}
    assert set(found) == {"claim j1", "claim j2", "claim j4"}
    assert {finding.level for finding in found.values()} == {Level.WARNING}
    assert "at once" in found["claim j1"].mend
    assert "5 min" in found["claim j2"].words


def test_silence_is_measured_by_the_shares_clock(patient: Patient) -> None:
    """A claim renewed just now is no stale one for a machine whose clock is an hour ahead."""
    claim(patient.layout, "j", "elsewhere", 7)
    assert only(work.claims(on(patient, now=lambda: time.time() + 3600))).level is Level.OK


def test_staging_is_left_over_only_where_nobody_holds_its_claim(patient: Patient) -> None:
    patient.layout.staging("j1", "token").mkdir(parents=True)
    with claimed(patient.layout.claim("j1"), LeaseSettings()):
        assert only(work.leftovers(patient)).level is Level.OK
    finding = only(work.leftovers(patient))
    assert finding.words.startswith("1 folder")
    assert "space.stray_seconds" in finding.mend


# --- machine --------------------------------------------------------------------------------------------------------


def group(patient: Patient, where: str, **files: str) -> Patient:
    for name, words in files.items():
        path = patient.machine.cgroups / where / name.replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(words + "\n")
    return patient


def test_the_smallest_memory_limit_above_this_process_counts(patient: Patient) -> None:
    two = proc(patient, self__cgroup="0::/a/b\n")
    assert machine.memory_bytes(two.machine) == (8 << 30, "this machine's memory")
    group(two, "a", memory__max=str(2 << 30))
    group(two, "a/b", memory__max="max")
    assert machine.memory_bytes(two.machine) == (2 << 30, "the control group's memory.max")


def test_limits_of_the_older_control_groups_count_too(patient: Patient) -> None:
    one = proc(patient, self__cgroup="4:memory:/x\n1:cpu,cpuacct:/x\n")
    group(one, "memory/x", memory__limit_in_bytes=str(1 << 30))
    group(one, "cpu/x", cpu__cfs_quota_us="150000", cpu__cfs_period_us="100000")
    assert machine.memory_bytes(one.machine) == (1 << 30, "the control group's memory.limit_in_bytes")
    assert machine.processors(one.machine) == 1.5


def test_workers_that_do_not_fit_are_told_with_what_would(patient: Patient) -> None:
    there = replace(proc(patient), workers=PoolSettings(max_workers=4, threads=1, memory=4 << 30))
    finding = next(found for found in machine.limits(there) if found.where == "memory")
    assert finding.level is Level.NOTE
    assert "workers.memory: 1792MiB" in finding.mend


def test_a_quota_below_the_processors_that_are_seen_is_told(patient: Patient) -> None:
    there = group(proc(patient, self__cgroup="0::/a\n"), "a", cpu__max="50000 100000")
    busy = replace(there, workers=PoolSettings(max_workers=2, threads=1))
    finding = next(found for found in machine.limits(busy) if found.where == "processors")
    assert (finding.level, "0.5" in finding.words) == (Level.WARNING, True)
    assert machine.processors(patient.machine) is None or cores() > 0


# --- systemd --------------------------------------------------------------------------------------------------------


@pytest.fixture
def install(patient: Patient) -> Callable[..., Patient]:
    """Install a unit: the one that ships, with lines replaced."""
    shipped = Path(__file__).parents[3] / "systemd"

    def installed(name: str = "clipd.service", enabled: str = "", **lines: str) -> Patient:
        (folder,) = patient.machine.units
        patient.machine.systemd.mkdir(exist_ok=True)
        folder.mkdir(exist_ok=True)
        root = patient.layout.root
        lines = {"User": "root", "ReadWritePaths": str(root), "Environment": f"CLIPD_ROOT={root}"} | lines
        text = []
        for line in (shipped / name).read_text().splitlines():
            key = line.partition("=")[0]
            text.append(f"{key}={lines[key]}" if key in lines else line.replace("/opt/clipd/bin/clipd", "/bin/true"))
        (folder / name).write_text("\n".join(text))
        if enabled:
            wants = folder / "multi-user.target.wants"
            wants.mkdir()
            (wants / enabled).symlink_to(folder / name)
        return patient

    return installed


def test_without_systemd_that_is_said(patient: Patient) -> None:
    assert only(service.unit(patient)).level is Level.NOTE


def test_the_unit_that_serves_the_tree_is_found(install: Callable[..., Patient]) -> None:
    patient = install(enabled="clipd.service")
    enabled, root = service.unit(patient)
    assert (enabled.level, root.words) == (Level.OK, "it runs as root")


def test_an_instance_of_the_template_serves_the_tree_of_its_name(install: Callable[..., Patient]) -> None:
    patient = install(name="clipd@.service", enabled="clipd@tree.service", Environment="CLIPD_ROOT=/srv/clipd/%i")
    (found,) = service.units(patient.machine)
    assert (found.name, found.root) == ("clipd@tree.service", Path("/srv/clipd/tree"))
    assert "/srv/clipd/tree" in only(service.unit(patient)).words


@pytest.mark.parametrize(
    ("lines", "level", "word"),
    [
        ({"Type": "simple"}, Level.WARNING, "Type=notify"),
        ({"WatchdogSec": ""}, Level.WARNING, "WatchdogSec"),
        ({"User": "nobody-of-that-name"}, Level.WRONG, "does not exist"),
        ({"ReadWritePaths": "/srv/other"}, Level.WRONG, "ProtectSystem=strict"),
        ({"ExecStart": "/no/such/clipd run --root ${CLIPD_ROOT}"}, Level.WRONG, "is not there"),
    ],
)
def test_what_is_wrong_with_a_unit_is_told(
    install: Callable[..., Patient], lines: dict[str, str], level: Level, word: str
) -> None:
    patient = install(enabled="clipd.service", **lines)
    assert any(found.level is level and word in found.words for found in service.unit(patient))


def test_a_unit_that_is_not_enabled_is_warned_of_and_drop_ins_count(install: Callable[..., Patient]) -> None:
    patient = install()
    assert any("not enabled" in found.words for found in service.unit(patient))
    (folder,) = patient.machine.units
    (folder / "clipd.service.d").mkdir()
    (folder / "clipd.service.d" / "override.conf").write_text("[Service]\nEnvironment=CLIPD_ROOT=/srv/elsewhere\n")
    assert only(service.unit(patient)).words.startswith("no unit serves")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can ask as another user")
def test_the_units_user_is_really_asked(install: Callable[..., Patient]) -> None:
    patient = install(enabled="clipd.service", User="nobody")
    refused = [found for found in service.unit(patient) if found.level is Level.WRONG]
    assert ["user nobody cannot write" in found.words for found in refused] == [True]


@pytest.mark.parametrize("way", ["directory", "url"])
def test_a_destination_is_tried_and_nothing_stays_there(patient: Patient, tmp_path: Path, way: str) -> None:
    if way == "url":
        pytest.importorskip("fsspec", reason="the extra clipd[destinations] is not installed")
    nas = tmp_path / "nas"
    nas.mkdir()
    place = f"file://{nas}" if way == "url" else str(nas)
    destination = Destination.model_validate({way: place, "name": "nas"})
    finding = only(elsewhere.destinations(replace(patient, destinations=(destination,))))
    assert (finding.level, finding.where) == (Level.OK, "destination nas")
    assert list(nas.iterdir()) == []


@pytest.mark.parametrize(
    ("settings", "level", "words"),
    [
        ({"directory": "away"}, Level.WARNING, "is not there; is it mounted"),
        ({"directory": ".", "marker": "archive"}, Level.WARNING, "has no archive; is it mounted"),
    ],
)
def test_a_destination_that_is_away_is_told(
    patient: Patient, settings: dict[str, str], level: Level, words: str
) -> None:
    destination = Destination.model_validate(settings)
    finding = only(elsewhere.destinations(replace(patient, destinations=(destination,))))
    assert finding.level is level
    assert words in finding.words
    assert "patience_hours" in finding.mend


def test_destinations_that_do_not_answer_hold_the_doctor_up_together(
    patient: Patient, monkeypatch: pytest.MonkeyPatch
) -> None:
    go_on = threading.Event()

    def reach(*_: object) -> Store:
        go_on.wait()
        raise Deferred("gone")

    monkeypatch.setitem(STORES, "directory", reach)
    monkeypatch.setattr(elsewhere, "PATIENCE_SECONDS", 0.2)
    silent, waited = tuple(Destination(directory=name) for name in "abcde"), []
    join = threading.Thread.join

    def wait(thread: threading.Thread, timeout: float | None = None) -> None:
        waited.append(timeout)
        join(thread, timeout)

    monkeypatch.setattr(threading.Thread, "join", wait)
    found = list(elsewhere.destinations(replace(patient, destinations=silent)))
    go_on.set()
    assert {finding.level for finding in found} == {Level.WARNING}
    assert all("did not answer" in finding.words for finding in found)
    assert waited[0] == pytest.approx(0.2, abs=0.1)
    assert waited[1:] == [0.0] * 4


def test_links_ask_for_yt_dlp_where_hosts_are_listed(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(elsewhere.links(patient)) == []
    patient = replace(patient, links=LinkSettings(hosts=("example.org",)))

    def version(_: str) -> str:
        return "2026.1.1"

    def missing(name: str) -> str:
        raise elsewhere.importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(elsewhere.importlib.metadata, "version", version)
    assert only(elsewhere.links(patient)).words == "yt-dlp 2026.1.1 fetches from example.org"
    monkeypatch.setattr(elsewhere.importlib.metadata, "version", missing)
    found = only(elsewhere.links(patient))
    assert found.level is Level.WARNING
    assert "clipd[download]" in found.mend
