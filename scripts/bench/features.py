"""What measuring a video costs, against one decode of it and against five runs of ffmpeg; prints one JSON line.

    python scripts/bench/features.py [--source FILE] [--pairs 3] [--length 5] [--minutes 2 120] [--loop FILE]

`cpu_ratio`: all features against a plain decode of the file with the same library and threads, CPU time, the median
over interleaved pairs; bar 1.2. Plainly decoded are the tracks that are measured, video and the first of sound;
`video_ratio` compares the same features with the decode of the video alone. `shares` says where it goes, as
`cpu_ratio` does: the pass alone, without and with each detector alone, on the source as it is.
`recipe_ratio`: the whole analysis, report and pictures included, in a process of its own as `clipd analyze` is, against
the five runs of ffmpeg that measure loudness, motion, cuts, black and freeze, CPU time; bar 0.33; `recipe_wall_ratio`
the same by the clock. Both are measured on a film of --length minutes, as starting is no small part of a short one:
the source, joined to itself packet by packet. `peak_mb`: the most memory that measuring takes, by minutes of video; the
films are `--loop` (else small drawn pictures, as only the number of frames counts), joined likewise. It all takes about
a quarter of an hour. ffmpeg is the one on PATH, else that of imageio-ffmpeg (extra
`bench`).
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import av
from export import Cost, draw, find_ffmpeg, median, timed

from clipd.media.door import Limits
from clipd.media.glance import Viewing
from clipd.media.probe import probe
from clipd.segmentation.scenes import DETECTORS
from clipd.segmentation.survey import Settings, survey

RECIPE = {
    "audio": "-vn -af aresample=16000,aformat=channel_layouts=mono,asetnsamples=8000,astats=metadata=1:reset=1,"
    "ametadata=print:file=/dev/null",
    "motion": "-an -vf fps=4,scale=160:-2,format=gray",
    "scene": "-an -vf select='gt(scene,0.3)',metadata=print:file=/dev/null",
    "black": "-an -vf blackdetect=d=0.1:pix_th=0.10:pic_th=0.98",
    "freeze": "-an -vf freezedetect=n=0.003:d=0.5",
}
"""The five passes that clipd's one stands for."""


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--source", type=Path, help="footage to measure; drawn if not given")
    parser.add_argument("--pairs", type=int, default=3, help="interleaved pairs to take the median of")
    parser.add_argument("--length", type=float, default=5, help="minutes to fill with the source; 0: as it is")
    parser.add_argument("--minutes", type=float, nargs="*", default=[2, 120], help="lengths of the films for memory")
    parser.add_argument("--loop", type=Path, help="footage that these films are made of")
    parser.add_argument("--peak-of", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.peak_of:
        print(peak(arguments.peak_of))
        return
    with tempfile.TemporaryDirectory(prefix="clipd-bench-") as folder:
        work = Path(folder)
        source = (arguments.source or draw(work / "drawn.mp4")).resolve()
        film = source
        if arguments.length > 0:
            film = joined(source, arguments.length * 60, work / f"film{source.suffix}")
        result = {**measure(film, source, work, arguments.pairs), "source": source.name}
        loop = (arguments.loop or draw(work / "small.mp4", width=320, height=180)).resolve()
        result["peak_mb"] = peaks(loop, arguments.minutes, work)
        print(json.dumps(result))


def measure(film: Path, source: Path, work: Path, pairs: int) -> dict[str, object]:
    """The ratios for `film`, and for the `source` that it is made of what each part takes."""
    ffmpeg = find_ffmpeg()
    ways: dict[str, Callable[[], object]] = {
        "pass": lambda: viewed(source),
        "none": lambda: measured(source, only()),
        **{name: lambda name=name: measured(source, only(name)) for name in DETECTORS},
    }
    plain(source)
    shares: dict[str, list[float]] = {name: [] for name in ways}
    ratios: list[tuple[float, float]] = []
    recipes: list[tuple[float, float]] = []
    for pair in range(pairs):
        decode, mine = cpu(lambda: plain(film)), cpu(lambda: measured(film, Settings()))
        ratios.append((mine.cpu / decode.cpu, mine.cpu / cpu(lambda: plain(film, sound=False)).cpu))
        analysis, passes = analysed(film, work / f"analysis{pair}"), recipe(ffmpeg, film)
        recipes.append((analysis.cpu / passes.cpu, analysis.wall / passes.wall))
        for name, way in ways.items():
            decode = cpu(lambda: plain(source))
            shares[name].append(cpu(way).cpu / decode.cpu)
    return {
        "bench": "features",
        "cpu_ratio": median(pair[0] for pair in ratios),
        "video_ratio": median(pair[1] for pair in ratios),
        "shares": {name: median(iter(found)) for name, found in shares.items()},
        "recipe_ratio": median(pair[0] for pair in recipes),
        "recipe_wall_ratio": median(pair[1] for pair in recipes),
        "detectors": Settings().scenes.detectors,
        "pairs": pairs,
        "cores": os.cpu_count(),
        "ffmpeg": Path(ffmpeg).name,
    }


def cpu(way: Callable[[], object]) -> Cost:
    """What `way` costs in this process, its threads included."""
    with timed(resource.RUSAGE_SELF) as cost:
        way()
    return cost()


def plain(source: Path, *, sound: bool = True) -> int:
    """Decodes the tracks that are measured, and looks at nothing."""
    info = probe(source, Limits())
    with av.open(str(source)) as container:
        video = container.streams[info.video.index]
        video.thread_type, video.codec_context.thread_count = "AUTO", 0
        chosen = [video, *(container.streams[track.index] for track in info.audio[: int(sound)])]
        return sum(len(packet.decode()) for packet in container.demux(chosen))


def measured(source: Path, settings: Settings) -> object:
    """All features."""
    return survey(source, settings, Limits(), lambda *_: None)


def viewed(source: Path) -> int:
    """The pass with nobody looking."""
    limits = Limits()
    return sum(1 for _ in Viewing(source, probe(source, limits), limits, Settings().glance))


def only(*detectors: str) -> Settings:
    """The default settings with these detectors alone."""
    return Settings.model_validate({"scenes": {"detectors": detectors}})


def analysed(source: Path, folder: Path) -> Cost:
    """The whole analysis, all of its files written, as a person asks for it."""
    with timed(resource.RUSAGE_CHILDREN) as cost:
        command = [sys.executable, "-m", "clipd", "analyze", str(source), "-o", str(folder)]
        # A cache of its own: nothing is remembered from the run before. Its modules are compiled, as pip leaves them.
        surroundings = {**os.environ, "CACHE_DIRECTORY": f"{folder}.cache", "PYTHONDONTWRITEBYTECODE": ""}
        subprocess.run(command, check=True, capture_output=True, env=surroundings)
    return cost()


def recipe(ffmpeg: str, source: Path) -> Cost:
    """The five runs, one after the other; without the first where there is no audio."""
    info = probe(source, Limits())
    with timed(resource.RUSAGE_CHILDREN) as cost:
        for name, words in RECIPE.items():
            if name == "audio" and not info.audio:
                continue
            chosen = info.audio[0].index if name == "audio" else info.video.index
            command = [ffmpeg, "-nostdin", "-v", "error", "-i", str(source), "-map", f"0:{chosen}", *words.split()]
            subprocess.run([*command, "-f", "null", "-"], check=True)
    return cost()


def peaks(source: Path, minutes: list[float], work: Path) -> dict[str, float]:
    """The most memory, in MB, that measuring films of these lengths takes, each in a process of its own."""
    found = {}
    for length in minutes:
        film = joined(source, length * 60, work / f"long{source.suffix}")
        command = [sys.executable, __file__, "--peak-of", str(film)]
        found[f"{length:g} min"] = float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        film.unlink()
    return found


def peak(film: Path) -> float:
    """The most memory, in MB, that this process takes to measure `film`."""
    measured(film, Settings())
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def joined(source: Path, seconds: float, path: Path) -> Path:
    """`source` again and again, its packets copied, until `seconds` are full."""
    info = probe(source, Limits())
    chosen = [info.video.index, *(track.index for track in info.audio[:1])]
    with av.open(str(path), "w") as output:
        with av.open(str(source)) as container:
            tracks = {index: output.add_stream_from_template(container.streams[index]) for index in chosen}
        begin = 0.0
        while begin < seconds:
            with av.open(str(source)) as container:
                after = begin
                for packet in container.demux([container.streams[index] for index in chosen]):
                    if packet.dts is None or packet.pts is None:
                        continue
                    move = round(begin / packet.time_base)
                    packet.pts, packet.dts = packet.pts + move, packet.dts + move
                    after = max(after, float((packet.pts + (packet.duration or 0)) * packet.time_base))
                    packet.stream = tracks[packet.stream_index]
                    output.mux(packet)
            begin = after + 0.1
    return path


if __name__ == "__main__":
    main()
