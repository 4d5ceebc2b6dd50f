"""The campaign: daemons on one tree, and everything that may happen to them, at random but by a seed.

Daemons are killed and frozen past their lease, they have other host names, and their clocks are set; workers too;
people save, change, cancel, delete and restore; disks fill; the share goes away. What happens is in the table
`ACTIONS`. The oracle looks all the while, and for good at the end, when everything was put back and given its time.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av

from clipd.tree import sidecar as sidecars
from tests.crash import oracle
from tests.e2e.tree import Tree, save
from tests.footage import make

LEASE_SECONDS = 2.0
GRACE_SECONDS = 4.0
DISK_MEGABYTES = 48
SETTINGS: dict[str, Any] = {
    "watch": {"interval_seconds": 0.4, "rescan_seconds": 2.0},
    "claims": {"lease_seconds": LEASE_SECONDS, "heartbeat_seconds": 0.4},
    "retry": {"attempts": 1000, "losses": 1000, "longest_wait_seconds": 2.0},
    "space": {"reserve": "1MiB", "stray_seconds": GRACE_SECONDS},
    "workers": {"max_workers": 1, "threads": 1},
    "clips": {"formats": ["h264"]},
}
FILM_FRAMES = 240
REAL = (("mdn_friday.mp4", 185), ("docutils_pens.mp4", 64))
DAY_SECONDS = 86400
BEGIN = ["sh", "-c", 'hostname "$0" && exec "$@"']


class Broken(AssertionError):
    """A promise was broken; the words and the end of the history."""


@dataclass
class Server:
    """One daemon of the campaign."""

    number: int
    host: str | None
    log: Path
    clock: Path
    """Holds the seconds by which its clock is off."""
    process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def met_no_tree(self) -> bool:
        """Did it end at its start because the share was away? Then systemd starts it again, and so do we."""
        said = self.log.read_text(errors="replace").splitlines()[-1:]
        return self.process is not None and self.process.poll() == 2 and "not a clipd tree" in "".join(said)


@dataclass
class Wanted:
    """What people want of one clip, as far as the campaign knows; None where an old copy came back with its word."""

    status: str | None = "Process"
    asks: int = 1
    span_is_sure: bool = True


@dataclass
class Campaign:
    """A tree, its daemons, and what happened so far."""

    tree: Tree
    chance: random.Random
    mark: str
    servers: list[Server]
    tell: Callable[[str], None]
    disk: Path | None
    began: float = field(default_factory=time.monotonic)
    history: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    faults: int = 0
    notes: int = 0
    edits: dict[tuple[str, str, str], set[Any]] = field(default_factory=dict)
    edited_at: dict[Path, float] = field(default_factory=dict)
    wanted: dict[tuple[Path, str], Wanted] = field(default_factory=dict)
    backups: dict[Path, list[bytes]] = field(default_factory=dict)
    sources: dict[Path, set[str]] = field(default_factory=dict)
    films: dict[Path, list[Path]] = field(default_factory=dict)
    later: list[tuple[float, str, Callable[[], None]]] = field(default_factory=list)
    busy: set[object] = field(default_factory=set)
    frozen: set[int] = field(default_factory=set)
    orphans: oracle.Orphans = field(init=False)

    def __post_init__(self) -> None:
        self.orphans = oracle.Orphans(f"CAMPAIGN={self.mark}")

    # --- the course of it ---------------------------------------------------------------------------------------

    def run(self, seconds: float, pause: tuple[float, float]) -> None:
        """Let things happen for `seconds`, then put everything back and look at the whole."""
        names, weights = [action[0] for action in ACTIONS], [action[1] for action in ACTIONS]
        table = {action[0]: action[2] for action in ACTIONS}
        for server in self.servers:
            self.start(server)
        next_action, next_look, end = 0.0, 0.0, time.monotonic() + seconds
        while time.monotonic() < end:
            self._put_back(time.monotonic())
            if time.monotonic() >= next_action:
                name = self.chance.choices(names, weights)[0]
                if (words := table[name](self)) is not None:
                    self.counts[name] += 1
                    self.say(words)
                next_action = time.monotonic() + self.chance.uniform(*pause)
            if time.monotonic() >= next_look:
                self.look()
                next_look = time.monotonic() + 0.5
            time.sleep(0.05)
        self.settle()

    def settle(self, patience_seconds: float = 150.0) -> None:
        """Put everything back, let all work be done, and hold the tree against every promise."""
        self._put_back(float("inf"))
        for server in self.servers:
            if not server.alive:
                self.start(server)
        self.say("everything is put back; now all work must be done")
        deadline = time.monotonic() + patience_seconds
        while left := self._unfinished():
            self.look()
            if time.monotonic() > deadline:
                raise self.broken([f"not done within {patience_seconds:g} s: {words}" for words in left])
            time.sleep(0.2)
        if left := oracle.unaccounted(self.tree.layout):
            raise self.broken(left)
        while strays := list(oracle.violations(self.tree.layout, grace_seconds=GRACE_SECONDS + 7.0)):
            if time.monotonic() > deadline:
                raise self.broken(strays)
            time.sleep(0.5)
        time.sleep(GRACE_SECONDS + 6.0)
        for server in self.servers:
            if server.process is not None and server.alive:
                server.process.send_signal(signal.SIGTERM)
        for server in self.servers:
            if server.process is not None and server.process.wait(timeout=30) != 0:
                raise self.broken([f"daemon {server.number} ended with {server.process.returncode}: {server.log}"])
        time.sleep(0.3)
        wrong = [
            *oracle.violations(self.tree.layout, grace_seconds=GRACE_SECONDS),
            *oracle.lost_edits(self.tree.layout, self.edits),
            *(f"process {pid} is left" for pid in self.orphans.workers()),
            *self._wrong_clips(),
            *self._needless_runs(),
        ]
        if wrong:
            raise self.broken(wrong)
        self.say("every promise was kept")

    def look(self) -> None:
        """The promises that hold at every moment; each is looked at again before it counts as broken."""
        if wrong := self.orphans.look(frozenset(self.frozen)):
            raise self.broken(wrong)
        for server in self.servers:
            if server.process is not None and server.process.poll() not in (None, -signal.SIGKILL):
                if server.met_no_tree:
                    self.say(f"daemon {server.number} found no tree at its start; start it again")
                    self.start(server)
                    continue
                raise self.broken([f"daemon {server.number} ended with {server.process.returncode}: {server.log}"])
        if self.busy:
            return
        standing: set[str] | None = None
        for _ in range(4):
            found = set(oracle.broken_promises(self.tree.layout))
            standing = found if standing is None else standing & found
            if not standing:
                return
            time.sleep(0.4)
        raise self.broken(sorted(standing or ()))

    def stop(self) -> None:
        """End what is left of it."""
        for server in self.servers:
            if server.process is not None and server.alive:
                server.process.kill()
                server.process.wait()
        for pid in self.orphans.workers():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def say(self, words: str) -> None:
        line = f"{time.monotonic() - self.began:8.2f}  {words}"
        self.history.append(line)
        self.tell(line)

    def broken(self, wrong: list[str]) -> Broken:
        tail = "\n".join(self.history[-40:])
        return Broken("\n".join(wrong) + f"\n\nthe last that happened:\n{tail}\n\nlogs: {self.tree.logs}")

    # --- what the campaign does ---------------------------------------------------------------------------------

    def start(self, server: Server) -> None:
        """Start a daemon, under its host name and with its clock."""
        environment = {**os.environ, "CAMPAIGN": self.mark, "CLOCK_SHIFT": str(server.clock)}
        environment["PYTHONPATH"] = str(Path(__file__).parents[2])
        command = [sys.executable, "-m", "tests.crash.off_clock", "run"]
        if server.host is not None:
            command = ["unshare", "--uts", *BEGIN, server.host, *command]
        with server.log.open("ab") as log:
            server.process = subprocess.Popen(command, cwd=self.tree.root, env=environment, stdout=log, stderr=log)

    def after(self, seconds: float, words: str, put_back: Callable[[], None], busy: object = None) -> None:
        """Have `put_back` called in `seconds`; until then `busy` is left alone by other actions."""
        if busy is not None:
            self.busy.add(busy)

        def call() -> None:
            put_back()
            self.busy.discard(busy)

        self.later.append((time.monotonic() + seconds, words, call))

    def freeze(self, pid: int, seconds: float) -> None:
        """Stop a process, and let it go on later."""
        os.kill(pid, signal.SIGSTOP)
        self.frozen.add(pid)
        self.faults += 1

        def thaw() -> None:
            self.frozen.discard(pid)
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)

        self.after(seconds, f"SIGCONT {pid}", thaw)

    def a_server(self) -> Server | None:
        """A daemon that runs and is not frozen."""
        up = [s for s in self.servers if s.process is not None and s.alive and s.process.pid not in self.frozen]
        return self.chance.choice(up) if up else None

    def a_worker(self) -> int | None:
        """A worker that is not frozen."""
        workers = sorted(set(self.orphans.workers()) - self.frozen)
        return self.chance.choice(workers) if workers else None

    def a_sidecar(self) -> Path | None:
        """A sidecar that stands and is left alone by other actions."""
        there = [path for path in self.backups if path not in self.busy]
        return self.chance.choice(there) if there else None

    def edit(self, path: Path, change: Callable[[dict[str, Any]], None]) -> tuple[str, str]:
        """Change a clip and the note in it, as a person does; the new text, and the clip's name."""
        clips = json.loads(path.read_bytes())
        clip = self.chance.choice(clips)
        self.notes += 1
        clip["note"] = self.notes
        change(clip)
        self.edits[self.tree.layout.relative(path), f"id:{clip['id']}", "note"] = {self.notes}
        self.edited_at[path] = time.monotonic()
        return json.dumps(clips, indent=2) + "\n", clip["name"]

    def wants(self, path: Path, clip: dict[str, Any]) -> Wanted:
        return self.wanted[path, clip["id"]]

    def _put_back(self, until: float) -> None:
        due = sorted((entry for entry in self.later if entry[0] <= until), key=lambda entry: entry[0])
        self.later = [entry for entry in self.later if entry[0] > until]
        for _, words, call in due:
            call()
            self.say(words)

    # --- what the campaign knows --------------------------------------------------------------------------------

    def _unfinished(self) -> list[str]:
        left = oracle.unfinished(self.tree.layout)
        for path in self.backups:
            for clip in json.loads(path.read_bytes()):
                status = self.wants(path, clip).status
                if clip["status"] != {"Process": "Complete", "Draft": "Draft"}.get(status or "", clip["status"]):
                    left.append(f"{path.name} {clip['name']}: {clip['status']} {clip.get('error', '')}, not {status}")
        return left

    def _wrong_clips(self) -> Iterator[str]:
        """Complete clips whose file is not the span that their sidecar names, of a source that once stood there."""
        for path in self.backups:
            for clip in json.loads(path.read_bytes()):
                if clip["status"] != "Complete":
                    continue
                video = self.tree.root / clip["export_path"][0]
                with av.open(str(video)) as container:
                    frames = sum(1 for _ in container.decode(video=0))
                due = clip["end_frame"] - clip["start_frame"] + 1
                if self.wants(path, clip).span_is_sure and frames != due:
                    yield f"{video.name} holds {frames} frames; {due} are due"
                sheet = json.loads(video.with_suffix(".json").read_bytes())
                if sheet["source"]["sha256"] not in self.sources[self.tree.layout.source / clip["source_path"]]:
                    yield f"{video.name} was cut from something that was never whole"

    def _needless_runs(self) -> list[str]:
        runs = Counter((receipt.origin, receipt.key) for receipt in oracle.all_receipts(self.tree.layout))
        asks = {
            (self.tree.layout.relative(path), f"id:{name}"): wanted.asks for (path, name), wanted in self.wanted.items()
        }
        extra = {key: count - asks[key] for key, count in runs.items() if count > asks[key]}
        if sum(extra.values()) <= self.faults:
            return []
        return [f"{sum(extra.values())} needless runs after {self.faults} faults: {extra}"]


