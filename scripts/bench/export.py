"""How an export compares with the ffmpeg command line, side by side on this machine; prints one JSON line.

    python scripts/bench/export.py [--source FILE] [--pairs 5] [--seconds 10] [--clips 40]

`wall_ratio` and `cpu_ratio`: a clip as H.264 by a warm `jobs.clip.run`, verification and thumbnail included, against
ffmpeg with the same settings; the median over interleaved pairs. `both_cpu_ratio`: H.264 and FFV1 from one decode
against two ffmpeg runs, without the CPU time of the proof; `proof_cpu_ratio` is that time as a share of the same runs.
`batch_wall_ratio`: 40 clips of a second through warm worker processes against `xargs -P`. Bars: `wall_ratio` 1.05,
`both_cpu_ratio` 0.95. ffmpeg is the one on PATH, else that of imageio-ffmpeg (extra `bench`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shlex
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from multiprocessing import get_context
from pathlib import Path

import av
import numpy as np

from clipd.jobs.clip import Effort, Settings, plan, run
from clipd.jobs.context import Context
from clipd.media.door import Limits
from clipd.media.index import load
from clipd.media.probe import probe
from clipd.model.clip import Clip
from clipd.model.crop import CropPath, Rect
from clipd.model.timespan import FrameSpan


@dataclass(frozen=True)
class Task:
    """One clip to export, known to both sides; `start` and `length` in seconds."""

    source: Path
    cache: Path
    span: FrameSpan
    start: Fraction
    length: Fraction
    rect: Rect


@dataclass(frozen=True)
class Cost:
    """Seconds."""

    wall: float
    cpu: float


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="footage to cut; drawn if not given")
    parser.add_argument("--pairs", type=int, default=5, help="interleaved pairs to take the median of")
    parser.add_argument("--seconds", type=float, default=10, help="length of the clip")
    parser.add_argument("--clips", type=int, default=40, help="clips in the batch; 0 leaves it out")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="clipd-bench-") as folder:
        work = Path(folder)
        source = (arguments.source or draw(work / "drawn.mp4")).resolve()
        print(json.dumps(measure(source, work, arguments.pairs, arguments.seconds, arguments.clips)))


def measure(source: Path, work: Path, pairs: int, seconds: float, clips: int) -> dict[str, object]:
    """All figures for clips of `source`."""
    ffmpeg = find_ffmpeg()
    task = middle_of(source, work / "cache", seconds)
    threads = os.cpu_count() or 1
    ours(task, ("h264", "ffv1"), work, threads)
    singles, doubles = [], []
    for _ in range(pairs):
        mine, _ = ours(task, ("h264",), work, threads)
        theirs = command(ffmpeg, task, "h264", work / "theirs.mp4")
        singles.append((mine.wall / theirs.wall, mine.cpu / theirs.cpu))
        mine, effort = ours(task, ("h264", "ffv1"), work, threads)
        lossless = command(ffmpeg, task, "ffv1", work / "theirs.mkv")
        both = theirs.cpu + lossless.cpu
        doubles.append(((mine.cpu - effort.proof_cpu) / both, effort.proof_cpu / both))
    return {
        "bench": "export",
        "wall_ratio": median(pair[0] for pair in singles),
        "cpu_ratio": median(pair[1] for pair in singles),
        "both_cpu_ratio": median(pair[0] for pair in doubles),
        "proof_cpu_ratio": median(pair[1] for pair in doubles),
        "batch_wall_ratio": batch(ffmpeg, task, work, clips) if clips else None,
        "pairs": pairs,
        "frames": task.span.count,
        "crop": task.rect.as_list(),
        "cores": threads,
        "source": source.name,
        "ffmpeg": Path(ffmpeg).name,
    }


def ours(task: Task, formats: tuple[str, ...], work: Path, threads: int) -> tuple[Cost, Effort]:
    """Exports with clipd, in this process."""
    with timed(resource.RUSAGE_SELF) as cost:
        effort = export(task, formats, work, threads)
    return cost(), effort


def export(task: Task, formats: tuple[str, ...], work: Path, threads: int) -> Effort:
    """One run of the job."""
    with tempfile.TemporaryDirectory(dir=work) as staging:
        settings = Settings(formats=formats)
        clip = Clip("id:bench", "clip", None, task.span, CropPath(((task.span.first, task.rect),)))
        renditions = plan(clip, settings, camera="cam", session="s", video_stem="bench")
        context = Context(Path(staging), task.source, task.source.name, task.cache, threads, Limits(), lambda *_: None)
        return run(clip, renditions, settings, context).effort


def command(ffmpeg: str, task: Task, format: str, output: Path) -> Cost:
    """Exports with the ffmpeg command line."""
    with timed(resource.RUSAGE_CHILDREN) as cost:
        subprocess.run(arguments_for(ffmpeg, task, format, output), check=True)
    return cost()


def arguments_for(ffmpeg: str, task: Task, format: str, output: Path, *more: str) -> list[str]:
    """The command line with the same settings as clipd's defaults."""
    rect = task.rect
    codec = {
        "h264": "-c:v libx264 -crf 18 -preset veryfast -pix_fmt yuv420p -movflags +faststart -c:a aac -b:a 192k",
        "ffv1": "-c:v ffv1 -level 3 -g 1 -slices 4 -slicecrc 1 -c:a flac",
    }[format]
    return [
        *(ffmpeg, "-nostdin", "-v", "error", "-y"),
        *("-ss", f"{float(task.start):.6f}", "-t", f"{float(task.length):.6f}", "-i", str(task.source)),
        *("-vf", f"crop={rect.width}:{rect.height}:{rect.x}:{rect.y}:exact=1", "-fps_mode", "passthrough"),
        *codec.split(),
        *more,
        str(output),
    ]


