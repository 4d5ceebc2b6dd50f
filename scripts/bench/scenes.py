"""How well the cut detectors find what is true, and what they cost; prints one JSON line.

    python scripts/bench/scenes.py [--media DIR] [--films 12] [--half held-out] [--only NAME ...] [--verbose]

`DIR` holds videos and a `shots.json` (name -> `hard_cuts`, the first frame of each new shot, `gradual`,
[kind, first, last], and `unsure`, a frame or [first, last], where what is found counts neither way). For files that
`shots.json` beside this script names it needs none; where these come from is told there. For every detector in the
table: `precision`, `recall` and `f1` of hard cuts at +-1 frame, where a cut within a gradual change (+-5 frames) counts
neither way but once; further ones there are false. `gradual_recall` is the share of gradual changes with a cut in them,
`us_per_frame` its cost. `made` are films joined from the footage of `DIR` by `films.py`, as many as --films says, of
the half that nothing was tuned on.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from films import HALVES, known_shots, make

from clipd.media.door import Limits
from clipd.media.glance import Glance, Viewing
from clipd.media.glance import Settings as ViewSettings
from clipd.media.probe import probe
from clipd.segmentation.cut import Cut
from clipd.segmentation.scenes import DETECTORS

NEAR, ROOM, UNSURE = 1, 5, 5


@dataclass
class Tally:
    """What a detector got right and wrong."""

    right: int = 0
    false: int = 0
    missed: int = 0
    gradual: int = 0
    gradual_found: int = 0
    seconds: float = 0.0
    frames: int = 0
    words: list[str] = field(default_factory=list)

    def figures(self) -> dict[str, float | int]:
        """Fit to print."""
        precision, recall = _share(self.right, self.false), _share(self.right, self.missed)
        return {
            "precision": round(precision, 3),
            "recall": round(recall, 3),
            "f1": round(2 * precision * recall / ((precision + recall) or 1), 3),
            "gradual_recall": round(self.gradual_found / self.gradual, 3) if self.gradual else 1.0,
            "hard_cuts": self.right + self.missed,
            "false": self.false,
            "us_per_frame": round(1e6 * self.seconds / max(1, self.frames), 1),
        }


def main() -> None:
    """Measures and prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--media", type=Path, default=Path(__file__).parents[3] / "shared" / "media")
    parser.add_argument("--films", type=int, default=12, help="made films; 0 leaves them out")
    parser.add_argument("--changes", type=int, default=16, help="changes of shot in a made film")
    parser.add_argument("--half", choices=HALVES, default="held-out", help="which shots to make films of")
    parser.add_argument("--only", nargs="+", choices=DETECTORS, default=list(DETECTORS), help="detectors")
    parser.add_argument("--verbose", action="store_true", help="each file's mistakes on stderr")
    arguments = parser.parse_args()
    result: dict[str, Any] = {"real": _judged(arguments.media, arguments.only, arguments.verbose)}
    if arguments.films:
        with tempfile.TemporaryDirectory(prefix="clipd-bench-") as folder:
            make(arguments.media, Path(folder), arguments.half, arguments.films, arguments.changes)
            result["made"] = _judged(Path(folder), arguments.only, arguments.verbose)
    print(json.dumps(result))


def _judged(folder: Path, names: Sequence[str], verbose: bool) -> dict[str, dict[str, float | int]]:
    tallies = {name: Tally() for name in names}
    for name, truth in known_shots(folder).items():
        watching = {detector: DETECTORS[detector](DETECTORS[detector].settings()) for detector in names}
        for glance in glances(folder / name):
            for detector, watched in watching.items():
                begin = time.thread_time()
                watched.feed(glance)
                tallies[detector].seconds += time.thread_time() - begin
                tallies[detector].frames += 1
        for detector, watched in watching.items():
            begin = time.thread_time()
            found = watched.finish()
            tallies[detector].seconds += time.thread_time() - begin
            words = judge(found, truth, tallies[detector])
            if verbose and words:
                print(f"{name} {detector}: {words}", file=sys.stderr)
    return {name: tally.figures() for name, tally in tallies.items()}


def _is_unsure(cut: Cut, truth: dict[str, Any]) -> bool:
    spans = ((at, at) if isinstance(at, int) else at for at in truth.get("unsure", []))
    return any(first - UNSURE <= cut.frame <= last + UNSURE for first, last in spans)


def judge(found: Sequence[Cut], truth: dict[str, Any], tally: Tally) -> str:
    """Adds how `found` compares with `truth` to `tally`; returns the mistakes in words."""
    wanted, gradual = list(truth["hard_cuts"]), {tuple(change): 0 for change in truth.get("gradual", [])}
    false = []
    for cut in found:
        near = [frame for frame in wanted if abs(frame - cut.frame) <= NEAR]
        inside = [change for change in gradual if change[1] - ROOM <= cut.frame <= change[2] + ROOM]
        if near:
            wanted.remove(min(near, key=lambda frame: abs(frame - cut.frame)))
            tally.right += 1
        elif inside and not all(gradual[change] for change in inside):
            gradual[min(inside, key=lambda change: gradual[change])] += 1
        elif not _is_unsure(cut, truth):
            false.append(cut.frame)
    lost = [change for change, count in gradual.items() if not count]
    tally.false += len(false)
    tally.missed += len(wanted)
    tally.gradual += len(gradual)
    tally.gradual_found += len(gradual) - len(lost)
    return ", ".join(f"{word} {what}" for word, what in (("false", false), ("missed", wanted), ("lost", lost)) if what)


def glances(path: Path) -> Iterator[Glance]:
    """The frames of a video, seen small."""
    for seen in Viewing(path, probe(path, Limits()), Limits(), ViewSettings()):
        if isinstance(seen, Glance):
            yield seen


def _share(part: int, rest: int) -> float:
    return part / (part + rest) if part + rest else 1.0


if __name__ == "__main__":
    main()