# --- what may happen ----------------------------------------------------------------------------------------------


def kill_daemon(campaign: Campaign) -> str | None:
    server = campaign.a_server()
    if server is None or server.process is None:
        return None
    server.process.kill()
    server.process.wait()
    campaign.faults += 1
    words = f"start daemon {server.number}"
    campaign.after(campaign.chance.uniform(0.0, 2.0), words, lambda: campaign.start(server))
    return f"kill -9 daemon {server.number} ({server.process.pid})"


def kill_worker(campaign: Campaign) -> str | None:
    pid = campaign.a_worker()
    if pid is None:
        return None
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    campaign.faults += 1
    return f"kill -9 worker {pid}"


def freeze_worker(campaign: Campaign) -> str | None:
    pid = campaign.a_worker()
    if pid is None:
        return None
    seconds = LEASE_SECONDS * campaign.chance.uniform(1.2, 3.0)
    campaign.freeze(pid, seconds)
    return f"SIGSTOP worker {pid} for {seconds:.1f} s"


def freeze_daemon(campaign: Campaign) -> str | None:
    server = campaign.a_server()
    if server is None or server.process is None:
        return None
    seconds = LEASE_SECONDS * campaign.chance.uniform(0.5, 2.0)
    campaign.freeze(server.process.pid, seconds)
    return f"SIGSTOP daemon {server.number} ({server.process.pid}) for {seconds:.1f} s"