def batch(ffmpeg: str, task: Task, work: Path, clips: int) -> float:
    """Many short clips: warm worker processes against `xargs -P`, one thread for each of as many processes as cores."""
    cores = os.cpu_count() or 1
    tasks = [shortened(task, number) for number in range(clips)]
    with ProcessPoolExecutor(cores, mp_context=get_context("spawn")) as pool:
        list(pool.map(export_one, tasks[: 2 * cores], [work] * 2 * cores))
        begun = time.perf_counter()
        list(pool.map(export_one, tasks, [work] * len(tasks)))
        mine = time.perf_counter() - begun
    lines = "\n".join(
        shlex.join(arguments_for(ffmpeg, short, "h264", work / f"batch{number}.mp4", "-threads", "1"))
        for number, short in enumerate(tasks)
    )
    begun = time.perf_counter()
    subprocess.run(
        ["xargs", "-P", str(cores), "-d", "\n", "-n", "1", "sh", "-c", 'eval "$1"', "sh"],
        input=lines, text=True, check=True,
    )  # fmt: skip
    return round(mine / (time.perf_counter() - begun), 3)


def export_one(task: Task, work: Path) -> float:
    """One short clip, in a worker."""
    return export(task, ("h264",), work, 1).wall


def middle_of(source: Path, cache: Path, seconds: float) -> Task:
    """A clip from the middle of `source`, cropped to three quarters of its width and height."""
    info = probe(source, Limits())
    index = load(source, info, Limits(), cache)
    count = min(index.count, max(1, round(seconds * index.count / float(index.time(index.count)))))
    first = (index.count - count) // 2
    width, height = info.video.width * 3 // 4 & ~1, info.video.height * 3 // 4 & ~1
    start = index.time(first)
    length = index.time(first + count) - start
    rect = Rect(info.video.width // 8 & ~1, info.video.height // 8 & ~1, width, height)
    return Task(source, cache, FrameSpan(first, first + count - 1), start, length, rect)


def shortened(task: Task, number: int) -> Task:
    """A second out of `task`, another one for each number."""
    step = task.length / task.span.count
    count = min(task.span.count, max(1, round(1 / step)))
    first = task.span.first + number * 7 % max(1, task.span.count - count)
    start = task.start + (first - task.span.first) * step
    return Task(task.source, task.cache, FrameSpan(first, first + count - 1), start, count * step, task.rect)


@contextmanager
def timed(who: int) -> Iterator[Callable[[], Cost]]:
    """Wall and CPU seconds of the block, for this process or its finished children."""
    usage, begun = resource.getrusage(who), time.perf_counter()
    costs: list[Cost] = []
    yield lambda: costs[0]
    wall, after = time.perf_counter() - begun, resource.getrusage(who)
    costs.append(Cost(wall, after.ru_utime + after.ru_stime - usage.ru_utime - usage.ru_stime))


def find_ffmpeg() -> str:
    """The ffmpeg on PATH, else imageio-ffmpeg's."""
    found = shutil.which("ffmpeg")
    if found:
        return found
    import imageio_ffmpeg

    return str(imageio_ffmpeg.get_ffmpeg_exe())


def draw(path: Path, seconds: int = 20, width: int = 1280, height: int = 720) -> Path:
    """Footage with sound: a textured ground that drifts, things that move over it, sensor noise."""
    random = np.random.default_rng(1)
    ground = np.kron(random.integers(40, 200, (height // 8 + 80, width // 8 + 80)), np.ones((8, 8))).astype(np.uint8)
    noise = random.normal(0, 3, (8, height, width)).astype(np.int16)
    tone = np.sin(np.arange(48000 * seconds) * 440 * 2 * np.pi / 48000).astype(np.float32) * 0.3
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=30, options={"crf": "20", "preset": "veryfast"})
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        audio = output.add_stream("aac", rate=48000)
        for number in range(30 * seconds):
            x, y = number % 320, number // 2 % 320
            luma = ground[y : y + height, x : x + width].astype(np.int16) + noise[number % 8]
            for thing in range(12):
                left, top = (number * (3 + thing) + thing * 97) % (width - 90), (thing * 53 + number) % (height - 60)
                luma[top : top + 60, left : left + 90] = 30 + 18 * thing
            chroma = np.full((height // 2, width), 128, np.int16)
            chroma[:, : number % width] += 12
            picture = np.vstack([luma, chroma]).clip(0, 255).astype(np.uint8)
            output.mux(video.encode(av.VideoFrame.from_ndarray(picture, format="yuv420p")))
            sound = av.AudioFrame.from_ndarray(tone[None, number * 1600 : (number + 1) * 1600], "fltp", "mono")
            sound.sample_rate, sound.pts, sound.time_base = 48000, number * 1600, Fraction(1, 48000)
            output.mux(audio.encode(sound))
        output.mux(video.encode(None))
        output.mux(audio.encode(None))
    return path


def median(values: Iterator[float]) -> float:
    """Rounded to thousandths."""
    return round(statistics.median(values), 3)


if __name__ == "__main__":
    main()
