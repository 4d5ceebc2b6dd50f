"""What the daemon makes of real footage, frame by frame, against decoding, cutting and interpolating done outside.

One tree, one pass of the real daemon, all clips at once; then every file that it published is looked at.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from tests.e2e.oracle import Box, Film, Planes, beeps, between, cut, even, flashes, same, ssim
from tests.e2e.tree import Tree
from tests.footage import footage

pytestmark = pytest.mark.footage

LEAST_SSIM = 0.968
"""What crf 18 reaches on the busiest of these crops (few frames of leaves and gravel); the others are over 0.98."""
OURS = {"status", "export_path", "modified_at", "error"}


@dataclass(frozen=True)
class Asked:
    """A clip, and where its frames lie; `boxes` are crop keyframes."""

    name: str
    first: int
    last: int
    boxes: dict[int, Box] = field(default_factory=dict)
    smooth: bool = False
    seconds: tuple[str, str] | None = None

    def box(self, frame: int) -> Box | None:
        """The box to cut from `frame`."""
        return between(self.boxes, frame, smooth=self.smooth) if self.boxes else None

    @property
    def frames(self) -> range:
        """The frames asked for."""
        return range(self.first, self.last + 1)


@dataclass(frozen=True)
class Source:
    """A video and what is asked of it. `turn` are quarter turns counterclockwise that make its pictures upright."""

    file: str
    clips: tuple[Asked, ...]
    track: int = 0
    turn: int = 0


def fixed(x: int, y: int, w: int, h: int) -> dict[int, Box]:
    return {0: (x, y, w, h)}


def wandering(first: int, count: int, size: tuple[int, int], seed: int) -> dict[int, Box]:
    """`count` keyframes from frame `first` on, one to three frames apart, somewhere in a picture of 768 x 432."""
    random = np.random.default_rng(seed)
    frames = first + np.cumsum(random.integers(1, 4, count))
    return {
        int(frame): (int(random.integers(0, 768 - size[0])), int(random.integers(0, 432 - size[1])), *size)
        for frame in frames
    }


ZOOM = {30: (10, 20, 200, 112), 40: (101, 51, 320, 180), 49: (300, 200, 240, 136)}
SOURCES = (
    Source(
        "docutils_pens.mp4",
        (Asked("upright", 5, 20), Asked("corner", 10, 24, fixed(9, 37, 73, 89)), Asked("last", 63, 63)),
        turn=-1,
    ),
    Source(
        "forensics_VID_20191220_170832.mp4",
        (Asked("gap", 0, 12, fixed(389, 107, 321, 241)), Asked("end", 36, 40, fixed(0, 839, 400, 241))),
    ),
    Source("intel_car-detection.mp4", (Asked("across", 50, 74, fixed(1, 115, 385, 217)),)),
    Source(
        "intel_one-by-one-person-detection.mp4",
        (
            Asked("linear", 4, 380, wandering(0, 200, (161, 121), 1)),
            Asked("smooth", 10, 340, wandering(0, 200, (160, 120), 2), smooth=True),
        ),
    ),
    Source(
        "mapillary_sample-5s_h265.mp4",
        (
            Asked("timed", 0, 0, fixed(113, 449, 321, 241), seconds=("00:00:00.200", "0.55")),
            Asked("reordered", 3, 9, fixed(600, 801, 320, 240)),
        ),
    ),
    Source("mdn_flower.mp4", (Asked("sync", 85, 95, fixed(235, 75, 241, 161)), Asked("last", 149, 149))),
    Source("mdn_friday.mp4", (Asked("whole", 0, 184, fixed(100, 50, 320, 240)),)),
    Source(
        "mdnshared_tears-of-steel-battle-clip-medium.webm",
        (Asked("shot", 45, 60, fixed(97, 39, 401, 167)), Asked("first", 0, 0)),
    ),
    Source("pyscenedetect_testvideo.mp4", (Asked("far", 290, 305, fixed(301, 219, 321, 241)),)),
    Source("torchcodec_nasa_13013.mp4", (Asked("first_track", 95, 110),), track=0),
)
ALL = [(source, clip) for source in SOURCES for clip in source.clips]
NAMES = [f"{Path(source.file).stem[:12]}-{clip.name}" for source, clip in ALL]
FLASHES = (20, 75, 130, 200)


def entry(clip: Asked) -> dict[str, Any]:
    """The clip as a person writes it, with keys of other programs."""
    span = (
        {"start": clip.seconds[0], "end": float(clip.seconds[1])}
        if clip.seconds
        else {"start_frame": clip.first, "end_frame": clip.last}
    )
    return {
        "id": f"id {clip.name}", "name": clip.name, "proxy_path": "proxies/p.mp4", **span,
        "crop_keyframes": {str(frame): list(box) for frame, box in clip.boxes.items()} or None,
        "crop_interpolation": "smooth" if clip.smooth else "linear", "crop_keyframes_proxy": {"1": [1, 2, 3, 4]},
        "status": "Process", "export_path": None, "created_at": "2024-05-01T12:00:00", "stars": 4.50,
    }  # fmt: skip


def beeping_film(path: Path, codec: str, rate: int, layout: str) -> Path:
    """Ten seconds that turn white and beep at the same moments, with B-frames."""
    with av.open(str(path), "w") as output:
        video = output.add_stream("libx264", rate=25, options={"bf": "2", "g": "50"})
        video.width, video.height, video.pix_fmt = 96, 64, "yuv420p"
        audio = output.add_stream(codec, rate=rate)
        audio.codec_context.layout = layout
        for number in range(250):
            frame = av.VideoFrame(96, 64, "yuv420p")
            luma = np.full((64, 96), 235 if number in FLASHES else 40 + number % 50, np.uint8)
            frame.planes[0].update(np.pad(luma, ((0, 0), (0, frame.planes[0].line_size - 96))).tobytes())
            for plane in frame.planes[1:]:
                plane.update(bytes([128]) * plane.buffer_size)
            frame.pts, frame.time_base = number, Fraction(1, 25)
            output.mux(video.encode(frame))
        output.mux(video.encode(None))
        samples = np.zeros(10 * rate, np.float32)
        for number in FLASHES:
            at = number * rate // 25
            samples[at : at + rate // 20] = 0.7 * np.sin(np.arange(rate // 20) * 2 * np.pi * 1000 / rate + 0.5)
        for at in range(0, len(samples), 1024):
            lines = np.tile(samples[at : at + 1024], (2 if layout == "stereo" else 1, 1))
            block = av.AudioFrame.from_ndarray(lines, "fltp", layout)
            block.sample_rate, block.pts, block.time_base = rate, at, Fraction(1, rate)
            output.mux(audio.encode(block))
        output.mux(audio.encode(None))
    return path


BEEPING = (
    ("aac.mp4", "aac", 48000, "stereo"),
    ("alaw.mov", "pcm_alaw", 8000, "mono"),
    ("opus.mkv", "libopus", 48000, "stereo"),
)


@dataclass(frozen=True)
class Made:
    """The tree after the pass."""

    tree: Tree
    before: dict[str, str]

    def output(self, video: str, clip: str, extension: str) -> Path:
        """A published file."""
        folder = {"mp4": "h264", "mkv": "ffv1"}.get(extension, "ffv1")
        (found,) = self.tree.layout.outputs.glob(f"{folder}/cam1/*/{Path(video).stem}_{clip}.{extension}")
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    folder = tmp_path_factory.mktemp("exactness")
    tree = Tree.at(folder / "tree", {"clips": {"formats": ["h264", "ffv1"], "scaler": "bicubic"}})
    before = {}
    for number, source in enumerate(SOURCES):
        place, stem = f"cam1/s{number}", Path(source.file).stem
        tree.add_source(footage(source.file), place=place)
        before[f"{place}/{stem}"] = json.dumps([entry(clip) for clip in source.clips], indent=3)
    tree.add_source(footage("intel_one-by-one-person-detection.mp4"), "zoom.mp4", "cam1/s90")
    before["cam1/s90/zoom"] = json.dumps({"clips": [entry(Asked("in", 30, 49, ZOOM))]}, indent=1)
    for number, (name, *sound) in enumerate(BEEPING):
        tree.add_source(beeping_film(folder / name, *sound), place=f"cam1/b{number}")
        before[f"cam1/b{number}/{Path(name).stem}"] = json.dumps(
            [entry(Asked("mid", 60, 160)), entry(Asked("all", 0, 249))]
        )
    for path, text in before.items():
        place, _, stem = path.rpartition("/")
        tree.write_sidecar(text, video=stem, place=place)
    tree.once()
    return Made(tree, before)


@pytest.fixture(scope="module")
def film() -> Callable[[Source], Film]:
    kept: dict[str, Film] = {}

    def film(source: Source) -> Film:
        if source.file not in kept:
            numbers = [number for clip in source.clips for number in clip.frames]
            numbers += range(30) if any(clip.seconds for clip in source.clips) else []
            kept.clear()
            kept[source.file] = Film(footage(source.file), source.track, numbers, source.turn)
        return kept[source.file]

    return film


@pytest.fixture(params=ALL, ids=NAMES, scope="module")
def case(request: pytest.FixtureRequest, film: Callable[[Source], Film]) -> tuple[Source, Asked, Film]:
    source, clip = request.param
    whole = film(source)
    if clip.seconds:
        start, end = (Fraction(text.rpartition(":")[2]) for text in clip.seconds)
        assert len(set(whole.steps(0, 30))) > 2, "a variable rate is wanted here"
        clip = Asked(clip.name, *whole.shown_within(start, end), clip.boxes)
    return source, clip, whole


def wanted(film: Film, clip: Asked) -> Iterator[Planes]:
    """The pictures that a lossless file of `clip` must hold."""
    for number in clip.frames:
        yield cut(film.pictures[number], clip.box(number))


def test_lossless_frames_are_those_of_the_source(made: Made, case: tuple[Source, Asked, Film]) -> None:
    source, clip, film = case
    found = Film(made.output(source.file, clip.name, "mkv"))
    assert len(found.pictures) == len(clip.frames)
    for number, picture in enumerate(wanted(film, clip)):
        assert same(found.pictures[number], picture), f"frame {clip.first + number} differs"
    assert (found.tags, found.rotation) == (film.tags, 0)
    for got, step in zip(found.times, film.times[clip.first : clip.last + 1], strict=True):
        assert abs(got - (step - film.times[clip.first])) <= Fraction(1, 1000)


def test_h264_frames_look_like_those_of_the_source(made: Made, case: tuple[Source, Asked, Film]) -> None:
    source, clip, film = case
    found = Film(made.output(source.file, clip.name, "mp4"))
    assert len(found.pictures) == len(clip.frames)
    pairs = [(found.pictures[n], even(picture)) for n, picture in enumerate(wanted(film, clip))][
        :: max(1, len(clip.frames) // 24)
    ]
    for plane in range(3):
        assert np.mean([ssim(got[plane], picture[plane]) for got, picture in pairs]) > LEAST_SSIM
    assert (found.tags, found.rotation) == (film.tags, 0)
    assert found.times[0] == 0
    assert found.steps(0, len(clip.frames) - 1) == film.steps(clip.first, clip.last)


def test_a_zoom_shows_each_box_in_the_size_of_the_largest(made: Made) -> None:
    film = Film(footage("intel_one-by-one-person-detection.mp4"), numbers=range(30, 50))
    lossless = Film(made.output("zoom.mp4", "in", "mkv"))
    lossy = Film(made.output("zoom.mp4", "in", "mp4"))
    assert len(lossless.pictures) == len(lossy.pictures) == 20
    for number in range(20):
        box = between(ZOOM, 30 + number, smooth=False)
        luma = cut(film.pictures[30 + number], box)[0]
        frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(luma), format="gray")
        scaled = frame.reformat(320, 180, interpolation="BICUBIC").to_ndarray()
        assert lossless.pictures[number][0].shape == (180, 320)
        assert ssim(lossless.pictures[number][0], scaled) > 0.995
        assert ssim(lossy.pictures[number][0], scaled) > 0.98


@pytest.mark.parametrize(("name", "rate"), [(name, rate) for name, _, rate, _ in BEEPING])
@pytest.mark.parametrize(("clip", "first", "last"), [("mid", 60, 160), ("all", 0, 249)])
@pytest.mark.parametrize("extension", ["mp4", "mkv"])
def test_sound_stays_where_it_was(
    made: Made, name: str, rate: int, clip: str, first: int, last: int, extension: str
) -> None:
    source = made.tree.layout.source / f"cam1/b{[case[0] for case in BEEPING].index(name)}" / name
    offsets = [beep - flash for beep, flash in zip(beeps(source), flashes(source), strict=True)]
    inside = [offset for offset, number in zip(offsets, FLASHES, strict=True) if first <= number <= last]
    output = made.output(name, clip, extension)
    found = [beep - flash for beep, flash in zip(beeps(output), flashes(output), strict=True)]
    assert found == pytest.approx(inside, abs=max(0.002, 24 / rate))
    assert flashes(output) == pytest.approx([(n - first) / 25 for n in FLASHES if first <= n <= last], abs=0.001)
    with av.open(str(output)) as container:
        sound = sum(frame.samples for frame in container.decode(audio=0)) / rate
    assert sound == pytest.approx((last - first + 1) / 25, abs=1024 / rate + 0.01)


def test_sidecars_change_in_nothing_but_our_keys(made: Made) -> None:
    for path, text in made.before.items():
        place, _, stem = path.rpartition("/")
        after = (made.tree.layout.sidecars / place / f"{stem}_clips.json").read_text()
        loaded = [json.loads(content) for content in (text, after)]
        entries = [content["clips"] if isinstance(content, dict) else content for content in loaded]
        for before, now in zip(*entries, strict=True):
            assert now["status"] == "Complete"
            assert len(now["export_path"]) == 2
            assert all((made.tree.root / output).is_file() for output in now["export_path"])
            assert [key for key in now if key in before] == list(before)
            assert {k: v for k, v in now.items() if k not in OURS} == {k: v for k, v in before.items() if k not in OURS}
        assert [line for line in text.splitlines() if line not in after] == [
            line for line in text.splitlines() if '"status"' in line or '"export_path"' in line
        ]


def test_index_stands_first_in_mp4(made: Made) -> None:
    outputs = list(made.tree.layout.outputs.rglob("*.mp4"))
    assert len(outputs) == len(ALL) + 1 + 2 * len(BEEPING)
    for output in outputs:
        with output.open("rb") as file:
            boxes = []
            while head := file.read(8):
                size, kind = struct.unpack(">I4s", head)
                boxes.append(kind)
                file.seek(size - 8, 1)
        assert boxes.index(b"moov") < boxes.index(b"mdat")


def test_truth_sheets_tell_what_is_there(made: Made) -> None:
    for source, clip in ALL:
        for extension in ("mp4", "mkv"):
            output = made.output(source.file, clip.name, extension)
            sheet = json.loads(output.with_suffix(".json").read_text())
            assert sheet["sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
            with av.open(str(output)) as container:
                stream = container.streams.video[0]
                frames = sum(1 for packet in container.demux(stream) if packet.size)
                assert (sheet["output"]["width"], sheet["output"]["height"]) == (stream.width, stream.height)
            assert sheet["output"]["frames"] == frames
            if clip.seconds is None:
                assert frames == len(clip.frames)
    assert not made.tree.strays()


def test_thumbnails_show_the_middle_upright(made: Made, case: tuple[Source, Asked, Film]) -> None:
    source, clip, _ = case
    output = made.output(source.file, clip.name, "mkv")
    with av.open(str(output)) as container:
        middle = [frame.to_ndarray(format="gray") for frame in container.decode(video=0)][len(clip.frames) // 2]
    with av.open(str(output.with_suffix(".jpg"))) as container:
        small = next(container.decode(video=0))
    assert small.width <= 320
    assert small.height <= 180
    shrunk = av.VideoFrame.from_ndarray(middle, format="gray").reformat(small.width, small.height, interpolation="AREA")
    assert np.corrcoef(small.to_ndarray(format="gray").ravel(), shrunk.to_ndarray().ravel())[0, 1] > 0.97