def save_by_rename(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    text, name = campaign.edit(path, lambda clip: None)
    save(path, text)
    return f"save {path.name} by rename: note {campaign.notes} in {name}"


def save_in_place(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    text, name = campaign.edit(path, lambda clip: None)
    path.write_text(text)
    campaign.after(0.6, f"{path.name} has been read again", lambda: None, busy=path)
    return f"save {path.name} in place: note {campaign.notes} in {name}"


def save_half(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    text, name = campaign.edit(path, lambda clip: None)
    file = path.open("w")
    file.write(text[: len(text) // 2])
    file.flush()

    def finish() -> None:
        with file:
            file.write(text[len(text) // 2 :])
        campaign.after(0.6, f"{path.name} has been read again", lambda: None, busy=path)

    campaign.after(campaign.chance.uniform(0.2, 1.5), f"save {path.name}: the other half", finish, busy="half")
    campaign.busy.add(path)
    return f"save half of {path.name} in place: note {campaign.notes} in {name}"


def ask_again(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None

    def change(clip: dict[str, Any]) -> None:
        clip["status"] = "Process"
        wanted = campaign.wants(path, clip)
        wanted.status, wanted.asks = "Process", wanted.asks + 1

    text, name = campaign.edit(path, change)
    save(path, text)
    return f"set {name} of {path.name} to Process (note {campaign.notes})"


def set_draft(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None

    def change(clip: dict[str, Any]) -> None:
        clip["status"] = "Draft"
        campaign.wants(path, clip).status = "Draft"

    text, name = campaign.edit(path, change)
    save(path, text)
    return f"set {name} of {path.name} to Draft (note {campaign.notes})"


def change_span(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None

    def change(clip: dict[str, Any]) -> None:
        clip["start_frame"] = campaign.chance.randrange(0, 20)
        clip["end_frame"] = clip["start_frame"] + campaign.chance.randrange(5, 40)
        clip["status"] = "Process"
        wanted = campaign.wants(path, clip)
        wanted.status, wanted.asks, wanted.span_is_sure = "Process", wanted.asks + 1, True

    text, name = campaign.edit(path, change)
    save(path, text)
    return f"change the span of {name} of {path.name} (note {campaign.notes})"


def back_up(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    campaign.backups[path].append(path.read_bytes())
    return f"back up {path.name}"


def restore(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    data = campaign.chance.choice(campaign.backups[path])
    _came_back(campaign, path, data)
    copy = campaign.tree.logs / f"older-{path.name}"
    copy.write_bytes(data)
    if shutil.which("rsync") is not None:
        subprocess.run(["rsync", "--times", "--ignore-times", copy, path], check=True, capture_output=True)
        return f"rsync brings an older {path.name} back"
    path.write_bytes(data)
    return f"a copy brings an older {path.name} back"


def delete_sidecar(campaign: Campaign) -> str | None:
    path = campaign.a_sidecar()
    if path is None:
        return None
    data = path.read_bytes()
    path.unlink()

    def bring_back() -> None:
        _came_back(campaign, path, data)
        save(path, data.decode())

    campaign.after(campaign.chance.uniform(0.5, 3.0), f"restore {path.name}", bring_back, busy=path)
    return f"delete {path.name}"


def _came_back(campaign: Campaign, path: Path, data: bytes) -> None:
    """An older copy is as good as a save of everything in it."""
    recently = time.monotonic() - campaign.edited_at.get(path, 0.0) < 2.0
    for entry in sidecars.parse(data).entries:
        key = (campaign.tree.layout.relative(path), entry.key, "note")
        former = campaign.edits.get(key, set()) if recently else set()
        campaign.edits[key] = {entry.raw.get("note")} | former
        wanted = campaign.wants(path, dict(entry.raw))
        wanted.status = {"Process": "Process", "Draft": "Draft"}.get(entry.status or "")
        wanted.asks += entry.due
        wanted.span_is_sure = wanted.status == "Process"


def replace_source(campaign: Campaign) -> str | None:
    source = campaign.chance.choice(sorted(campaign.films))
    if source in campaign.busy:
        return None
    film = campaign.chance.choice(campaign.films[source])
    data = film.read_bytes()
    campaign.faults += 1
    campaign.sources[source].add(hashlib.sha256(data).hexdigest())
    if campaign.chance.random() < 0.5:
        temp = source.with_name(f".{source.name}.new.tmp")
        temp.write_bytes(data)
        temp.rename(source)
        return f"replace {source.name} by rename"
    file = source.open("wb")
    file.write(data[: len(data) // 2])
    file.flush()

    def finish() -> None:
        with file:
            file.write(data[len(data) // 2 :])

    campaign.after(campaign.chance.uniform(0.3, 2.0), f"{source.name} has been copied", finish, busy=source)
    return f"replace {source.name} in place, slowly"


def pause(campaign: Campaign) -> str | None:
    file = campaign.tree.layout.control("PAUSE")
    if file in campaign.busy:
        return None
    hard = campaign.chance.random() < 0.4
    file.write_text("hard" if hard else "")
    campaign.after(campaign.chance.uniform(1.0, 3.0), "remove PAUSE", lambda: file.unlink(), busy=file)
    return f"drop PAUSE{' (hard)' if hard else ''}"


def take_share_away(campaign: Campaign) -> str | None:
    marker = campaign.tree.layout.marker
    if marker in campaign.busy:
        return None
    away = marker.rename(marker.with_name("away"))

    def bring_back() -> None:
        away.rename(marker)

    campaign.after(campaign.chance.uniform(0.5, 3.0), "the share's marker is back", bring_back, busy=marker)
    return "the share's marker is gone"


def fill_disk(campaign: Campaign) -> str | None:
    if campaign.disk is None or campaign.disk in campaign.busy:
        return None
    ballast = campaign.disk / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(1 << 18))

    campaign.after(campaign.chance.uniform(1.0, 4.0), "the disk is free again", ballast.unlink, busy=campaign.disk)
    return "the outputs' disk is full"


def set_clock(campaign: Campaign) -> str | None:
    server = campaign.chance.choice(campaign.servers)
    seconds = campaign.chance.choice((0, -DAY_SECONDS, DAY_SECONDS))
    server.clock.write_text(str(seconds))
    return f"set the clock of daemon {server.number} to {seconds:+d} s"


ACTIONS: tuple[tuple[str, int, Callable[[Campaign], str | None]], ...] = (
    ("kill daemon", 8, kill_daemon),
    ("kill worker", 8, kill_worker),
    ("freeze worker", 6, freeze_worker),
    ("freeze daemon", 3, freeze_daemon),
    ("save by rename", 12, save_by_rename),
    ("save in place", 6, save_in_place),
    ("save half", 4, save_half),
    ("ask again", 14, ask_again),
    ("set draft", 4, set_draft),
    ("change span", 10, change_span),
    ("back up", 4, back_up),
    ("restore older", 4, restore),
    ("delete sidecar", 3, delete_sidecar),
    ("replace source", 4, replace_source),
    ("pause", 2, pause),
    ("share away", 2, take_share_away),
    ("fill disk", 2, fill_disk),
    ("set clock", 4, set_clock),
)
"""What may happen: its name, how often in proportion, and what does it (its words, or None where it does not apply)."""


# --- how it begins ------------------------------------------------------------------------------------------------


def other_hosts_allowed() -> bool:
    """May processes be started under another host name?"""
    if shutil.which("unshare") is None:
        return False
    return subprocess.run(["unshare", "--uts", *BEGIN, "other", "true"], capture_output=True).returncode == 0


@contextmanager
def small_disk(folder: Path, megabytes: int) -> Iterator[Path | None]:
    """A small filesystem at `folder`; None where nothing may be mounted."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "clipd-test", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode != 0:
        yield None
        return
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@contextmanager
def campaign(
    folder: Path,
    *,
    seed: int,
    clips: int,
    daemons: int,
    tell: Callable[[str], None],
    real: Path | None = None,
) -> Iterator[Campaign]:
    """A campaign on a new tree below `folder`; `real` is the folder of the real footage."""
    chance = random.Random(seed)
    with small_disk(folder / "tree" / "data/prept/03_CLIPPED", DISK_MEGABYTES) as disk:
        tree = Tree.at(folder / "tree", SETTINGS, logs=folder)
        others = other_hosts_allowed()
        servers = [
            Server(n, f"host{n}" if others and n % 2 else None, folder / f"daemon-{n}.log", folder / f"clock-{n}")
            for n in range(daemons)
        ]
        made = Campaign(tree, chance, uuid.uuid4().hex, servers, tell, disk)
        _fill(made, folder, clips, real)
        try:
            yield made
        finally:
            made.stop()


def _fill(made: Campaign, folder: Path, clips: int, real: Path | None) -> None:
    films = [
        (
            [
                make(folder / f"film{n}-{version}.mp4", count=FILM_FRAMES, size=(320, 192), options={"crf": str(crf)})
                for version, crf in enumerate((23, 28))
            ],
            FILM_FRAMES,
        )
        for n in range(3)
    ]
    films += [([real / name], count) for name, count in REAL if real is not None and (real / name).is_file()]
    for number, (versions, frames) in enumerate(films):
        source = made.tree.add_source(versions[0], f"match{number}.mp4")
        made.sources[source] = {hashlib.sha256(versions[0].read_bytes()).hexdigest()}
        if len(versions) > 1:
            made.films[source] = versions
        entries = [
            {"id": f"{number}-{n}", "name": f"clip{n}", "source_path": f"cam1/s1/{source.name}",
             "start_frame": n % 10, "end_frame": min(frames - 1, n % 10 + made.chance.randrange(20, 180)),
             "status": "Process", "export_path": None, "note": 0}
            for n in range(max(1, clips // len(films)))
        ]  # fmt: skip
        path = made.tree.write_sidecar(json.dumps(entries, indent=2) + "\n", video=f"match{number}")
        made.backups[path] = [path.read_bytes()]
        made.wanted |= {(path, str(entry["id"])): Wanted() for entry in entries}
