"""Films with known cuts, joined from real footage: what cut detectors are tuned and judged on beside eye-checked files.

A film is a chain of shots (random spans of the sources, re-framed, graded and disturbed) and of changes between them
(cuts, dissolves, fades through a colour), then spoilt the way real files are: grain, dark grading, bars, a station's
logo, repeated frames, interlacing, few frames a second, hard compression. All of it follows from the seed. The two
halves share no shot: `tuning` takes every other one, `held-out` the rest.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import cv2
import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]
HALVES = ("tuning", "held-out")
WIDTH, HEIGHT = 384, 216
VISIBLE = 8
"""The least mean absolute difference of two joined pictures, so that no cut is invisible, such as black to black."""
STEADY = 0.75
"""The share of cuts among the changes between shots."""


@dataclass
class Truth:
    """What a film shows; frames count from 0, limits of gradual changes are inclusive."""

    hard_cuts: list[int] = field(default_factory=list)
    gradual: list[tuple[str, int, int]] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """One real shot: where it lies in its file."""

    path: Path
    first: int
    after: int


def known_shots(media: Path) -> dict[str, Any]:
    """The truth about the files of `media`: its `shots.json`, if it has one, and what was seen by eye beyond that."""
    marks = json.loads((media / "shots.json").read_text()) if (media / "shots.json").is_file() else {}
    seen = json.loads((Path(__file__).parent / "shots.json").read_text())
    return {**marks, **{name: truth for name, truth in seen.items() if (media / name).is_file()}}


def sources(media: Path, half: str) -> list[Source]:
    """The shots of `media` (a folder with `index.json` and `shots.json`) that belong to `half`."""
    marks = known_shots(media)
    found = []
    for entry in json.loads((media / "index.json").read_text()):
        name, frames = entry["file"], entry["frames"]
        known = marks.get(name, {})
        holes = [(cut, cut) for cut in known.get("hard_cuts", [])]
        holes += [(first - 6, last + 7) for _, first, last in known.get("gradual", [])]
        begin = 0
        for stop, go_on in [*sorted(holes), (frames - 1, frames)]:
            if stop - begin >= 12:
                found.append(Source(media / name, begin, min(stop, begin + 400)))
            begin = max(begin, go_on)
    return [source for number, source in enumerate(found) if number % 2 == HALVES.index(half)]


def pictures(source: Source) -> Picture:
    """(N, HEIGHT, WIDTH, 3) BGR pictures of a shot, cropped to fill."""
    kept = []
    with av.open(str(source.path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        for number, frame in enumerate(container.decode(stream)):
            if number >= source.after:
                break
            if number >= source.first:
                kept.append(_filled(frame.to_ndarray(format="bgr24")))
    return np.stack(kept)


def _filled(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    scale = max(WIDTH / width, HEIGHT / height)
    size = max(WIDTH, round(width * scale)), max(HEIGHT, round(height * scale))
    scaled = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    top, left = (size[1] - HEIGHT) // 2, (size[0] - WIDTH) // 2
    return scaled[top : top + HEIGHT, left : left + WIDTH]


class Shots:
    """Endless random shots out of one half's sources."""

    def __init__(self, material: list[Picture], random: np.random.Generator, pace: int) -> None:
        self._material, self._random, self._pace = material, random, pace
        self._last: tuple[int, float] = (-1, 0.0)

    def next(self, length: int) -> list[Picture]:
        """`length` pictures of one shot that is not the one before, or is it from quite another place or framing."""
        random = self._random
        if random.random() < 0.06:
            return self._title(length)
        while True:
            which = int(random.integers(len(self._material)))
            shot = self._material[which]
            speed = self._pace * (1 if random.random() < 0.6 else random.choice([0.5, 2, 3, 4]))
            begin = random.uniform(0, max(1, len(shot) - length * speed))
            if which != self._last[0]:
                break
            if abs(begin - self._last[1]) > 60 and len(shot) > 150:
                break
        self._last = (which, begin)
        view = self._view(length)
        grade, mirrored = self._grade(), random.random() < 0.5
        made = []
        for number in range(length):
            at = begin + number * speed
            at = at % (2 * len(shot) - 2) if len(shot) > 1 else 0
            picture = shot[int(min(at, 2 * len(shot) - 2 - at))]
            picture = cv2.warpAffine(picture, view(number), (WIDTH, HEIGHT), borderMode=cv2.BORDER_REFLECT)
            made.append(grade(picture[:, ::-1] if mirrored else picture))
        return self._disturbed(made)

    def _view(self, length: int) -> Callable[[int], NDArray[np.float64]]:
        """How the camera looks at the source: framing, pans, zooms, shake and whips, as an affine map per picture."""
        random = self._random
        zoom = random.uniform(1.0, 2.2)
        spare = (zoom - 1) / 2
        x, y = random.uniform(-spare, spare) * WIDTH, random.uniform(-spare, spare) * HEIGHT
        pan = random.normal(0, 2.5, 2) if random.random() < 0.4 else np.zeros(2)
        growth = random.choice([0, 0, 0, 0.004, -0.003, 0.012])
        shake = random.choice([0, 0, 0, 1.5, 4.0, 10.0])
        jitter = np.cumsum(random.normal(0, shake, (length + 1, 2)), axis=0)
        jitter -= cv2.GaussianBlur(jitter, (1, 31), 8)
        whip = np.zeros(length + 1)
        if length > 30 and random.random() < 0.12:
            begin, long = int(random.integers(5, length - 20)), int(random.integers(5, 14))
            whip[begin : begin + long] = random.choice([-1, 1]) * random.uniform(15, 60)
        whip = np.cumsum(whip)

        def look(number: int) -> NDArray[np.float64]:
            scale = max(1.0, zoom * (1 + growth * number))
            left = x + pan[0] * number + jitter[number, 0] + whip[number]
            top = y + pan[1] * number * 0.5 + jitter[number, 1]
            return np.array([
                [scale, 0, WIDTH / 2 - scale * (WIDTH / 2 + left / scale)],
                [0, scale, HEIGHT / 2 - scale * (HEIGHT / 2 + top / scale)],
            ])  # fmt: skip

        return look

    def _grade(self) -> Callable[[Picture], Picture]:
        random = self._random
        gain, lift = random.uniform(0.6, 1.15), random.uniform(-15, 15)
        gamma = np.exp(random.normal(0, 0.25))
        curve = np.clip(255 * (np.arange(256) / 255) ** gamma * gain + lift, 0, 255)
        tint = np.stack([np.clip(curve * random.uniform(0.9, 1.1), 0, 255) for _ in range(3)], axis=-1)
        table = tint[None].astype(np.uint8)
        return lambda picture: cv2.LUT(np.ascontiguousarray(picture), table)

    def _title(self, length: int) -> list[Picture]:
        random = self._random
        paper = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        paper[:] = random.choice([0, 0, 0, 16, 255]) if random.random() < 0.7 else random.integers(0, 256, 3)
        ink = tuple(int(255 - value) if abs(int(value) - 127) > 40 else 255 for value in paper[0, 0])
        for line in range(int(random.integers(1, 4))):
            word = "".join(chr(letter) for letter in random.integers(97, 123, random.integers(4, 14)))
            where = int(random.integers(20, 160)), 90 + 50 * line
            cv2.putText(paper, word, where, cv2.FONT_HERSHEY_DUPLEX, random.uniform(0.8, 1.8), ink, 2, cv2.LINE_AA)
        return [paper] * length

    def _disturbed(self, made: list[Picture]) -> list[Picture]:
        """With what is no cut: flashes, a strobe, steps of exposure, blasts, someone walking past the lens."""
        random, length = self._random, len(made)
        if length < 20 or random.random() < 0.5:
            return made
        at, long = int(random.integers(3, length - 12)), int(random.integers(1, 5))
        what = random.integers(6)
        if what == 0:
            strength, colour = random.uniform(0.3, 1.0), random.choice([255, 255, 220, 0])
            for number in range(at, at + long):
                made[number] = _mixed(made[number], np.full_like(made[number], colour), strength)
        elif what == 1:
            for number in range(at, min(length, at + 9), int(random.integers(2, 4))):
                made[number] = _mixed(made[number], np.full_like(made[number], 255), 0.7)
        elif what in (2, 3):
            step = random.choice([0.4, 0.6, 1.5, 2.0])
            for number in range(at, length):
                gain = 1 + (step - 1) * min(1, (number - at + 1) / (1 if what == 2 else 3 * long))
                made[number] = cv2.convertScaleAbs(made[number], alpha=gain)
        elif what == 4:
            centre = int(random.integers(WIDTH)), int(random.integers(HEIGHT))
            for number in range(at, min(length, at + 12)):
                age = number - at
                fire = made[number].copy()
                cv2.circle(fire, centre, 30 + 22 * age, (90, 180, 255), -1)
                fire = cv2.GaussianBlur(fire, (0, 0), 9)
                made[number] = _mixed(made[number], fire, max(0.0, 0.95 - age * 0.07))
        else:
            wide, pace = int(random.integers(120, 420)), int(random.integers(25, 90))
            shade = [int(value) for value in random.integers(0, 120, 3)]
            for number in range(at, length):
                left = -wide + pace * (number - at)
                passed = made[number].copy()
                cv2.ellipse(passed, (left + wide // 2, 170), (wide // 2, 190), 0, 0, 360, shade, -1)
                made[number] = cv2.blur(passed, (9, 3))
        return made


def _mixed(first: Picture, second: Picture, share: float) -> Picture:
    return cv2.addWeighted(first, 1 - share, second, share, 0)


def joined(shots: Shots, random: np.random.Generator, changes: int) -> tuple[list[Picture], Truth]:
    """A chain of shots with `changes` changes, and the truth about it."""
    film, truth = list(shots.next(_length(random))), Truth()
    for _ in range(changes):
        following = shots.next(_length(random))
        while cv2.norm(film[-1], following[0], cv2.NORM_L1) < VISIBLE * film[-1].size:
            following = shots.next(_length(random))
        kind = random.random()
        if kind < STEADY or len(film) < 60 or len(following) < 60:
            truth.hard_cuts.append(len(film))
        elif kind < STEADY + 0.12:
            following = _dissolved(film, following, int(random.integers(5, 41)), truth)
        else:
            following = _faded(film, following, random, truth)
        film.extend(following)
    return film, truth


def _length(random: np.random.Generator) -> int:
    return int(random.integers(3, 16)) if random.random() < 0.08 else int(random.integers(20, 140))


def _dissolved(film: list[Picture], following: list[Picture], long: int, truth: Truth) -> list[Picture]:
    begin = len(film) - long
    for step in range(long):
        film[begin + step] = _mixed(film[begin + step], following[step], (step + 1) / (long + 1))
    truth.gradual.append(("dissolve", begin, len(film) - 1))
    return following[long:]


def _faded(film: list[Picture], following: list[Picture], random: np.random.Generator, truth: Truth) -> list[Picture]:
    colour = np.full_like(film[0], random.choice([0, 0, 0, 0, 255, 40]))
    out, hold, back = int(random.integers(5, 36)), int(random.integers(1, 25)), int(random.integers(5, 36))
    hard = random.random()
    if hard < 0.2:
        truth.hard_cuts.append(len(film))
    else:
        begin = len(film) - out
        for step in range(out):
            film[begin + step] = _mixed(film[begin + step], colour, (step + 1) / (out + 1))
        truth.gradual.append(("fade-out", begin, len(film) - 1))
    film.extend([colour] * hold)
    if 0.2 <= hard < 0.4:
        truth.hard_cuts.append(len(film))
        return following
    for step in range(back):
        following[step] = _mixed(colour, following[step], (step + 1) / (back + 1))
    truth.gradual.append(("fade-in", len(film), len(film) + back - 1))
    return following


def spoilt(film: list[Picture], truth: Truth, random: np.random.Generator) -> tuple[list[Picture], Truth]:
    """The film as a real file would hold it, and the truth with its frames counted anew."""
    kind = random.integers(8)
    if kind == 0:
        film, truth = _repeated(film, truth, every=4)
    elif kind == 1:
        film, truth = _interlaced(film, truth)
    dark, grain = (random.uniform(0.15, 0.4) if kind == 2 else 1.0), random.choice([0, 0, 0, 4, 10])
    grey, bars, logo = random.random() < 0.12, random.random() < 0.2, random.random() < 0.25
    board = random.integers(0, 256, (28, 110, 3)).astype(np.uint8) if logo else None
    film = list(film)
    noise = [np.repeat(random.normal(0, grain, (HEIGHT, WIDTH, 1)), 3, axis=2).astype(np.int16) for _ in range(7)]
    for number, picture in enumerate(film):
        made = cv2.convertScaleAbs(picture, alpha=dark)
        if grey:
            made = cv2.cvtColor(cv2.cvtColor(made, cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
        if bars:
            made[:27] = made[-27:] = 0
        if board is not None:
            made[14:42, 20:130] = board
        film[number] = cv2.add(made, noise[number % 7], dtype=cv2.CV_8U) if grain else made
    return film, truth


def _repeated(film: list[Picture], truth: Truth, every: int) -> tuple[list[Picture], Truth]:
    order = [number for number in range(len(film)) for _ in range(2 if number % every == 0 else 1)]
    at = {number: place for place, number in reversed(list(enumerate(order)))}
    last = {number: place for place, number in enumerate(order)}
    moved = Truth([at[cut] for cut in truth.hard_cuts], [(kind, at[a], last[b]) for kind, a, b in truth.gradual])
    return [film[number] for number in order], moved


def _interlaced(film: list[Picture], truth: Truth) -> tuple[list[Picture], Truth]:
    woven = []
    for first, second in zip(film[::2], film[1::2], strict=False):
        picture = first.copy()
        picture[1::2] = second[1::2]
        woven.append(picture)
    halved = Truth([(cut + 1) // 2 for cut in truth.hard_cuts], [(k, a // 2, b // 2) for k, a, b in truth.gradual])
    return woven, Truth([cut for cut in halved.hard_cuts if cut < len(woven)], halved.gradual)


def write(film: list[Picture], path: Path, random: np.random.Generator) -> None:
    """Encodes `film` with a random size, rate and quality."""
    width, height = ((384, 216), (320, 180), (640, 360), (176, 144), (270, 480))[int(random.integers(5))]
    options = {"crf": str(random.integers(18, 36)), "preset": "superfast"}
    with av.open(str(path), "w") as container:
        stream = container.add_stream(
            "libx264", rate=Fraction(int(random.choice([10, 24, 25, 30, 50]))), options=options
        )
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        for picture in film:
            frame = av.VideoFrame.from_ndarray(
                cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA), "bgr24"
            )
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def make(media: Path, folder: Path, half: str, films: int, changes: int) -> dict[str, Any]:
    """Writes `films` films of one half into `folder` with a `shots.json`; returns that file's content."""
    material = [pictures(source) for source in sources(media, half)]
    marks: dict[str, Any] = {}
    for path, film, truth, random in _films(material, folder, half, films, changes):
        write(film, path, random)
        marks[path.name] = {"frames": len(film), "hard_cuts": truth.hard_cuts, "gradual": truth.gradual}
    (folder / "shots.json").write_text(json.dumps(marks))
    return marks


def _films(
    material: list[Picture], folder: Path, half: str, films: int, changes: int
) -> Iterator[tuple[Path, list[Picture], Truth, np.random.Generator]]:
    for number in range(films):
        random = np.random.default_rng([number, HALVES.index(half)])
        pace = 3 if random.random() < 0.1 else 1
        film, truth = joined(Shots(material, random, pace), random, changes)
        film, truth = spoilt(film, truth, random)
        yield folder / f"made_{number:03}.mp4", film, truth, random
