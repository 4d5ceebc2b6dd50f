"""Videos that are damaged, or made to take for ever: no hang, no crash of the daemon, no Complete that is wrong.

`CLIPD_TEST_DAMAGES` sets how many damaged copies of each of the ten real files there are (1 without it).
"""

from __future__ import annotations

import io
import os
import random
import struct
import time
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from tests.crash import oracle
from tests.crash.child import clip
from tests.e2e.tree import Tree
from tests.footage import REAL, footage, make

DAMAGES = int(os.environ.get("CLIPD_TEST_DAMAGES", "1"))
FRAMES = 12
SECONDS_EACH = 8


def truncated(data: bytes, chance: random.Random) -> bytes:
    return data[: chance.randrange(len(data) // 10, len(data))]


def flipped(data: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.choice((1, 20, 400))):
        damaged[chance.randrange(len(damaged))] ^= 1 << chance.randrange(8)
    return bytes(damaged)


def holed(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    return data[:at] + bytes(min(50_000, len(data) - at)) + data[at + 50_000 :]


DAMAGE: tuple[Callable[[bytes, random.Random], bytes], ...] = (truncated, flipped, holed)


def tree_at(folder: Path) -> Tree:
    return Tree.at(
        folder / "tree",
        {
            "clips": {"formats": ["h264"]},
            "retry": {"source_patience_seconds": 0.0, "first_wait_seconds": 0.05},
            "workers": {"memory": "1GiB", "no_progress_seconds": 20, "job_seconds": 40},
            "media": {"open_timeout_seconds": 5, "read_timeout_seconds": 5},
        },
    )


def frames_in(path: Path) -> int:
    with av.open(str(path)) as container:
        return sum(1 for _ in container.decode(video=0))


def test_damaged_copies_of_real_footage_end_complete_and_right_or_failed_with_a_reason(tmp_path: Path) -> None:
    chance, tree = random.Random(5), tree_at(tmp_path)
    entries = []
    for number, name in enumerate(REAL):
        data = footage(name).read_bytes()
        for copy in range(DAMAGES):
            damaged = f"{number}-{copy}{Path(name).suffix}"
            path = tree.add_source(footage(name), damaged)
            path.chmod(0o644)
            path.write_bytes(DAMAGE[(number + copy) % len(DAMAGE)](data, chance))
            first = chance.randrange(0, 25)
            entries.append({**clip(damaged, first, first + FRAMES - 1), "source_path": f"cam1/s1/{damaged}"})
    sidecar = tree.write_sidecar(entries)
    began = time.monotonic()
    ended = tree.once("--max-workers", "2", expect=None)
    assert ended.returncode in (0, 1), ended.stdout + ended.stderr
    assert time.monotonic() - began < SECONDS_EACH * len(entries) + 20
    for entry in tree.clips(sidecar):
        assert entry["status"] in ("Complete", "Failed"), entry
        if entry["status"] == "Failed":
            assert len(str(entry["error"])) > 20
            assert "unexpected" not in str(entry["error"]), entry
        else:
            (video,) = entry["export_path"]
            assert frames_in(tree.root / video) == FRAMES, entry["name"]
    assert oracle.violations(tree.layout) == []


def bomb_of_pixels(film: bytes) -> bytes:
    """A GIF of 65,535 x 65,535 pixels in some hundred bytes."""
    with av.open(buffer := io.BytesIO(), "w", format="gif") as output:
        stream = output.add_stream("gif", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16, 16, "rgb8"
        for _ in range(FRAMES * 2):
            output.mux(stream.encode(av.VideoFrame(16, 16, "rgb8")))
        output.mux(stream.encode(None))
    small = buffer.getvalue()
    return small[:6] + struct.pack("<HH", 65535, 65535) + small[10:]


def ten_thousand_tracks(film: bytes) -> bytes:
    """A Matroska file with 10,000 video tracks, of which the first has pictures."""

    def element(number: int, content: bytes) -> bytes:
        name = number.to_bytes((number.bit_length() + 7) // 8, "big")
        return name + (len(content) | 1 << 56).to_bytes(8, "big") + content

    def track(number: int) -> bytes:
        entry = element(0xD7, number.to_bytes(4, "big")) + element(0x73C5, number.to_bytes(4, "big"))
        size = element(0xE0, element(0xB0, b"\x40") + element(0xBA, b"\x40"))
        return element(0xAE, entry + element(0x83, b"\x01") + element(0x86, b"V_VP8") + size)

    head = element(0x1A45DFA3, element(0x4282, b"matroska"))
    tracks = element(0x1654AE6B, b"".join(track(number + 1) for number in range(10_000)))
    blocks = b"".join(element(0xA3, b"\x81" + struct.pack(">h", n * 40) + b"\x80" + bytes(20)) for n in range(40))
    cluster = element(0x1F43B675, element(0xE7, b"\x00") + blocks)
    return head + element(0x18538067, element(0x1549A966, element(0x2AD7B1, b"\x0f\x42\x40")) + tracks + cluster)


def four_billion_samples(film: bytes) -> bytes:
    """An MP4 whose sample table says that each of four billion samples takes one byte."""
    at = film.index(b"stsz")
    return film[: at + 8] + struct.pack(">II", 1, 0xFFFFFFFF) + film[at + 16 :]


def endless_durations(film: bytes) -> bytes:
    """An MP4 whose frames each last four billion ticks."""
    at = film.index(b"stts")
    return film[: at + 12] + struct.pack(">II", 0x7FFFFFFF, 0xFFFFFFF0) + film[at + 20 :]


def endless_stream(film: bytes) -> bytes:
    """A raw stream of the same key picture, 20 MB long: it never says how long it is."""
    with av.open(os.devnull, "w", format="h264") as output:
        stream = output.add_stream("libx264", rate=25)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
        packets = [*stream.encode(av.VideoFrame(32, 32, "yuv420p")), *stream.encode(None)]
    picture = b"".join(bytes(packet) for packet in packets)
    return picture * (20_000_000 // len(picture))


BOMBS = (bomb_of_pixels, ten_thousand_tracks, four_billion_samples, endless_durations, endless_stream)


@pytest.mark.parametrize("limit_seconds", [60])
def test_bombs_fail_with_a_reason_in_bounded_time_and_memory_and_others_go_on(
    tmp_path: Path, limit_seconds: int
) -> None:
    tree = tree_at(tmp_path)
    film = make(tmp_path / "film.mp4", count=40, size=(64, 48))
    entries = []
    for bomb in BOMBS:
        suffix = {"bomb_of_pixels": ".gif", "ten_thousand_tracks": ".mkv", "endless_stream": ".h264"}
        name = f"{bomb.__name__}{suffix.get(bomb.__name__, '.mp4')}"
        (tree.add_source(film, name)).write_bytes(bomb(film.read_bytes()))
        entries.append({**clip(bomb.__name__, 5, 16), "source_path": f"cam1/s1/{name}"})
    sidecar = tree.write_sidecar(entries, video="bombs")
    tree.add_source(film, "match.mp4")
    good = tree.write_sidecar([clip("goal", 0, 9)])
    began = time.monotonic()
    tree.once(expect=1)
    assert time.monotonic() - began < limit_seconds
    assert tree.clip(good, "goal")["status"] == "Complete"
    for entry in tree.clips(sidecar):
        print(entry["name"], entry["status"], entry.get("error"))
        if entry["status"] == "Complete":
            (video,) = entry["export_path"]
            assert frames_in(tree.root / video) == FRAMES, entry["name"]
        else:
            assert entry["status"] == "Failed", entry
            assert len(str(entry["error"])) > 20
            assert "unexpected" not in str(entry["error"]), entry
    assert tree.clip(sidecar, "bomb_of_pixels")["status"] == "Failed"
    assert tree.clip(sidecar, "ten_thousand_tracks")["status"] == "Failed"
    assert oracle.violations(tree.layout) == []
